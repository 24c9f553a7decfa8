"""``audiosearch demo``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from audiosearch import defaults
from audiosearch.cli.network_options import NetworkOptions
from audiosearch.cli.options import CsvSafe, OutputFormat
from audiosearch.cli.output import Format, show_rows

COLUMNS = ("unheard", "sounds_most_like", "own_kind_first")
N_HITS = 3


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Folder for the sounds and the index.")
    ] = Path(defaults.DEMO_FOLDER),
    *,
    network: NetworkOptions,
    output: OutputFormat = Format.TABLE,
    csv_safe: CsvSafe = False,
) -> None:
    """Take a tour: synthesize 40 sounds, index them, and search with new ones."""
    from audiosearch.cli.console import say
    from audiosearch.cli.ingest_run import run_ingest
    from audiosearch.demo import write_sounds
    from audiosearch.embedding.reader import Reader
    from audiosearch.errors import AudiosearchError
    from audiosearch.ingest.add import Ingest
    from audiosearch.library.index import Index
    from audiosearch.models import registry
    from audiosearch.search.similar import similar

    try:
        sounds, queries = write_sounds(folder)
    except OSError as exc:
        raise AudiosearchError(
            f"Can't write to {folder}: {exc.strerror or exc}.",
            hint="Run the demo in a folder that you can write to, or choose one with --folder DIR.",
        ) from exc
    say(f"Wrote {len(sounds)} sounds of {len(queries)} kinds to {folder / 'sounds'}; adding them.")
    index_dir = folder / "index"
    with network.requested(registry.AUTO) as request:
        model = registry.AUTO
        if not Index.exists(index_dir):  # else the model is that of an earlier demo
            preferred = registry.available(registry.PREFERRED, request.weights, request.progress)
            model = registry.FALLBACK if preferred is None else registry.PREFERRED
        ingest = Ingest(
            index_dir,
            [os.path.abspath(sound.path) for sound in sounds],
            request=replace(request, model=model),
            reader=Reader(n_jobs=1),  # the same IDs in each run
        )
    run_ingest(ingest)

    rows = []
    for query in queries:
        hits = similar(index_dir, query.path, k=N_HITS).hits
        hit_rows = [{"path": hit.track.path, "similarity": hit.similarity} for hit in hits]
        rows.append(
            {
                "unheard": query.kind,
                "sounds_most_like": ", ".join(
                    f"{Path(hit.track.path).stem} ({hit.similarity:.2f})" for hit in hits
                ),
                "own_kind_first": Path(hits[0].track.path).parent.name == query.kind,
                "path": os.path.abspath(query.path),
                "hits": hit_rows,
            }
        )
    show_rows(rows, key="queries", columns=COLUMNS, output=output, csv_safe=csv_safe)
    n_right = sum(row["own_kind_first"] is True for row in rows)
    say(f"{n_right} of {len(rows)} queries found a sound of the same kind first.")
    say(f"Listen to {folder / 'queries'} and {folder / 'sounds'}. The index is {index_dir}.")
    say("Try: audiosearch add ~/Music && audiosearch query some-song.mp3")
