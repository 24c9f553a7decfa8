"""Names of sounds as people write them, matched to the names of AudioSet's 521 classes."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from audiosearch.errors import UsageError
from audiosearch.models.tagger import sound_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_STOP_WORD = re.compile("an?|and|at|by|etc|for|from|in|my|n|of|on|or|some|the|to|with")
_GENERAL_WORDS = frozenset({"music", "noise", "noises", "sound", "sounds"})
_IRREGULAR = {"children": "child", "geese": "goose", "laughter": "laugh", "mice": "mouse"}
# Stems of words that are in no name and like none, and of those that people mean by them.
_SYNONYMS = {
    "bik": "bicycl",
    "cow": "cattl",
    "lorri": "truck",
    "talk": "speech",
    "tv": "television",
    "voic": "speech",
}
_AGENT = re.compile("(?:er|or|ist)s?$")  # a drummer drums, and a violinist plays a violin
_MIN_BEGINNING = 4  # letters of a beginning that stands for longer words
_MIN_PART = 3  # letters of a part of a word that suggests it
_MAX_WORDS = 10  # of a text that one name can have
_CACHED_WORDS = 1_000
_N_NEAR = 4  # names suggested for an unknown word
_HINT = 'Enter a sound like guitar, rain or "dog barking".'


def matching(text: str) -> tuple[str, ...]:
    """Return the names of the classes of sounds that a text stands for.

    Case doesn't matter, nor do word forms: "dogs" is "dog", and "barking" is "bark". A few words
    that are in no name stand for those that are: "cow" is "cattle".

    A text stands for every class whose name has all of its words. The full name of a class, of two
    or more words, stands for this class only. If no name has all the words, the text is split into
    the longest parts that names have. Each part stands for the class with exactly this name, or
    else for every class whose name has it. General words like "sound" and "music" are then left
    out if there are other words.

    Parameters
    ----------
    text : str

    Returns
    -------
    tuple of str
        Names in AudioSet's order, at least one.

    Raises
    ------
    UsageError
        If the text has no words, or one that is in no name. The hint suggests similar names.

    Examples
    --------
    >>> matching("dog barking"), matching("Rain on leaves"), matching("car horns")
    (('Dog', 'Bark'), ('Rustling leaves', 'Rain'), ('Vehicle horn, car horn, honking',))
    """
    words = _words(text)
    if not words:
        what = f'No sound is called "{text}".' if text.strip() else "The name of a sound is empty."
        raise UsageError(what, hint=_HINT)
    names = sound_names()
    particular = [word for word in words if word not in _GENERAL_WORDS]
    parts = list(_parts(words))
    if len(parts) > 1 and particular:
        parts = list(_parts(particular))
    exact = _classes_by_name()
    if len(parts) > 1:
        classes = {i for part in parts for i in exact.get(_key(part)) or _having(part)}
    elif len(words) > 1 and _key(words) in exact:
        classes = exact[_key(words)]
    else:
        classes = _having(parts[0])
    return tuple(names[i] for i in sorted(classes))


def matching_any(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names that any of several texts stands for: see `matching`."""
    return tuple(dict.fromkeys(name for text in texts for name in matching(text)))


@lru_cache(_CACHED_WORDS)
def like(word: str) -> tuple[str, ...]:
    """Return the names of the classes that a word being typed may stand for.

    Their names have the word, one that begins with it, or one that it is a form of. There are none
    for words of less than three letters, and for those like "the".

    Examples
    --------
    >>> like("rai")[:3], like("barking"), like("of"), like("wuthering")
    (('Rain', 'Raindrop', 'Rain on surface'), ('Bark',), (), ())
    """
    words = _words(word)
    if len(words) != 1 or len(words[0]) < _MIN_PART:
        return ()
    begun = {
        i
        for i, name in enumerate(sound_names())
        if any(longer.startswith(words[0]) for longer in _words(name))
    }
    return tuple(sound_names()[i] for i in sorted(begun | _having_word(words[0])))


