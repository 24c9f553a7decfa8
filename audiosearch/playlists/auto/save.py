"""Keep the playlists of clusters in the index, in place of those of the last run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audiosearch.library.track import fold
from audiosearch.playlists import saved
from audiosearch.soundmap.characteristic import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.index import Index
    from audiosearch.playlists.builder import Playlist

#: Setting of the saved playlists that may be replaced and removed.
_SETTINGS: Final = {"auto": True}


def save_all(index: Index, playlists: Sequence[Playlist]) -> list[str]:
    """Save playlists in the index, and remove those of the last run that fell out.

    Playlists that somebody saved are not touched: a name that one of them has gets a number.

    Returns
    -------
    list of str
        Names of the removed ones.

    Raises
    ------
    LibraryError
        If there are too many playlists, or the index can't be written.
    """
    names = [summary.name for summary in saved.summaries(index)]
    former = {name for name in names if saved.load(index, name).settings == _SETTINGS}
    used = {fold(name) for name in names if name not in former}
    kept = set()
    with index.transaction():
        for playlist in playlists:
            name = str(numbered(playlist.name, used))
            used.add(fold(name))
            kept.add(saved.save(index, name, playlist.tracks, _SETTINGS).name)
        removed = sorted(former - kept)
        for name in removed:
            saved.remove(index, name)
    return removed
