"""A face that can be seen to speak: its mouth, its lids, its eyes, and clips keyed on them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from understudy.addon.mannequin.mannequin import ZONES, Mannequin, mannequin
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.expressions import CHANNELS, channels_of, marked, weigh
from understudy.backend.motion.skeleton import INDEX, rest_joints


@pytest.fixture(scope="module")
def shape() -> Mannequin:
    return mannequin()


def zone(shape: Mannequin, name: str) -> np.ndarray:
    """Vertices of the faces of a zone."""
    ends = np.append(shape.starts, len(shape.corners))
    faces = np.flatnonzero(shape.zones == ZONES.index(name))
    return np.unique(np.concatenate([shape.corners[ends[f] : ends[f + 1]] for f in faces]))


def posed(shape: Mannequin, jaw: float = 0.0, **channels: float) -> np.ndarray:
    """Vertices (V, 3) with the jaw turned about +x and shapes taken, in the clip's axes."""
    points = shape.vertices + sum(value * shape.shapes[name] for name, value in channels.items())
    turned = points - rest_joints()[INDEX["jaw"]]
    turned = turned @ rotations.axis_angle_to_matrix(np.array([jaw, 0, 0])).T + rest_joints()[INDEX["jaw"]]
    share = shape.weights[:, INDEX["jaw"], None]
    return share * turned + (1 - share) * points


def opening(shape: Mannequin, points: np.ndarray) -> float:
    """Metres between the lips in the middle of the mouth."""
    rim = np.intersect1d(zone(shape, "lips"), zone(shape, "mouth"))
    rim = rim[np.abs(shape.vertices[rim, 0]) < 0.006]
    upper = shape.weights[rim, INDEX["jaw"]] < 0.5
    return float(points[rim[upper], 1].mean() - points[rim[~upper], 1].mean())


def width(shape: Mannequin, points: np.ndarray) -> float:
    return float(np.ptp(points[zone(shape, "lips"), 0]))


def test_the_jaw_opens_the_mouth_by_turning_about_positive_x(shape: Mannequin) -> None:
    gaps = [opening(shape, posed(shape, angle)) for angle in (0.0, 0.1, 0.2, 0.3)]
    assert 0 <= gaps[0] < 0.0005, "closed at rest"
    assert gaps[1] > 0.005 and all(b > a + 0.004 for a, b in pairwise(gaps))


def test_upper_teeth_stay_and_lower_teeth_go_with_the_jaw(shape: Mannequin) -> None:
    teeth = zone(shape, "teeth")
    share = shape.weights[teeth, INDEX["jaw"]]
    assert set(share.tolist()) == {0.0, 1.0}
    assert shape.vertices[teeth[share == 0], 1].mean() > shape.vertices[teeth[share == 1], 1].mean() + 0.005
    lips = shape.vertices[zone(shape, "lips")]
    front = lips[np.abs(lips[:, 0]) < 0.01, 2].min()
    assert shape.vertices[teeth, 2].max() < front, "the teeth stick out of the mouth"


def test_the_corners_of_the_mouth_do_not_tear(shape: Mannequin) -> None:
    points = posed(shape, 0.25)
    before, after = [], []
    for face in shape.faces():
        edge = np.stack([face, np.roll(face, -1)], 1)
        before.append(np.linalg.norm(np.diff(shape.vertices[edge], axis=1), axis=-1).ravel())
        after.append(np.linalg.norm(np.diff(points[edge], axis=1), axis=-1).ravel())
    assert (np.concatenate(after) - np.concatenate(before)).max() < 0.008


def test_shapes_of_the_mouth_do_what_they_are_called(shape: Mannequin) -> None:
    rest = posed(shape)
    assert width(shape, posed(shape, mouth_wide=1)) > width(shape, rest) + 0.006
    rounded = posed(shape, mouth_round=1)
    assert width(shape, rounded) < width(shape, rest) - 0.010
    lips = zone(shape, "lips")
    assert rounded[lips, 2].max() > rest[lips, 2].max() + 0.003, "rounded lips come forward"
    pressed = posed(shape, lips_press=1)
    assert np.ptp(pressed[lips, 1]) < np.ptp(rest[lips, 1]) - 0.001
    corner = lips[np.abs(rest[lips, 0]).argmax()]
    assert posed(shape, smile=1)[corner, 1] > rest[corner, 1] + 0.002
    bitten = posed(shape, 0.06, lip_bite=1)
    assert opening(shape, bitten) < opening(shape, posed(shape, 0.06)) - 0.0005
    brow = np.flatnonzero((np.abs(rest[:, 1] - 0.337) < 0.004) & (rest[:, 2] > 0.08))
    assert (posed(shape, brows_up=1)[brow, 1] - rest[brow, 1]).mean() > 0.002


def hidden(shape: Mannequin, points: np.ndarray, side: str) -> float:
    """How much of the pupil, seen from the front, lids cover: 0 to 1."""
    sign = 1 if side == "left" else -1
    pupil = zone(shape, "pupil")
    pupil = pupil[sign * shape.vertices[pupil, 0] > 0]
    lid = np.abs(shape.shapes[f"blink_{side}"]).max(1) > 1e-5
    faces = [points[face] for face in shape.faces() if lid[face].any()]
    covered = [any(_in_front(face, points[vertex]) for face in faces) for vertex in pupil]
    return float(np.mean(covered))


