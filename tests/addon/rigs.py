"""Real armatures for the tests: the families of tests/motion/rigs.py built in Blender."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
from mathutils import Matrix, Vector


def _plain_rigs() -> ModuleType:
    """tests/motion/rigs.py: the folders of the tests are no packages."""
    name = "understudy_tests_motion_rigs"
    if name not in sys.modules:
        path = Path(__file__).resolve().parents[1] / "motion" / "rigs.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


rigs = _plain_rigs()


def build(family: str, **how: object) -> bpy.types.Object:
    """An armature object of a family at rest in the scene; arguments as for ``build_rig``."""
    plain = rigs.build_rig(family, **how)
    data = bpy.data.armatures.new(family)
    obj = bpy.data.objects.new("Character", data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    size = plain.size
    for i, name in enumerate(plain.bones):
        bone = data.edit_bones.new(name)
        matrix = Matrix(plain.rest[i].tolist())
        bone.head = matrix.translation
        bone.tail = matrix.translation + Vector((0, 0.03 * size, 0))
        bone.matrix = matrix
        length = float(np.linalg.norm(plain.tails[i] - plain.heads[i]))
        bone.length = max(length, 0.005 * size)
        if plain.parents[i] >= 0:
            bone.parent = data.edit_bones[plain.bones[plain.parents[i]]]
    bpy.ops.object.mode_set(mode="OBJECT")
    obj.select_set(False)
    bpy.context.view_layer.objects.active = None
    return obj
