"""Waiting for the first clip: the backend's start, the pack, the first clips; and from the panel's button to the Action.

.venv/bin/python benchmarks/start.py [--pack open] [--engine onnx] [--starts 7] [--clicks 15] [--out FILE.md]

"Ready" is the backend's answer to the add-on's greeting, as the add-on starts it. The clips are of six seconds, asked
for one after the other; the first waits for the pack. "Click to Action" calls the panel's operator in Blender as a
module, which sends the request, waits, reads the clip and makes the Action; a window adds its timer's 20 ms at most.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import quality

PROMPT = "a person walks forward and waves"


def started(pack: str, engine: str) -> dict[str, float]:
    """Seconds of one start."""
    from understudy.backend.protocol.wire import Client, backend_command

    options = {"pack": pack, "device": "cpu", "engine": engine}
    began = time.perf_counter()
    with Client(backend_command(sys.executable), options=options) as client:
        ready = time.perf_counter()
        found = {"start to ready": ready - began}
        for number in range(1, 5):
            asked = time.perf_counter()
            params = {"prompt": PROMPT, "seconds": 6.0, "seed": number, **options}
            client.wait(client.request("generate", params), timeout=120)
            found[f"clip {number}"] = time.perf_counter() - asked
            if number == 1:
                found["start to first clip"] = time.perf_counter() - began
    return found


def clicks(pack: str, count: int) -> dict[str, float]:
    """Median seconds from the panel's operator to the Action, and of them those that Blender's main thread computed."""
    import bpy

    from understudy import addon
    from understudy.addon.takes import files

    os.environ["UNDERSTUDY_PYTHON"] = sys.executable
    folder = Path(tempfile.mkdtemp())
    files.folder = lambda: folder  # type: ignore[assignment]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon.register()
    waited, computed = [], []
    try:
        with contextlib.redirect_stdout(sys.stderr):
            bpy.ops.understudy.add_body()
            bpy.context.scene.render.fps = 30
            for seed in range(count + 2):
                clock, own = time.perf_counter(), time.thread_time()
                bpy.ops.understudy.generate(prompt=PROMPT, seconds=6.0, seed=seed)
                waited.append(time.perf_counter() - clock)
                computed.append(time.thread_time() - own)
                if not bpy.context.scene.understudy.body.animation_data.action:
                    sys.exit("start: there is no Action")
    finally:
        addon.unregister()
    median = statistics.median
    return {
        "click to Action, 6 s, warm": median(waited[2:]),
        "of it in Blender's main thread": median(computed[2:]),
    }


def measure(pack: str, engine: str, starts: int, count: int) -> str:
    """The report, Markdown."""
    load = os.getloadavg()[0]
    runs = [started(pack, engine) for _ in range(starts)]
    found = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    loads = f"load {load:.1f} before, {os.getloadavg()[0]:.1f} after"
    lines = [
        f"Pack `{pack}`, engine {engine}, {os.cpu_count()} cores, {loads}; {starts} starts, {count} clicks: medians.",
        quality.sentence(pack),
        "",
        "| | seconds |",
        "|---|---|",
    ]
    if count:
        found |= clicks(pack, count)
    lines += [f"| {name} | {seconds:.3f} |" for name, seconds in found.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pack", default="open")
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--clicks", type=int, default=15, help="0 where there is no Blender module")
    parser.add_argument("--out", type=Path, metavar="FILE.md")
    arguments = parser.parse_args()
    report = measure(arguments.pack, arguments.engine, arguments.starts, arguments.clicks)
    print(report, end="")
    if arguments.out:
        arguments.out.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
