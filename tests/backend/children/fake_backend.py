"""The real server with a pipeline that only pretends: what it does stands in the prompt.

Run as ``fake_backend.py PACKAGE_DIR``.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
import time

root = sys.argv[1]
spec = importlib.util.spec_from_file_location(
    "understudy", root + "/__init__.py", submodule_search_locations=[root]
)
assert spec is not None and spec.loader is not None
package = importlib.util.module_from_spec(spec)
sys.modules["understudy"] = package
spec.loader.exec_module(package)

import numpy as np  # noqa: E402

from understudy.backend.errors import BadInput, Cancelled  # noqa: E402
from understudy.backend.motion.clip import Clip  # noqa: E402
from understudy.backend.process.server import serve  # noqa: E402

loads = 0


class Pipeline:
    """``steps`` model steps of 20 ms (200 ms: "slowly"); the clip carries the prompt, the seed and how often packs were loaded."""

    def generate(self, params, progress=None, cancelled=None):
        words = params.prompt
        steps = params.steps or 5
        if words == "die":
            print("last words", file=sys.stderr, flush=True)
            os._exit(7)
        if words == "crash":
            raise RuntimeError("the model\nexploded")
        if words == "refuse":
            raise BadInput("This cannot be done.", hint="Do another thing.", field="prompt")
        if words == "freeze":
            time.sleep(60)
        if words == "babble":
            print("a print of a library")
            os.write(1, b"a print of a C library\n")
            subprocess.run(
                [sys.executable, "-c", "import sys; print('child', repr(sys.stdin.read()))"], check=True
            )
            sys.stderr.buffer.write(b"\xff\xfe not utf-8 \n" * 20000)
            sys.stderr.flush()
        for step in range(steps):
            if cancelled() and words != "deaf":
                raise Cancelled("Cancelled.")
            progress("diffusion", step, steps)
            time.sleep(0.2 if words == "slowly" else 0.02)
        progress("diffusion", steps, steps)
        frames = round((params.seconds or 1.0) * 30)
        random = np.random.default_rng(params.seed)
        return [
            Clip(
                poses=random.normal(size=(frames, 55, 3)) * 0.1,
                trans=random.normal(size=(frames, 3)) * 0.1,
                fps=30.0,
                meta={
                    "prompt": words,
                    "seed": params.seed,
                    "sample": sample,
                    "loads": loads,
                    "thread": threading.current_thread().name,
                    "numpy": np.float32(1.5),
                },
            )
            for sample in range(params.samples)
        ]


def load(pack, device, engine):
    global loads
    if pack == "missing":
        raise BadInput("There is no pack 'missing'.", field="pack")
    if pack == "slow":
        time.sleep(1.0)
    if pack == "endless":
        time.sleep(60)
    loads += 1
    return Pipeline()


serve(load)
