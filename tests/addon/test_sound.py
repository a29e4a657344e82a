"""A voice: a file or a strip goes to the backend, the motion is as long, and both lie in sync on the timeline."""

from __future__ import annotations

import json
import os
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from understudy.addon.body.builtin import _armature
from understudy.addon.perform import sound
from understudy.addon.process.client import backend
from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip

Fake = Callable[[str], None]


def _has_sound() -> bool:
    return bool(bpy.app.build_options.audaspace)


needs_sound = pytest.mark.skipif(not _has_sound(), reason="this Blender was built without sound")


@pytest.fixture
def body(fake: Fake) -> bpy.types.Object:
    armature = _armature(bpy.context, "Understudy")
    bpy.context.scene.understudy.body = armature
    bpy.context.scene.render.fps = 30
    return armature


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """Two and a half seconds of a sound."""
    path = tmp_path / "Hamlet 3.1.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((np.sin(np.arange(40000) / 20) * 9000).astype("<i2").tobytes())
    return path


def add_strip(path: Path, frame: int, name: str = "voice") -> Any:
    scene = bpy.context.scene
    if scene.sequence_editor is None:
        scene.sequence_editor_create()
    return sound.strips_of(scene).new_sound(name=name, filepath=str(path), channel=1, frame_start=frame)


def placed() -> list[tuple[int, str]]:
    return [
        (int(s.frame_final_start), os.path.basename(s.sound.filepath))
        for s in sound.sound_strips(bpy.context.scene)
    ]


def test_a_spoken_file_decides_the_length_and_names_the_take(body: bpy.types.Object, voice: Path) -> None:
    scene = bpy.context.scene
    scene.frame_set(11)
    settings = scene.understudy
    settings.voice, settings.speech_file = "FILE", str(voice)
    settings.use_seconds, settings.seconds = True, 9.0
    assert bpy.ops.understudy.generate() == {"FINISHED"}
    assert backend.job is not None
    params = backend.job.params
    assert (params["speech"], params["prompt"], params["seconds"]) == (str(voice), None, None)
    assert tuple(body.animation_data.action.frame_range) == (11, 85), "75 frames: as long as the sound"
    assert body.animation_data.action.name == "Hamlet 3.1"
    if _has_sound():
        assert placed() == [(11, voice.name)]
    else:
        assert "has no sound" in backend.warning


def test_what_lies_before_the_offset_is_left_out(body: bpy.types.Object, voice: Path) -> None:
    scene = bpy.context.scene
    scene.frame_set(40)
    settings = scene.understudy
    settings.voice, settings.speech_file, settings.speech_offset = "FILE", str(voice), 1.0
    assert bpy.ops.understudy.generate() == {"FINISHED"}
    assert tuple(body.animation_data.action.frame_range) == (40, 84), "45 of 75 frames"
    if _has_sound():
        (strip,) = sound.sound_strips(scene)
        assert (int(strip.frame_final_start), int(strip.frame_final_end)) == (40, 85)
        assert int(strip.frame_offset_start) == 30


def test_words_go_with_the_voice(body: bpy.types.Object, voice: Path, tmp_path: Path) -> None:
    settings = bpy.context.scene.understudy
    settings.voice, settings.speech_file = "FILE", str(voice)
    bpy.ops.understudy.generate()
    assert backend.job is not None and "transcript" not in backend.job.params
    settings.transcript = " To be, or not to be. "
    bpy.ops.understudy.generate()
    assert backend.job.params["transcript"] == "To be, or not to be."
    file = tmp_path / "said.srt"
    file.write_text("1\n00:00:00,000 --> 00:00:02,000\nTo be.\n")
    settings.transcript_file = str(file)
    bpy.ops.understudy.generate()
    assert backend.job.params["transcript"] == str(file)
    settings.voice, settings.prompt = "NONE", "a person waves"
    bpy.ops.understudy.generate()
    assert "transcript" not in backend.job.params


@pytest.mark.parametrize(
    ("name", "words"), [("gone.srt", "There is no transcript"), ("a.docx", "is no transcript")]
)
def test_transcripts_that_cannot_be_used(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "a.docx").write_bytes(b"PK")
    with pytest.raises(BadInput, match=words) as caught:
        sound.transcript("", str(tmp_path / name))
    assert caught.value.field == "transcript"


