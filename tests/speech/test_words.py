"""Transcripts of every kind become words with times; a text without times finds its place in the voice."""

from __future__ import annotations

import contextlib
import itertools
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput, JobFailed
from understudy.backend.speech.alignment import align
from understudy.backend.speech.features import SpeechFeatures, features_of
from understudy.backend.speech.transcripts import read_cues, read_transcript, recognised, transcript_of
from understudy.backend.speech.words import LONGEST_PHRASE, Word, phrases, split, syllable_count

from .voices import RATE, Voice, noise, speak


def script(voice: Voice) -> tuple[str, np.ndarray]:
    """A text of one word a syllable with a full stop after each phrase, and when its words begin."""
    words = []
    for number, start in enumerate(voice.syllables[:, 0]):
        following = voice.syllables[number + 1, 0] if number + 1 < len(voice.syllables) else np.inf
        ended = voice.phrases[(voice.phrases[:, 1] > start)][0, 1]
        words.append(f"ba{'.' if following > ended else ''}")
    return " ".join(words), voice.syllables[:, 0]


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("hello", 2), ("strengths", 1), ("time", 1), ("table", 2), ("wanted", 2), ("walked", 1), ("places", 2), ("makes", 1),
        ("Übermut", 3), ("été", 2), ("привет", 2), ("你好", 2), ("カメラ", 3), ("2026", 6), ("hm", 1), ("the", 1),
    ],
)  # fmt: skip
def test_syllables_of_words(word: str, count: int) -> None:
    assert syllable_count(word) == count


def test_split_keeps_punctuation_and_parts_scripts_without_spaces() -> None:
    assert split("Well, - no!  (Yes.)") == ["Well,-", "no!", "(Yes.)"]
    assert split("你好，世界。ok") == ["你", "好，", "世", "界。", "ok"]
    assert split("... -- ?") == []


@pytest.mark.parametrize("seed", range(3))
def test_a_text_finds_its_times(seed: int) -> None:
    voice = speak(seed)
    text, starts = script(voice)
    found = np.array([word.start for word in align(text, features_of(voice.samples)).words])
    assert len(found) == len(starts)
    assert np.median(np.abs(found - starts)) < 0.1
    assert np.percentile(np.abs(found - starts), 90) < 0.3
    evenly = np.linspace(0, len(voice.samples) / RATE, len(starts), endpoint=False)
    assert np.abs(found - starts).mean() < 0.3 * np.abs(evenly - starts).mean()


def test_sentences_end_in_pauses(voice: Voice, features: SpeechFeatures) -> None:
    text, _ = script(voice)
    words = align(text, features).words
    ends = np.array([word.end for word in words if word.text.endswith(".")])
    assert np.mean([np.abs(voice.phrases[:, 1] - end).min() < 0.15 for end in ends]) >= 0.8


@given(st.text(max_size=300))
def test_any_text_is_laid_along_in_order(text: str) -> None:
    features = TWO_PHRASES
    try:
        words = align(text, features).words
    except BadInput:
        assert not any(character.isalnum() for character in text)
        return
    assert [word.text for word in words] == split(text)
    times = np.array([[word.start, word.end] for word in words])
    assert (np.diff(times[:, 0]) >= 0).all()
    assert (times[:, 1] >= times[:, 0]).all()
    assert times.min() >= 0 and times.max() <= features.seconds + 0.05


def test_too_many_and_too_few_words_are_said(features: SpeechFeatures) -> None:
    assert "more" in align("banana " * 300, features).warnings[0]
    assert "less" in align("yes", features).warnings[0]
    assert align("banana " * 20, features).warnings == ()


def test_a_text_without_speech_is_spread_and_said() -> None:
    found = align("one two three", features_of(noise(3.0)))
    assert [word.text for word in found.words] == ["one", "two", "three"]
    assert "no speech" in found.warnings[0]


@given(
    st.lists(
        st.tuples(st.text("abc.,", min_size=1, max_size=5), st.floats(0, 1), st.floats(0.05, 2)), max_size=60
    )
)
def test_phrases_hold_every_word_once(parts: list[tuple[str, float, float]]) -> None:
    words, now = [], 0.0
    for text, pause, length in parts:
        words.append(Word(text, now + pause, now + pause + length))
        now = words[-1].end
    made = phrases(words)
    assert " ".join(phrase.text for phrase in made) == " ".join(word.text for word in words)
    for phrase in made:
        assert phrase.end - phrase.start <= LONGEST_PHRASE or " " not in phrase.text
    assert all(one.end <= other.start for one, other in itertools.pairwise(made))


def test_phrases_end_at_pauses_and_full_stops() -> None:
    words = [Word("Go", 0.0, 0.2), Word("on.", 0.2, 0.5), Word("I", 0.55, 0.6), Word("wait", 1.2, 1.5)]
    assert [phrase.text for phrase in phrases(words)] == ["Go on.", "I", "wait"]


# ----------------------------------------------------------------------------------------- files

SRT = """\ufeff1
00:00:00,500 --> 00:00:02,000
<i>Hello</i> there,
my friend.

2
00:00:03,000 --> 00:00:04,5
{\\an8}Come &amp; see!
3
00:00:05,000 --> 00:00:06,000
Now
"""
VTT = """WEBVTT

NOTE nothing

intro
00:01.000 --> 00:02.500 align:start
<v Ann>Hello there</v>

00:00:03.000 --> 00:00:04.000
Bye
"""


