"""BEAT2: speech beside the motion, cut to the shorter; words and gestures in seconds; emotion by task; faults named."""

from __future__ import annotations

import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion.grounding import foot_heights
from understudy.backend.motion.skeleton import INDEX
from understudy.backend.speech.textgrid import Label, read_textgrid
from understudy.training.data import beat2
from understudy.training.data.beat2 import Take
from understudy.training.data.job import Converted, Job
from understudy.training.data.making import make
from understudy.training.data.raw import Raw

from .makers import beat2 as maker
from .makers.beat2 import SEM, TAKE, WORDS


def jobs(root: Path) -> dict[str, Job]:
    return {job.name: job for job in beat2.jobs(Raw(root, root / "cache"))}


def run(job: Job) -> Converted:
    result = job.convert(job.path, **job.arguments)
    assert isinstance(result, Converted)
    return result


def english(root: Path) -> Path:
    return root / "BEAT2/beat_english_v2.0.0"


def heard(made: Converted) -> np.ndarray:
    samples, rate = soundfile.read(io.BytesIO(made.files[".wav"]))
    assert rate == 16000 and samples.ndim == 1
    assert soundfile.info(io.BytesIO(made.files[".wav"])).subtype == "PCM_16"
    return np.asarray(samples)


@pytest.mark.parametrize("flat", [False, True])
def test_a_take_with_everything(tmp_path: Path, flat: bool) -> None:
    home = tmp_path / "beat2" if flat else english(tmp_path)
    words = maker.textgrid(WORDS, 4.0)
    maker.write(home, speech=maker.sound(4.0), words=words, sem=None if flat else SEM, flat=flat)
    found = jobs(tmp_path)
    assert list(found) == [TAKE]
    made = run(found[TAKE])
    clip = made.clip
    assert len(clip) == 90 and clip.fps == 30 and clip.known == dict.fromkeys(clip.known, True)
    np.testing.assert_allclose(clip.poses.reshape(90, 165), maker.motion()["poses"], atol=1e-6)
    np.testing.assert_allclose(clip.expressions, maker.motion()["expressions"], atol=1e-6)
    assert np.abs(foot_heights(clip)).max() < 0.01
    joints = clip.joints()
    assert (joints[:, INDEX["neck"], 1] - joints[:, 0, 1] > 0.3).all()
    assert len(heard(made)) == 3 * 16000
    said = json.loads(made.files[".words.json"])
    assert [word["text"] for word in said["words"]] == ["hello", "wörld", "bye"]
    assert said["words"][-1] == {"text": "bye", "start": 2.4, "end": 3.0}
    assert len(said["phones"]) == 3
    if not flat:
        assert [row["kind"] for row in said["semantics"]] == ["beat", "iconic", "habit"]
        assert said["semantics"][1] == {
            "label": "07_iconic_h", "kind": "iconic", "score": 0.7, "start": 1.0, "end": 3.0, "keywords": "saying bye",
        }  # fmt: skip


def test_the_store_knows_where_speech_and_words_lie(tmp_path: Path) -> None:
    maker.write(english(tmp_path), speech=maker.sound(4.0), words=maker.textgrid(WORDS, 4.0))
    made = make(jobs(tmp_path)[TAKE], tmp_path / "store")
    assert made.row.status == "made" and "face" in made.row.known
    item = made.items[0]
    assert item.speech == f"clips/beat2/{TAKE}.wav" and item.words == f"clips/beat2/{TAKE}.words.json"
    assert (tmp_path / "store" / item.speech).is_file() and (tmp_path / "store" / item.words).is_file()
    assert item.metadata.emotion is not None and item.metadata.emotion.emotion_label == "neutral"


@pytest.mark.parametrize(("motion", "sound", "frames"), [(3.0, 2.5, 75), (2.0, 2.71, 60), (3.0, 2.99, 89)])
def test_both_are_cut_to_the_shorter(tmp_path: Path, motion: float, sound: float, frames: int) -> None:
    maker.write(english(tmp_path), keys=maker.motion(motion), speech=maker.sound(sound))
    made = run(jobs(tmp_path)[TAKE])
    assert len(made.clip) == frames
    assert len(heard(made)) == round(frames / 30 * 16000)
    assert made.clip.meta["speech_seconds"] == pytest.approx(sound, abs=1e-3)


