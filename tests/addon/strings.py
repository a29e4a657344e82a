"""Every string of the add-on that a person sees, by reading its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ADDON = Path(__file__).resolve().parents[2] / "addon"

_KEYWORDS = {"text", "name", "description", "heading", "placeholder", "hint", "off"}
_ATTRIBUTES = {"bl_label", "bl_description", "bl_category"}
# Calls, and which of their positional arguments are shown.
_CALLS = {
    "t": (0,),
    "paragraph": (1,),
    "fact": (1, 2),
    "poll_message_set": (0,),
    "_switch": (0,),
    "_slider": (0, 1),
    "_send": (0,),
    "said": (0,),
    "BackendError": (1, 2),
}
_TABLES = {
    "STATES",
    "_STAGES",
    "_LABELS",
    "FIELDS",
    "FIRST_USE",
    "LABELS",
    "TITLES",
    "_WORDS",
    "WORDS",
    "RESTART",
    "_REDUCE",
}
_DRAWN = {"label", "operator", "prop", "menu", "row", "column", "popover", "template_list", "switched"}
# Not for the interface: names of threads, Actions, bones; the command line speaks English.
_SKIPPED_FILES = {
    "builtin.py",
    "cli.py",
    "command.py",
    "contact_sheet.py",
    "face.py",
    "face_mesh.py",
    "film_body_cli.py",
    "film_cli.py",
    "scene.py",
    "smplx_body.py",
}


_READERS = ("keys.py", "mocap.py", "fitting/arrays.py")


def sources() -> Iterator[Path]:
    for path in sorted(ADDON.rglob("*.py")):
        if path.name not in _SKIPPED_FILES:
            yield path
    yield from sorted(
        (ADDON.parent / "backend" / "protocol").glob("*.py")
    )  # what the panel says of the process


def shown() -> dict[str, str]:
    """English strings, and where each stands first."""
    found: dict[str, str] = {}
    for path in sources():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for text, line in _of(tree):
            if any(letter.isalpha() for letter in text):
                found.setdefault(text, f"{path.relative_to(ADDON.parent)}:{line}")
    return found


def composed() -> dict[str, str]:
    """Shown sentences that are put together with f"", their values as ``{0}``, ``{1}``…, and where each stands."""
    found: dict[str, str] = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                for value in _shown_values(node):
                    for part in _joined(value):
                        if _has_words(part):
                            found.setdefault(
                                _template(part), f"{path.relative_to(ADDON.parent)}:{part.lineno}"
                            )
    return found | notes()


def notes() -> dict[str, str]:
    """What the readers of motion files had to assume, which the import reports; as :func:`composed`."""
    found: dict[str, str] = {}
    for name in _READERS:
        path = ADDON.parent / "backend" / "motion" / name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            value = None
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("note", "notes"):
                value = node.value
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "notes.append":
                value = node.args[0]
            for part in ast.walk(value) if value is not None else ():
                if isinstance(part, ast.JoinedStr) and _has_words(part):
                    found.setdefault(_template(part), f"{path.name}:{part.lineno}")
                elif isinstance(part, ast.Constant) and " " in str(part.value).strip():
                    found.setdefault(str(part.value), f"{path.name}:{part.lineno}")
    inside = {piece for sentence in found if "{0}" in sentence for piece in re.split(r"{\d}", sentence)}
    return {sentence: where for sentence, where in found.items() if sentence not in inside}


def put_together() -> list[str]:
    """Where a sentence with words in it is put together with f"" and drawn without going through ``t``."""
    return [
        f"{path.relative_to(ADDON.parent)}:{part.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)
        if (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id) in _DRAWN
        for keyword in node.keywords
        if keyword.arg in _KEYWORDS
        for part in _joined(keyword.value)
        if _has_words(part)
    ]


def _joined(value: ast.expr) -> Iterator[ast.JoinedStr]:
    if isinstance(value, ast.JoinedStr):
        yield value
    elif isinstance(value, ast.IfExp):
        yield from _joined(value.body)
        yield from _joined(value.orelse)


def _template(text: ast.JoinedStr) -> str:
    parts, number = [], 0
    for value in text.values:
        if isinstance(value, ast.Constant):
            parts.append(str(value.value))
        else:
            parts.append(f"{{{number}}}")
            number += 1
    return "".join(parts)


def _has_words(text: ast.JoinedStr) -> bool:
    constant = "".join(v.value for v in text.values if isinstance(v, ast.Constant))
    return sum(letter.isalpha() for letter in constant) > 2


def _of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for value in _shown_values(node):
                yield from _texts(value)
            for keyword in node.keywords:
                if keyword.arg == "items":
                    for item in ast.walk(keyword.value):
                        if isinstance(item, ast.Tuple):
                            for part in item.elts[1:3]:
                                yield from _texts(part)
        elif isinstance(node, ast.Assign):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if names & _ATTRIBUTES:
                yield from _texts(node.value)
            elif names & _TABLES:
                yield from _table(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            if node.target.id in _TABLES:
                yield from _table(node.value)
        elif isinstance(node, ast.FunctionDef) and (
            node.name.startswith("why_") or node.name == "description"
        ):
            for part in ast.walk(node):
                if isinstance(part, ast.Return) and part.value is not None:
                    yield from _texts(part.value)


def _shown_values(call: ast.Call) -> Iterator[ast.expr]:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    for index in _CALLS.get(name, ()):
        if index < len(call.args):
            yield call.args[index]
    if name == "report" and len(call.args) == 2:
        yield call.args[1]
    if name in ("BadInput", "JobFailed") and call.args:
        yield call.args[0]
    if name in (
        "Thread",
        "replace",
        "add_argument",
        "new",
        "new_sound",
        "key_clip",
        "add_body",
        "update",
        "add",
    ):
        return
    for keyword in call.keywords:
        if keyword.arg in _KEYWORDS:
            yield keyword.value


def _table(value: ast.expr) -> Iterator[tuple[str, int]]:
    for part in ast.walk(value):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and _is_words(part.value):
            yield part.value, part.lineno


def _is_words(text: str) -> bool:
    """Neither an identifier nor an icon."""
    return (not text.isupper() and not text.islower()) or " " in text


def _texts(value: ast.expr) -> Iterator[tuple[str, int]]:
    """The constants that an expression may be."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value, value.lineno
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body)
        yield from _texts(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for part in value.values:
            yield from _texts(part)
