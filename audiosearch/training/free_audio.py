"""Free audio to train and score on: packages of Debian, fetched, never kept here.

Which package is for what is settled here, by whole packages: nothing that scores are made on
was trained on.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from audiosearch.audio.decode import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Kind(str, Enum):
    """What sort of sound; a training set is balanced by it."""

    SPEECH = "speech"
    MUSIC = "music"
    INSTRUMENT = "instrument"
    EFFECT = "effect"


class Split(str, Enum):
    """What a package is for: to learn from, to choose a recipe by, to score."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Source:
    """Some files of a package.

    Attributes
    ----------
    kind : Kind
    package : str
    split : Split
    pattern : str
        A regular expression searched in a file's path; its groups, joined, are the file's class.
        Files that do not match are left out.
    licence : str
        Of the audio, as the package's copyright file has it.
    """

    kind: Kind
    package: str
    split: Split
    pattern: str
    licence: str

    def class_of(self, path: str) -> str | None:
        """Return the class of a file of the package, None for a file that is left out."""
        match = re.search(self.pattern, path)
        if match is None:
            return None
        return "-".join(filter(None, (self.package, *match.groups()))).lower()


@dataclass(frozen=True, slots=True)
class Labelled:
    """A file, and what it is an example of."""

    path: Path
    label: str
    kind: Kind


_GPL = "GPL-2.0-or-later"
_BY_SA = "CC-BY-SA-3.0"
_DRUMS = "GPL-2.0, GPL-2.0-or-later, CC-BY-3.0, CC-BY-SA-3.0 and CC0-1.0"
_HYPERROGUE = "CC-BY-SA-4.0, CC-BY-SA-3.0, CC0-1.0 and CC-BY-3.0"
_KART = "CC-BY-SA-3.0, CC-BY-3.0, CC0-1.0, CC-BY-SA-4.0, GPL-2.0-or-later and public domain"


_speech = partial(Source, Kind.SPEECH)
_music = partial(Source, Kind.MUSIC)
_instrument = partial(Source, Kind.INSTRUMENT)
_effect = partial(Source, Kind.EFFECT)

_TRAIN, _VALIDATION, _TEST = Split
_NOT_SILENCE = r"/sounds/\w+/(?!silence/)"
_CREATURES = "human|orc|wolf|skeleton|troll|ogre|gryphon|dwarf|zombie"
_LMMS = "drums/(?:kick|bassdrum|snare|hihat|tom)|instruments|basses|stringsnpads|beats|bassloops"

SOURCES = (
    _speech("asterisk-core-sounds-en-wav", _TRAIN, _NOT_SILENCE, _BY_SA),
    _speech("asterisk-core-sounds-es-wav", _TRAIN, _NOT_SILENCE, _BY_SA),
    _speech("asterisk-core-sounds-fr-wav", _TRAIN, _NOT_SILENCE, _BY_SA),
    _speech("asterisk-core-sounds-it-wav", _TRAIN, _NOT_SILENCE, "CC-BY-3.0"),
    _speech("asterisk-core-sounds-ru-wav", _TRAIN, _NOT_SILENCE, "CC-BY-3.0"),
    _speech("klettres-data", _TRAIN, r"/klettres/([^/]+)/", _GPL),
    _music("asterisk-moh-opsound-wav", _TRAIN, r"/moh/(.+)\.", _BY_SA),
    _music("drascula-music", _TRAIN, r"/audio/(.+)\.", "its own: free to copy and change"),
    _music("hyperrogue-music", _TRAIN, r"/music/(.+)\.", _HYPERROGUE),
    _music("singularity-music", _TRAIN, r"/music/(.+)\.", _BY_SA),
    _music("supertuxkart-data", _TRAIN, r"/music/(.+)\.", _KART),
    _music("warzone2100-music", _TRAIN, r"/music/(.+)\.", _GPL),
    _music("wesnoth-1.16-music", _TRAIN, r"/music/(.+)\.", _GPL),
    _instrument("hydrogen-drumkits-effects", _TRAIN, r"Strums/([A-Za-z]+)", "CC-BY-3.0"),
    _instrument("sonic-pi-samples", _TRAIN, r"/samples/([a-z]+)_", "CC0-1.0"),
    _effect("boswars-data", _TRAIN, r"/([^/]+)/[^/]+$", _GPL),
    _effect("endless-sky-data", _TRAIN, r"/sounds/([a-z]+)", "public domain and CC-BY-SA-3.0"),
    _effect("hyperrogue-music", _TRAIN, r"/sounds/([a-z]+)", _HYPERROGUE),
    _effect("lincity-ng-data", _TRAIN, r"/sounds/([A-Za-z]+)\d", _GPL),
    _effect("supertuxkart-data", _TRAIN, r"/sfx/([a-z]+)", _KART),
    _speech("hedgewars-data", _VALIDATION, r"/voices/([^/]+)/", "GFDL-1.3"),
    _music("freedroidrpg-data", _VALIDATION, r"/sound/(music)/", _GPL),
    _music("warmux-data", _VALIDATION, r"/(music)/", _GPL),
    _instrument("hydrogen-drumkits", _VALIDATION, r"/drumkits/([^/]+)/", _DRUMS),
    _effect("flare-game", _VALIDATION, r"/soundfx/([^/]+)/", _BY_SA),
    _effect("freedroidrpg-data", _VALIDATION, r"/effects/(.+)/", _GPL),
    _effect("warmux-data", _VALIDATION, r"/default/(weapons|voices)/", _GPL),
    _speech("ktuberling-data", _TEST, r"/sounds/(ca|da|de|el|en|fr|lt|nn)/", _GPL),
    _music("ardentryst", _TEST, r"/(Music)/", _BY_SA),
    _music("colobot-common-sounds", _TEST, r"/(music)/", "GPL-3.0-or-later"),
    _music("fillets-ng-data", _TEST, r"/(music)/", "GPL-2.0"),
    _music("supertux-data", _TEST, r"/(music)/(forest|antarctic)/", _GPL),
    _instrument("lmms-common", _TEST, rf"/samples/({_LMMS})", _GPL),
    _effect("teeworlds-data", _TEST, r"/audio/(foley|sfx|vo|wp)_", _BY_SA),
    _effect(
        "wesnoth-1.16-data",
        _TEST,
        rf"/(?:sounds|horn-signals)/({_CREATURES}|magic|horn|bow)\b",
        _GPL,
    ),
)

