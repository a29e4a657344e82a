"""How long Blender's main thread is busy with a 10 s clip: decode, key, and read it back.

Run with a Python that has bpy: ``python benchmarks/addon_keying.py``. Budget: 50 ms for decode and key.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

import bpy
import numpy as np

from understudy.addon.body.builtin import add_body
from understudy.addon.keying import keying
from understudy.backend.motion import npz
from understudy.backend.motion.clip import Clip


def median_ms(call: Callable[[], object], rounds: int = 15) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    body = add_body(bpy.context)
    scene = bpy.context.scene
    scene.render.fps = 30
    rng = np.random.default_rng(0)
    poses = np.cumsum(rng.normal(size=(300, 55, 3)) * 0.02, axis=0)
    clip = Clip(poses, np.cumsum(rng.normal(size=(300, 3)) * 0.01, axis=0), 30.0)
    data = npz.clip_to_bytes(clip)

    def key(fps: float) -> None:
        keying.key_clip(body, clip, name="benchmark", start_frame=1, scene_fps=fps)

    print(f"Blender {bpy.app.version_string}, 10 s at 30 fps, 223 curves, medians of 15")
    print(f"  decode the message's npz     {median_ms(lambda: npz.clip_from_bytes(data)):6.1f} ms")
    print(f"  key, scene at 30 fps         {median_ms(lambda: key(30.0)):6.1f} ms")
    print(f"  key, scene at 24 fps         {median_ms(lambda: key(24.0)):6.1f} ms")
    print(f"  key, scene at 60 fps         {median_ms(lambda: key(60.0)):6.1f} ms")
    key(30.0)
    print(f"  read back from the curves    {median_ms(lambda: keying.clip_from_action(body)):6.1f} ms")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
