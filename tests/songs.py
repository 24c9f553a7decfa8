"""Made-up songs: vectors that spread as VGGish's do over real songs, with artists and albums.

Nothing here is a recording or a model's output: everything is drawn from a seeded generator. Its
constants are set so that the vectors resemble the pooled VGGish embeddings of 915 real songs in
what searches depend on:

===============================================  ====  =======
statistic                                        real  made up
===============================================  ====  =======
length of the mean vector                        0.87     0.88
cosine of two songs, 5th percentile              0.58     0.55
cosine of two songs, median                      0.76     0.79
cosine of two songs, 95th percentile             0.95     0.90
cosine of two songs by one artist, mean          0.89     0.85
share of the variance along the two main axes    0.55     0.49
nearest song is by the same artist               0.40     0.54
nearest song is by the same artist, whitened     0.49     0.71
===============================================  ====  =======
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

N_SONGS = 915
#: Songs by the artist with the most, and how much fewer the next artist has.
MOST_SONGS, FEWER = 66, 0.915
#: How many songs of an album are in the library: often one or two, sometimes all of them.
ALBUM_SIZES = (1, 1, 1, 2, 5, 11)
#: The spread around the mean vector, whose length is 1.
SPREAD = 0.56
#: Shares of that spread's variance: between artists, between an artist's albums, and the rest.
ARTIST_SHARE, ALBUM_SHARE = 0.35, 0.2
#: Variance along the main axes falls as in real songs: at these ranks it has these values.
AXIS_RANKS, AXIS_VARIANCES = (0, 2, 6, 20, 50, 127), (0.36, 0.08, 0.045, 0.008, 0.0008, 0.00002)
#: Artists and albums differ along the main axes more than songs do: an exponent on the variance.
STEEPER = 1.2


def song_vectors(seed: int = 3) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Draw songs, grouped by artist and album.

    Returns
    -------
    vectors : ndarray of float32, shape (N_SONGS, 128)
        A row a song, of unit length.
    songs : list of dict
        Title, artist, album and path of each row.
    """
    random = np.random.default_rng(seed)
    sizes = np.maximum(1, np.round(MOST_SONGS * FEWER ** np.arange(N_SONGS))).astype(int)
    artists = np.repeat(np.arange(N_SONGS), sizes)[:N_SONGS]
    albums = _albums(artists, random)
    variances = np.exp(np.interp(np.arange(128), AXIS_RANKS, np.log(AXIS_VARIANCES)))

    def scatter(labels: np.ndarray, share: float, power: float) -> np.ndarray:
        """Draw one offset for each label, and return that of each row."""
        scales = np.sqrt(share * variances**power / np.sum(variances**power))
        return (scales * random.standard_normal((labels.max() + 1, 128)))[labels]

    offsets = scatter(artists, ARTIST_SHARE, STEEPER) + scatter(albums, ALBUM_SHARE, STEEPER)
    offsets += scatter(np.arange(N_SONGS), 1 - ARTIST_SHARE - ALBUM_SHARE, 1.0)
    rotation = np.linalg.qr(random.standard_normal((128, 128)))[0]
    mean = random.standard_normal(128)
    vectors = mean / np.linalg.norm(mean) + SPREAD * offsets @ rotation
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    songs = [
        {
            "title": f"Song {number}",
            "artist": f"Band {artist}",
            "album": f"LP {album}",
            "path": f"/songs/{number}.mp3",
        }
        for number, (artist, album) in enumerate(zip(artists, albums, strict=True))
    ]
    return vectors.astype(np.float32), songs


def _albums(artists: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return each song's album: consecutive songs of one artist."""
    albums = np.empty_like(artists)
    start, album = 0, 0
    while start < len(artists):
        end = min(start + random.choice(ALBUM_SIZES), np.searchsorted(artists, artists[start] + 1))
        albums[start:end] = album
        start, album = end, album + 1
    return albums


def write_songs(folder: Path) -> tuple[Path, Path]:
    """Write made-up songs as `audiosearch import` reads them: vectors and tracks."""
    vectors, songs = song_vectors()
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "embeddings.npy", vectors)
    (folder / "tracks.json").write_text(json.dumps(songs))
    return folder / "embeddings.npy", folder / "tracks.json"
