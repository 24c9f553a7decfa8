"""From an audio file to a waveform: discovery, URLs, decoding, tags. Independent of storage."""