def _in_front(face: np.ndarray, point: np.ndarray) -> bool:
    """Whether a face, seen from the front, lies over a point."""
    a, b = face[:, :2] - point[:2], np.roll(face, -1, axis=0)[:, :2] - point[:2]
    side = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return bool((side > -1e-9).all() and face[:, 2].mean() > point[2])


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_blink_covers_its_own_eye(shape: Mannequin, side: str) -> None:
    other = "right" if side == "left" else "left"
    assert hidden(shape, posed(shape), side) == 0, "eyes are open at rest"
    shut = posed(shape, **{f"blink_{side}": 1.0})
    assert hidden(shape, shut, side) == 1
    assert hidden(shape, shut, other) == 0


@pytest.mark.parametrize("blink", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_lids_stay_outside_of_the_eyeball(shape: Mannequin, blink: float) -> None:
    points = posed(shape, blink_left=blink, blink_right=blink)
    for side in ("left", "right"):
        centre = rest_joints()[INDEX[f"{side}_eye_smplhf"]]
        ball = shape.weights[:, INDEX[f"{side}_eye_smplhf"]] > 0
        radius = np.linalg.norm(points[ball] - centre, axis=1).max()
        lids = np.abs(shape.shapes[f"blink_{side}"]).max(1) > 1e-5
        assert np.linalg.norm(points[lids] - centre, axis=1).min() > radius - 1e-4


# --- in Blender ---------------------------------------------------------------------------------------------


def talking(frames: int = 20) -> Clip:
    """A clip whose channels each have their own curve."""
    time = np.linspace(0, 1, frames)
    curves = {name: 0.5 + 0.4 * np.sin(6 * time + i) for i, name in enumerate(CHANNELS)}
    return Clip(
        np.zeros((frames, 55, 3)), np.zeros((frames, 3)), 30.0, expressions=weigh(frames, **curves), meta=marked({})
    )  # fmt: skip


def body():
    import bpy

    from understudy.addon.body.builtin import add_body

    armature = add_body(bpy.context)
    bpy.context.scene.render.fps = 30
    return armature


def test_every_channel_has_a_slider_that_moves_the_mesh() -> None:
    import bpy

    armature = body()
    skin = armature.children[0]
    for name in CHANNELS:
        armature[name] = 1.0
        armature.update_tag()
        bpy.context.view_layer.update()
        keys = skin.data.shape_keys.evaluated_get(bpy.context.evaluated_depsgraph_get()).key_blocks
        assert {
            key.name: round(key.value, 6) for key in keys if key.value > 1e-6 and key.name != "Basis"
        } == {name: 1.0}
        armature[name] = 0.0
        limits = armature.id_properties_ui(name).as_dict()
        assert (limits["min"], limits["max"]) == (0.0, 1.0)


def test_a_keyed_face_plays_and_comes_back() -> None:
    import bpy

    from understudy.addon.keying import keying

    armature, clip = body(), talking()
    keying.key_clip(armature, clip, name="talk", start_frame=5, scene_fps=30.0)
    skin = armature.children[0]
    for frame in (0, 7, 19):
        bpy.context.scene.frame_set(5 + frame)
        graph = bpy.context.evaluated_depsgraph_get()
        keys = skin.data.shape_keys.evaluated_get(graph).key_blocks
        for name, index in CHANNELS.items():
            assert keys[name].value == pytest.approx(clip.expressions[frame, index], abs=1e-5)
    back = keying.clip_from_action(armature)
    assert np.abs(back.expressions - clip.expressions).max() < 1e-5
    assert channels_of(back).keys() == CHANNELS.keys()


def test_a_clip_without_a_face_rests_it() -> None:
    import bpy

    from understudy.addon.keying import keying

    armature = body()
    keying.key_clip(armature, talking(), name="talk", start_frame=1, scene_fps=30.0)
    bpy.context.scene.frame_set(4)
    still = Clip(np.zeros((10, 55, 3)), np.zeros((10, 3)), 30.0)
    keying.key_clip(armature, still, name="still", start_frame=1, scene_fps=30.0)
    bpy.context.scene.frame_set(5)
    assert all(armature[name] == 0.0 for name in CHANNELS)
    assert keying.clip_from_action(armature).expressions is None


def test_expressions_of_scans_are_not_taken_for_ours() -> None:
    from understudy.addon.keying import keying

    armature = body()
    scanned = talking().replace(meta={})
    keying.key_clip(armature, scanned, name="scan", start_frame=1, scene_fps=30.0)
    assert keying.clip_from_action(armature).expressions is None


def test_sliders_are_read_where_constraints_move_the_body() -> None:
    from understudy.addon.keying import keying

    armature, clip = body(), talking()
    keying.key_clip(armature, clip, name="talk", start_frame=1, scene_fps=30.0)
    armature.pose.bones["head"].constraints.new("LIMIT_ROTATION")
    back = keying.clip_from_action(armature, (1, 20))
    assert np.abs(back.expressions - clip.expressions).max() < 1e-5
