"""Screenplays: what is said and how, what is left out, and the line of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.dialogue.emotions import act_of, not_understood, style_of
from understudy.backend.dialogue.fountain import parse, read_screenplay
from understudy.backend.errors import BadInput, UnderstudyError

SCRIPT = """Title: A *Tea*
    for two
Author: Nobody

INT. KITCHEN - DAY

The kettle boils.

ANNA (V.O.)
(angry, to Ben)
It is **always** empty.
(beat)
[[a note]]Always!

@McBen ^
No /* never
said */ idea.

CUT TO:

# A section

= A synopsis

.ROOF

ANNA (CONT'D)
~A song.

!ANNA
is action here.

> THE END <
"""


def test_speeches_with_all_that_belongs_to_them() -> None:
    play = parse(SCRIPT)
    assert play.title_page == {"title": "A Tea for two", "author": "Nobody"}
    assert play.speakers == ["ANNA", "MCBEN"]
    first, second, third = play.speeches
    assert first.parts == ("It is always empty.", "Always!") and first.directions == ("angry, to Ben",)
    assert (first.number, first.line, first.extension, first.before) == (1, 9, "V.O.", "scene")
    assert second.text == "No idea." and second.dual and second.before == "speech"
    assert (third.line, third.text, third.before, third.extension) == (27, "A song.", "scene", "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Nobody says anything"),
        ("Only an action.\n", "Nobody says anything"),
        ("ANNA\n(smiles)\n", "Line 1: ANNA says nothing."),
        ("\nANNA\n...\n", "Line 2: ANNA says nothing."),
        ("ANNA\nHi.\n\n/* never ends\n", "Line 4: the boneyard that begins with /* does not end."),
        ("ANNA\nHi. [[what\n", "Line 2: the note"),
        ("ANNA\n(whisper\nHi.\n", "Line 2: the direction has no closing parenthesis."),
        ("ANNA ^\nHi.\n", "Line 1: the first speech cannot begin together"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(BadInput) as error:
        parse(text)
    assert error.value.message.startswith(sentence) and "\n" not in error.value.message


def test_line_ends_of_every_system_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.fountain"
    for end in ("\n", "\r\n", "\r"):
        path.write_bytes(b"\xef\xbb\xbf" + f"ANNA{end}Hi.{end}{end}BEN{end}Ho.{end}".encode())
        assert [(s.line, s.text) for s in read_screenplay(path).speeches] == [(1, "Hi."), (4, "Ho.")]
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not a text file in UTF-8"):
        read_screenplay(path)
    with pytest.raises(BadInput, match="cannot be read"):
        read_screenplay(tmp_path / "none.fountain")


_LINES = st.sampled_from(
    ["", "ANNA", "BEN (O.S.)", "@x ^", "(beat)", "(sad)", "(", "Hi *you*.", "  ", "INT. A", ".B", "!C", "> D <", "~e",
     "/*", "*/", "[[", "]]", "Title: x", "===", "# s", "CUT TO:", "ÄÖ ß", "123", "\t", "^", "@"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(_LINES, max_size=25).map("\n".join)))
def test_any_text_is_a_screenplay_or_one_sentence(text: str) -> None:
    try:
        play = parse(text)
    except UnderstudyError as error:
        assert error.message and "\n" not in error.message
        return
    count = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    assert [speech.number for speech in play.speeches] == list(range(1, len(play.speeches) + 1))
    lines = [speech.line for speech in play.speeches]
    assert lines == sorted(set(lines)) and all(1 <= line <= count for line in lines)
    assert all(speech.speaker and speech.text.strip() for speech in play.speeches)


def test_directions_become_styles_and_acts() -> None:
    assert style_of(("furious",))["valence"] < 0.3 < 0.7 < style_of(("furious",))["arousal"]
    assert style_of(("smiling sadly",))["valence"] == pytest.approx(0.5)
    assert style_of(("not angry",)) == {} == style_of(("polishing a glass",))
    assert (act_of(("shrugs",)), act_of(("shaking her head",)), act_of(("sad",))) == ("doubt", "no", "")
    assert not_understood(("angry", "to Ben", "polishing a glass")) == ["polishing a glass"]