def _words(text: str) -> list[str]:
    """Return the words of a text in small letters, without stop words."""
    words = re.findall(
        r"[^\W_]+", re.sub("['\N{RIGHT SINGLE QUOTATION MARK}]s\\b", "", text.casefold())
    )
    return [word for word in words if not _STOP_WORD.fullmatch(word)]


def _stem(word: str) -> str:
    """Return the part that the forms of a word, and its synonyms, have in common.

    Examples
    --------
    >>> [_stem(word) for word in ("barks", "barking", "leaf", "leaves", "cry", "cries", "string")]
    ['bark', 'bark', 'leav', 'leav', 'cri', 'cri', 'string']
    """
    word = _IRREGULAR.get(word, word)
    if len(word) > 3 and not word.endswith(("ss", "us", "is")):
        word = word.removesuffix("s")
    base = word.removesuffix("ing")
    if len(base) > 2 and re.search("[aeiouy]", base):
        word = base
    if len(word) > 3:
        word = word.removesuffix("e")
    word = re.sub(r"([^aeiou])\1$", r"\1", word)
    stem = re.sub("(?:y|ie?)$", "i", re.sub("f$", "v", word))
    return _SYNONYMS.get(stem, stem)


def _key(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(_stem, words))


@cache
def _classes_by_name() -> dict[tuple[str, ...], set[int]]:
    """Return the positions of the classes with exactly the same words, by their stems."""
    classes = defaultdict(set)
    for i, name in enumerate(sound_names()):
        classes[_key(_words(name))].add(i)
    return dict(classes)


@cache
def _classes_by_stem() -> dict[str, set[int]]:
    """Return the positions of the classes with a word, by its stem.

    Neighbors also count as one word: "hiphop" is in the name "Hip hop music".
    """
    classes = defaultdict(set)
    for i, name in enumerate(sound_names()):
        for words in map(_words, name.split(",")):
            for word in (*words, *map("".join, pairwise(words))):
                classes[_stem(word)].add(i)
    return dict(classes)


def _parts(words: list[str]) -> Iterator[list[str]]:
    """Split words into the longest parts that names have.

    Raises
    ------
    UsageError
        If a word is in no name.
    """
    start = 0
    while start < len(words):
        ends = range(min(len(words), start + _MAX_WORDS), start, -1)
        end = next((end for end in ends if _having(words[start:end])), None)
        if end is None:
            raise UsageError(
                f'No sound is called "{words[start]}".', hint=_suggestion(words[start])
            )
        yield words[start:end]
        start = end


def _having(words: list[str]) -> set[int]:
    """Return the positions of the classes that have all of the words, or two words as one."""
    classes = set.intersection(*map(_having_word, words))
    if not classes and len(words) == 2:
        classes = _classes_by_stem().get(_stem("".join(words)), set())
    return classes


@lru_cache(_CACHED_WORDS)
def _having_word(word: str) -> set[int]:
    """Return the positions of the classes that have a word.

    A word that isn't in any name stands for what it is derived from, as "singer" for "sing", or
    else for the longer words that begin with it.
    """
    classes = _classes_by_stem()
    for stem in (_stem(word), _stem(_AGENT.sub("", word))):
        if stem in classes:
            return classes[stem]
    beginning = _stem(word)
    if len(beginning) < _MIN_BEGINNING:
        return set()
    return {
        i
        for i, name in enumerate(sound_names())
        if any(_stem(longer).startswith(beginning) for longer in _words(name))
    }


def _suggestion(word: str) -> str:
    """Return a hint with the names that have words like an unknown one."""
    from difflib import get_close_matches

    by_length = sorted(sound_names(), key=len, reverse=True)  # a word stands for the shortest name
    written = {part: name for name in by_length for part in (*_words(name), name.casefold())}
    longer = [part for part in written if word in part and len(word) >= _MIN_PART]
    near = get_close_matches(word, written, n=_N_NEAR)
    names = list(dict.fromkeys(written[part] for part in (*near, *longer)))[:_N_NEAR]
    return f"Similar names: {'; '.join(names)}." if names else _HINT