def test_a_script_can_give_a_voice_and_a_prompt(body: bpy.types.Object, voice: Path) -> None:
    bpy.ops.understudy.generate(prompt="a person explains", speech=str(voice))
    assert backend.job is not None
    assert backend.job.params["prompt"] == "a person explains"
    assert body.animation_data.action.name == "a person explains"


@needs_sound
def test_the_sound_comes_and_goes_with_its_take(body: bpy.types.Object, voice: Path) -> None:
    bpy.ops.understudy.generate(prompt="without", seconds=1.0)
    settings = bpy.context.scene.understudy
    settings.voice, settings.speech_file = "FILE", str(voice)
    bpy.context.scene.frame_set(40)
    bpy.ops.understudy.generate(prompt="with")
    bpy.ops.understudy.generate(prompt="with again")
    assert placed() == [(40, voice.name)], "one voice at a time"
    takes = bpy.context.scene.understudy_takes
    takes.active = 2
    assert placed() == [] and not bpy.data.sounds, "no data-block is left"
    takes.active = 1
    assert placed() == [(40, voice.name)]
    bpy.ops.understudy.reject_take()
    assert placed() == []
    bpy.ops.understudy.accept_take()
    assert placed() == [(40, voice.name)]
    takes.active = 2
    assert placed() == [(40, voice.name)], "an accepted take's sound is the animator's"


@needs_sound
def test_the_sound_takes_a_free_channel(body: bpy.types.Object, voice: Path) -> None:
    mine = add_strip(voice, 30, "mine")
    settings = bpy.context.scene.understudy
    settings.voice, settings.speech_file = "FILE", str(voice)
    bpy.context.scene.frame_set(1)
    bpy.ops.understudy.generate()
    strips = sound.sound_strips(bpy.context.scene)
    assert [(s.channel, int(s.frame_final_start)) for s in strips] == [(2, 1), (1, 30)]
    assert mine.name in [s.name for s in strips]


@needs_sound
def test_the_sound_is_left_out_where_it_is_not_wanted(body: bpy.types.Object, voice: Path) -> None:
    settings = bpy.context.scene.understudy
    settings.voice, settings.speech_file, settings.place_sound = "FILE", str(voice), False
    bpy.ops.understudy.generate()
    assert placed() == []


@needs_sound
def test_a_strip_is_spoken_where_it_lies(body: bpy.types.Object, voice: Path) -> None:
    add_strip(voice, 20)
    settings = bpy.context.scene.understudy
    settings.voice = "STRIP"  # with none chosen the first one speaks
    bpy.context.scene.frame_set(1)
    bpy.ops.understudy.generate()
    assert tuple(body.animation_data.action.frame_range) == (20, 94)
    assert placed() == [(20, voice.name)], "nothing is added"


@needs_sound
def test_of_a_trimmed_strip_the_heard_part_counts(body: bpy.types.Object, voice: Path) -> None:
    strip = add_strip(voice, 20)
    strip.frame_offset_start, strip.frame_offset_end = 15, 30
    bpy.context.scene.understudy.voice = "STRIP"
    bpy.ops.understudy.generate()
    action = body.animation_data.action
    assert tuple(action.frame_range) == (35, 64), "as the strip: 30 frames from frame 35"
    assert (strip.frame_final_start, strip.frame_final_end) == (35, 65)


def test_the_heard_part_begins_where_the_whole_began() -> None:
    rng = np.random.default_rng(0)
    clip = Clip(rng.normal(size=(90, 55, 3)), rng.normal(size=(90, 3)), 30.0)
    part = sound.Voice("x", 1, offset=0.5, seconds=1.0).cut(clip)
    assert len(part) == 30
    assert np.array_equal(part.poses, clip.poses[15:45])
    assert np.allclose(part.trans[0, [0, 2]], clip.trans[0, [0, 2]])
    assert np.allclose(part.trans[:, 1], clip.trans[15:45, 1])
    assert np.allclose(np.diff(part.trans, axis=0), np.diff(clip.trans[15:45], axis=0))
    assert len(sound.Voice("x", 1, offset=2.0, seconds=5.0).cut(clip)) == 30
    assert sound.Voice("x", 1).cut(clip) is clip


