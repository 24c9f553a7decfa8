"""Plugin of beets: ``beet soundslike QUERY`` finds tracks that sound like others.

It is installed as ``beetsplug.audiosearch``.
"""

from __future__ import annotations

import atexit
import os
import shlex
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import beets
from beets.dbcore import InvalidQueryError, types
from beets.plugins import BeetsPlugin
from beets.ui import Subcommand, UserError, print_  # type: ignore[attr-defined]  # (exported)

from audiosearch import defaults
from audiosearch.counting import counted
from audiosearch.errors import AudiosearchError
from audiosearch.players.beets.changes import Changes
from audiosearch.players.beets.items import path_of, track_of
from audiosearch.players.beets.messages import sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from optparse import Values

    from beets.library import Album, Item, Library

    from audiosearch.ingest.add import Ingest
    from audiosearch.ingest.result import AddResult
    from audiosearch.models.download import Progress


class AudiosearchPlugin(BeetsPlugin):
    """Keeps an index of the library, and searches it."""

    item_types: ClassVar[dict[str, types.Type]] = {
        "sounds": types.SEMICOLON_SPACE_DSV,
        "similarity": types.Float(3),
    }

    def __init__(self) -> None:
        super().__init__()
        self.config.add(
            {"index": None, "model": "auto", "auto": True, "sounds": True, "playlist_dir": None}
        )
        self._changes = Changes()
        self._library: Library | None = None
        self.register_listener("library_opened", self._opened)
        self.register_listener("item_imported", self._item_imported)
        self.register_listener("album_imported", self._album_imported)
        self.register_listener("item_moved", self._moved)
        for event in ("item_copied", "item_linked", "item_hardlinked", "item_reflinked"):
            self.register_listener(event, self._copied)
        self.register_listener("after_write", self._written)
        self.register_listener("item_removed", self._removed)
        self.register_listener("import", self._follow)
        self.register_listener("cli_exit", self._follow)
        atexit.register(self._follow_at_exit)

    def commands(self) -> list[Subcommand]:
        """Return the commands of the plugin."""
        similar = Subcommand("soundslike", help="list tracks that sound like those of a query")
        similar.parser.set_usage("%prog [options] QUERY | FILE...")
        similar.parser.add_path_option()
        similar.parser.add_format_option(target="item")
        option = similar.parser.add_option
        option("-n", "-k", "--number", type=int, default=defaults.HITS, help="number of tracks")
        option("--among", metavar="QUERY", help="list only tracks that match this query")
        option(
            "--unlike",
            metavar="QUERY",
            action="append",
            default=[],
            help="tracks, or a file, that the listed tracks should not sound like",
        )
        option("--min-similarity", type=float, metavar="COSINE", help="lowest similarity, -1 to 1")
        option("-m", "--playlist", metavar="NAME", help="write an M3U playlist instead")
        similar.func = self._soundslike
        embed = Subcommand("audiosearch", help="embed the library, or the tracks of a query")
        embed.parser.add_option("--retry", action="store_true", help="try failed files again")
        embed.func = self._embed_command
        return [similar, embed]

    # Events

    def _opened(self, lib: Library) -> None:
        self._library = lib

    def _item_imported(self, lib: Library, item: Item) -> None:  # noqa: ARG002
        self._changes.add_imported([item])

    def _album_imported(self, lib: Library, album: Album) -> None:  # noqa: ARG002
        self._changes.add_imported(album.items())

    def _moved(self, item: Item, source: bytes, destination: bytes) -> None:  # noqa: ARG002
        self._changes.moved.append((os.fsdecode(source), os.fsdecode(destination)))

    def _copied(self, item: Item, source: bytes, destination: bytes) -> None:  # noqa: ARG002
        if item.id:
            self._changes.written[item.id] = os.fsdecode(source)

    def _written(self, item: Item, path: bytes) -> None:
        if item.id and path == item.path:
            self._changes.written.setdefault(item.id, path_of(item))

    def _removed(self, item: Item) -> None:
        self._changes.removed.append(path_of(item))

    def _follow(self, lib: Library, **_: Any) -> None:
        """Bring the index up to date after a command or an import, which never fails by it."""
        try:
            items = self._rename_and_remove(lib)
            if items:
                self._warn_of_problems(self._embed(lib, items))
        except (AudiosearchError, OSError) as exc:
            self._log.warning(
                "{} Then run `beet audiosearch`.", sentences(exc, self._location(lib))
            )

    def _follow_at_exit(self) -> None:
        """Rename and remove tracks after a command that was interrupted. Nothing is embedded."""
        if self._library is not None:
            try:
                self._rename_and_remove(self._library)
            except (AudiosearchError, OSError) as exc:
                self._log.warning("{}", sentences(exc, self._location(self._library)))

    def _rename_and_remove(self, lib: Library) -> list[Item]:
        """Rename and remove tracks, and return the items that must be embedded or read again."""
        changes, self._changes = self._changes, Changes()
        if not changes:
            return []
        from audiosearch.library.index import Index

        items = changes.imported_items(lib) if self.config["auto"] else []
        if Index.exists(self._location(lib)):
            with Index(self._location(lib)) as index:
                changes.rename_and_remove(index, lib)
                items += changes.items_with_tracks(index, lib)
        return items

    # Commands

    def _soundslike(self, lib: Library, opts: Values, args: list[str]) -> None:
        with self._user_errors(lib):
            if not args:
                raise UserError("Nothing to search with. Enter a query, or the path of a file.")
            if opts.playlist is not None and not opts.playlist.strip():
                raise UserError("The name of the playlist is empty. Enter -m NAME.")
            items = self._similar_items(lib, opts, args)
            if not items:
                self._log.warning("No other track in the library matches.")
            elif opts.playlist:
                from audiosearch.players.beets.playlist import write_playlist

                settings = (self.config, beets.config["smartplaylist"])
                path = write_playlist(lib, opts.playlist, items, settings=settings)
                self._log.info("{} written to {}", counted(len(items), "track"), path)
            else:
                for item in items:
                    print_(format(item))

    def _similar_items(self, lib: Library, opts: Values, args: list[str]) -> list[Item]:
        from audiosearch.library.index import Index
        from audiosearch.models.registry import AUTO_REQUEST
        from audiosearch.players.beets.similar_items import add_clips, similar_items
        from audiosearch.search.options import SearchOptions, check_number_of_hits
        from audiosearch.search.query_vectors import QueryVectors

        check_number_of_hits(opts.number)
        among = {path_of(i): i for i in lib.items(opts.among)} if opts.among else None
        with Index(self._location(lib)) as index:
            index.require_vectors()
            seeds = QueryVectors(index, AUTO_REQUEST)
            negatives = seeds.empty_copy()
            clips = [(seeds, args), *((negatives, words) for words in map(_words, opts.unlike))]
            for vectors, words in clips:
                if warning := add_clips(vectors, index, lib, words):
                    self._log.warning("{}", warning)
            for warning in seeds.warnings + negatives.warnings:
                self._log.warning("{}", warning)
            hits = similar_items(
                index,
                lib,
                seeds,
                negatives,
                n_items=opts.number,
                options=SearchOptions(min_similarity=opts.min_similarity),
                among=among,
            )
        for item, similarity in hits:
            item["similarity"] = similarity  # for formats; it isn't stored
        return [item for item, _ in hits]

    def _embed_command(self, lib: Library, opts: Values, args: list[str]) -> None:
        with self._user_errors(lib):
            items = list(lib.items(args))
            if not items:
                raise UserError("No track in the library matches.")
            results = self._embed(lib, items, is_retried=opts.retry)
            self._warn_of_problems(results)
            counts = Counter(result.status.value for result in results)
            self._log.info("{}", ", ".join(f"{n} {status}" for status, n in counts.items()))

    def _embed(
        self, lib: Library, items: Sequence[Item], *, is_retried: bool = False
    ) -> list[AddResult]:
        """Add the files of items to the index, and store the sounds heard in them with the items.

        The index is created if there is none.
        """
        from audiosearch.embedding.reader import Reader
        from audiosearch.ingest.add import Ingest
        from audiosearch.ingest.result import ReprocessPolicy
        from audiosearch.models.registry import ModelRequest

        has_sounds = self.config["sounds"].get(bool)
        ingest = Ingest(
            self._location(lib),
            list(dict.fromkeys(map(path_of, items))),
            request=ModelRequest(self.config["model"].as_str(), progress=self._say_once()),
            reprocess=ReprocessPolicy.FAILED if is_retried else ReprocessPolicy.CHANGED,
            reader=Reader(has_sounds=has_sounds),
        )
        try:
            results = list(_with_progress(ingest))
        except KeyboardInterrupt:
            self._log.warning("Interrupted. `beet audiosearch` embeds the rest.")
            raise
        finally:
            if has_sounds:
                self._store_sounds(lib, items)
        return results

    def _warn_of_problems(self, results: Sequence[AddResult]) -> None:
        for result in results:
            if result.message:
                self._log.warning("{}: {}", result.path, result.message)

    def _store_sounds(self, lib: Library, items: Sequence[Item]) -> None:
        from audiosearch.library.index import Index

        if not Index.exists(self._location(lib)):
            return
        with Index(self._location(lib)) as index, lib.transaction():
            for item in items:
                track = track_of(index, item)
                names = [sound.name for sound in track.sounds] if track else []
                if track and track.tagger and item.get("sounds", []) != names:
                    item["sounds"] = names
                    item.store()

    @contextmanager
    def _user_errors(self, lib: Library) -> Iterator[None]:
        """Turn the errors of a block into beets' own."""
        try:
            yield
        except AudiosearchError as exc:
            raise UserError(sentences(exc, self._location(lib))) from exc

    # Settings

    def _location(self, lib: Library) -> str:
        """Return the location of the index: by default, a folder beside the library's database."""
        from audiosearch.library.backend import BACKENDS

        view = self.config["index"]
        if view.get() is None:
            return os.path.join(os.path.dirname(os.fsdecode(lib.path)), "audiosearch")
        name = view.as_str()
        return name if ":" in name and name.partition(":")[0] in BACKENDS else view.as_filename()

    def _say_once(self) -> Progress:
        """Return a callback that says which download or conversion starts."""
        said: set[str] = set()

        def progress(what: str, _done: int, _total: int | None) -> None:
            if what not in said:
                said.add(what)
                self._log.warning("{} ...", what)

        return progress


def _with_progress(ingest: Ingest) -> Iterator[AddResult]:
    """Yield the results of adding files, with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(
        ingest,
        "Embedding",
        total=len(ingest),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _words(query: str) -> list[str]:
    """Return the parts of a query that is one text, as beets splits it."""
    try:
        return shlex.split(query)
    except ValueError as exc:
        raise InvalidQueryError(query, exc) from exc
