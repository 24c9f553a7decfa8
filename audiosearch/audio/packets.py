"""Hash of the audio packets in a file. It stays the same if only the file's tags change."""

from __future__ import annotations

from typing import Any

#: FFmpeg looks for DTS in WAV files, which takes five times as long as reading all packets.
_OPTIONS = {"max_probe_packets": "1"}


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
    import av
    from blake3 import blake3

    from audiosearch.audio.containers import container_damage, next_start
    from audiosearch.audio.ffmpeg_container import default_stream, open_container

    digest = blake3()
    end_byte = 0  # of the packets
    try:
        with open_container(path, settings=_OPTIONS) as container:
            stream = default_stream(container)
            digest.update(_decoder_settings(container.format.name, stream.codec_context))
            for packet in container.demux(stream):
                digest.update(packet)
                end_byte = max(end_byte, (packet.pos or 0) + packet.size)
    except (av.FFmpegError, LookupError, ValueError):
        return ""
    is_all = end_byte and not container_damage(path) and next_start(path, end_byte) is None
    return digest.hexdigest(length=16) if is_all else ""


def _decoder_settings(container: str, codec: Any) -> bytes:
    """Return the container, the codec and its headers, such as the gain in the one of Opus."""
    name = codec.codec.canonical_name
    # The headers of Vorbis include the tags.
    headers = b"" if name == "vorbis" else codec.extradata or b""
    settings = (container, name, codec.sample_rate, codec.layout.nb_channels, headers)
    return repr(settings).encode()
