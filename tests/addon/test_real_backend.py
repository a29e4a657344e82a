"""The add-on with the real backend process, as far as this machine has one."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import bpy
import numpy as np
import pytest

from understudy.addon.keying import keying
from understudy.addon.preferences import settings as preferences
from understudy.addon.process.client import backend
from understudy.backend.protocol.child import run_quietly

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def python() -> str:
    """An interpreter that has torch; without one there is no real backend to talk to."""
    found = preferences.find_python()
    if run_quietly([found, "-c", "import torch, pydantic"], timeout=120).returncode != 0:
        pytest.skip(f"{found} has no torch")
    return found


@pytest.fixture
def body() -> bpy.types.Object:
    bpy.ops.understudy.add_body()
    bpy.context.scene.render.fps = 30
    return bpy.context.scene.understudy.body


def test_an_unknown_pack_is_a_sentence_and_the_process_stays(body: bpy.types.Object) -> None:
    order = {"prompt": "a person walks", "seconds": 1.0, "seed": 0, "pack": "no such pack", "device": "auto"}
    for _ in range(2):
        job = backend.submit(order)
        with pytest.raises(Exception, match="no such pack"):
            backend.wait(job, timeout=120)
    assert backend.state == "ready"


@pytest.mark.skipif(not (ROOT / "packs/open/pack.toml").exists(), reason="pack open is not trained yet")
def test_a_prompt_becomes_a_playing_action(body: bpy.types.Object) -> None:
    travelled = []
    for seed in (1, 1, 2):
        assert bpy.ops.understudy.generate(prompt="a person walks forward", seconds=4.0, seed=seed) == {
            "FINISHED"
        }
        clip = keying.clip_from_action(body)
        assert len(clip) == 120
        assert clip.meta["licence"]
        travelled.append(clip)
    assert np.abs(travelled[0].poses - travelled[1].poses).max() < 1e-5
    assert np.abs(travelled[0].poses - travelled[2].poses).max() > 1e-2
    assert [action.name for action in bpy.data.actions] == ["a person walks forward"]
    distance = np.linalg.norm((travelled[0].trans[-1] - travelled[0].trans[0])[[0, 2]])
    assert distance > 0.5


@pytest.mark.skipif(not (ROOT / "packs/open/pack.toml").exists(), reason="pack open is not trained yet")
def test_cancel_in_the_middle_keeps_the_process_warm(body: bpy.types.Object) -> None:
    order = {"prompt": "a person dances", "seconds": 60.0, "seed": 0, "pack": "open", "device": "auto"}
    job = backend.submit(order)
    end = time.monotonic() + 120
    while job.stage not in ("plan", "refine"):
        assert time.monotonic() < end
        backend.poll()
        time.sleep(0.005)
    assert backend.client is not None
    process = backend.client.pid
    backend.cancel()
    assert bpy.ops.understudy.generate(prompt="a person stands", seconds=1.0) == {"FINISHED"}
    assert backend.client.pid == process
    assert job.clips == []


SCREENPLAY = "\nANNA\n(happy)\nThere you are!\n\nBEN\n(tired)\nThe train was late.\n"


@pytest.mark.skipif(not (ROOT / "packs/open/pack.toml").exists(), reason="pack open is not trained yet")
@pytest.mark.skipif(
    shutil.which("espeak-ng") is None and shutil.which("piper") is None, reason="nothing can speak the lines"
)
def test_a_screenplay_is_acted_by_two_bodies(tmp_path: Path) -> None:
    path = tmp_path / "short.fountain"
    path.write_text(SCREENPLAY, encoding="utf-8")
    bpy.context.scene.render.fps = 30
    assert bpy.ops.understudy.dialogue(filepath=str(path), seed=1) == {"FINISHED"}
    dialogue = bpy.context.scene.understudy_dialogue
    bodies = [dialogue.first.body, dialogue.second.body]
    assert [body.animation_data.action.name for body in bodies] == ["Anna", "Ben"]
    clips = [keying.clip_from_action(body) for body in bodies]
    assert len(clips[0]) == len(clips[1]) > 60
    way = clips[1].trans - clips[0].trans
    assert np.linalg.norm(way[:, [0, 2]], axis=1) == pytest.approx(1.4, abs=0.4)
    assert dialogue.lines[0].end <= dialogue.lines[1].start + 1


@pytest.mark.skipif(not (ROOT / "packs/open/pack.toml").exists(), reason="pack open is not trained yet")
def test_a_character_answers_and_goes_on(body: bpy.types.Object) -> None:
    chat = bpy.context.scene.understudy_chat
    chat.name, chat.role = "Mira", "lighthouse keeper"
    assert bpy.ops.understudy.chat_say(text="Hello, who are you?") == {"FINISHED"}
    first = keying.clip_from_action(body)
    assert chat.answered == "offline" and "Mira" in chat.said[-1].text
    assert bpy.ops.understudy.chat_say(text="Please wave.") == {"FINISHED"}
    both = keying.clip_from_action(body)
    assert len(both) > len(first) + 20 and len(chat.said) == 4
    seam = np.abs(np.diff(both.trans, axis=0)).max(axis=1)[len(first) - 2 : len(first) + 2]
    assert seam.max() < 0.05, "the second answer goes on where the first one ended"