@needs_sound
def test_strips_that_cannot_be_spoken_are_named(body: bpy.types.Object, voice: Path) -> None:
    scene = bpy.context.scene
    with pytest.raises(BadInput, match="no sound strip"):
        sound.voice_of_strip(scene, "")
    strip = add_strip(voice, 1)
    with pytest.raises(BadInput, match="“other”"):
        sound.voice_of_strip(scene, "other")
    voice.rename(voice.with_name("moved.wav"))
    with pytest.raises(BadInput, match="is gone"):
        sound.voice_of_strip(scene, strip.name)


@pytest.mark.parametrize(
    ("path", "words"), [("", "No sound file"), ("/nowhere/a.wav", "There is no sound file a.wav")]
)
def test_a_file_that_is_not_there_is_a_sentence(body: bpy.types.Object, path: str, words: str) -> None:
    settings = bpy.context.scene.understudy
    settings.voice, settings.speech_file = "FILE", path
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.understudy.generate()
    assert not bpy.data.actions and backend.state == "off"


def test_a_path_beside_the_blend_is_found(body: bpy.types.Object, voice: Path, tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.understudy.generate(speech=f"//{voice.name}")
    assert backend.job is not None and backend.job.params["speech"] == str(voice)


def test_the_strips_to_choose_from(voice: Path) -> None:
    scene = bpy.context.scene
    assert sound.sound_strips(scene) == [] and sound.strip_name(scene.understudy) == ""
    if _has_sound():
        add_strip(voice, 50, "later")
        add_strip(voice, 10, "sooner")
        assert [s.name for s in sound.sound_strips(scene)] == ["sooner", "later"]
        assert sound.strip_name(scene.understudy) == "sooner"
        scene.understudy.speech_strip = "later"
        assert sound.strip_name(scene.understudy) == "later"


# -- what the panel says about a recording --------------------------------------------------------------


def test_a_recording_in_a_sentence() -> None:
    said = {"seconds": 12.34, "voice_share": 0.831, "warnings": []}
    assert sound.describe(said) == ("12.3 s, 83% of it voice", False)
    sentence, complaint = sound.describe({**said, "voice_share": 0, "warnings": ["No speech is heard."]})
    assert complaint and sentence.endswith("voice. No speech is heard.")
    assert sound.describe({"error": {"message": "a.wav is empty."}}) == ("a.wav is empty.", True)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            (0, json.dumps({"seconds": 2.0, "voice_share": 0.5, "warnings": []}), ""),
            ("2.0 s, 50% of it voice", False),
        ),
        ((2, "", 'noise\n{"error": {"message": "a.wav is no sound."}}\n'), ("a.wav is no sound.", True)),
        ((1, "", ""), ("The recording could not be looked into.", True)),
        ((0, "no json", ""), ("The recording could not be looked into.", True)),
    ],
)
def test_looking_into_a_recording(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str, str], sentence: tuple[str, bool]
) -> None:
    commands = []

    def run(command: list[str], timeout: float) -> Any:
        commands.append(command)
        return subprocess.CompletedProcess(command, *answer)

    monkeypatch.setattr(sound, "run_quietly", run)
    sound.Look.look("/some/a.wav")
    sound.Look.finish(10)
    assert sound.Look.found["/some/a.wav"] == sentence
    assert commands[0][-3:] == ["info", "/some/a.wav", "--json"]


def test_looking_without_an_interpreter_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_PYTHON", "/nowhere/python")
    sound.Look.look("/some/a.wav")
    assert "cannot be run" in sound.Look.found["/some/a.wav"][0]


def test_a_full_sequencer_is_a_sentence() -> None:
    strips = [
        SimpleNamespace(channel=c, frame_final_start=0, frame_final_end=100, get=lambda _: None)
        for c in range(1, 129)
    ]
    scene = SimpleNamespace(sequence_editor=SimpleNamespace(strips=strips))
    assert "every channel" in sound.place(scene, SimpleNamespace(name="x"), "a.wav", 1, 10)
