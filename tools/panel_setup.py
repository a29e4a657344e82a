"""Sets the scene for a picture of the panel; runs inside a real Blender with the extension enabled.

``blender --python tools/panel_setup.py``: a body, a prompt and, where a backend answers, its motion in
the middle of playing. The prompt comes from the environment variable UNDERSTUDY_PROMPT.
"""

from __future__ import annotations

import os

import bpy

PROMPT = os.environ.get("UNDERSTUDY_PROMPT", "a person walks forward and waves")


def main() -> None:
    for obj in [o for o in bpy.data.objects if o.type != "ARMATURE"]:
        bpy.data.objects.remove(obj)
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    region = next(r for r in area.regions if r.type == "WINDOW")
    scene = bpy.context.scene
    scene.render.fps = 30
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.understudy.add_body()
        settings = scene.understudy
        settings.prompt, settings.use_seconds, settings.seconds, settings.seed = PROMPT, True, 4.0, 1
        try:
            bpy.ops.understudy.generate()
            scene.frame_end = 120
            scene.frame_set(60)
        except RuntimeError as error:
            print(f"Without motion: {error}")
            bpy.ops.understudy.dismiss_error()
        body = settings.body
        bpy.context.view_layer.update()
        view = area.spaces.active
        view.shading.type = "SOLID"
        view.overlay.show_relationship_lines = False
        view.region_3d.view_location = body.matrix_world @ body.pose.bones["spine1"].head
        view.region_3d.view_distance = 4.0
        view.region_3d.view_rotation = (0.84, 0.44, 0.15, 0.28)
        body.select_set(False)


main()
