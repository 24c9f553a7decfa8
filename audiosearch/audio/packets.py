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
        BLAKE3 as 32 hexadecimal digits; empty if FFmpeg can't take the file apart without an error.

    Raises
    ------
    OSError
        If the file can't be opened.
    """
    import av
    from blake3 import blake3

    from audiosearch.audio.ffmpeg import open_container

    digest = blake3()
    n_packets = 0
    try:
        with open_container(path, settings=_OPTIONS) as container:
            stream = container.streams.best("audio")
            if stream is None or stream.codec_context is None:
                return ""
            digest.update(_decoder_settings(container.format.name, stream.codec_context))
            for packet in container.demux(stream):
                digest.update(packet)
                n_packets += packet.size > 0
    except (av.FFmpegError, ValueError):
        return ""
    return digest.hexdigest(length=16) if n_packets else ""


def _decoder_settings(container: str, codec: Any) -> bytes:
    """Return the container, the codec and its headers, such as the gain in the one of Opus."""
    name = codec.codec.canonical_name
    # The headers of Vorbis include the tags.
    headers = b"" if name == "vorbis" else codec.extradata or b""
    settings = (container, name, codec.sample_rate, codec.layout.nb_channels, headers)
    return repr(settings).encode()
