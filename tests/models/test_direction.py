"""Scripts, edits and constraints, from the request to the clip, with a tiny untrained pack of the real architecture.

Untrained models jump about as no body does: what is exact with them is exact.
"""

from __future__ import annotations

import base64
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip, resample
from understudy.backend.motion.npz import clip_from_bytes, clip_to_bytes
from understudy.backend.motion.skeleton import INDEX, J0
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams, parse


@pytest.fixture(scope="module")
def pipeline(tiny_pack: Path) -> Pipeline:
    return load_pipeline(str(tiny_pack), "cpu")


def generate(pipeline: Pipeline, **wanted: Any) -> Clip:
    return pipeline.generate(parse(GenerateParams, {"seed": 1, **wanted}))[0]


def line(prompt: str, seconds: float, **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "seconds": seconds, **more}


def packed(clip: Clip) -> str:
    return base64.b64encode(clip_to_bytes(clip)).decode()


def same(a: Clip, b: Clip, frames: slice) -> bool:
    """Whether frames are the same to the bit, as files hold them."""
    a, b = (clip_from_bytes(clip_to_bytes(clip)) for clip in (a, b))
    return np.array_equal(a.poses[frames], b.poses[frames]) and np.array_equal(
        a.trans[frames], b.trans[frames]
    )


def differs_late(a: Clip, b: Clip) -> bool:
    """Whether two motions are the same in their first three seconds, but for what a decoder sees of all of it."""
    early, late = (
        float(np.abs(a.poses[part] - b.poses[part]).max()) for part in (slice(0, 40), slice(100, None))
    )
    return early < 3e-4 and late > max(1e-3, 5 * early)


# -- scripts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [(1.0, 1.03, 2.5), (0.5, 0.5), (3.3,), (0.77, 1.21, 0.9, 1.0)])
def test_a_script_and_its_lines_are_as_long_as_asked_for(
    pipeline: Pipeline, lengths: tuple[float, ...]
) -> None:
    clip = generate(pipeline, script=[line(f"line {i}", s) for i, s in enumerate(lengths)])
    assert len(clip) == round(sum(lengths) * 30)
    told = clip.meta["script"]
    assert [one["prompt"] for one in told] == [f"line {i}" for i in range(len(lengths))]
    assert told[0]["start"] == 0.0 and told[-1]["end"] == pytest.approx(len(clip) / 30, abs=1e-3)
    for one, after in pairwise(told):
        assert one["end"] == after["start"]
    for one, seconds in zip(told, lengths, strict=True):
        assert one["end"] - one["start"] == pytest.approx(seconds, abs=1 / 30 + 1e-3)


def test_lines_have_tempos_of_their_own_and_keep_their_length(able_pack: Path) -> None:
    pipeline = load_pipeline(str(able_pack), "cpu")
    script = [line("a", 2.0, style={"tempo": 1.0}), line("b", 2.0, style={"tempo": 0.0}), line("c", 1.0)]
    clip = generate(pipeline, script=script)
    assert len(clip) == 150
    assert clip.meta["script"][0]["style"] == {"tempo": 1.0}


