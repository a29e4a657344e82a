"""Role-play in Blender: what is said is answered in words, motion and sound, and the .blend remembers it."""

from __future__ import annotations

import importlib.util
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from understudy.addon.body.builtin import _armature
from understudy.addon.dialogue import chat as chat_module
from understudy.addon.dialogue.chat import CHAT, memory_of, who_answers, why_not_say
from understudy.addon.keying.keying import clip_from_action
from understudy.addon.perform.sound import strips_of
from understudy.addon.preferences import settings as preferences
from understudy.addon.process.client import backend

from .drawing import Layout, context, draw

Fake = Callable[[str], None]
SOUND = bpy.app.build_options.audaspace


@pytest.fixture(autouse=True)
def backend_of_the_tests(fake: Fake) -> None:
    bpy.context.scene.render.fps = 30


@pytest.fixture
def body() -> bpy.types.Object:
    found = _armature(bpy.context, "Mira")
    bpy.context.scene.understudy.body = found
    return found


def chat() -> Any:
    return bpy.context.scene.understudy_chat


def say(text: str) -> None:
    assert bpy.ops.understudy.chat_say(text=text) == {"FINISHED"}


def sent() -> dict[str, Any]:
    assert backend.job is not None and backend.job.method == "chat"
    if importlib.util.find_spec("pydantic") is not None:  # the real backend would take it
        from understudy.backend.protocol.chat import ChatParams

        ChatParams.model_validate(backend.job.params)
    return backend.job.params


def strips() -> list[Any]:
    return sorted(strips_of(bpy.context.scene) or (), key=lambda strip: strip.frame_final_start)


def prefer(monkeypatch: pytest.MonkeyPatch, url: str, model: str = "small", key: str = "") -> None:
    chosen = preferences.Settings(chat_url=url, chat_model=model, chat_key=key)
    monkeypatch.setattr(preferences, "get", lambda: chosen)


def test_an_answer_in_words_motion_and_sound(body: bpy.types.Object) -> None:
    bpy.context.scene.frame_set(21)
    chat().name, chat().role, chat().emotion = "Mira", " lighthouse   keeper ", "calm"
    chat().say = "Hello, who are you?"
    assert bpy.ops.understudy.chat_say() == {"FINISHED"}
    assert sent()["text"] == "Hello, who are you?"
    assert sent()["character"] == {"name": "Mira", "role": "lighthouse keeper", "emotion": "calm"}
    assert sent()["memory"] == [] and "endpoint" not in sent() and "previous" not in sent()
    assert [(s.who, s.text) for s in chat().said] == [
        ("user", "Hello, who are you?"),
        ("character", "Mira heard: Hello, who are you?"),
    ]
    assert chat().say == "" and chat().answered == "offline" and chat().body == body
    assert body.animation_data.action.name == "Mira"
    assert tuple(body.animation_data.action.frame_range) == (21, 80)
    assert bpy.context.scene.frame_current == 21
    if SOUND:
        (strip,) = strips()
        assert strip.frame_final_start == 21 and strip.sound.packed_file is not None


def test_the_next_answer_goes_on_from_the_last(body: bpy.types.Object) -> None:
    say("Hello.")
    before = clip_from_action(body)
    say("And you?")
    assert len(sent()["memory"]) == 2 and sent()["previous"]
    after = clip_from_action(body)
    assert len(after) == 120 and len(bpy.data.actions) == 1
    assert np.abs(after.poses[:60] - before.poses).max() < 1e-5, "what was there stays"
    assert np.abs(np.diff(after.trans, axis=0)).max() < 0.06, "without a jump"
    assert body.animation_data.action[CHAT] == 120
    assert [entry["text"] for entry in memory_of(chat())][::2] == ["Hello.", "And you?"]
    if SOUND:
        assert [strip.frame_final_start for strip in strips()] == [1, 61]
    say("Goodbye.")
    assert len(clip_from_action(body)) == 180 and len(bpy.data.actions) == 1


def test_the_face_goes_on_too() -> None:
    """On a body with a face its curves are as long as the others."""
    bpy.ops.understudy.add_body()
    say("Hello.")
    say("And you?")
    body = chat().body
    action = body.animation_data.action
    curves = (
        action.fcurves if not hasattr(action, "slots") else action.layers[0].strips[0].channelbags[0].fcurves
    )
    face = [curve for curve in curves if curve.data_path.startswith('["')]
    assert face and all(curve.keyframe_points[-1].co[0] >= 61 for curve in face)
    assert not [action for action in bpy.data.actions if action.name.startswith("Face")]


