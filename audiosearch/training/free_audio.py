"""Free audio to train and score on: Debian packages, downloaded when needed.

Each package belongs to one split, so no score uses audio of a package that was trained on.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from audiosearch.audio.decode import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


class Kind(str, Enum):
    """Kind of sound."""

    SPEECH = "speech"
    MUSIC = "music"
    INSTRUMENT = "instrument"
    EFFECT = "effect"


class Split(str, Enum):
    """Use of a package: to fit the projection, to choose a recipe, or one of the sets to score."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"  # games, instruments and speech
    REAL = "real-world"  # animals, weather, work and voices
    CHARACTERS = "characters"  # voices and weapons of the characters of a game


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
    """A file, its class and its package (or another group of classes)."""

    path: Path
    label: str
    package: str


_GPL = "GPL-2.0-or-later"
_BY_SA = "CC-BY-SA-3.0"
_DRUMS = "GPL-2.0, GPL-2.0-or-later, CC-BY-3.0, CC-BY-SA-3.0 and CC0-1.0"
_HYPERROGUE = "CC-BY-SA-4.0, CC-BY-SA-3.0, CC0-1.0 and CC-BY-3.0"
_NAEV = "GPL-3.0, CC-BY-3.0, CC-BY-SA-3.0 and public domain"
_KART = "CC-BY-SA-3.0, CC-BY-3.0, CC0-1.0, CC-BY-SA-4.0, GPL-2.0-or-later and public domain"


_speech = partial(Source, Kind.SPEECH)
_music = partial(Source, Kind.MUSIC)
_instrument = partial(Source, Kind.INSTRUMENT)
_effect = partial(Source, Kind.EFFECT)

_TRAIN, _VALIDATION, _TEST, _REAL, _CHARACTERS = Split
_NOT_SILENCE = r"/sounds/\w+/(?!silence/)"
_CREATURES = "human|orc|wolf|skeleton|troll|ogre|gryphon|dwarf|zombie"
_BATTLE = "actor/human/death|actor/singlesteps|attack/(?:fire|siege|weapon|impact)/[a-z]+"
_NATURE = "actor/fauna/animal/[a-z]+|ambient/(?:weather|dayscape|water|building)"
_WORK = "resource/(?:gathering|mining|lumbering|construction|foraging|farming)"
_TRADES = "animals/[a-z]+|farm|woodcutting|smiths|saw|taverns|metal|hammering|stonecutting|mill"
_STAMPS = "animals/(?:mammals|birds|insects)|hobbies/music|vehicles|household"
_NEXUIZ = "player/[a-z-]+(?:/coms|/player)?|announcer/[a-z]+|ambient|desertfactory|ctf|tutorial"
_LUGARU = "Bark|Claw|Clank|Fire|FootStep|Growl|Knife|Rabbit|Sword|Whoosh|Music|Land|Staff"
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
    _speech("unknown-horizons", _TRAIN, r"/audio/(voice)/", f"{_GPL} and CC-BY-SA-3.0"),
    _music("unknown-horizons", _TRAIN, r"/audio/(music)/", f"{_GPL} and CC-BY-SA-3.0"),
    _music("naev-data", _TRAIN, r"/snd/(music)/", _NAEV),
    _instrument("sound-icons", _TRAIN, r"/sound-icons/([a-z]+)-", _GPL),
    _effect("lugaru-data", _TRAIN, rf"/Sounds/\w*({_LUGARU})", f"{_GPL} and CC-BY-SA"),
    _effect(
        "minetest-data",
        _TRAIN,
        r"/sounds/(?:[a-z]+_)*(footstep|dig|dug|place|break|door|fire)",
        "CC-BY-SA-3.0, CC-BY-SA-4.0, CC-BY-3.0 and MIT",
    ),
    _effect("nexuiz-data", _TRAIN, rf"/sound/((?:weapons|misc)/[a-z]+|{_NEXUIZ})", _GPL),
    _effect("torcs-data", _TRAIN, r"/sound/.*(engine|crash|skid|gear)", f"{_GPL}, Free-Art"),
    _effect("tuxpaint-stamps-default", _TRAIN, rf"/stamps/({_STAMPS})/(?!.*_desc)", "GPL-2.0"),
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
    _effect("0ad-data", _REAL, rf"/audio/({_NATURE}|{_WORK}|{_BATTLE})", "CC-BY-SA-3.0"),
    _speech("0ad-data", _REAL, r"/audio/(voice/[a-z]+)/", "CC-BY-SA-3.0"),
    _effect("widelands-data", _REAL, rf"/(?:sound|world)/(?:\w+/)?({_TRADES})", _GPL),
    _effect(
        "megaglest-data",
        _CHARACTERS,
        r"/factions/([a-z]+/units/[a-z_]+)/sounds/",
        "CC-BY-SA-3.0",
    ),
)

#: Files of a class that are used.
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
    names = sorted({source.package for source in SOURCES})
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        subprocess.run(["apt-get", "download", *missing], cwd=folder, check=True)
    for archive in sorted(folder.glob("*.deb")):
        package, version, _ = archive.name.split("_")
        draft = folder / f"{package}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        subprocess.run(["dpkg-deb", "-x", archive, draft], check=True)
        _extract_archives(draft)
        (folder / f"{package}.version").write_text(unquote(version))
        draft.rename(folder / package)
        archive.unlink()


def _extract_archives(folder: Path) -> None:
    """Extract the audio files of every ZIP archive in a folder, into a folder beside it."""
    for path in list(folder.rglob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(tuple(SUFFIXES))]
            archive.extractall(path.with_suffix(".extracted"), names)
        path.unlink()


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
                    yield LabeledFile(path, label.replace("/", "-"), source.package)


def files_by_folder(folder: Path) -> Iterator[LabeledFile]:
    """Yield the audio files of a folder with one subfolder per class."""
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in SUFFIXES:
            yield LabeledFile(path, path.parent.name, folder.name)


def spaced_by_class(files: Iterable[LabeledFile]) -> list[LabeledFile]:
    """Return up to 30 files of each class, evenly spaced, without classes of fewer than 5 files."""
    classes: dict[str, list[LabeledFile]] = {}
    for file in files:
        classes.setdefault(file.label, []).append(file)
    groups = (group for group in classes.values() if len(group) >= MIN_FILES)
    return [file for group in groups for file in spaced(group, MAX_FILES)]


def spaced(files: Sequence[LabeledFile], n_files: int) -> list[LabeledFile]:
    """Return a number of files, evenly spaced; all of them if there are fewer."""
    step = max(1.0, len(files) / n_files)
    return [files[int(i * step)] for i in range(min(len(files), n_files))]


def copy_by_class(folder: Path, split: Split, target: Path) -> None:
    """Copy a split's files into one folder per class, for ``audiosearch evaluate --by folder``.

    The files are those of `spaced_by_class`. The target is emptied first.
    """
    shutil.rmtree(target, ignore_errors=True)
    for number, file in enumerate(spaced_by_class(labeled_files(folder, split))):
        (target / file.label).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, target / file.label / f"{number:05d}-{file.path.name}")
