"""How long the add-on keeps Blender's main thread: every step that a person waits through, in milliseconds.

``python benchmarks/addon_main_thread.py [--rounds 7]`` in a Python that has bpy. The budget is 50 ms (see the
design, section 7); a generation itself happens in the backend, so its stand-in of the tests answers here. Two numbers:
what the main thread computed, which a busy machine does not change, and what the clock on the wall said.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import bpy

ROOT = Path(__file__).resolve().parents[1]
BUDGET = 50.0

_COMMAND = [sys.executable, str(ROOT / "tests" / "addon" / "fake_backend.py"), str(ROOT), "well"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    from understudy import addon
    from understudy.addon import client, render_panel, take_files

    folder = Path(tempfile.mkdtemp())
    take_files.folder = lambda: folder / "takes"  # type: ignore[assignment]
    client.backend_command = lambda python: _COMMAND  # type: ignore[assignment]
    os.environ["UNDERSTUDY_PYTHON"] = sys.executable
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon.register()
    try:
        for name, times in measure(rounds, client, render_panel, folder).items():
            computed, clock = (statistics.median(column) for column in zip(*times, strict=True))
            remark = "" if computed <= BUDGET else "OVER 50 ms"
            print(f"{name:<44} {computed:7.1f} ms computed {clock:8.1f} ms on the wall  {remark}")
    finally:
        addon.unregister()


def measure(
    rounds: int, client: object, render_panel: object, folder: Path
) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds by step."""
    from understudy.addon import orders
    from understudy.addon.generate import deliver

    drawing = _drawing()
    start = render_panel._start  # type: ignore[attr-defined]
    backend = client.backend  # type: ignore[attr-defined]
    found: dict[str, list[tuple[float, float]]] = {}

    def timed(name: str, work: Callable[[], object]) -> object:
        computed, clock = time.thread_time(), time.perf_counter()
        result = work()
        spent = (1000 * (time.thread_time() - computed), 1000 * (time.perf_counter() - clock))
        found.setdefault(name, []).append(spent)
        return result

    timed("first body of the session (mesh is built)", bpy.ops.understudy.add_body)
    for _ in range(rounds):
        timed("a further body", bpy.ops.understudy.add_body)
    scene = bpy.context.scene
    scene.understudy.prompt, scene.understudy.use_seconds, scene.understudy.seconds = (
        "a person walks",
        True,
        6.0,
    )
    timed("backend: start the process, without waiting", backend.start)
    while backend.state != "ready":
        timed("backend: one look at the pipe", backend.poll)
        time.sleep(0.02)
    for _ in range(rounds):
        order = timed("Generate: check and send", lambda: orders.take_order(bpy.context))
        job = backend.submit(order.params)  # type: ignore[attr-defined]
        while job.state == "running":
            timed("backend: one look at the pipe", backend.poll)
            time.sleep(0.005)
        timed("deliver 6 s: store, key, preview", partial(deliver, order, job))  # type: ignore[arg-type]
        timed("accept a take", bpy.ops.understudy.accept_take)
        timed("preview a take", bpy.ops.understudy.preview_take)
        timed("reject a take", bpy.ops.understudy.reject_take)
        timed("draw every panel", lambda: [drawing.draw(panel) for panel in drawing.panels()])
        timed("preview a take", bpy.ops.understudy.preview_take)
        film = timed("Render: hand over the body", partial(start, bpy.context, str(folder / "film.mp4")))
        film.cancel()  # type: ignore[attr-defined]
    return found


def _drawing() -> object:
    """The stand-in for Blender's layout that the tests draw with."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(
        "understudy_drawing", ROOT / "tests" / "addon" / "drawing.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


main()
sys.stdout.flush()
os._exit(0)  # past bpy's own exit, which hangs or crashes in some versions
