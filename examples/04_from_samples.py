"""Embed samples that are in memory, for example from a synthesizer or a microphone."""

import numpy as np

from audiosearch import Embedder, log_mel_patches

seconds = np.arange(3 * 16_000) / 16_000  # mono, 16 kHz
waveform = np.sin(2 * np.pi * 440 * seconds).astype(np.float32)

patches = log_mel_patches(waveform)
vectors = np.concatenate(list(Embedder("compact").vectors([patches])))
print(f"patches {patches.shape}, one vector each: {vectors.shape}")
