"""Render the scene to a picture or a film, with any of Blender's engines, on Blender 4.2 and later."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

import bpy

from ...backend.errors import BadInput, JobFailed

ENGINES = ("cycles", "workbench", "eevee")
FORMATS = (".png", ".mp4")


def render(
    scene: bpy.types.Scene,
    out: Path,
    *,
    engine: str = "workbench",
    samples: int = 32,
    frame: float | None = None,
    threads: int = 0,
    on_frame: Callable[[int], None] | None = None,
) -> None:
    """Render one frame to a ``.png`` or the scene's whole range to a ``.mp4`` (H.264).

    Args:
        scene: has a camera.
        out: the target; it appears at once, complete, or not at all.
        engine: one of :data:`ENGINES`.
        samples: Cycles samples a pixel (EEVEE: at most 64 of them).
        frame: scene frame of a picture; the current one by default.
        threads: how many CPU threads may be used; 0 means all.
        on_frame: called with the scene frame after each one of a film.

    Raises:
        BadInput: the target or the engine is not usable.
        JobFailed: Blender did not write the file.
    """
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        raise BadInput(f"{out.name} must end in .png or .mp4.", field="out")
    if not out.parent.is_dir():
        raise BadInput(f"There is no folder {out.parent}.", field="out")
    if not os.access(out.parent, os.W_OK):
        raise BadInput(f"The folder {out.parent} cannot be written.", field="out")
    use_engine(scene, engine, samples, film=suffix == ".mp4")
    if threads:
        scene.render.threads_mode, scene.render.threads = "FIXED", threads
    temporary = out.with_name(f".{out.stem[:40]}.{secrets.token_hex(4)}{suffix}")
    scene.render.filepath = str(temporary)
    scene.render.use_file_extension = False
    scene.render.use_overwrite = True

    def done(rendered: bpy.types.Scene, *_: object) -> None:
        if on_frame is not None:
            on_frame(rendered.frame_current)

    bpy.app.handlers.render_post.append(done)
    try:
        if suffix == ".png":
            _as_picture(scene)
            if frame is not None:
                scene.frame_set(int(frame // 1), subframe=frame % 1)
            bpy.ops.render.render(write_still=True, scene=scene.name)
        else:
            _as_film(scene)
            bpy.ops.render.render(animation=True, scene=scene.name)
        if not temporary.is_file() or temporary.stat().st_size == 0:
            raise JobFailed("Blender ended without writing the picture.")
        os.replace(temporary, out)
    except RuntimeError as error:  # what operators report: Blender's own sentence
        raise JobFailed(f"Rendering failed: {str(error).strip().splitlines()[-1]}") from error
    except OSError as error:
        raise JobFailed(f"{out} cannot be written: {error.strerror}.", field="out") from error
    finally:
        bpy.app.handlers.render_post.remove(done)  # a handler left behind hangs 4.5 at exit
        temporary.unlink(missing_ok=True)


def use_engine(scene: bpy.types.Scene, engine: str, samples: int = 32, *, film: bool = False) -> None:
    """Choose and set up a render engine by our name for it; ``film`` prefers speed where it shows little."""
    if engine not in ENGINES:
        raise BadInput(f"The engine must be one of {', '.join(ENGINES)}, not {engine}.", field="engine")
    if engine != "cycles":
        _need_egl(engine)
    if engine == "cycles":
        scene.render.engine = "CYCLES"
        _set_up_cycles(scene, samples)
    elif engine == "workbench":
        scene.render.engine = "BLENDER_WORKBENCH"
        _set_up_workbench(scene, film)
    else:
        # The name changed twice; what this Blender calls it is in its own list.
        names = {item.identifier for item in scene.render.bl_rna.properties["engine"].enum_items}
        scene.render.engine = "BLENDER_EEVEE_NEXT" if "BLENDER_EEVEE_NEXT" in names else "BLENDER_EEVEE"
        scene.eevee.taa_render_samples = min(samples, 64)
    view = "Standard" if engine == "workbench" else "AgX"
    scene.view_settings.view_transform = view
    _try(scene.view_settings, "look", "AgX - Medium High Contrast" if view == "AgX" else "None")


def _set_up_cycles(scene: bpy.types.Scene, samples: int) -> None:
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_adaptive_sampling = True
    cycles.adaptive_threshold = 0.03
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 1, 1
    cycles.caustics_reflective = cycles.caustics_refractive = False
    # A build without the denoiser offers no such item.
    cycles.use_denoising = _try(cycles, "denoiser", "OPENIMAGEDENOISE")
    cycles.denoising_prefilter = "FAST"
    scene.render.use_persistent_data = True


def _set_up_workbench(scene: bpy.types.Scene, film: bool) -> None:
    # Without a GPU each of the eight passes draws the shadows again: five times the time of FXAA.
    scene.display.render_aa = "FXAA" if film else "8"
    scene.display.light_direction = (-0.42, 0.72, 0.55)
    scene.display.shadow_shift = 0.1
    shading = scene.display.shading
    shading.light = "STUDIO"
    _try(shading, "studio_light", "paint.sl")
    shading.color_type = "MATERIAL"
    shading.show_shadows, shading.shadow_intensity = True, 0.35
    shading.show_cavity, shading.cavity_type = True, "BOTH"
    shading.cavity_ridge_factor, shading.cavity_valley_factor = 0.6, 0.9
    shading.show_specular_highlight = True


def _try(owner: bpy.types.bpy_struct, name: str, value: object) -> bool:
    try:
        setattr(owner, name, value)
    except TypeError:
        return False
    return True


def _as_picture(scene: bpy.types.Scene) -> None:
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # 5.0 and later: the format's list depends on it
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.compression = "PNG", "RGB", 60


def _as_film(scene: bpy.types.Scene) -> None:
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    film = scene.render.ffmpeg
    film.format, film.codec = "MPEG4", "H264"
    film.audio_codec = "AAC" if _has_sound(scene) else "NONE"
    film.audio_bitrate = 192
    film.constant_rate_factor, film.ffmpeg_preset, film.gopsize = "HIGH", "GOOD", 18


def _has_sound(scene: bpy.types.Scene) -> bool:
    editor = scene.sequence_editor
    strips = getattr(editor, "strips", None) or getattr(editor, "sequences", None) or ()
    return any(strip.type == "SOUND" for strip in strips)


def _need_egl(engine: str) -> None:
    """Workbench and EEVEE abort the process, past any handler, on a Linux without EGL."""
    if not sys.platform.startswith("linux") or not bpy.app.background:
        return
    try:
        ctypes.CDLL(ctypes.util.find_library("EGL") or "libEGL.so.1")
    except OSError as error:
        raise JobFailed(
            f"The {engine} engine needs the system library EGL, which is missing.",
            hint="Install it (apt install libegl1), or use --engine cycles.",
        ) from error
