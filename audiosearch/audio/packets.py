"""Hash of the audio packets in a file. It stays the same if only the file's tags change."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import BinaryIO

    from blake3 import blake3

#: FFmpeg looks for other codecs in some files, which takes longer than reading all packets.
_OPTIONS = {"max_probe_packets": "1"}
_READ_BYTES = 1 << 18


def audio_hash(path: str) -> str:
    """Return the hash of a file's audio packets, and of what decoders know besides them.

    Nothing is decoded. Files with the same hash have the same sound. Only the silence that an
    encoder adds at the start or end may be cut differently.

    Returns
    -------
    str
        BLAKE3 as 32 hexadecimal digits; empty if FFmpeg can't take the file apart without an error,
        or if its packets may not be all of the sound.

    Raises
    ------
    OSError
        If the file can't be opened.
    """
    from blake3 import blake3

    from audiosearch.audio.containers import container_damage, next_start
    from audiosearch.audio.flac import flac_sound

    digest = blake3()
    with open(path, "rb") as file:
        if flac := flac_sound(file):
            digest.update(_settings("flac", "flac", *flac[:3]))
            end_byte = file.seek(0, os.SEEK_END)
            _add_span(file, (flac.frames_start, end_byte), digest)
        elif spans := _sound_spans(path, file):
            for start, end in spans:
                digest.update(b"%d:" % (end - start))
                _add_span(file, (start, end), digest)
            end_byte = spans[-1][1]
        else:
            end_byte = _add_packets(path, digest)
    if end_byte == 0 or container_damage(path) or next_start(path, end_byte) is not None:
        return ""
    return digest.hexdigest(length=16)


def _sound_spans(path: str, file: BinaryIO) -> list[tuple[int, int]]:
    """Return the parts of a wav, aiff or mp3 that hold its sound, as positions in bytes.

    FFmpeg takes longer to find them. The list is empty for other files.
    """
    from audiosearch.audio.containers import sound_chunks
    from audiosearch.audio.mp3 import frames_span

    chunks = sound_chunks(file)
    span = None if chunks else frames_span(path)
    return [span] if span else [(chunk.start, chunk.start + chunk.n_bytes) for chunk in chunks]


def _add_span(file: BinaryIO, span: tuple[int, int], digest: blake3) -> None:
    """Add a part of a file, from one position in bytes to another, to a digest."""
    start, end = span
    file.seek(start)
    while content := file.read(min(end - file.tell(), _READ_BYTES)):
        digest.update(content)


def _add_packets(path: str, digest: blake3) -> int:
    """Add the packets of a file to a digest.

    Returns
    -------
    int
        End of the last packet in the file, in bytes; 0 if there is none, or an error.
    """
    import av

    from audiosearch.audio.ffmpeg_container import default_stream, open_container

    last = None
    try:
        with open_container(path, settings=_OPTIONS) as container:
            stream = default_stream(container)
            digest.update(_decoder_settings(container.format.name, stream.codec_context))
            for packet in container.demux(stream):
                if packet.size:
                    digest.update(packet)
                    last = packet
    except (av.FFmpegError, LookupError, ValueError):
        return 0
    return 0 if last is None else (last.pos or 0) + last.size


def _decoder_settings(container: str, codec: Any) -> bytes:
    """Return the container, the codec and its headers, such as the gain in the one of Opus."""
    name = codec.codec.canonical_name
    # The headers of Vorbis include the tags.
    headers = b"" if name == "vorbis" else codec.extradata or b""
    return _settings(container, name, codec.sample_rate, codec.layout.nb_channels, headers)


def _settings(container: str, codec: str, rate_hz: int, channels: int, headers: bytes) -> bytes:
    return repr((container, codec, rate_hz, channels, headers)).encode()