def test_srt_cues(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(SRT.replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert read_cues(tmp_path / "a.srt") == [
        ("Hello there, my friend.", 0.5, 2.0),
        ("Come & see!", 3.0, 4.5),
        ("Now", 5.0, 6.0),
    ]


def test_webvtt_cues(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text(VTT, encoding="utf-8")
    assert read_cues(tmp_path / "a.vtt") == [("Hello there", 1.0, 2.5), ("Bye", 3.0, 4.0)]


def test_words_of_a_cue_stay_in_it_and_in_its_speech(
    tmp_path: Path, voice: Voice, features: SpeechFeatures
) -> None:
    first, last = voice.phrases[1]
    stamp = f"00:00:{first - 0.4:06.3f} --> 00:00:{last + 0.3:06.3f}".replace(".", ",")
    (tmp_path / "a.srt").write_text(f"1\n{stamp}\none two three four\n")
    words = read_transcript(tmp_path / "a.srt", features).words
    assert [word.text for word in words] == ["one", "two", "three", "four"]
    assert words[0].start == pytest.approx(first, abs=0.1)
    assert words[-1].end == pytest.approx(last, abs=0.1)


def test_textgrid_words_keep_their_times(tmp_path: Path, features: SpeechFeatures) -> None:
    tiers = [("phones", [(0.5, 0.7, "HH")]), ("words", [(0.5, 0.9, "hello"), (0.9, 1.1, ""), (1.1, 99.0, "there"), (99.0, 100.0, "late")])]  # fmt: skip
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "0",
        "100",
        "<exists>",
        str(len(tiers)),
    ]
    for name, labels in tiers:
        lines += ['"IntervalTier"', f'"{name}"', "0", "100", str(len(labels))]
        for start, end, text in labels:
            lines += [str(start), str(end), f'"{text}"']
    (tmp_path / "a.TextGrid").write_text("\n".join(lines) + "\n")
    found = transcript_of(str(tmp_path / "a.TextGrid"), features)
    assert found.words == (Word("hello", 0.5, 0.9), Word("there", 1.1, features.seconds))
    assert "1 words" in found.warnings[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_text_files_of_any_encoding(tmp_path: Path, features: SpeechFeatures, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("Schöne Grüße".encode(encoding))
    words = transcript_of(str(tmp_path / "a.txt"), features).words
    assert [word.text for word in words] == ["Schöne", "Grüße"]


def test_text_itself_is_a_transcript(features: SpeechFeatures) -> None:
    assert len(transcript_of("I saw a file.\nIt was a.txt", features).words) == 7
    assert len(transcript_of("banana " * 2000, features).words) == 2000


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.srt", b"", "no subtitles"),
        ("a.srt", b"1\n00:00:02,000 --> 00:00:01,000\nbackwards\n", "no subtitles"),
        ("a.srt", b"1\n00:50:00,000 --> 00:51:00,000\nlate\n", "within the recording"),
        ("a.vtt", b"WEBVTT\n", "no subtitles"),
        ("a.txt", b"  \n", "no words"),
        ("a.txt", b"a\0b", "not a text"),
        ("a.TextGrid", b"hello", "TextGrid"),
        ("a.doc", b"hello", "no transcript"),
        ("missing.srt", None, "cannot be read"),
    ],
)
def test_bad_transcripts_are_sentences(
    tmp_path: Path, features: SpeechFeatures, name: str, data: bytes | None, says: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=says) as caught:
        read_transcript(tmp_path / name, features)
    assert caught.value.message.endswith(".")


@given(st.binary(max_size=400))
def test_damaged_subtitles_never_end_in_a_traceback(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.srt"
        path.write_bytes(b"1\n00:00:00,000 --> 00:00:01,000\n" + data)
        with contextlib.suppress(BadInput):
            words = read_transcript(path, TWO_PHRASES).words
            assert all(0 <= word.start <= word.end for word in words)


# ------------------------------------------------------------------------------------ recogniser


def test_nothing_is_recognised_without_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERSTUDY_WHISPER", raising=False)
    assert recognised(tmp_path / "voice.wav") is None
    assert recognised(tmp_path / "voice.wav", tmp_path) is None
    (tmp_path / "model.bin").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    assert recognised(tmp_path / "voice.wav", tmp_path) is None


def test_a_model_at_hand_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, voice: Voice) -> None:
    said = types.SimpleNamespace(words=[types.SimpleNamespace(word=" hello ", start=0.5, end=1.0)])

    class Model:
        def __init__(self, folder: str, **options: object) -> None:
            assert options["local_files_only"] is True
            if "broken" in folder:
                raise RuntimeError("no such layer")

        def transcribe(self, samples: np.ndarray, word_timestamps: bool) -> tuple[list, None]:
            assert samples.shape == voice.samples.shape and word_timestamps
            return [said, types.SimpleNamespace(words=None)], None

    soundfile.write(tmp_path / "voice.wav", voice.samples, RATE)
    monkeypatch.setitem(sys.modules, "faster_whisper", types.SimpleNamespace(WhisperModel=Model))
    for name in ("whisper", "broken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").write_bytes(b"x")
    monkeypatch.setenv("UNDERSTUDY_WHISPER", str(tmp_path / "whisper"))
    found = recognised(tmp_path / "voice.wav")
    assert found is not None and found.words == (Word("hello", 0.5, 1.0),)
    with pytest.raises(JobFailed, match="cannot be used"):
        recognised(tmp_path / "voice.wav", tmp_path / "broken")


TWO_PHRASES = features_of(speak(5, 8.0).samples)
