"""Which packs there are and under which licence, for the panel."""

from __future__ import annotations

from typing import Any

from . import settings as preferences


class Packs:
    """Which packs there are and under which licence, for the panel. Read at registration, not in draw()."""

    def __init__(self) -> None:
        self.licences: dict[str, str] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        """``version``, ``description`` and whether it ``ships`` with the extension, by name."""
        self.items: list[tuple[str, str, str]] = []
        """For an enum; Blender needs the strings kept alive."""

    def read(self) -> None:
        """The packs that ship with the extension."""
        import tomllib

        self.licences, self.facts = {}, {}
        for file in sorted((preferences.PACKAGE_DIR / "packs").glob("*/pack.toml")):
            try:
                described = tomllib.loads(file.read_text(encoding="utf-8"))
                name = str(described["name"])
                self.licences[name] = str(described["licence"])
                self.facts[name] = {
                    "version": str(described.get("version", "")),
                    "description": str(described.get("description", "")),
                    "ships": True,
                }
            except (OSError, ValueError, KeyError):
                continue  # the backend says what is wrong with it when it is asked for
        self._rebuild()

    def learn(self, info: Any) -> None:
        """The packs that a backend announced: those of the user's folder, too."""
        for pack in info.get("packs", []) if isinstance(info, dict) else []:
            name = str(pack.get("name", ""))
            self.licences[name] = str(pack.get("licence", ""))
            ships = self.facts.get(name, {}).get("ships", False)
            known = {key: str(pack.get(key, "")) for key in ("version", "description")}
            self.facts[name] = {**known, "ships": ships}
        self._rebuild()

    def learn_all(self, listed: Any) -> None:
        """What ``understudy packs`` lists, and nothing else: a pack may have been removed."""
        self.read()
        self.learn({"packs": listed if isinstance(listed, list) else []})

    def _rebuild(self) -> None:
        self.licences.pop("", None)
        self.facts.pop("", None)
        names = sorted(self.licences, key=lambda name: (name != "open", name)) or ["open"]
        self.items = [(name, name, self.licences.get(name, "")) for name in names]


packs = Packs()
