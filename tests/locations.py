"""Locations of new indexes in each backend."""

from audiosearch.library.backend import BACKENDS


def location_in(backend, folder, monkeypatch):
    """Return a location in a backend: "folder", "milvus" or "toy"."""
    monkeypatch.setitem(BACKENDS, "toy", "toy_backend")
    return {
        "folder": str(folder / "index"),
        "milvus": f"milvus+lite://{folder / 'index.db'}",
        "toy": f"toy:{folder}",
    }[backend]
