"""The settings of Perform: what goes to the backend, what does not, and what the panel says about it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from understudy.addon.body.builtin import _armature
from understudy.addon.perform import generate, orders, properties, style
from understudy.addon.perform import panel as panels
from understudy.addon.process.client import backend, packs
from understudy.backend.errors import BadInput

Fake = Callable[[str], None]


@pytest.fixture
def settings(fake: Fake) -> Any:
    armature = _armature(bpy.context, "Understudy")
    settings = bpy.context.scene.understudy
    settings.body, settings.prompt = armature, "a person walks"
    return settings


def params() -> dict[str, Any]:
    return generate.take_order(bpy.context).params


def test_defaults_send_nothing_but_the_prompt(settings: Any) -> None:
    assert params() == {
        "prompt": "a person walks",
        "seconds": None,
        "seed": 0,
        "samples": 1,
        "pack": "open",
        "device": "auto",
    }


def test_only_what_is_switched_on_is_sent(settings: Any) -> None:
    settings.tempo, settings.energy, settings.steps, settings.guidance = 0.1, 0.8, 9, 4.5
    assert "style" not in params() and "steps" not in params()
    settings.use_energy = settings.use_steps = settings.use_guidance = True
    sent = params()
    assert sent["style"] == {"energy": 0.8}, "and not 0.800000012"
    assert (sent["steps"], sent["guidance"]) == (9, 4.5)


def test_the_halves_have_prompts_of_their_own(settings: Any) -> None:
    settings.upper, settings.lower = "  waves with\tboth arms ", " "
    sent = params()
    assert sent["upper"] == "waves with both arms"
    assert "lower" not in sent


def test_a_prompt_of_a_half_that_is_too_long_is_a_sentence(settings: Any) -> None:
    with pytest.raises(BadInput, match="prompt of the upper body is longer than 500"):
        orders.one_line("x" * 501, "upper")


@pytest.mark.parametrize("emotion", style.EMOTIONS)
def test_an_emotion_sets_every_slider(settings: Any, emotion: str) -> None:
    bpy.ops.understudy.style(emotion=emotion)
    assert params()["style"] == pytest.approx(style.EMOTIONS[emotion]._asdict())
    bpy.ops.understudy.style(emotion="none")
    assert "style" not in params()


def test_emotions_differ_as_they_should() -> None:
    e = style.EMOTIONS
    assert tuple(style.Emotion._fields) == tuple(style.FIELDS)
    assert all(0 <= value <= 1 for emotion in e.values() for value in emotion)
    assert e["angry"].arousal > e["happy"].arousal > e["calm"].arousal
    assert e["happy"].valence > e["calm"].valence > e["sad"].valence > e["angry"].valence
    assert e["excited"].tempo > e["calm"].tempo > e["tired"].tempo
    assert e["angry"].smoothness < e["calm"].smoothness


def test_what_the_panel_sends_the_backend_takes(settings: Any, tmp_path: Any) -> None:
    messages = pytest.importorskip("understudy.backend.protocol.messages", reason="needs pydantic")
    bpy.ops.understudy.style(emotion="happy")
    settings.upper, settings.lower, settings.samples = "waves", "jumps", 8
    settings.use_steps = settings.use_guidance = settings.use_seconds = True
    assert messages.parse(messages.GenerateParams, params()).style["valence"] == 0.9
    (tmp_path / "a.wav").write_bytes(b"")
    settings.voice, settings.speech_file, settings.prompt = "FILE", str(tmp_path / "a.wav"), ""
    assert messages.parse(messages.GenerateParams, params()).prompt is None
    assert properties.SAMPLES == messages.SAMPLES
    assert properties.STEPS == messages.STEPS
    assert properties.GUIDANCE == messages.GUIDANCE
    assert set(style.FIELDS) == set(messages.StyleField.__args__)


def test_a_remembered_panel_comes_back(settings: Any) -> None:
    bpy.ops.understudy.style(emotion="sad")
    settings.seed, settings.upper = 2**31 - 1, "ü ✓"
    kept = properties.remember(settings)
    bpy.ops.understudy.style(emotion="none")
    settings.seed, settings.upper = 3, ""
    assert properties.recall(settings, {**kept, "pack": "gone", "later": 1}) == ["pack"]
    assert (settings.seed, settings.upper) == (2**31 - 1, "ü ✓")
    assert style.chosen(settings) == pytest.approx(style.EMOTIONS["sad"]._asdict())


# -- what the panel says --------------------------------------------------------------------------------


class Layout(SimpleNamespace):
    """Records what is drawn, and whether it could be used; every sub-layout is the same object."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def drawn(*given: Any, **named: Any) -> Any:
            self.seen += [str(part) for part in (*given, named.get("text", "")) if part]
            return self if name in ("row", "column", "box", "split") else SimpleNamespace()

        return drawn


def seen(panel: Any) -> str:
    layout = Layout(seen=[], enabled=True)
    context = SimpleNamespace(
        scene=bpy.context.scene,
        view_layer=bpy.context.view_layer,
        preferences=bpy.context.preferences,
        region=None,
    )
    parts = {name: getattr(panel, name) for name in dir(panel) if name.startswith("_draw")}
    panel.draw(SimpleNamespace(layout=layout, **parts), context)
    return " ".join(layout.seen)


def test_the_pack_is_shown_with_its_licence(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(packs.licences, "open", "CC-BY-4.0")
    assert "CC-BY-4.0" in seen(panels.UNDERSTUDY_PT_main)
    monkeypatch.delitem(packs.licences, "open")
    assert "not installed" in seen(panels.UNDERSTUDY_PT_main)


def test_a_length_that_cannot_be_set_says_why(settings: Any) -> None:
    assert "as the motion wants" in seen(panels.UNDERSTUDY_PT_main)
    settings.voice = "FILE"
    assert "as long as the voice" in seen(panels.UNDERSTUDY_PT_main)


def test_a_voice_that_is_not_chosen_is_said(settings: Any) -> None:
    settings.prompt, settings.voice = "", "FILE"
    assert "Choose a sound file" in generate.why_not(bpy.context)
    settings.voice = "STRIP"
    assert "Add a sound strip" in generate.why_not(bpy.context)
    assert "no sound strip" in seen(panels.UNDERSTUDY_PT_speech)
    settings.voice, settings.speech_file = "FILE", "/a.wav"
    assert generate.why_not(bpy.context) == ""


def test_the_sections_draw_what_they_are_for(settings: Any) -> None:
    assert "upper" in seen(panels.UNDERSTUDY_PT_halves)
    assert "No Style" not in seen(panels.UNDERSTUDY_PT_style)
    bpy.ops.understudy.style(emotion="happy")
    shown = seen(panels.UNDERSTUDY_PT_style)
    assert all(word in shown for word in ("use_tempo", "Happy", "Tired", "No Style"))
    assert "as the pack says" in seen(panels.UNDERSTUDY_PT_advanced)
    settings.use_steps = True
    assert "steps" in seen(panels.UNDERSTUDY_PT_advanced)


def test_several_variations_are_told(settings: Any) -> None:
    bpy.ops.understudy.generate(prompt="a person walks", seconds=1.0, samples=3)
    assert backend.news.startswith("1.0 s of motion in each of 3 takes")
