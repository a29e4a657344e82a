"""The scene of a dialogue in Blender: two bodies, two Actions, the sound, and cameras for the speakers."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import bpy
import numpy as np
import pytest

from understudy.addon.dialogue import cli as dialogue_cli
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import write_clip


@pytest.fixture
def scene_file(tmp_path: Path) -> Path:
    for name, x, yaw in (("anna", -0.7, np.pi / 2), ("ben", 0.7, -np.pi / 2)):
        poses = np.zeros((40, 55, 3))
        poses[:, 0, 1] = yaw
        trans = np.tile([x, 1.31, 0.0], (40, 1))
        write_clip(Clip(poses, trans, 30.0), tmp_path / f"{name}.npz")
    with wave.open(str(tmp_path / "scene.wav"), "wb") as sound:
        sound.setparams((1, 2, 24000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 24000))
    told = {
        "sound": "scene.wav",
        "characters": [{"name": "ANNA", "clip": "anna.npz"}, {"name": "BEN", "clip": "ben.npz"}],
        "turns": [
            {"speaker": "ANNA", "start": 0.3, "end": 0.6},
            {"speaker": "ANNA", "start": 0.6, "end": 0.7},
            {"speaker": "BEN", "start": 0.8, "end": 1.0},
        ],
    }
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


def test_two_bodies_with_an_action_each_and_cameras_by_speaker(scene_file: Path, tmp_path: Path) -> None:
    blend = tmp_path / "scene.blend"
    assert dialogue_cli.main([str(scene_file), "--blend", str(blend), "--cuts"]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    scene = bpy.context.scene
    bodies = [thing for thing in scene.objects if thing.type == "ARMATURE"]
    assert [body.name for body in bodies] == ["Anna", "Ben"]
    assert len({body.animation_data.action.name for body in bodies}) == 2
    assert (scene.frame_start, scene.frame_end) == (1, 40)
    shirts = [
        slot.material.diffuse_color[0]
        for body in bodies
        for slot in body.children[0].material_slots
        if "shirt" in slot.material.name.lower()
    ]
    assert shirts[0] != shirts[1]
    markers = sorted((marker.frame, marker.camera.name) for marker in scene.timeline_markers)
    assert markers == [(1, "Camera"), (6, "Camera Anna"), (21, "Camera Ben")]
    for name, body in zip(("Anna", "Ben"), bodies, strict=True):
        camera = scene.objects[f"Camera {name}"]
        bpy.context.view_layer.update()
        way = body.matrix_world @ body.pose.bones["head"].head - camera.matrix_world.translation
        assert np.degrees(way.angle(-camera.matrix_world.col[2].to_3d())) < 20.0
        assert camera.matrix_world.translation.y < -1.0  # both on the same side of the two
    if not bpy.app.build_options.audaspace:  # the module of 4.2 has no sound
        return
    editor = scene.sequence_editor
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    assert Path(bpy.path.abspath(strips[0].sound.filepath)) == tmp_path / "scene.wav"


def test_what_is_no_scene_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scene.json").write_text("{")
    assert dialogue_cli.main([str(tmp_path / "scene.json")]) == 2
    assert dialogue_cli.main([str(tmp_path / "scene.json"), "--resolution", "big"]) == 2
    told = capfd.readouterr().err.strip().splitlines()
    assert len(told) == 2 and told[0].endswith("scene.json cannot be read.")