def test_an_answer_in_place_of_the_last(body: bpy.types.Object) -> None:
    chat().place = "REPLACE"
    say("Hello.")
    end = clip_from_action(body).trans[-1]
    say("And you?")
    clip = clip_from_action(body)
    assert len(clip) == 60 and len(bpy.data.actions) == 1 and len(strips()) == (1 if SOUND else 0)
    assert np.abs(clip.trans[0] - end).max() < 0.05, "it begins where the last one ended"


def test_without_a_body_one_is_added() -> None:
    chat().name = "Mira"
    say("Hello.")
    assert chat().body.name == "Mira" and chat().body.animation_data.action is not None
    say("And you?")
    assert len([o for o in bpy.data.objects if o.type == "ARMATURE"]) == 1


def test_another_animation_is_kept_and_not_gone_on_from(body: bpy.types.Object) -> None:
    say("Hello.")
    mine = bpy.data.actions.new("mine")
    body.animation_data.action = mine
    bpy.context.scene.frame_set(5)
    say("And you?")
    assert "previous" not in sent() and mine.use_fake_user
    assert tuple(body.animation_data.action.frame_range) == (5, 64)


def test_what_was_done_by_hand_is_not_spliced_over_constraints(body: bpy.types.Object) -> None:
    say("Hello.")
    body.pose.bones["head"].constraints.new("LIMIT_ROTATION")
    say("And you?")
    assert "Bone constraints move it, too." in backend.warning
    assert tuple(body.animation_data.action.frame_range) == (61, 120)


def test_the_memory_survives_saving_and_can_be_cleared(tmp_path: Path, body: bpy.types.Object) -> None:
    assert not bpy.ops.understudy.chat_clear.poll()
    say("Hello.")
    path = str(tmp_path / "file.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert [s.text for s in chat().said] == ["Hello.", "Mira heard: Hello."]
    say("And you?")
    assert len(sent()["memory"]) == 2 and sent()["previous"]
    assert bpy.ops.understudy.chat_clear() == {"FINISHED"}
    assert not len(chat().said) and chat().body.animation_data.action is not None
    say("Hello again.")
    assert sent()["memory"] == []


def test_a_damaged_memory_is_empty(body: bpy.types.Object) -> None:
    chat().memory = "{no json"
    say("Hello.")
    assert sent()["memory"] == [] and len(json.loads(chat().memory)) == 2


def test_a_recording_and_a_character_file(body: bpy.types.Object, tmp_path: Path) -> None:
    path = tmp_path / "hello.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(3200))
    character = tmp_path / "keeper.yaml"
    character.write_text("name: Mira\n", encoding="utf-8")
    chat().character, chat().file, chat().speech = "FILE", str(character), str(path)
    assert bpy.ops.understudy.chat_say() == {"FINISHED"}
    assert sent()["speech"] == str(path) and "text" not in sent()
    assert sent()["character_file"] == str(character) and "character" not in sent()
    with pytest.raises(RuntimeError, match=r"There is no file gone\.wav in its folder"):
        bpy.ops.understudy.chat_say(speech=str(tmp_path / "gone.wav"))
    chat().file = str(tmp_path / "gone.yaml")
    with pytest.raises(RuntimeError, match=r"There is no file gone\.yaml in its folder"):
        bpy.ops.understudy.chat_say(text="Hello.")


def test_talking_to_the_camera(body: bpy.types.Object) -> None:
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    camera.location, body.location = (1.0, -3.0, 1.5), (1.0, 0.0, 0.0)
    bpy.context.view_layer.update()
    say("Hello.")
    assert "user" not in sent()
    chat().to_camera = True
    say("Hello.")
    assert sent()["user"] == pytest.approx([0.0, 3.0], abs=1e-3), "three metres in front"


# -- who answers ------------------------------------------------------------------------------------------


def test_nothing_leaves_the_machine_unless_it_is_asked_for(
    body: bpy.types.Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefer(monkeypatch, "https://api.example.org/v1", key="EXAMPLE_KEY")
    monkeypatch.setattr(chat_module, "online", lambda: True)
    say("Hello.")
    assert "endpoint" not in sent() and "offline" in who_answers(chat()), (
        "an endpoint is there, nobody chose it"
    )
    chat().author = "ENDPOINT"
    assert who_answers(chat()) == "small at api.example.org answers: what you say goes there."
    say("Hello.")
    assert sent()["endpoint"] == {
        "base_url": "https://api.example.org/v1",
        "model": "small",
        "api_key_env": "EXAMPLE_KEY",
    }
    assert sent()["allow_network"] is True and chat().answered == "small"
    assert "Written by small" in " ".join(draw(bpy.types.UNDERSTUDY_PT_chat))


def test_online_access_of_blender_is_respected(
    body: bpy.types.Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_module, "online", lambda: False)
    prefer(monkeypatch, "https://api.example.org/v1")
    chat().author = "ENDPOINT"
    with pytest.raises(RuntimeError, match="Blender's online access is off"):
        bpy.ops.understudy.chat_say(text="Hello.")
    prefer(monkeypatch, "http://localhost:11434/v1")
    assert who_answers(chat()) == "small answers, on this machine."
    say("Hello.")
    assert sent()["allow_network"] is False and sent()["endpoint"]["base_url"].startswith("http://localhost")


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://[broken", False),
        ("", False),
    ],
)
def test_what_is_on_this_machine(url: str, here: bool) -> None:
    assert chat_module.local(url) is here


