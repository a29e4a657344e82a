"""Bones are recognised by name and by structure, and the mapping says by which, what is missing, how sure it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from understudy.addon.retarget.tables import FOLDER, built_in, families
from understudy.backend.errors import BadInput
from understudy.backend.motion.mapping import CORE, SLOTS, Mapping, checked, mapping_from_json, slot_label
from understudy.backend.motion.recognise import recognise
from understudy.backend.motion.rig import Rig
from understudy.backend.motion.rig_names import family_from_json
from understudy.backend.motion.skeleton import INDEX

from .rigs import FAMILIES, bones_of, build_rig, rest_points

NAMELESS = [f for f in FAMILIES if not f.startswith(("mmd", "biped"))]
"""Families whose legs and arms hang on one trunk; in the others only names tell what moves the hips."""


def renamed(rig: Rig, names: dict[str, str]) -> Rig:
    bones = tuple(names.get(bone, bone) for bone in rig.bones)
    return Rig(rig.name, bones, rig.parents, rig.rest, rig.tails, rig.follows, rig.world)


def rights(family: str, found: Mapping, names: dict[str, str] | None = None) -> float:
    """Share of the joints that the family has which were given a bone that stands there."""
    points = {(names or {}).get(bone, bone): point for bone, _, point in bones_of(family)}
    have = {point for point in points.values() if point in INDEX}
    right = total = 0
    for joint in have:
        if joint.startswith("spine") or joint == "neck":
            chain = "spine" if joint.startswith("spine") else "neck"
            bones = [bone for slot, bone in found.bones.items() if slot.startswith(chain + ".")]
            right += any(points[bone] == joint for bone in bones) or bool(joint == "spine1" and bones)
        else:
            right += points.get(found.bones.get(joint, "")) == joint
        total += 1
    return right / total


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_recognised_by_its_names(family: str) -> None:
    found = recognise(build_rig(family), built_in())
    assert found.family == family.split(" ")[0]
    assert found.confidence >= 0.95
    assert found.missing == ()
    assert set(found.by.values()) == {"name"}
    # The English MMD rig has its hips in two bones, neither of which stands where ours do.
    assert rights(family, found) >= (0.9 if family.startswith("mmd (") else 0.95), found.bones


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n.replace("mixamorig:", "mixamorig1:"),
        lambda n: n.replace("mixamorig:", "mixamorig_"),
        lambda n: n.replace("mixamorig:", ""),
        lambda n: n.replace("mixamorig:", "Armature_"),
        lambda n: n.replace("mixamorig:", "Bob:").upper(),
        lambda n: n + ".001",
        lambda n: n.replace("Left", "left_").replace("Right", "right_"),
    ],
)
def test_prefixes_case_and_separators_do_not_matter(change) -> None:  # type: ignore[no-untyped-def]
    rig = build_rig("mixamo")
    names = {bone: change(bone) for bone in rig.bones}
    found = recognise(renamed(rig, names), built_in())
    assert found.family == "mixamo" and found.missing == ()
    assert rights("mixamo", found, names) == 1.0


def test_structure_tells_where_names_do_not() -> None:
    rng = np.random.default_rng(0)
    right = total = 0
    for family in NAMELESS * 3:
        arms, legs, thighs = rng.uniform([0, 0, 0.75], [70, 12, 1.35])
        rig = build_rig(family, rest_points(arms=arms, legs=legs, thighs=thighs), rng=rng)
        names = {bone: f"joint{i}" for i, bone in enumerate(rig.bones)}
        found = recognise(renamed(rig, names), built_in())
        assert found.family == "" and set(found.by.values()) == {"structure"}
        assert 0.5 < found.confidence <= 0.85
        points = {names[bone]: point for bone, _, point in bones_of(family)}
        for slot in CORE:
            if slot in INDEX:  # spine and neck may begin between our joints
                right += points.get(found.bones.get(slot, ""), "").split("~")[0] == slot
                total += 1
    assert right >= 0.97 * total


def test_names_that_name_half_are_completed_by_structure() -> None:
    rig = build_rig("mixamo")
    names = {
        f"mixamorig:{side}{bone}": f"{side}{bone}_odd"
        for side in ("Left", "Right")
        for bone in ("Arm", "Leg")
    }
    found = recognise(renamed(rig, names), built_in())
    assert found.bones["left_shoulder"] == "LeftArm_odd" and found.by["left_shoulder"] == "structure"
    assert found.bones["right_knee"] == "RightLeg_odd" and found.by["left_hip"] == "name"
    assert found.missing == () and found.confidence < 1.0


@pytest.mark.parametrize("family", ["mixamo", "plain", "unreal (UE4)"])
def test_sides_named_as_the_viewer_sees_them_are_exchanged(family: str) -> None:
    words = FAMILIES[family][0]
    rig = build_rig(family)
    plain, swapped = (
        {bone: bone for bone, _, _ in bones_of(family)},
        dict(zip([b for b, _, _ in bones_of(family)], _swapped_names(family, words), strict=True)),
    )
    assert recognise(renamed(rig, plain), built_in()).notes == ()
    found = recognise(renamed(rig, swapped), built_in())
    assert "exchanged" in " ".join(found.notes)
    assert rights(family, found, swapped) >= 0.95


def _swapped_names(family: str, words: tuple[str, str]) -> list[str]:
    text = FAMILIES[family]
    FAMILIES["swapped"] = ((words[1], words[0]), text[1])
    try:
        return [bone for bone, _, _ in bones_of("swapped")]
    finally:
        del FAMILIES["swapped"]


@pytest.mark.parametrize("family", ["mixamo", "mmd", "daz (Genesis 8)", "plain"])
def test_a_mapping_is_mirror_symmetric(family: str) -> None:
    found = recognise(build_rig(family), built_in())
    points = {bone: point for bone, _, point in bones_of(family)}
    sides = {bone: point.replace("left", "").replace("right", "") for bone, point in points.items()}
    for slot, bone in found.bones.items():
        if slot.startswith("left_"):
            assert "left" in points[bone]
            other = found.bones["right_" + slot.removeprefix("left_")]
            assert sides[bone] == sides[other]


def test_what_is_no_body_gets_no_mapping() -> None:
    rng = np.random.default_rng(0)
    count = 30
    parents = np.array([-1, *(rng.integers(0, i) for i in range(1, count))])
    rest = np.broadcast_to(np.eye(4), (count, 4, 4)).copy()
    rest[:, :3, 3] = rng.normal(size=(count, 3))
    tails = rest[:, :3, 3] + 0.1
    rig = Rig("Tree", tuple(f"b{i}" for i in range(count)), parents, rest, tails, np.ones(count, bool))
    found = recognise(rig, built_in())
    assert found.confidence < 0.5
    if found.bones:
        return
    with pytest.raises(BadInput, match="“Tree” are not mapped"):
        checked(found, rig)


def test_rigs_with_few_or_no_bones_are_read_without_a_fault() -> None:
    for count in (0, 1, 5):
        rest = np.broadcast_to(np.eye(4), (count, 4, 4)).copy()
        parents = np.arange(count) - 1
        names = tuple(f"Bone.{i:03}" for i in range(count))
        rig = Rig("Stick", names, parents, rest, rest[:, :3, 3] + 1.0, np.ones(count, bool))
        assert recognise(rig, built_in()).confidence < 0.5


def test_a_mapping_goes_through_json() -> None:
    found = recognise(build_rig("daz (Genesis 8)"), built_in())
    assert mapping_from_json(found.to_json()) == found.changed(confidence=round(found.confidence, 3))
    for text in ("", "[]", '{"bones": 3}', '{"family": "x"}'):
        with pytest.raises(BadInput):
            mapping_from_json(text)


def test_slots_have_names_that_people_read() -> None:
    assert slot_label("left_shoulder_twist.1") == "Left upper arm twist 1"
    assert slot_label("right_pinky2") == "Right little finger 2"
    assert slot_label("spine.2") == "Spine 2" and slot_label("pelvis") == "Hips"
    labels = [slot_label(slot) for slot in SLOTS]
    assert len(set(labels)) == len(SLOTS)


def test_every_table_of_the_add_on_is_sound() -> None:
    assert len(built_in()) == len(list(FOLDER.glob("*.json"))) >= 12
    assert len({family.key for family in built_in()}) == len(built_in())


def test_the_users_tables_come_first_and_broken_ones_are_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    table = json.loads((FOLDER / "mixamo.json").read_text(encoding="utf-8"))
    table["family"], table["label"] = "studio", "Studio"
    table["bones"]["head"] = ["Kopf"]
    (tmp_path / "studio.json").write_text(json.dumps(table), encoding="utf-8")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    found, problems = families(tmp_path)
    assert len(problems) == 1 and "broken.json" in problems[0]
    rig = build_rig("mixamo", rename={"mixamorig:Head": "mixamorig:Kopf"})
    assert recognise(rig, found).family == "studio"
    with pytest.raises(BadInput, match="no part called nose"):
        family_from_json({"family": "x", "sides": [], "bones": {"nose": ["Nose"]}})
