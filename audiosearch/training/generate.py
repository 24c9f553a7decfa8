"""Synthesized training audio: General MIDI instruments, spoken numbers and plain waveforms."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from audiosearch.errors import UsageError
from audiosearch.models.front_end import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from audiosearch.types import Float64

PROGRAMS = ("fluidsynth", "espeak-ng")
SOUNDFONT = "usr/share/sounds/sf2/FluidR3_GM.sf2"
N_PROGRAMS = 128
DRUM_KEYS = range(35, 82)
DRUM_KITS = (0, 8, 16, 24, 25, 32, 40, 48)
N_SPEAKERS = 200
N_UTTERANCES = 8
LANGUAGES = (
    *("af", "bg", "bn", "ca", "cs", "cy", "da", "de", "el", "en-gb", "en-us", "eo", "es", "et"),
    *("eu", "fa", "fi", "fr-fr", "ga", "gu", "hi", "hr", "hu", "hy", "id", "is", "it", "ka", "kn"),
    *("ku", "lt", "lv", "mk", "ml", "ms", "nb", "ne", "nl", "pa", "pl", "pt", "pt-br", "ro", "ru"),
    *("sk", "sl", "sq", "sr", "sv", "sw", "ta", "te", "tr", "ur", "vi"),
)
VARIANTS = (
    *("f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"),
    *("adam", "Andrea", "boris", "croak", "david", "ed", "edward", "grandma", "grandpa"),
    *("iven", "klatt", "klatt4", "linda", "max", "mike", "pablo", "sandro", "steph", "whisper"),
)
N_WAVEFORMS = 12

_TICKS_PER_SECOND = 960  # mido's 480 ticks a beat at 120 beats a minute


def check_programs() -> None:
    """Check that the synthesizers are installed.

    Raises
    ------
    UsageError
        If one is missing.
    """
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise UsageError(
            f"Can't find {' and '.join(missing)}.",
            hint=f"Install with: apt-get install {' '.join(missing)}",
        )


def generate_all(packages: Path, target: Path) -> None:
    """Synthesize all audio, unless an earlier run finished.

    Parameters
    ----------
    packages : Path
        Folder with the unpacked package fluid-soundfont-gm.
    target : Path
        Folder for the audio, with one subfolder per class.

    Raises
    ------
    FileNotFoundError
        If the soundfont is missing.
    subprocess.CalledProcessError
        If a program fails.
    """
    finished = target / "finished"
    if not finished.exists():
        soundfont = packages / "fluid-soundfont-gm" / SOUNDFONT
        soundfont.stat()  # without it, fluidsynth would play silence
        write_instruments(soundfont, target)
        write_voices(target)
        write_waveforms(target)
        finished.touch()


def write_instruments(soundfont: Path, target: Path) -> None:
    """Render every General MIDI instrument and drum to a folder of its own, with fluidsynth.

    Each instrument plays single notes in two registers at many velocities, then chords and a
    random melody. Each drum is played in several kits.

    Raises
    ------
    subprocess.CalledProcessError
        If fluidsynth fails.
    """
    random = np.random.default_rng(0)
    for program in range(N_PROGRAMS):
        for part in range(2):
            notes = _phrases(random, center=54 + 18 * part)
            _render(soundfont, target / f"gm-{program:03d}" / f"{part}.wav", program, 0, notes)
    for key in DRUM_KEYS:
        for kit in DRUM_KITS:
            strokes = [(0.9 * i, key, v, 0.3) for i, v in enumerate((120, 90, 60))]
            _render(soundfont, target / f"drum-{key}" / f"{kit}.wav", kit, 9, strokes)


def write_voices(target: Path) -> None:
    """Speak numbers in many languages and voices with espeak-ng, to one folder per voice.

    Raises
    ------
    subprocess.CalledProcessError
        If espeak-ng fails.
    """
    random = np.random.default_rng(1)
    for number in range(N_SPEAKERS):
        voice = f"{random.choice(LANGUAGES)}+{random.choice(VARIANTS)}"
        pitch, speed = random.integers(15, 86), random.integers(120, 230)
        folder = target / f"voice-{number:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        for utterance in range(N_UTTERANCES):
            text = " ".join(map(str, random.integers(1, 2_000, 6)))
            command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed)]
            path = folder / f"{utterance}.wav"
            subprocess.run([*command, "-w", str(path), text], check=True)


def write_waveforms(target: Path) -> None:
    """Write tones, sweeps, bells, clicks and noises, to one folder per kind."""
    random = np.random.default_rng(2)
    for variant in range(N_WAVEFORMS):
        for name, waveform in _waveforms(random).items():
            path = target / f"synthesis-{name}" / f"{variant}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.5 * waveform / np.abs(waveform).max(), SAMPLE_RATE_HZ)


Note = tuple[float, int, int, float]  # start in seconds, key, velocity, length in seconds


def _phrases(random: np.random.Generator, center: int) -> list[Note]:
    """Return random notes, then chords, then a melody, around a MIDI key."""
    notes = [
        (1.2 * i, int(center + random.integers(-14, 15)), int(random.integers(40, 127)), 0.9)
        for i in range(10)
    ]
    for i in range(4):
        root = int(center + random.integers(-7, 8))
        third = int(random.integers(3, 5))
        notes += [(12 + 1.5 * i, root + step, 90, 1.3) for step in (0, third, 7)]
    start = 18.0
    while start < 26.0:
        length = float(random.choice([0.15, 0.3, 0.6]))
        notes.append((start, int(center + random.integers(-8, 9)), 100, length))
        start += length
    return notes


def _render(soundfont: Path, path: Path, program: int, channel: int, notes: list[Note]) -> None:
    """Play notes with an instrument of a soundfont, into a WAV file."""
    import mido

    events = [(start, "note_on", key, velocity) for start, key, velocity, _ in notes]
    events += [(start + length, "note_off", key, 0) for start, key, _, length in notes]
    track = mido.MidiTrack([mido.Message("program_change", program=program, channel=channel)])
    now = 0
    for seconds, kind, key, velocity in sorted(events):
        tick = round(seconds * _TICKS_PER_SECOND)
        track.append(
            mido.Message(kind, note=key, velocity=velocity, channel=channel, time=tick - now)
        )
        now = tick
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        score = Path(folder) / "score.mid"
        mido.MidiFile(tracks=[track]).save(score)
        options = ["-ni", "-q", "-r", str(SAMPLE_RATE_HZ), "-F", str(path)]
        command = ["fluidsynth", *options, str(soundfont), str(score)]
        subprocess.run(command, check=True, capture_output=True)


def _waveforms(random: np.random.Generator) -> dict[str, Float64]:
    """Return two seconds of each kind of waveform: float64, shape (32000,)."""
    time = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    pitch = float(np.exp(random.uniform(np.log(80), np.log(3_000))))
    turns = 2 * np.pi * pitch * time
    noise: Float64 = random.standard_normal(len(time))
    decay = np.exp(-time * random.uniform(1, 8))
    return {
        "sine": np.sin(turns),
        "square": np.sign(np.sin(turns)),
        "saw": (pitch * time) % 1 - 0.5,
        "bell": decay * np.sin(turns + 3 * decay * np.sin(1.4 * turns)),
        "sweep": np.sin(turns * (1 + random.uniform(-0.4, 0.9) * time)),
        "white": noise,
        "brown": np.cumsum(noise - noise.mean()),
        "clicks": 1.0 * (np.diff((random.uniform(2, 30) * time) % 1, prepend=0) < 0),
        "hit": np.exp(-time * random.uniform(8, 60)) * noise,
        "pulsing": noise * (np.sin(2 * np.pi * random.uniform(1, 12) * time) > 0),
    }
