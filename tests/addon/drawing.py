"""Panels drawn in background, by a stand-in for Blender's layout that refuses what Blender would refuse."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy


class Layout:
    """Records labels and operators; checks that properties, operators and icons exist."""

    def __init__(self, seen: list[str] | None = None) -> None:
        object.__setattr__(self, "seen", [] if seen is None else seen)

    def _part(self, *args: Any, **keywords: Any) -> Layout:
        _known("row", {k: v for k, v in keywords.items() if k == "icon"})
        return Layout(self.seen)

    row = column = box = split = grid_flow = column_flow = _part

    def __getattr__(self, name: str) -> Any:
        if name.startswith("template_"):
            return lambda *args, **keywords: Layout(self.seen)
        raise AttributeError(name)

    def panel(self, *args: Any, **keywords: Any) -> tuple[Layout, Layout]:
        return Layout(self.seen), Layout(self.seen)

    def label(self, *, text: str = "", **keywords: Any) -> None:
        _known("label", keywords)
        assert isinstance(text, str)
        self.seen.append(text)

    def prop(self, data: Any, name: str, *, text: str | None = None, **keywords: Any) -> None:
        _known("prop", keywords)
        assert name.startswith("[") or name in data.bl_rna.properties, f"{data} has no {name}"
        self.seen.append(
            data.bl_rna.properties[name].name if text is None and not name.startswith("[") else text or ""
        )

    def prop_search(self, data: Any, name: str, *args: Any, **keywords: Any) -> None:
        self.prop(data, name)

    def prop_enum(self, data: Any, name: str, value: str, **keywords: Any) -> None:
        self.prop(data, name)

    def progress(self, *, text: str = "", **keywords: Any) -> None:
        self.seen.append(text)

    def separator(self, **keywords: Any) -> None:
        _known("separator", keywords)

    def context_pointer_set(self, *args: Any) -> None:
        pass

    def menu(self, name: str, *, text: str = "", **keywords: Any) -> None:
        assert hasattr(bpy.types, name), name
        self.seen.append(text)

    def operator(self, name: str, *, text: str | None = None, **keywords: Any) -> Any:
        _known("operator", keywords)
        module, _, function = name.partition(".")
        kind = getattr(getattr(bpy.ops, module), function).get_rna_type()
        self.seen.append(kind.name if text is None else text)
        names = {p.identifier for p in kind.properties}
        self.seen.append(f"<{name}>")

        class Properties(SimpleNamespace):
            def __setattr__(self, key: str, value: Any) -> None:
                assert key in names, f"{name} has no property {key}"

        return Properties()

    def popover(self, *args: Any, **keywords: Any) -> None:
        pass

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in bpy.types.UILayout.bl_rna.properties, f"a layout has no {name}"


_ICONS = set(bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys())


def _known(function: str, keywords: dict[str, Any]) -> None:
    allowed = set(bpy.types.UILayout.bl_rna.functions[function].parameters.keys()) if keywords else set()
    unknown = set(keywords) - allowed - {"icon"}
    assert not unknown, f"{function} has no {unknown}"
    assert keywords.get("icon", "NONE") in _ICONS, f"there is no icon {keywords['icon']}"


def context(width: int = 300) -> Any:
    """The context that a panel in the sidebar gets."""
    real = bpy.context
    layer = real.view_layer
    return SimpleNamespace(
        scene=real.scene,
        view_layer=layer,
        mode=real.mode,
        object=layer.objects.active,
        active_object=layer.objects.active,
        selected_objects=[o for o in layer.objects if o.select_get()],
        preferences=real.preferences,
        region=SimpleNamespace(width=width),
        window_manager=real.window_manager,
        collection=real.collection,
        space_data=None,
        area=None,
        workspace=None,
        evaluated_depsgraph_get=real.evaluated_depsgraph_get,
    )


def panels() -> list[type]:
    """Every registered panel of ours."""
    return [getattr(bpy.types, n) for n in dir(bpy.types) if n.startswith("UNDERSTUDY_PT_")]


def draw(panel: type, at: Any = None) -> list[str]:
    """What a panel shows: its labels, and the operators in angle brackets."""
    at = at or context()
    if hasattr(panel, "poll") and not panel.poll(at):
        return []
    layout = Layout()
    instance = SimpleNamespace(layout=layout, bl_label=panel.bl_label)
    for name in dir(panel):
        if name.startswith("_draw") or name in ("draw_header",):
            function = getattr(panel, name)
            setattr(instance, name, function.__get__(instance) if _is_method(panel, name) else function)
    if hasattr(panel, "draw_header"):
        panel.draw_header(instance, at)
    panel.draw(instance, at)
    return layout.seen


def _is_method(panel: type, name: str) -> bool:
    for base in panel.__mro__:
        if name in vars(base):
            return not isinstance(vars(base)[name], (staticmethod, classmethod))
    return False