@pytest.mark.parametrize(("rate", "channels"), [(48000, 2), (44100, 1), (8000, 1)])
def test_sound_of_any_rate_keeps_its_time(tmp_path: Path, rate: int, channels: int) -> None:
    maker.write(english(tmp_path), speech=maker.sound(3.0, rate, channels), rate=rate)
    samples = heard(run(jobs(tmp_path)[TAKE]))
    loud = np.flatnonzero(np.abs(samples) > 0.25)
    starts = loud[np.r_[True, np.diff(loud) > 8000]] / 16000
    np.testing.assert_allclose(starts, [0.0, 1.0, 2.0], atol=2e-3)


def test_motion_of_another_rate_is_resampled_by_time(tmp_path: Path) -> None:
    maker.write(english(tmp_path), keys=maker.motion(3.0, 25.0))
    clip = run(jobs(tmp_path)[TAKE]).clip
    assert len(clip) == 89 and clip.meta["original_fps"] == 25 and clip.meta["original_frames"] == 75


def test_a_take_without_a_recording_is_motion_alone_and_says_so(tmp_path: Path) -> None:
    maker.write(english(tmp_path))
    made = run(jobs(tmp_path)[TAKE])
    assert made.files == {} and "no recording" in made.clip.meta["notes"][0]


def test_a_recording_without_motion_is_left_out_by_name(tmp_path: Path) -> None:
    home = tmp_path / "beat2"
    maker.write(home, speech=maker.sound(3.0), flat=True)
    soundfile.write(home / "2_scott_0_2_2.wav", maker.sound(2.0), 16000)
    found = jobs(tmp_path)
    made = make(found["2_scott_0_2_2.wav"], tmp_path / "store")
    assert made.row.status == "left out" and "without a motion" in made.row.why and made.row.frames == 60
    assert not made.items and found[TAKE].left_out == ""


@pytest.mark.parametrize(
    ("id", "emotion"),
    [
        ("2_scott_0_1_8", "neutral"), ("2_scott_0_64_64", "neutral"), ("2_scott_0_65_65", "happiness"),
        ("2_scott_0_80_80", "anger"), ("2_scott_0_81_81", "sadness"), ("2_scott_0_94_94", "contempt"),
        ("2_scott_0_95_102", "surprise"), ("2_scott_0_103_103", "fear"), ("2_scott_0_118_118", "disgust"),
        ("2_scott_0_119_119", ""), ("2_scott_0_0_1", ""), ("2_scott_1_73_73", "neutral"), ("30_katya_6_73_73", "anger"),
    ],
)  # fmt: skip
def test_the_task_tells_the_emotion_of_a_speech(id: str, emotion: str) -> None:
    take = Take.of(id)
    assert take is not None and take.emotion[0] == emotion


def test_an_id_says_who_speaks_what() -> None:
    assert Take.of("12_de_la_cruz_5_3_4") == Take(12, "de_la_cruz", "Spanish", True, 3, 4)
    assert Take.of("walk") is None


