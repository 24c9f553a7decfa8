"""Names of sounds as people write them."""

from __future__ import annotations

import pytest

from audiosearch.errors import UsageError
from audiosearch.models.sound_names import matching, matching_any
from audiosearch.models.tagger import sound_names

SINGING = ["Singing", "Child singing", "Synthetic singing", "Singing bowl"]
GUITARS = [name for name in sound_names() if "guitar" in name.lower()]
BIRDSONG = "Bird vocalization, bird call, bird song"
CAR_HORN = "Vehicle horn, car horn, honking"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("guitar", GUITARS, id="part of names"),
        pytest.param("GUITARS", GUITARS, id="capitals and plural"),
        pytest.param("guitarist", GUITARS, id="player"),
        pytest.param("electric guitar", ["Electric guitar"], id="part and name"),
        pytest.param("acoustic guitars", ["Acoustic guitar"], id="plural of a name"),
        pytest.param("guitar, electric", ["Electric guitar"], id="words in another order"),
        pytest.param("dogs", ["Dog", "Whimper (dog)", "Canidae, dogs, wolves"], id="dogs"),
        pytest.param("dog barking", ["Dog", "Bark"], id="two names, -ing"),
        pytest.param("barking dogs", ["Dog", "Bark"], id="two names, -ing and plural"),
        pytest.param("rain on leaves", ["Rain", "Rustling leaves"], id="name and part of a name"),
        pytest.param("the leaf", ["Rustling leaves"], id="singular of -ves"),
        pytest.param("car horn", [CAR_HORN], id="one of the names of a class"),
        pytest.param("horn of a car", [CAR_HORN], id="with stop words"),
        pytest.param("a car's horn", [CAR_HORN], id="possessive"),
        pytest.param("rock 'n' roll", ["Rock and roll"], id="short and"),
        pytest.param("church bells", ["Church bell"], id="church bells"),
        pytest.param("bird song", [BIRDSONG], id="bird song"),
        pytest.param("birdsong", [BIRDSONG], id="two words written as one"),
        pytest.param("door bell", ["Doorbell"], id="one word written as two"),
        pytest.param("rain drops", ["Raindrop"], id="rain drops"),
        pytest.param("singers", SINGING, id="who does it"),
        pytest.param("drummer", list(matching("drums")), id="who plays it"),
        pytest.param("kids", ["Child speech, kid speaking"], id="kids"),
        pytest.param("baby crying", ["Baby cry, infant cry"], id="baby crying"),
        pytest.param("drum roll", ["Drum roll"], id="drum roll"),
        pytest.param("bass drum", ["Bass drum"], id="only the full name"),
        pytest.param("drum and bass", ["Drum and bass"], id="only the full name, with a stop word"),
        pytest.param("waves", ["Waves, surf", "Sine wave"], id="waves"),
        pytest.param("thunder", ["Thunder"], id="thunder"),
        pytest.param("footstep", ["Walk, footsteps"], id="footstep"),
        pytest.param("gunshots", ["Gunshot, gunfire"], id="gunshots"),
        pytest.param("typing", ["Typing"], id="typing"),
        pytest.param("cats meowing", ["Cat", "Meow"], id="cats meowing"),
        pytest.param("glass breaking", ["Glass", "Breaking"], id="glass breaking"),
        pytest.param("hip hop", ["Hip hop music"], id="hip hop"),
        pytest.param("hip-hop", ["Hip hop music"], id="hyphen"),
        pytest.param("hiphop", ["Hip hop music"], id="no hyphen"),
        pytest.param("laughing", ["Laughter", "Baby laughter", "Belly laugh"], id="laughing"),
        pytest.param("synth", ["Speech synthesizer", "Synthetic singing", "Synthesizer"], id="sy"),
        pytest.param("piano music", ["Piano", "Electric piano"], id="general word"),
        pytest.param("sound of dogs", list(matching("dog")), id="general word first"),
        pytest.param("rock music", ["Rock music"], id="general word of a name"),
        pytest.param("mice", ["Rodents, rats, mice", "Mouse"], id="irregular plural"),
        pytest.param("flies", ["Fly, housefly"], id="plural of -y"),
        pytest.param("buses", ["Bus"], id="plural of -s"),
        pytest.param("cows", ["Cattle, bovinae"], id="synonym, plural"),
        pytest.param("cow bell", ["Cowbell"], id="synonym in a word written as two"),
        pytest.param("talking", list(matching("speech")), id="synonym, -ing"),
        pytest.param(
            "dentist\N{RIGHT SINGLE QUOTATION MARK}s drill", [matching("dentist")[0]], id="q"
        ),
        pytest.param("electric guitar and drums", ["Electric guitar", "Drum"], id="longest parts"),
    ],
)
def test_a_text_stands_for_names(text: str, names: list[str]) -> None:
    assert sorted(matching(text)) == sorted(names)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("cutting", id="beginning of cutlery"),
        pytest.param("windy", id="beginning of two words: wind instrument"),
    ],
)
def test_a_short_beginning_stands_for_no_longer_word(text: str) -> None:
    with pytest.raises(UsageError, match=f'No sound is called "{text}"'):
        matching(text)


def test_every_full_name_of_several_words_stands_for_itself_alone() -> None:
    names = [name for name in sound_names() if len(name.split()) > 1]
    assert [matching(name) for name in names] == [(name,) for name in names]


def test_every_name_is_among_those_it_stands_for_in_any_case() -> None:
    assert [name for name in sound_names() if name not in matching(name.upper())] == []


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        pytest.param("", "The name of a sound is empty.", "guitar", id="empty"),
        pytest.param(" \t", "The name of a sound is empty.", "guitar", id="spaces"),
        pytest.param("the", 'No sound is called "the".', "guitar", id="stop word"),
        pytest.param("!?", 'No sound is called "!?".', "guitar", id="no letters"),
        pytest.param("gitar", 'No sound is called "gitar".', "Guitar", id="spelling"),
        pytest.param("saxofone", 'No sound is called "saxofone".', "Saxophone", id="spelling 2"),
        pytest.param("motorbike", 'No sound is called "motorbike".', "Motorcycle", id="other word"),
        pytest.param("phone", 'No sound is called "phone".', "Telephone", id="end of a word"),
        pytest.param("dog in xyzzy", 'No sound is called "xyzzy".', "guitar", id="nothing like it"),
        pytest.param("female singer", 'No sound is called "female".', "", id="one word of two"),
    ],
)
def test_an_unknown_word_is_a_usage_error_with_similar_names(
    text: str, problem: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        matching(text)
    assert str(caught.value) == problem
    assert hint in caught.value.hint


def test_several_texts_stand_for_the_names_of_any() -> None:
    assert matching_any(["dog barking", "barking", "cat meow"]) == ("Dog", "Bark", "Cat", "Meow")
