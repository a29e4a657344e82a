"""The pictures of docs/retargeting.md: the same moments of some clips on six rigs and on our own body.

    .venv/bin/python tools/retarget_pictures.py --data DIR --out docs/images/retargeting.jpg \\
        walk.npz@0.35 wave.npz@0.6 sit.npz@0.9 dance.npz@0.3

DIR holds ``cc0/``: the two CC0 characters (see docs/data-sets.md). A clip is followed by the moment to show, 0 to 1.
Needs ``bpy`` with Rigify, and Pillow.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.addon.control_rigs import load_rig, save_rigify  # noqa: E402
from tests.addon.rigs import build, rigs  # noqa: E402
from understudy.addon.body.builtin import add_body  # noqa: E402
from understudy.addon.keying.keying import key_clip  # noqa: E402
from understudy.addon.render.rendering import render  # noqa: E402
from understudy.addon.retarget import stored  # noqa: E402
from understudy.addon.retarget.armature import read_rig  # noqa: E402
from understudy.addon.retarget.key import key_on_rig  # noqa: E402
from understudy.backend.motion.clip import Clip, place_at_origin  # noqa: E402
from understudy.backend.motion.filters import gaussian  # noqa: E402
from understudy.backend.motion.npz import read_clip  # noqa: E402

GAP = 1.3
WIDTH, HEIGHT, CAPTION = 1500, 300, 26
_FACE = (
    "lip",
    "brow",
    "cheek",
    "nose",
    "ear",
    "jaw",
    "chin",
    "lid",
    "temple",
    "tongue",
    "forehead",
    "teeth",
    "eye",
)
_HIDDEN = (*_FACE, "breast", "pelvis", "palm")


def dress(obj: bpy.types.Object, color: tuple[float, float, float], bones: list[str]) -> None:
    """Give an armature a skin of one double pyramid a bone, so that it can be rendered."""
    rig = read_rig(obj)
    heads = {bone: rig.heads[rig.index[bone]] for bone in bones}
    above = {
        bone: next((rig.bones[b] for b in rig.line(rig.index[bone])[1:] if rig.bones[b] in heads), "")
        for bone in bones
    }
    points: list[tuple[float, ...]] = []
    faces: list[tuple[int, int, int]] = []
    groups: dict[str, list[int]] = {}
    for bone in bones:
        ends = [heads[other] for other in bones if above[other] == bone] or [rig.tails[rig.index[bone]]]
        for end in ends:
            span = end - heads[bone]
            length = float(np.linalg.norm(span))
            is_head = bone.casefold() in ("head", "頭", "mixamorig:head", "def-spine.006")
            if length < 1e-4 * rig.size:
                continue
            if is_head:
                span, length = span * min(1.0, 0.11 * rig.size / length), min(length, 0.11 * rig.size)
            along = span / length
            across = np.cross(along, [0.3, 0.9, 0.1])
            across /= np.linalg.norm(across)
            width = 0.045 * rig.size if is_head else min(0.2 * length, 0.036 * rig.size)
            sides = [width * across, width * np.cross(along, across)]
            middle = heads[bone] + 0.25 * span
            start = len(points)
            ring = [middle + side for side in (*sides, -sides[0], -sides[1])]
            points += [tuple(point) for point in (heads[bone], *ring, heads[bone] + span)]
            for i in range(4):
                one, other = start + 1 + i, start + 1 + (i + 1) % 4
                faces += [(start, other, one), (start + 5, one, other)]
            groups.setdefault(bone, []).extend(range(start, start + 6))
    mesh = bpy.data.meshes.new("Skin")
    mesh.from_pydata(points, [], faces)
    material = bpy.data.materials.new("Skin")
    material.diffuse_color = (*color, 1.0)
    mesh.materials.append(material)
    skin = bpy.data.objects.new("Skin", mesh)
    bpy.context.scene.collection.objects.link(skin)
    skin.parent = obj
    skin.modifiers.new("Armature", "ARMATURE").object = obj
    for bone, corners in groups.items():
        skin.vertex_groups.new(name=bone).add(corners, 1.0, "REPLACE")


def by_script(family: str, color: tuple[float, float, float], **how: object) -> bpy.types.Object:
    obj = build(family, **how)
    mapped = {bone for slot, bone in stored.recognised(read_rig(obj)).bones.items() if slot != "root"}
    dress(obj, color, [bone for bone in read_rig(obj).bones if bone in mapped])
    return obj


def from_file(path: Path) -> bpy.types.Object:
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(path))
    new = [obj for obj in bpy.data.objects if obj not in before]
    for obj in new:
        if obj.name.startswith("Icosphere"):  # the importer's picture of a joint
            obj.hide_render = True
    rig = next(obj for obj in new if obj.type == "ARMATURE")
    rig.animation_data_clear()
    return rig


def rigify(folder: Path) -> bpy.types.Object:
    path = folder / "rigify.blend"
    if not save_rigify(path):
        sys.exit("This Blender has no Rigify.")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    rig = load_rig(path)
    deform = [bone.name for bone in rig.data.bones if bone.name.startswith("DEF-")]
    plain = [name for name in deform if not name.removeprefix("DEF-").startswith(_HIDDEN)]
    dress(rig, (0.35, 0.65, 0.35), plain)
    return rig


def set_the_scene(characters: int) -> None:
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", characters * GAP + 0.2
    middle = Vector((0, 0, 0.93))
    camera.location = middle + Vector((0.9, -9, 1.3))
    camera.rotation_euler = (middle - camera.location).to_track_quat("-Z", "Y").to_euler()
    floor = bpy.data.meshes.new("Floor")
    floor.from_pydata([(-20, -6, 0), (20, -6, 0), (20, 6, 0), (-20, 6, 0)], [], [(0, 1, 2, 3)])
    material = bpy.data.materials.new("Floor")
    material.diffuse_color = (0.78, 0.78, 0.8, 1)
    floor.materials.append(material)
    for obj in (camera, bpy.data.objects.new("Floor", floor)):
        scene.collection.objects.link(obj)
    scene.camera = camera
    scene.world = bpy.data.worlds.new("World")
    scene.world.color = (0.9, 0.9, 0.92)


def in_place(clip: Clip) -> Clip:
    """Our own body stays where it is, as the rigs do."""
    path = clip.trans * np.array([1.0, 0.0, 1.0])
    line = np.linspace(path[0], path[-1], len(path))
    return clip.replace(trans=clip.trans - line - gaussian(path - line, 0.25 * clip.fps))


def captioned(rows: list[Path], words: list[str], out: Path) -> None:
    """The rows above each other, with the rigs' names on top."""
    sheet = Image.new("RGB", (WIDTH, CAPTION + HEIGHT * len(rows)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for i, text in enumerate(words):
        middle = WIDTH / 2 + (i - (len(words) - 1) / 2) * GAP * WIDTH / (len(words) * GAP + 0.2)
        draw.text((middle, 5), text, fill=(40, 40, 45), font=font, anchor="ma")
    for i, row in enumerate(rows):
        with Image.open(row) as picture:
            sheet.paste(picture.convert("RGB"), (0, CAPTION + i * HEIGHT))
    temporary = out.with_name(f".{out.name}")
    sheet.save(temporary, "JPEG", quality=88)
    os.replace(temporary, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", nargs="+", metavar="CLIP.npz@MOMENT")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bpy.ops.wm.read_factory_settings(use_empty=True)
        stored.ensure()
        rig = rigify(folder)
        bpy.context.scene.render.fps = 30
        turned = build_unreal()
        characters = {
            "SMPL-X": add_body(bpy.context),
            "Mixamo": by_script("mixamo", (0.25, 0.45, 0.8)),
            "CC0, UE names": from_file(args.data / "cc0" / "human-addon-animations.glb"),
            "CC0, DEF names": from_file(args.data / "cc0" / "human-base-animations.glb"),
            "Rigify, IK feet": rig,
            "Daz, legs 1.35": by_script(
                "daz (Genesis 8)", (0.8, 0.45, 0.2), points=rigs.rest_points(arms=45, legs=4, thighs=1.35)
            ),
            "MMD, legs 0.7": by_script("mmd", (0.75, 0.3, 0.5), points=rigs.rest_points(arms=40, thighs=0.7)),
            "UE5, any rolls": turned,
        }
        for i, obj in enumerate(characters.values()):
            obj.location.x = (i - (len(characters) - 1) / 2) * GAP
        set_the_scene(len(characters))
        rows = []
        for k, given in enumerate(args.clips):
            path, _, moment = given.partition("@")
            clip = place_at_origin(read_clip(Path(path)))
            for obj in characters.values():
                if obj == characters["SMPL-X"]:
                    key_clip(obj, in_place(clip), name="take", start_frame=1, scene_fps=30)
                    continue
                mapping = stored.recognised(read_rig(obj))
                key_on_rig(obj, clip, mapping, name="take", start_frame=1, scene_fps=30, root="in place")
            rows.append(folder / f"{k}.png")
            render(bpy.context.scene, rows[-1], frame=1 + float(moment or 0.5) * (len(clip) - 1))
        captioned(rows, list(characters), args.out)
    sys.stdout.flush()
    os._exit(0)  # bpy with add-ons does not always end by itself


def build_unreal() -> bpy.types.Object:
    obj = by_script(
        "unreal (UE5)",
        (0.6, 0.55, 0.25),
        points=rigs.rest_points(arms=50, legs=6),
        rng=np.random.default_rng(4),
        scale=100.0,
    )
    obj.scale = (0.01, 0.01, 0.01)
    return obj


if __name__ == "__main__":
    main()
