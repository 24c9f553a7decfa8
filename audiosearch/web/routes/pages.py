"""The files of the web page, with those that draw the map, and the page that describes HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from blake3 import blake3
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from audiosearch.soundmap.page import view_files
from audiosearch.web.interface.docs_page import docs_page

if TYPE_CHECKING:
    from importlib.abc import Traversable

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FOREVER = "public, max-age=31536000, immutable"
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def _files_in(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield the files in a folder and its subfolders, each with its path relative to the folder."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files_in(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry


#: Files under /page/, by their path there.
FILES = {
    **dict(_files_in(files("audiosearch.web") / "page")),
    **{f"map/{name}": file for name, file in view_files().items()},
}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def index(request: Request) -> Response:
    """Return the web page."""
    return _kept(_page(), "text/html", request)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Return the page that describes the HTTP interface."""
    state = request.app.state
    if not hasattr(state, "docs"):
        state.docs = docs_page(request.app.openapi()).encode()
    return _kept(state.docs, "text/html", request)


@router.get("/logo.svg")
@router.get("/favicon.ico")
async def logo(request: Request) -> Response:
    """Return the logo, which is also the icon."""
    return _file("logo.svg", request)


@router.get("/page/{name:path}")
async def file(name: str, request: Request) -> Response:
    """Return a script, style sheet or image of the page."""
    if name not in FILES:
        raise HTTPException(404, "This page doesn't exist")
    return _file(name, request)


def _page() -> bytes:
    """Return the page, with all its modules named, so that they are fetched at the same time.

    Those of the map follow when it is shown.
    """
    modules = (name for name in sorted(FILES) if name.endswith(".js") and name[:3] != "map")
    links = "".join(f'<link rel="modulepreload" href="/page/{name}">\n' for name in modules)
    content = FILES["index.html"].read_bytes()
    return content.replace(b"<script type", links.encode() + b"<script type", 1)


def _file(name: str, request: Request) -> Response:
    media_type = _TYPES[name[name.rindex(".") :]]
    return _kept(FILES[name].read_bytes(), media_type, request)


def _kept(content: bytes, media_type: str, request: Request) -> Response:
    """Return content that browsers keep: for good if the address names its digest as ``v``.

    They ask again for other content, and get it only if it has changed.
    """
    digest = blake3(content).hexdigest(length=8)
    is_versioned = request.query_params.get("v") == digest
    headers = {
        "Content-Security-Policy": _PAGE_POLICY,
        "Cache-Control": _FOREVER if is_versioned else "no-cache",
        "ETag": f'W/"{digest}"',  # weak: it is the same for the compressed content
    }
    if digest in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