def test_a_line_hears_its_own_prompt_alone(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[float] = []
    denoise = pipeline.engine.denoise

    def listening(*args: Any, **given: Any) -> np.ndarray:
        heard.append(round(float(given["conditions"].text.tokens[0].sum()), 3))
        return denoise(*args, **given)

    monkeypatch.setattr(pipeline.engine, "denoise", listening)
    generate(
        pipeline, script=[line("a person walks", 9.0), line("jump high", 2.0), line("a person walks", 1.0)]
    )
    turns = [one for i, one in enumerate(heard) if i == 0 or one != heard[i - 1]]
    assert len(turns) == 3 and turns[0] == turns[2] != turns[1]


def test_a_line_with_a_seed_is_made_anew_by_another(pipeline: Pipeline) -> None:
    one, other = (
        generate(pipeline, script=[line("a", 3.0, seed=5), line("b", 2.0, seed=seed)], cleanup=False)
        for seed in (6, 7)
    )
    assert differs_late(one, other)


def test_a_minute_of_many_lines(pipeline: Pipeline) -> None:
    clip = generate(pipeline, script=[line(f"{i}", 8.0) for i in range(10)])
    assert len(clip) == 2400
    assert np.isfinite(clip.poses).all() and np.isfinite(clip.trans).all()


def test_the_last_line_goes_on_for_as_long_as_the_voice(pipeline: Pipeline, tmp_path: Path) -> None:
    time = np.arange(16000 * 3) / 16000
    soundfile.write(
        tmp_path / "a.wav", (0.3 * np.sin(900 * time) * np.sin(12 * time)).astype(np.float32), 16000
    )
    clip = generate(pipeline, script=[line("walk", 1.0), line("stand", 1.0)], speech=str(tmp_path / "a.wav"))
    assert len(clip) == 90
    assert clip.meta["script"][-1]["end"] == 3.0


# -- edits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [30.0, 24.0, 60.0, 29.97])
@pytest.mark.parametrize(("start", "end"), [(1.0, 2.0), (0.0, 1.5), (1.013, 2.49)])
def test_outside_of_an_edit_nothing_changes_to_the_bit(
    pipeline: Pipeline, fps: float, start: float, end: float
) -> None:
    given = resample(generate(pipeline, prompt="walk", seconds=4.0), fps)
    clip = generate(pipeline, prompt="jump", seed=3, edit={"npz": packed(given), "start": start, "end": end})
    first, after = int(np.floor(start * fps + 1e-6)), int(np.ceil(end * fps - 1e-6))
    assert len(clip) == len(given) and clip.fps == fps
    assert same(clip, given, slice(0, first + 1)) and same(clip, given, slice(after, None))
    assert np.abs(clip.poses[first + 2 : after - 1] - given.poses[first + 2 : after - 1]).max() > 1e-3


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_times_with_few_digits_mean_their_frames(pipeline: Pipeline, fps: float) -> None:
    given = resample(generate(pipeline, prompt="walk", seconds=2.0), fps)
    for first in (1, 7, 8):
        after = first + 11
        edit = {"npz": packed(given), "start": round(first / fps, 4), "end": round(after / fps, 4)}
        clip = generate(pipeline, prompt="jump", seed=3, edit=edit)
        assert same(clip, given, slice(0, first + 1)) and same(clip, given, slice(after, None))
        assert not same(clip, given, slice(first + 1, after))


@pytest.mark.parametrize(
    ("edit", "seconds", "stays", "frames"),
    [
        ({"start": 2.0}, 1.5, 61, 61 + 45),
        ({"start": 3.0}, 2.0, 90, 90 + 60),
        ({"start": 1.0, "end": 4.0}, None, 31, 31 + 90),
    ],
)
def test_from_a_time_on_a_clip_goes_on_for_as_long_as_asked(
    pipeline: Pipeline, edit: dict[str, float], seconds: float | None, stays: int, frames: int
) -> None:
    given = generate(pipeline, prompt="walk", seconds=3.0)
    clip = generate(pipeline, prompt="jump", seconds=seconds, edit={"npz": packed(given), **edit})
    assert len(clip) == frames
    assert same(clip, given, slice(0, stays))


def test_a_clip_goes_on_with_a_script(pipeline: Pipeline) -> None:
    given = generate(pipeline, prompt="walk", seconds=3.0)
    script = [line("jump", 1.0), line("sit", 1.5)]
    clip = generate(pipeline, script=script, edit={"npz": packed(given), "start": 2.0})
    assert len(clip) == 61 + 75
    assert [(one["start"], one["end"]) for one in clip.meta["script"]] == [
        (pytest.approx(61 / 30, abs=1e-3), pytest.approx(91 / 30, abs=1e-3)),
        (pytest.approx(91 / 30, abs=1e-3), pytest.approx(136 / 30, abs=1e-3)),
    ]


def test_a_single_pose_is_enough_to_go_on_from(pipeline: Pipeline) -> None:
    pose = generate(pipeline, prompt="walk", seconds=1.0).slice(10, 11)
    clip = generate(pipeline, prompt="jump", seconds=2.0, edit={"npz": packed(pose), "start": 0.0})
    assert len(clip) == 61
    assert same(clip, pose, slice(0, 1))


def test_what_an_edited_clip_does_not_know_is_not_made_up(pipeline: Pipeline) -> None:
    given = generate(pipeline, prompt="walk", seconds=4.0)
    poses = np.array(given.poses)
    poses[:, 25:] = 0.0
    bare = given.replace(poses=poses, known={**given.known, "hands": False})
    clip = generate(pipeline, prompt="jump", edit={"npz": packed(bare), "start": 1.0, "end": 3.0})
    assert not clip.known["hands"]
    assert not clip.poses[:, 25:].any()


def test_an_edit_may_be_directed(pipeline: Pipeline) -> None:
    given = generate(pipeline, prompt="walk", seconds=4.0)
    wrist = given.joints()[60, INDEX["left_wrist"]]
    clip = generate(
        pipeline,
        prompt="jump",
        edit={"npz": packed(given), "start": 1.0, "end": 3.0},
        constraints={"pins": [{"joint": "left_wrist", "start": 0.5, "end": 2.0, "position": wrist.tolist()}]},
    )
    assert same(clip, given, slice(0, 31)) and same(clip, given, slice(90, None))
    assert clip.meta["direction"][0]["constraint"] == "pin left_wrist"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"npz": "!!!", "start": 0.0}, "not base64"),
        ({"npz": base64.b64encode(b"no clip").decode(), "start": 0.0}, "npz"),
        ({"start": 9.0}, "after the clip's end"),
        ({"start": 1.0, "end": 1.02}, "at least"),
        ({"start": 0.5, "end": 1.5, "seconds": 2.0}, "leave seconds out"),
    ],
)
def test_edits_that_cannot_be_are_one_sentence(pipeline: Pipeline, edit: dict[str, Any], words: str) -> None:
    given = generate(pipeline, prompt="walk", seconds=2.0)
    with pytest.raises(BadInput, match=words) as caught:
        seconds = edit.pop("seconds", None)
        generate(pipeline, prompt="jump", seconds=seconds, edit={"npz": packed(given), **edit})
    assert caught.value.message.count(".") <= 4 and "\n" not in caught.value.message


