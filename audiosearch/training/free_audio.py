"""Free audio to train and score on: Debian packages, downloaded when needed.

Each package belongs to one split, so no score uses audio of a package that was trained on.
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
    """Kind of sound. The training examples are balanced by kind."""

    SPEECH = "speech"
    MUSIC = "music"
    INSTRUMENT = "instrument"
    EFFECT = "effect"


class Split(str, Enum):
    """Use of a package: to train, to choose a recipe, or to score."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Source:
    """Audio files of a Debian package.

    Attributes
    ----------
    kind : Kind
    package : str
    split : Split
    pattern : str
        Regular expression to search in a file's path. Its groups, joined, are the file's class.
        Files without a match are left out.
    license : str
        License of the audio, from the package's copyright file.
    """

    kind: Kind
    package: str
    split: Split
    pattern: str
    license: str

    def class_of(self, path: str) -> str | None:
        """Return the class of a file of the package, or None if the file is left out."""
        match = re.search(self.pattern, path)
        if match is None:
            return None
        return "-".join(filter(None, (self.package, *match.groups()))).lower()


@dataclass(frozen=True, slots=True)
class LabeledFile:
    """A file, its class and its kind."""

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

#: Audio that `audiosearch.training.generate` makes, by the program or package that it uses.
GENERATED = (
    _instrument("fluid-soundfont-gm", _TRAIN, "", "MIT"),
    _speech("espeak-ng", _TRAIN, "", "GPL-3.0-or-later, the program"),
    _effect("synthesis", _TRAIN, "", "ours"),
)

#: Files of a class in a folder that is scored.
MIN_FILES, MAX_FILES = 5, 30


def fetch(folder: Path) -> None:
    """Download the packages with apt-get and unpack each into a folder of its own.

    Packages that exist aren't downloaded again.

    Raises
    ------
    subprocess.CalledProcessError
        If apt-get or dpkg-deb fails.
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
    """Return the versions of the downloaded packages by name."""
    return {path.stem: path.read_text() for path in folder.glob("*.version")}


def labeled_files(folder: Path, split: Split) -> Iterator[LabeledFile]:
    """Yield the files of a split, always in the same order."""
    for source in SOURCES:
        if source.split is not split:
            continue
        root = folder / source.package
        for path in sorted(root.rglob("*")):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                label = source.class_of(path.relative_to(root).as_posix())
                if label is not None:
                    yield LabeledFile(path, label.replace("/", "-"), source.kind)


def files_by_folder(folder: Path) -> Iterator[LabeledFile]:
    """Yield the audio files of a folder with one subfolder per class.

    The kind of a class is set by the start of its name, as `audiosearch.training.generate` names
    classes. Any other class holds effects.
    """
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in SUFFIXES:
            label = path.parent.name
            yield LabeledFile(
                path, label, _KINDS_BY_PREFIX.get(label.partition("-")[0], Kind.EFFECT)
            )


_KINDS_BY_PREFIX = {"voice": Kind.SPEECH, "gm": Kind.INSTRUMENT, "drum": Kind.INSTRUMENT}


def copy_by_class(folder: Path, split: Split, target: Path) -> None:
    """Copy a split's files into one folder per class, for ``audiosearch evaluate --by folder``.

    Classes of fewer than 5 files are left out. Larger classes give up to 30 files, evenly spaced.
    The target is emptied first.
    """
    shutil.rmtree(target, ignore_errors=True)
    classes: dict[str, list[Path]] = {}
    for file in labeled_files(folder, split):
        classes.setdefault(file.label, []).append(file.path)
    for label, paths in classes.items():
        if len(paths) < MIN_FILES:
            continue
        step = max(1.0, len(paths) / MAX_FILES)
        selected = [paths[int(i * step)] for i in range(min(len(paths), MAX_FILES))]
        (target / label).mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(selected):
            shutil.copyfile(path, target / label / f"{number:03d}-{path.name}")
