"""The web page and the HTTP interface: the same functions as the command line's."""

from audiosearch.web.app import Limits, create_app

__all__ = ["Limits", "create_app"]