# -- constraints -----------------------------------------------------------------------------------------


def test_key_poses_are_exact_and_the_speed_goes_through_them(pipeline: Pipeline) -> None:
    other = generate(pipeline, prompt="sit", seconds=2.0, seed=9)
    keys = [
        {"time": 0.0, "pose": other.poses[0].tolist()},
        {"time": 1.5, "pose": other.poses[20].tolist(), "trans": [0.5, float(other.trans[20, 1]), 0.7]},
        {"time": 89 / 30, "pose": other.poses[40].tolist()},
    ]
    clip = generate(pipeline, prompt="walk", seconds=3.0, constraints={"poses": keys})
    for key, frame in zip(keys, (0, 45, 89), strict=True):
        assert np.abs(clip.poses[frame] - np.asarray(key["pose"])).max() < 1e-5
    assert np.allclose(clip.trans[45], keys[1]["trans"], atol=1e-6)
    assert [entry["error_cm"] for entry in clip.meta["direction"]] == [0.0, 0.0, 0.0]


def test_a_pose_to_start_from_leaves_the_length_to_the_model(pipeline: Pipeline) -> None:
    pose = generate(pipeline, prompt="sit", seconds=1.0, seed=9).poses[10].tolist()
    clip = generate(pipeline, prompt="walk", constraints={"poses": [{"time": 0.0, "pose": pose}]})
    assert len(clip) >= 24
    assert np.abs(clip.poses[0] - np.asarray(pose)).max() < 1e-5


def test_key_poses_go_with_a_voice(pipeline: Pipeline, tmp_path: Path) -> None:
    time = np.arange(16000 * 2) / 16000
    soundfile.write(
        tmp_path / "a.wav", (0.3 * np.sin(900 * time) * np.sin(12 * time)).astype(np.float32), 16000
    )
    pose = generate(pipeline, prompt="sit", seconds=1.0, seed=9).poses[10].tolist()
    keys = [{"time": 0.0, "pose": pose}, {"time": 59 / 30, "pose": pose}]
    clip = generate(pipeline, prompt="walk", speech=str(tmp_path / "a.wav"), constraints={"poses": keys})
    assert len(clip) == 60
    assert np.abs(clip.poses[[0, -1], :22] - np.asarray(pose)[:22]).max() < 1e-5


def test_waypoints_are_met_with_a_voice_too(pipeline: Pipeline, tmp_path: Path) -> None:
    time = np.arange(16000 * 4) / 16000
    soundfile.write(
        tmp_path / "a.wav", (0.3 * np.sin(900 * time) * np.sin(12 * time)).astype(np.float32), 16000
    )
    points = [{"time": 1.0, "position": [0.3, 0.4]}, {"time": 3.0, "position": [1.0, 1.5], "facing": 0.5}]
    clip = generate(
        pipeline, prompt="walk", speech=str(tmp_path / "a.wav"), constraints={"waypoints": points}
    )
    places = (clip.trans + J0)[:, [0, 2]]
    for point in points:
        assert np.linalg.norm(places[round(point["time"] * 30)] - point["position"]) < 0.02
    assert clip.known["face"]


def test_what_comes_after_the_end_is_said(pipeline: Pipeline) -> None:
    late = {"waypoints": [{"time": 9.0, "position": [0, 1]}]}
    clip = generate(pipeline, prompt="walk", seconds=2.0, constraints=late)
    assert "comes after the end" in " ".join(clip.meta["warnings"])


def test_what_is_out_of_reach_is_said_in_centimetres(pipeline: Pipeline) -> None:
    far = {"pins": [{"joint": "right_wrist", "start": 1.0, "end": 1.0, "position": [0.0, 9.0, 0.0]}]}
    clip = generate(pipeline, prompt="walk", seconds=2.0, constraints=far)
    (entry,) = clip.meta["direction"]
    assert entry["error_cm"] > 500
    assert f"missed by {entry['error_cm']:.0f} cm" in " ".join(clip.meta["warnings"])


def test_without_a_length_constraints_decide_it(pipeline: Pipeline) -> None:
    clip = generate(pipeline, prompt="walk", constraints={"waypoints": [{"time": 2.5, "position": [0, 1]}]})
    assert len(clip) == 76
    path = {"path": {"points": [[0, 0], [0, 1], [1, 1]]}}
    walked = generate(pipeline, prompt="walk", constraints=path)
    assert len(walked) <= round((2.0 / 0.8 + 1.0) * 30) + 1


def test_a_loop_closes_and_stays_in_place(pipeline: Pipeline) -> None:
    clip = generate(pipeline, prompt="walk", seconds=4.0, loop=True, in_place=True)
    assert clip.meta["loop"]["path"] == "in place"
    still = generate(pipeline, prompt="walk", seconds=4.0, in_place=True)
    assert len(still) == 120
    assert np.linalg.norm((still.trans[-30:] - still.trans[:30]).mean(axis=0)[[0, 2]]) < 0.3
