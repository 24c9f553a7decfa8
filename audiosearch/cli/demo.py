"""``audiosearch demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audiosearch.cli.options import OutputFormat
from audiosearch.cli.output import Format, show_rows

COLUMNS = ("unheard", "sounds_most_like", "own_kind_first")
N_HITS = 3


def register(app: typer.Typer) -> None:
    """Put the command into the application."""
    app.command()(demo)


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where to put sounds and index.")
    ] = Path("audiosearch-demo"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """Take a tour: synthesise 40 sounds, index them, and search with unheard ones."""
    from audiosearch.cli.add import run
    from audiosearch.cli.console import say
    from audiosearch.demo import write_sounds
    from audiosearch.errors import AudiosearchError
    from audiosearch.ingest import Ingest
    from audiosearch.library.index import Index
    from audiosearch.search import similar

    try:
        sounds, queries = write_sounds(folder)
    except OSError as exc:
        raise AudiosearchError(
            f"{folder} cannot be written: {exc.strerror or exc}.",
            hint="Run the demo in a folder of yours, or name one with --folder DIR.",
        ) from exc
    say(f"Wrote {len(sounds)} sounds of {len(queries)} kinds to {folder / 'sounds'}; adding them.")
    index_dir = folder / "index"
    # An index that an earlier demo made keeps its own model.
    model = "auto" if Index.exists(index_dir) else _model_at_hand()
    run(Ingest(index_dir, [folder / "sounds"], model=model))

    rows = []
    for query in queries:
        hits = similar(index_dir, query.path, k=N_HITS).hits
        found = [{"path": hit.track.path, "similarity": hit.similarity} for hit in hits]
        rows.append(
            {
                "unheard": query.kind,
                "sounds_most_like": ", ".join(
                    f"{Path(hit.track.path).stem} ({hit.similarity:.2f})" for hit in hits
                ),
                "own_kind_first": Path(hits[0].track.path).parent.name == query.kind,
                "path": str(query.path.absolute()),
                "hits": found,
            }
        )
    show_rows(rows, key="queries", columns=COLUMNS, output=output)
    n_right = sum(row["own_kind_first"] is True for row in rows)
    say(f"{n_right} of {len(rows)} unheard sounds found their own kind first.")
    say(f"Listen: {folder / 'queries'} beside {folder / 'sounds'}. The index: {index_dir}.")
    say("Try: audiosearch add ~/Music && audiosearch query some-song.mp3")


def _model_at_hand() -> str:
    from audiosearch.models import registry

    return registry.COMPACT if registry.vggish_at_hand() is None else registry.VGGISH
