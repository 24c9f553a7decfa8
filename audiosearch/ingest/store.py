"""Store results of embedding in an index."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from audiosearch.audio.discovery import is_missing
from audiosearch.ingest.result import AddResult, Status
from audiosearch.library.index import Index, Track
from audiosearch.paths import real_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.audio.file_stat import FileStat
    from audiosearch.audio.tags import Tags
    from audiosearch.embedding.embedder import Embedding
    from audiosearch.embedding.result import EmbeddingResult
    from audiosearch.library.file_state import KnownFile
    from audiosearch.library.runtimes import RuntimeRecord
    from audiosearch.models.moments import Moments


def settle(index: Index, files: Sequence[KnownFile]) -> None:
    """Leave each file one track, with the file's best path, and its real path unless it changed.

    Nothing is embedded.
    """
    storage = index.storage
    with index.transaction():
        surplus = [storage.track_at(path) for file in files for path in file.stored_paths[1:]]
        kept = [(storage.track_at(f.stored_paths[0]), f) for f in files if f.stored_paths]
        index.remove(track for track in surplus if track is not None)
        storage.move(
            (replace(track, real_path=track.real_path or file.real_path), file.path)
            for track, file in kept
            if track is not None
        )


def store_embedded(index: Index, results: list[EmbeddingResult], runtimes: RuntimeRecord) -> None:
    """Store embedded files, and record their runtimes. A file that was moved keeps its id."""
    rows, moments = [], []
    hashes = {result.file_stat.content_hash for result in results if result.file_stat is not None}
    tracks_by_content = index.tracks_of(hashes - {""})
    for result in results:
        file_stat, embedding, tags = result.file_stat, result.embedding, result.tags
        if file_stat is None or embedding is None or tags is None:
            message = "an embedded file has a size, a modification time, an embedding and tags"
            raise ValueError(message)
        same_content = tracks_by_content.get(file_stat.content_hash, [])
        if not embedding.tagger and same_content:
            same = max(same_content, key=lambda track: bool(track.tagger))
            embedding = replace(
                embedding,
                sounds=same.sounds,
                tagger=same.tagger,
                moments=_with_sounds(embedding.moments, index.moments_of(same)),
            )
        moved = _first_missing(same_content)
        if moved is not None and index.storage.track_at(result.path) is None:
            index.storage.update(replace(moved, path=result.path))
            same_content.remove(moved)
        track = _track(result.path, file_stat, embedding, tags)
        rows.append((track, embedding.vector))
        moments.append(embedding.moments)
    if rows:
        tracks = index.add_all(rows, moments=moments)
        runtimes.add(index.storage, {r.embedding.runtime for r in results if r.embedding})
        index.put_waveforms(
            (track, result.embedding.waveform)
            for track, result in zip(tracks, results, strict=True)
            if result.embedding is not None
        )


def store_known_sound(
    index: Index, result: EmbeddingResult, file_stat: FileStat
) -> AddResult | None:
    """Store a file whose content or audio is already in the index, with that track's vector.

    Returns
    -------
    AddResult or None
        None if no track has this content or audio any more.
    """
    path, tags = result.path, result.tags
    digest = file_stat.content_hash if tags is None else file_stat.audio_hash
    current, moved = index.storage.track_at(path), None
    source = index.storage.track_at(result.duplicate_of) if result.duplicate_of else None
    # Thousands of files may have this content; they are read only if no copy is known.
    if source is None or digest not in (source.content_hash, source.audio_hash):
        same_sound = index.tracks_of({digest})[digest]
        if not same_sound:
            return None
        if current in same_sound:
            source = current
        else:
            moved = _first_missing(same_sound)
            source = moved or same_sound[0]
    track = replace(
        source,
        path=path,
        size=file_stat.size,
        mtime_ns=file_stat.mtime_ns,
        real_path=file_stat.real_path,
    )
    if tags is not None:
        track = replace(track, content_hash=file_stat.content_hash, **asdict(tags))
    if source is current:
        index.storage.update(track)
        return AddResult(path, Status.UNCHANGED if tags is None else Status.RETAGGED)
    if moved is not None and current is None:
        index.storage.update(track)
        return AddResult(path, Status.MOVED)
    (added,) = index.add_all([(track, index.vector(source))], moments=[index.moments_of(source)])
    index.put_waveforms((added, content) for content in index.waveforms([source]).values())
    return AddResult(path, Status.ADDED, track.seconds)


def _with_sounds(moments: Moments | None, copy: Moments | None) -> Moments | None:
    """Return the moments of a file with the sounds in those of a copy."""
    if moments is None or copy is None or len(moments) != len(copy):
        return moments
    return replace(moments, sounds=copy.sounds)


def _first_missing(tracks: list[Track]) -> Track | None:
    """Return the first track whose file no longer exists, even if a link to it does."""
    return next((track for track in tracks if is_missing(real_path(track.path))), None)


def _track(path: str, file_stat: FileStat, embedding: Embedding, tags: Tags) -> Track:
    return Track(
        path=path,
        **asdict(file_stat),
        seconds=embedding.seconds,
        sample_rate_hz=embedding.info.sample_rate_hz,
        channels=embedding.info.channels,
        format=embedding.info.format,
        sounds=embedding.sounds,
        tagger=embedding.tagger,
        **asdict(tags),
    )
