"""Characters of names that are escaped, and those that are not."""

import json
import unicodedata

import pytest

from audiosearch.escapes import json_text, printable

READABLE = [
    pytest.param("\xc7a ira \u2013 \xab\xdcbermut\xbb (live)", id="Latin"),
    pytest.param("\u0641\u064a\u0631\u0648\u0632 - \u0646\u0633\u0645", id="Arabic"),
    pytest.param(
        "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", id="Persian, with a joiner"
    ),
    pytest.param("\u05e9\u05dc\u05d5\u05dd", id="Hebrew"),
    pytest.param("\u0915\u094d\u200d\u0937", id="Hindi, with a joiner"),
    pytest.param("\u6771\u4eac\u3000\u4e8b\u5909", id="Japanese, with a wide space"),
    pytest.param("10\xa0000 Maniacs", id="space that doesn't break"),
    pytest.param("\U0001f468\u200d\U0001f469 \u2764\ufe0f\u200d\U0001f525", id="emoji"),
    pytest.param("\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e007f", id="flag"),
    pytest.param("\u845b\U000e0100\u57ce", id="variant of an ideograph"),
]


@pytest.mark.parametrize("text", READABLE)
def test_what_people_write_is_not_escaped(text):
    assert printable(text) == text
    assert json_text(text) == f'"{text}"'


# Format characters that are visible, such as the Arabic number sign, or only used in old scripts.
VISIBLE = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
OLD = {*range(0x13430, 0x13460), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B)}


def test_every_control_character_and_hidden_one_is_escaped():
    for number in set(range(0x110000)) - VISIBLE - OLD:
        character = chr(number)
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            text = f"a{character}b"
            assert printable(text).isascii(), hex(number)
            assert printable(text).isprintable(), hex(number)
            assert json_text(text).isascii(), hex(number)
            assert json_text(text).isprintable(), hex(number)
            assert json.loads(json_text(text)) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\u200db", r"a\u200db", id="joiner between letters that don't join"),
        pytest.param("\u05d0\u200d", "\u05d0\\u200d", id="joiner at the end"),
        pytest.param("\U000e0041", r"\U000e0041", id="tag without a flag"),
        pytest.param("a\nb\tc", r"a\nb\tc", id="line break and tab"),
    ],
)
def test_hidden_characters_are_escaped(text, shown):
    assert printable(text) == shown


def test_kept_characters_are_not_escaped():
    assert printable("a\nb\r", keep="\n") == "a\nb\\r"


def test_line_breaks_between_json_values_stay():
    assert json_text({"a": "\x7f\n"}, indent=1) == '{\n "a": "\\u007f\\n"\n}'