def test_why_nothing_can_be_said(body: bpy.types.Object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not_say(bpy.context) == "Say something."
    chat().say = "Hello."
    assert why_not_say(bpy.context) == ""
    chat().name = " "
    assert why_not_say(bpy.context) == "Give the character a name."
    chat().character = "FILE"
    assert why_not_say(bpy.context) == "Choose the file of a character."
    chat().character, chat().name, chat().author = "FIELDS", "Mira", "ENDPOINT"
    assert why_not_say(bpy.context) == "Set an endpoint in the preferences first."
    prefer(monkeypatch, "http://localhost:1/v1", model="")
    assert why_not_say(bpy.context) == "Name the endpoint's model in the preferences."


# -- failing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [False, True])
def test_a_failed_answer_leaves_everything_as_it_was(fake: Fake, there: bool) -> None:
    if there:
        bpy.context.scene.understudy.body = _armature(bpy.context, "Mira")
        say("Hello.")
    before = _state()
    backend.stop()
    fake("fails")
    with pytest.raises(RuntimeError, match="The endpoint does not answer"):
        bpy.ops.understudy.chat_say(text="And you?")
    assert _state() == before
    assert "The endpoint does not answer." in draw(bpy.types.UNDERSTUDY_PT_chat)


def _state() -> Any:
    kinds = ("objects", "actions", "meshes", "materials", "sounds")
    return (
        [sorted(thing.name for thing in getattr(bpy.data, kind)) for kind in kinds],
        chat().memory,
        chat().say,
        len(strips()),
        bpy.context.scene.frame_current,
    )


def test_an_answer_that_is_stopped_between_two_slices_leaves_nothing(body: bpy.types.Object) -> None:
    from understudy.addon.dialogue.answering import answering
    from understudy.addon.dialogue.chat import take_order

    say("Hello.")
    order = take_order(bpy.context, text="And you?")
    job = backend.submit(order.params, "chat")
    backend.wait(job)
    before = _state()
    for stop in (1, 2, 5, 30, 50):
        steps = answering(order, job.answer)
        for _ in range(stop):
            next(steps)
        steps.close()
        assert _state() == before, stop


def test_a_silent_answer_is_told(fake: Fake, body: bpy.types.Object) -> None:
    fake("warns")
    say("Hello.")
    assert not strips() and "The answer is silent." in draw(bpy.types.UNDERSTUDY_PT_chat)


# -- the panel --------------------------------------------------------------------------------------------


def test_the_panel_in_every_state(body: bpy.types.Object) -> None:
    shown = " ".join(draw(bpy.types.UNDERSTUDY_PT_chat))
    assert "Talk to a character" in shown and "Nothing leaves this machine." in shown
    say("Hello.")
    shown = " ".join(draw(bpy.types.UNDERSTUDY_PT_chat))
    assert "Mira heard: Hello." in shown and "Written by Understudy's author" in shown
    assert "<understudy.chat_clear>" in shown
    for character in ("FIELDS", "FILE"):
        chat().character = character
        for name in ("character", "scene"):
            assert draw(getattr(bpy.types, f"UNDERSTUDY_PT_chat_{name}"))
    layout = Layout()
    for said in chat().said:
        bpy.types.UNDERSTUDY_UL_said.draw_item(None, context(), layout, chat(), said, 0, chat(), "active")
    assert "Mira heard: Hello." in layout.seen


def test_nobody_keeps_a_key() -> None:
    """The preferences hold the name of a variable; there is nothing that could hold the key itself."""
    names = set(preferences.UNDERSTUDY_AP_preferences.__annotations__)
    assert {"chat_url", "chat_model", "chat_key"} <= names
    assert "variable" in preferences.UNDERSTUDY_AP_preferences.bl_rna.properties["chat_key"].description
