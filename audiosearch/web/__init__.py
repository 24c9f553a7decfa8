"""The same calls over HTTP."""

from audiosearch.web.app import Limits, create_app

__all__ = ["Limits", "create_app"]
