"""Choosing, adding and shaping bodies: the built-in one, or that of the user's SMPL-X model."""

import threading
from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, FloatProperty, FloatVectorProperty, PointerProperty

from ...backend.errors import BadInput
from ..layout import _characters, fields, paragraph
from ..process.client import backend
from ..process.slices import Sliced, Steps, aside
from ..translations import CONTEXT
from .bodymap import find_body
from .builtin import adding_body, prepared
from .models import Models
from .smplx_body import GENDER, adding_smplx_body, reshaping, skin_of
from .smplx_model import NUM_BETAS, BodyModel

HEIGHT = (1.2, 2.3)
WEIGHT = (30.0, 180.0)


def _genders(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> list[tuple[str, str, str]]:
    return Models.items


class UNDERSTUDY_PG_body(bpy.types.PropertyGroup):
    kind: EnumProperty(
        name="Body",
        description="Which body is added",
        items=[
            ("BUILT_IN", "Built-in", "The mannequin that comes with Understudy"),
            ("SMPLX", "SMPL-X", "Your own copy of the SMPL-X model, from the folder in the preferences"),
        ],
    )
    gender: EnumProperty(name="Model", description="The model file that is used", items=_genders)
    shape_by: EnumProperty(
        name="Shape",
        description="How the shape is given",
        items=[
            ("MEASURES", "Height and Weight", "The most ordinary body of a height and a weight"),
            ("BETAS", "Betas", "The shape parameters of SMPL-X themselves"),
        ],
    )
    height: FloatProperty(
        name="Height",
        translation_context=CONTEXT,
        description="Stature in metres",
        default=1.7,
        min=HEIGHT[0],
        max=HEIGHT[1],
        step=1,
        precision=2,
        unit="LENGTH",
    )
    weight: FloatProperty(
        name="Weight",
        translation_context=CONTEXT,
        description="Mass in kilograms",
        default=65.0,
        min=WEIGHT[0],
        max=WEIGHT[1],
        step=100,
        precision=0,
        unit="MASS",
    )
    betas: FloatVectorProperty(
        name="Betas",
        description="The first shape parameters, in standard deviations from the mean body",
        size=NUM_BETAS,
        min=-10.0,
        max=10.0,
        soft_min=-3.0,
        soft_max=3.0,
        step=10,
        precision=2,
    )
    correctives: BoolProperty(
        name="Correctives",
        description="Let the mesh keep its volume where joints bend. Playback is a little slower",
        default=True,
    )


def shape_asked(settings: UNDERSTUDY_PG_body) -> Callable[[BodyModel], np.ndarray]:
    """What gives the betas (B,) that the settings ask for, of a model; a thread may call it.

    It raises BadInput where no body has these measures.
    """
    if settings.shape_by == "BETAS":
        betas = np.array(settings.betas[:])
        return lambda model: betas
    height, weight = settings.height, settings.weight
    return lambda model: model.betas_for(height, weight)


class UNDERSTUDY_OT_add_body(Sliced, bpy.types.Operator):
    bl_idname = "understudy.add_body"
    bl_label = "Add Body"
    bl_description = "Add a character at the 3D cursor and make it the one that performs"
    bl_options = {"REGISTER", "UNDO"}

    # For scripts: what is left out comes from the panel.
    kind: EnumProperty(
        name="Body",
        items=[("PANEL", "As in the Panel", ""), ("BUILT_IN", "Built-in", ""), ("SMPLX", "SMPL-X", "")],
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "OBJECT":
            cls.poll_message_set("Switch to Object Mode first")
            return False
        return True

    def work(self, context: bpy.types.Context) -> Steps[set[str]]:
        settings = context.scene.understudy_body
        kind = settings.kind if self.kind == "PANEL" else self.kind
        if kind == "SMPLX":
            correctives = settings.correctives
            model = yield from aside(Models.read, settings.gender or "neutral")
            betas = yield from aside(shape_asked(settings), model)
            body = yield from adding_smplx_body(context, model, betas, correctives=correctives)
        else:
            body = yield from adding_body(context)
        body.location = context.scene.cursor.location
        context.scene.understudy.body = body
        if not bpy.app.background:
            from ..perform.operators import warm_up

            warm_up()
        return {"FINISHED"}


class UNDERSTUDY_OT_shape_body(Sliced, bpy.types.Operator):
    bl_idname = "understudy.shape_body"
    bl_label = "Apply Shape"
    bl_description = "Give the body this shape, its skeleton included. Its animation stays"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.mode != "OBJECT":
            cls.poll_message_set("Switch to Object Mode first")
            return False
        if skin_of(find_body(context)) is None:
            cls.poll_message_set("Only a SMPL-X body that was added here can be shaped")
            return False
        return True

    def work(self, context: bpy.types.Context) -> Steps[set[str]]:
        settings = context.scene.understudy_body
        body = find_body(context)
        assert body is not None
        skin = skin_of(body)
        assert skin is not None
        model = yield from aside(Models.read, str(body.get(GENDER, "neutral")))
        if len(model.template) != len(skin.data.vertices):
            raise BadInput(
                f"The mesh of “{body.name}” is not of this model any more.",
                hint="Add a new body instead.",
                field="body",
            )
        betas = yield from aside(shape_asked(settings), model)
        yield from reshaping(context, body, model, betas)
        return {"FINISHED"}


class UNDERSTUDY_PT_body(bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_body"
    bl_label = "Body"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"
    bl_parent_id = "UNDERSTUDY_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.understudy_body
        layout.enabled = not backend.busy
        layout.row(align=True).prop(settings, "kind", expand=True)
        if settings.kind == "SMPLX":
            if not Models.found:
                paragraph(
                    layout,
                    "Choose the folder of your SMPL-X model in the preferences.",
                    _characters(context),
                    icon="INFO",
                )
                layout.operator("understudy.open_preferences", icon="PREFERENCES")
                return
            column = fields(layout)
            column.prop(settings, "gender")
            layout.row(align=True).prop(settings, "shape_by", expand=True)
            column = fields(layout)
            if settings.shape_by == "BETAS":
                column.prop(settings, "betas")
            else:
                column.prop(settings, "height")
                column.prop(settings, "weight")
            column.prop(settings, "correctives")
        row = layout.row(align=True)
        row.operator("understudy.add_body", icon="ADD")
        if skin_of(find_body(context)) is not None:
            row.operator("understudy.shape_body", icon="MOD_ARMATURE")


CLASSES: tuple[Any, ...] = (
    UNDERSTUDY_PG_body,
    UNDERSTUDY_OT_add_body,
    UNDERSTUDY_OT_shape_body,
)


def register() -> None:
    bpy.types.Scene.understudy_body = PointerProperty(type=UNDERSTUDY_PG_body)
    if not bpy.app.background:
        # Working out the mannequin's mesh takes a second: ahead of the first click, and not in the window's thread.
        threading.Thread(target=prepared, name="understudy-mannequin", daemon=True).start()


def unregister() -> None:
    del bpy.types.Scene.understudy_body
