"""Constants of the front end: waveform to log-mel patches.

References
----------
.. [1] Hershey et al., "CNN Architectures for Large-Scale Audio Classification",
   ICASSP 2017.
.. [2] ``vggish_params.py`` in github.com/tensorflow/models, research/audioset/vggish.
"""

from __future__ import annotations

from typing import Final

SAMPLE_RATE_HZ: Final = 16_000

# Short-time Fourier transform, in samples.
WINDOW_SAMPLES: Final = 400  # 25 ms
HOP_SAMPLES: Final = 160  # 10 ms
FFT_SAMPLES: Final = 512

# Mel filter bank (HTK scale).
N_BANDS: Final = 64
MIN_BAND_HZ: Final = 125.0
MAX_BAND_HZ: Final = 7_500.0
LOG_OFFSET: Final = 0.01

# One patch: the input of a network.
PATCH_FRAMES: Final = 96
PATCH_HOP_SAMPLES: Final = PATCH_FRAMES * HOP_SAMPLES  # 15,360: 0.96 s
PATCH_SAMPLES: Final = PATCH_HOP_SAMPLES - HOP_SAMPLES + WINDOW_SAMPLES  # 15,600: 0.975 s
PATCH_HOP_SECONDS: Final = PATCH_HOP_SAMPLES / SAMPLE_RATE_HZ


def frames_in(seconds: float) -> int:
    """Return the number of frames, 10 ms apart, that start in a time.

    Examples
    --------
    >>> frames_in(0.96), frames_in(0.48)
    (96, 48)
    """
    return round(seconds * SAMPLE_RATE_HZ / HOP_SAMPLES)


#: Part of every weights digest: embeddings from different front ends can't be compared.
FRONT_END_VERSION: Final = "logmel-1"