def test_rows_splits_and_languages(tmp_path: Path) -> None:
    maker.write(english(tmp_path))
    maker.write(english(tmp_path), "2_scott_0_73_73")
    other = tmp_path / "BEAT2/beat_spanish_v2.0.0"
    maker.write(other, "15_carlos_4_1_1")
    (english(tmp_path) / "train_test_split.csv").write_text(
        f"id,type\n{TAKE},additional\n2_scott_0_73_73,test\n"
    )
    (other / "train_test_split.csv").write_bytes(b"\xef\xbb\xbfnothing\r\n1\r\n")
    found = jobs(tmp_path)
    item = found["2_scott_0_73_73"].items[0]
    assert item.split == "test" and item.emotion == "anger" and not item.commercial and item.actor == "Null"
    assert found[TAKE].items[0].split == "train" and found["15_carlos_4_1_1"].items[0].split == "train"
    assert run(found["15_carlos_4_1_1"]).clip.meta["language"] == "Spanish"
    with pytest.raises(BadInput, match=r"train_test_split\.csv"):
        run(found["beat_spanish_v2.0.0/train_test_split.csv"])


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"keys": b""}, "empty"),
        ({"keys": b"PK\x03\x04 cut"}, "damaged"),
        ({"keys": maker.motion(trans=None)}, "trans is missing"),
        ({"keys": maker.motion(poses=np.zeros((90, 330)))}, "poses has the shape"),
        ({"keys": maker.motion(expressions=np.zeros((80, 100)))}, "expressions has the shape"),
        ({"keys": maker.motion(trans=np.full((90, 3), np.inf))}, "finite"),
        ({"speech": b""}, r"scott_0_1_1\.wav is an empty file"),
        ({"speech": b"RIFF\x00\x00\x00\x00WAVEfmt "}, r"scott_0_1_1\.wav is damaged, or not a sound file"),
        ({"speech": maker.sound(0.05)}, "shorter than two frames"),
        ({"speech": np.full(16000, np.nan, np.float32)}, "not finite"),
        ({"words": ""}, r"TextGrid is no TextGrid"),
        ({"words": "hello there\n"}, r"is no TextGrid"),
        ({"words": maker.textgrid(WORDS, 4.0)[:420]}, r"is no TextGrid"),
        ({"words": maker.textgrid([(2.0, 1.0, "x")], 4.0)}, r"is no TextGrid"),
        ({"sem": "01_beat_align\t0\n"}, r"Line 1 of the semantics"),
        ({"sem": "01_beat_align\t0\t1\t1\t0.1\n02_deictic_l\t5\t4\t1\t0.2\n"}, r"Line 2 of the semantics"),
    ],
)
def test_broken_files_are_one_sentence(tmp_path: Path, files: dict[str, Any], word: str) -> None:
    maker.write(english(tmp_path), **files)
    with pytest.raises(BadInput, match=word):
        run(jobs(tmp_path)[TAKE])


def test_nothing_there_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "wave.npz").write_bytes(b"")
    with pytest.raises(BadInput) as error:
        jobs(tmp_path)
    assert error.value.field == "root"


# --------------------------------------------------------------------------------------- TextGrid


@pytest.mark.parametrize("form", ["long", "short"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_textgrids_of_every_form_and_encoding(tmp_path: Path, form: str, encoding: str, end: str) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_bytes(maker.textgrid(WORDS, 4.0, form=form).replace("\n", end).encode(encoding))
    tiers = read_textgrid(path)
    assert list(tiers) == ["words", "phones"]
    assert tiers["words"] == [Label("hello", 0.5, 0.9), Label("wörld", 0.9, 1.4), Label("bye", 2.4, 4.0)]


def test_quotes_points_order_and_double_names(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    text = maker.textgrid([(1.0, 2.0, 'say ""no""'), (0.0, 1.0, "first")], 2.0).replace('"phones"', '"words"')
    text += '    item [3]:\n        class = "TextTier"\n        name = "marks"\n        xmin = 0\n        xmax = 2\n'
    text += '        points: size = 1\n        points [1]:\n            number = 0.25\n            mark = "clap"\n'
    path.write_text(text)
    tiers = read_textgrid(path)
    assert list(tiers) == ["words", "words_2", "marks"]
    assert tiers["words"] == [Label("first", 0.0, 1.0), Label('say "no"', 1.0, 2.0)]
    assert tiers["marks"] == [Label("clap", 0.25, 0.25)]


def test_a_textgrid_cut_between_two_labels_is_named(tmp_path: Path) -> None:
    text = maker.textgrid(WORDS, 4.0)
    path = tmp_path / "a.TextGrid"
    path.write_text(text[: text.rindex("        intervals [5]")])
    with pytest.raises(BadInput, match="cut off: it promises 10"):
        read_textgrid(path)


@given(st.binary(max_size=300), st.integers(0, 900), st.integers(0, 40))
def test_damage_is_one_sentence_or_harmless(noise: bytes, at: int, length: int) -> None:
    good = maker.textgrid(WORDS, 4.0).encode()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.TextGrid"
        for content in (noise, good[:at] + noise[:length] + good[at + length :]):
            path.write_bytes(content)
            try:
                tiers = read_textgrid(path)
            except BadInput:
                continue
            assert all(
                label.text and 0 <= label.start <= label.end for tier in tiers.values() for label in tier
            )


@given(st.text(max_size=80))
def test_any_labels_of_gestures_are_read_or_named(text: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.txt"
        path.write_bytes(text.encode("utf-8", "replace"))
        try:
            rows = beat2.read_semantics(path)
        except BadInput as error:
            assert "Line" in error.message
        else:
            assert all(0 <= row["start"] <= row["end"] for row in rows)


def test_a_missing_textgrid_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_textgrid(tmp_path / "no.TextGrid")
