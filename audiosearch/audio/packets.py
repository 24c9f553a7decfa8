"""Hash of the audio packets in a file. It stays the same if only the file's tags change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blake3 import blake3

#: FFmpeg looks for other codecs in some files, which takes longer than reading all packets.
_OPTIONS = {"max_probe_packets": "1"}
_READ_BYTES = 1 << 18


def audio_hash(path: str) -> str:
    """Return the hash of a file's audio packets, and of what decoders know besides them.

    Nothing is decoded. Files with the same hash decode to the same samples.

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

    digest = blake3()
    end_byte = _add_chunks(path, digest) or _add_packets(path, digest)
    if end_byte == 0 or container_damage(path) or next_start(path, end_byte) is not None:
        return ""
    return digest.hexdigest(length=16)


def _add_chunks(path: str, digest: blake3) -> int:
    """Add the format and the samples of a wav or aiff to a digest. FFmpeg would take longer.

    Returns
    -------
    int
        End of the samples in the file, in bytes; 0 if it is no wav or aiff.
    """
    from audiosearch.audio.containers import sound_chunks

    end_byte = 0
    with open(path, "rb") as file:
        for chunk in sound_chunks(file):
            digest.update(chunk.name)
            file.seek(chunk.start)
            end_byte = chunk.start + chunk.n_bytes
            while n_left := end_byte - file.tell():
                content = file.read(min(n_left, _READ_BYTES))
                if not content:
                    break
                digest.update(content)
    return end_byte


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
    settings = (container, name, codec.sample_rate, codec.layout.nb_channels, headers)
    return repr(settings).encode()