#: What `audiosearch.training.generate` makes, and with what.
GENERATED = (
    _instrument("fluid-soundfont-gm", _TRAIN, "", "MIT"),
    _speech("espeak-ng", _TRAIN, "", "GPL-3.0-or-later, the program"),
    _effect("synthesis", _TRAIN, "", "ours"),
)

#: A class has so many files at least, and at most, where scores are made.
LEAST_FILES, MOST_FILES = 5, 30


def fetch(folder: Path) -> None:
    """Download the packages by apt-get and unpack each into a folder of its own.

    What is there already is left as it is.

    Raises
    ------
    subprocess.CalledProcessError
        Where apt-get or dpkg-deb fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted({source.package for source in SOURCES} | {GENERATED[0].package})
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        subprocess.run(["apt-get", "download", *missing], cwd=folder, check=True)
    for archive in sorted(folder.glob("*.deb")):
        package, version, _ = archive.name.split("_")
        draft = folder / f"{package}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        subprocess.run(["dpkg-deb", "-x", archive, draft], check=True)
        (folder / f"{package}.version").write_text(unquote(version))
        draft.rename(folder / package)
        archive.unlink()


def versions(folder: Path) -> dict[str, str]:
    """Return the versions of the packages that were fetched, by their names."""
    return {path.stem: path.read_text() for path in folder.glob("*.version")}


def labelled(folder: Path, split: Split) -> Iterator[Labelled]:
    """Yield the files of a split, in an order that is always the same."""
    for source in SOURCES:
        if source.split is not split:
            continue
        root = folder / source.package
        for path in sorted(root.rglob("*")):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                label = source.class_of(path.relative_to(root).as_posix())
                if label is not None:
                    yield Labelled(path, label.replace("/", "-"), source.kind)


def own(folder: Path) -> Iterator[Labelled]:
    """Yield the audio files of a folder of a folder a class.

    A class's kind is told by what its name begins with, as `audiosearch.training.generate`
    names them; others are effects.
    """
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in SUFFIXES:
            label = path.parent.name
            yield Labelled(path, label, _KINDS_MADE.get(label.partition("-")[0], Kind.EFFECT))


_KINDS_MADE = {"voice": Kind.SPEECH, "gm": Kind.INSTRUMENT, "drum": Kind.INSTRUMENT}


def arrange(folder: Path, split: Split, target: Path) -> None:
    """Copy a split's files into a folder a class, as ``audiosearch evaluate --by folder`` reads.

    Classes of fewer than 5 files are left out; of those of more than 30, 30 are taken, evenly
    spaced. What was in the folder is removed.
    """
    shutil.rmtree(target, ignore_errors=True)
    classes: dict[str, list[Path]] = {}
    for file in labelled(folder, split):
        classes.setdefault(file.label, []).append(file.path)
    for label, paths in classes.items():
        if len(paths) < LEAST_FILES:
            continue
        step = max(1.0, len(paths) / MOST_FILES)
        chosen = [paths[int(i * step)] for i in range(min(len(paths), MOST_FILES))]
        (target / label).mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(chosen):
            shutil.copyfile(path, target / label / f"{number:03d}-{path.name}")
