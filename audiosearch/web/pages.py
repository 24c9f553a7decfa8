"""The web page, and the map in its frame."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from audiosearch.web.api import Shared

if TYPE_CHECKING:
    from importlib.abc import Traversable

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# Plotly compiles code at run time. The sandbox allows its frame no origin and no requests.
_MAP_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; frame-ancestors 'self'; sandbox allow-scripts"
)


def _files_in(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield the files in a folder and its subfolders, each with its path relative to the folder."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files_in(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry


_FILES = dict(_files_in(files("audiosearch.web") / "page"))

router = APIRouter(include_in_schema=False)


@router.get("/")
async def index() -> Response:
    """Return the web page."""
    return _file("index.html")


@router.get("/page/{name:path}")
async def file(name: str) -> Response:
    """Return a script or style sheet of the page."""
    if name not in _FILES:
        raise HTTPException(404, "This page doesn't exist")
    return _file(name)


@router.get("/map")
async def map_frame(shared: Shared) -> HTMLResponse:
    """Return the map for the page's frame."""
    current = await shared.maps.current()
    return HTMLResponse(current.page, headers={"Content-Security-Policy": _MAP_POLICY})


def _file(name: str) -> Response:
    content = _FILES[name].read_bytes()
    media_type = _TYPES[name[name.rindex(".") :]]
    headers = {"Content-Security-Policy": _PAGE_POLICY, "Cache-Control": "no-cache"}
    return Response(content, media_type=media_type, headers=headers)
