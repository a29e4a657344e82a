"""Works through the panel with real clicks and keys in a real Blender window, and says what came of it.

    python tools/click_panel.py --zip dist/understudy-0.1.0.zip --root /srv/trixie --python /opt/venv/bin/python

Starts Blender on a virtual screen with the extension installed. The mouse and the keyboard are moved by ``xdotool``; a
script inside Blender (``click_probe.py``) only tells which button lies under the mouse and what the file holds now.
Needs Xvfb, xdotool and ImageMagick. Exits with 1 if a step did not do what it should; ``--out`` gets a picture of each.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SIZE = (1600, 1200)


class Wrong(Exception):
    """A step did not do what it should."""


class Window:
    """A Blender on a virtual screen.

    Args:
        root: a folder that is the root of the system with Blender, or None.
        display: the number of the screen, ``":86"``.
        python: of the backend, as Blender sees it.
        out: folder for pictures and Blender's log.
    """

    def __init__(self, root: Path | None, display: str, python: str, out: Path) -> None:
        self.shared = (root or Path("/")) / "tmp" / "understudy-clicks"
        self.inside = Path("/tmp/understudy-clicks")
        shutil.rmtree(self.shared, ignore_errors=True)
        self.shared.mkdir(parents=True)
        self.enter = ["chroot", str(root)] if root else []
        self.out = out
        self.environment = {
            **os.environ,
            "DISPLAY": display,
            "HOME": os.path.expanduser("~"),
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "UNDERSTUDY_PYTHON": python,
            "UNDERSTUDY_CLICKS": str(self.inside),
        }
        self.asked = 0
        self.known: dict[str, tuple[int, int]] = {}
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, blender: str, extension: Path | None) -> None:
        screen = ["Xvfb", self.environment["DISPLAY"], "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24"]
        self.processes.append(subprocess.Popen([*screen, "+extension", "GLX"], stderr=subprocess.DEVNULL))
        time.sleep(2)
        if extension is not None:
            shutil.copy(extension, self.shared / "extension.zip")
            install = ["extension", "install-file", "-r", "user_default", "-e"]
            command = [*self.enter, blender, "--command", *install, str(self.inside / "extension.zip")]
            subprocess.run(command, env=self.environment, check=True)
        shutil.copy(ROOT / "tools" / "click_probe.py", self.shared / "probe.py")
        geometry = ["--window-geometry", "0", "0", str(SIZE[0]), str(SIZE[1])]
        command = [*self.enter, blender, *geometry, "--python", str(self.inside / "probe.py")]
        log = (self.out / "blender.log").open("wb")
        self.processes.append(
            subprocess.Popen(command, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        )

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    # --- what Blender says ---

    def ask(self, timeout: float = 600.0, **question: str) -> Any:
        self.asked += 1
        name = f"{self.asked:06d}.json"
        temporary = self.shared / f"{name}.tmp"
        temporary.write_text(json.dumps(question))
        os.replace(temporary, self.shared / f"ask-{name}")
        reply = self.shared / f"reply-{name}"
        end = time.monotonic() + timeout
        while not reply.exists():
            if self.processes[-1].poll() is not None:
                raise Wrong("Blender has ended.")
            if time.monotonic() > end:
                raise Wrong(f"Blender did not answer within {timeout:.0f} s.")
            time.sleep(0.01)
        answer = json.loads(reply.read_text())
        reply.unlink()
        if "error" in answer:
            raise Wrong(answer["error"])
        return answer["answer"]

    def tell(self, code: str) -> Any:
        """Run code in Blender, with ``scene``, ``module(name)`` and ``sections(...)``; what it set as ``answer``."""
        return self.ask(kind="exec", code=code)

    def value(self, expression: str) -> Any:
        return self.tell(f"answer = {expression}")

    def expect(self, expression: str, seconds: float = 180.0) -> Any:
        """Wait until an expression is true in Blender."""
        end = time.monotonic() + seconds
        while not (found := self.value(expression)):
            if time.monotonic() > end:
                shown = self.value("(module('process.client').backend.error or '') and "
                                   "module('process.client').backend.error.message")  # fmt: skip
                raise Wrong(f"not within {seconds:.0f} s: {expression} ({shown})")
            time.sleep(0.1)
        return found

    # --- mouse and keyboard ---

    def xdotool(self, *arguments: object) -> None:
        subprocess.run(["xdotool", *map(str, arguments)], env=self.environment, check=True)

    def move(self, x: int, y: int) -> None:
        self.xdotool("mousemove", x - 2, y, "mousemove", x, y)

    def under(self, x: int, y: int) -> list[str]:
        """What the button at a place does."""
        self.move(x, y)
        time.sleep(0.08)
        return list(self.ask(kind="button"))

    def _stays(self, wanted: str) -> bool:
        """Whether the button under the mouse is still one when Blender has handled the mouse's move."""
        time.sleep(0.4)
        return any(wanted in text for text in self.ask(kind="button"))

    def find(self, wanted: str) -> tuple[int, int]:
        """The place in the sidebar of a button whose operator or property contains a text."""
        if wanted in self.known:
            self.under(*self.known[wanted])
            if self._stays(wanted):
                return self.known[wanted]
        left, top, width, height = self.value("sidebar()")
        for x, near in list(self.known.values()):  # what takes the place of a button lies close to it
            for y in range(near - 5, near + 45, 10):
                if any(wanted in text for text in self.under(x, y)) and self._stays(wanted):
                    self.known[wanted] = (x, y)
                    return x, y
        # Names of properties stand on the left, small buttons on the right; the tabs lie outside.
        for share in (0.68, 0.25, 0.89, 0.47, 0.135):
            x = left + int(share * (width - 20))
            for y in range(top + 12, top + height - 4, 9):
                for text in self.under(x, y):
                    if wanted in text and self._stays(wanted):
                        self.known[wanted] = (x, y)
                        return x, y
        raise Wrong(f"There is no button for {wanted} in the sidebar.")

    def click(self, wanted: str) -> None:
        x, y = self.find(wanted)
        self.move(x, y)
        time.sleep(0.1)
        self.xdotool("click", 1)
        time.sleep(0.3)

    def write(self, wanted: str, text: str) -> None:
        """Replace what stands in a text field."""
        self.click(wanted)
        self.xdotool("key", "ctrl+a")
        self.xdotool("type", "--delay", "25", text)
        self.xdotool("key", "Return")
        time.sleep(0.3)

    def key(self, *keys: str) -> None:
        """Press keys with the mouse over the 3D view."""
        x, y, width, height = self.value(
            "(lambda w, a: [a.x, w.height - a.y - a.height, a.width, a.height])(*places()[:2])"
        )
        self.move(x + width // 3, y + height // 2)
        time.sleep(0.2)
        for one in keys:
            self.xdotool("key", one)
            time.sleep(0.3)

    def menu_search(self, text: str) -> None:
        """Choose a menu's entry by Blender's own search (F3)."""
        self.key("F3")
        time.sleep(1.5)
        self.xdotool("type", "--delay", "60", text)
        time.sleep(1.5)
        self.xdotool("key", "Return")
        time.sleep(1.0)

    def choose(self, operator: str, folder: Path, name: str = "") -> None:
        """Have the file browser that an operator opened show a file, and confirm it with the keyboard."""
        browser = (
            "(lambda s: next((a for a in s.areas if a.type == 'FILE_BROWSER'), None))"
            "(bpy.context.window_manager.windows[0].screen)"
        )
        self.expect(f"{browser} is not None and {browser}.spaces.active.params is not None")
        opened = self.value(f"{browser}.spaces.active.active_operator.bl_idname")
        if opened != operator:
            raise Wrong(f"{opened} has opened the file browser, not {operator}")
        # A browser that picks folders has no name to be set.
        named = f"; p.filename = {name!r}" if name else ""
        self.tell(f"p = {browser}.spaces.active.params; p.directory = {str(folder).encode()!r}{named}")
        time.sleep(1.0)
        self.move(SIZE[0] // 2, SIZE[1] // 2)
        self.xdotool("key", "Return")
        self.expect(f"{browser} is None")

    def picture(self, name: str) -> None:
        subprocess.run(
            ["import", "-window", "root", str(self.out / f"{name}.png")], env=self.environment, check=True
        )


BUSY = "module('process.client').backend.busy"
TAKES = "len(bpy.context.scene.understudy_takes.items)"
BODY = "bpy.context.scene.understudy.body"
SHOWN = f"{BODY}.understudy_preview.take"
ACTION = f"{BODY}.animation_data.action"


def begin(w: Window) -> None:
    w.expect("bool(module('process.client'))", 120)
    w.tell(
        "bpy.data.objects.remove(bpy.data.objects['Cube']); scene.render.fps = 30; scene.understudy.use_seconds = True; places()[1].spaces.active.show_region_ui = True"
    )
    time.sleep(1.5)
    w.tell("sections('takes'); places()[2].active_panel_category = 'Understudy'; places()[2].tag_redraw()")
    time.sleep(1)
    w.tell(f"bpy.ops.wm.save_as_mainfile(filepath={str(w.inside / 'story.blend')!r})")


def add_a_body(w: Window) -> None:
    w.click("understudy.add_body")
    w.expect(f"{BODY} is not None")


def generate(w: Window) -> None:
    w.write("understudy.prompt", "a person walks forward and waves")
    w.expect("bpy.context.scene.understudy.prompt == 'a person walks forward and waves'")
    w.click("understudy.generate(")
    w.expect(f"{BUSY} or {TAKES}")
    w.expect(f"not {BUSY} and {TAKES} == 1", 240)
    w.expect(f"{SHOWN} and {ACTION} is not None")


def cancel(w: Window) -> None:
    w.tell("scene.understudy.samples, scene.understudy.seconds = 8, 20.0; places()[2].tag_redraw()")
    before = w.value(f"{ACTION}.name")
    w.click("understudy.generate(")
    w.expect(BUSY)
    w.known = {"understudy.generate(": w.known["understudy.generate("]}
    w.find("understudy.cancel(")
    w.expect(f"{BUSY} and module('process.client').backend.job.stage", 120)
    w.picture("while-generating")
    w.click("understudy.cancel(")
    w.expect(f"not {BUSY}")
    w.expect(f"{TAKES} == 1 and {ACTION}.name == {before!r}")
    w.tell("scene.understudy.samples, scene.understudy.seconds = 2, 3.0; places()[2].tag_redraw()")
    w.click("understudy.generate(")
    w.expect(f"not {BUSY} and {TAKES} == 3", 240)


def preview(w: Window) -> None:
    """A click on the second row of the list, then the button of the panel."""
    if w.value(TAKES) < 2:
        w.tell("scene.understudy.samples, scene.understudy.seconds = 2, 3.0; places()[2].tag_redraw()")
        w.click("understudy.generate(")
        w.expect(f"not {BUSY} and {TAKES} > 1", 240)
    w.known.clear()
    second = w.value("scene.understudy_takes.items[1].file")
    x, y = w.find("understudy_takes.active")  # the first row
    w.move(x, y + 20)
    time.sleep(0.2)
    w.xdotool("click", 1)
    w.expect(f"{SHOWN} == {second!r}")
    w.click("understudy.reject_take")
    w.expect(f"not {SHOWN}")
    w.click("understudy.preview_take")
    w.expect(f"{SHOWN} == {second!r}")


def stars_and_bin(w: Window) -> None:
    """What else can be done with takes: a star, two that are compared, the bin, and undo."""
    count, active = w.value(f"[{TAKES}, scene.understudy_takes.active]")
    file = w.value(f"scene.understudy_takes.items[{active}].file")
    w.click(f'understudy.star_take(file="{file}"')  # every row has one
    w.expect(f"scene.understudy_takes.items[{active}].starred")
    w.click("understudy.set_compared")
    w.expect("scene.understudy_takes.a != '' or scene.understudy_takes.b != ''")
    before = w.value(SHOWN)
    w.click("understudy.swap_compared")
    w.expect(f"{SHOWN} and {SHOWN} != {before!r}")
    w.click("understudy.delete_take")
    w.expect(f"{TAKES} == {count} - 1")
    w.key("ctrl+z")
    w.expect(f"{TAKES} == {count}")


def accept_and_undo(w: Window) -> None:
    w.click("understudy.accept_take")
    w.expect(f"not {SHOWN} and {ACTION}.use_fake_user")
    w.key("ctrl+z")
    w.expect(SHOWN)
    w.key("ctrl+shift+z")
    w.expect(f"not {SHOWN} and {ACTION}.use_fake_user")


def save_and_reload(w: Window) -> None:
    count, name, keys = w.value(f"[{TAKES}, {ACTION}.name, list({ACTION}.frame_range)]")
    w.key("ctrl+s")
    w.expect("not bpy.data.is_dirty")
    w.tell("bpy.app.timers.register(lambda: bpy.ops.wm.revert_mainfile() and None, first_interval=0.2)")
    time.sleep(3)
    w.expect(f"{TAKES} == {count} and {ACTION}.name == {name!r} and list({ACTION}.frame_range) == {keys!r}")
    w.tell(
        "places()[1].spaces.active.show_region_ui = True; places()[2].active_panel_category = 'Understudy'"
    )
    time.sleep(1)
    w.known.clear()
    w.click("understudy.preview_take")
    w.expect(SHOWN)
    w.click("understudy.reject_take")
    w.expect(f"not {SHOWN} and {ACTION}.name == {name!r}")


def import_a_file(w: Window) -> None:
    w.tell(f"{BODY}.select_set(True); bpy.context.view_layer.objects.active = {BODY}")
    w.menu_search("Motion onto a Body")
    w.choose("UNDERSTUDY_OT_import_npz", w.inside / "library", "walk.npz")
    w.expect(f"{ACTION}.name == 'walk' and {ACTION}.frame_range[1] > 100")


def render(w: Window) -> None:
    w.tell("sections('render'); scene.frame_start, scene.frame_end = 30, 59")  # a second of it is enough
    time.sleep(1)
    w.known.clear()
    for engine, name in (("workbench", "film.mp4"), ("eevee", "still.png")):
        target = str(w.inside / name)
        w.tell(f"s = scene.understudy_render; s.filepath = {target!r}; s.engine = {engine!r}; s.size = '960x540'; "
               "scene.frame_set(40); places()[2].tag_redraw()")  # fmt: skip
        w.click("understudy.render(")
        w.expect("module('render.panel').Studio.film.state != 'running'", 900)
        state = w.value(
            "[module('render.panel').Studio.film.state, str(module('render.panel').Studio.film.error)]"
        )
        if state[0] != "done":
            raise Wrong(f"{engine}: {state[1]}")
        shutil.copy(w.shared / name, w.out / name)


def library(w: Window) -> None:
    w.tell("sections('library')")
    time.sleep(1)
    w.known.clear()
    w.click("understudy.library_add_folder")
    w.choose("UNDERSTUDY_OT_library_add_folder", w.inside / "library")
    w.write(".query", "a person waves")
    found = "module('library.state').library(bpy.context).found"
    w.expect(f"len({found})", 240)
    before = w.value(TAKES)
    w.known.clear()
    x, y = w.find("understudy_library.active")  # the first row
    second = w.value(f"{found}[1].path")
    w.move(x, y + 20)
    w.xdotool("click", 1)
    w.expect(f"{SHOWN} == {second!r}")
    w.click("understudy.library_import")
    w.expect(f"{TAKES} == {before} + 1")


STORY: tuple[Callable[[Window], None], ...] = (
    begin,
    add_a_body,
    generate,
    cancel,
    preview,
    stars_and_bin,
    accept_and_undo,
    save_and_reload,
    import_a_file,
    render,
    library,
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blender", default="blender", help="the Blender program")
    parser.add_argument("--root", type=Path, help="a folder that is the root of the system with Blender")
    parser.add_argument("--zip", type=Path, help="the extension to install first")
    parser.add_argument("--python", default="", help="the Python of the backend, as Blender sees it")
    parser.add_argument("--clips", type=Path, required=True, help="a folder of clips for import and library")
    parser.add_argument("--out", type=Path, default=Path("click-pictures"))
    parser.add_argument("--display", default=":86", help="number of the virtual screen")
    parser.add_argument("--steps", nargs="*", help="only these; by default all")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    window = Window(args.root, args.display, args.python, args.out)
    shutil.copytree(args.clips, window.shared / "library")
    wrong = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the window must not outlive this
    try:
        window.start(args.blender, args.zip)
        for number, step in enumerate(STORY):
            if args.steps and step.__name__ not in ("begin", *args.steps):
                continue
            began = time.monotonic()
            try:
                step(window)
                result = "ok"
            except Wrong as error:
                result, wrong = f"WRONG: {error}", wrong + 1
            print(f"{step.__name__:<18} {time.monotonic() - began:6.1f} s  {result}", flush=True)
            window.picture(f"{number:02d}-{step.__name__}")
            if window.processes[-1].poll() is not None:
                break
    finally:
        window.stop()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
