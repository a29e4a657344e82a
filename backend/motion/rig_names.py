"""Recognising a rig by the names of its bones: one table per family of rigs.

A table (JSON) lists, per part of the body, the names that a family uses, ``{s}`` standing for the family's
word for a side:

    {"family": "mixamo", "label": "Mixamo", "rank": 10, "prefixes": ["mixamorig\\\\d*[:_]?"],
     "sides": [["Left", "Right"]], "bones": {"pelvis": ["Hips"], "shoulder": ["{s}Arm"], ...}}

Names are compared without case, separators and prefixes, so ``mixamorig1:LeftArm``, ``left_arm`` and
``LeftArm`` are one. Of ``spine``, ``neck`` and the twists every bone that is there is taken, in the order of
the hierarchy; of all others the first name that is there. A finger's ``{n}`` stands for 1, 2 and 3, or its
three names stand in a list of their own. Optional keys: ``needs`` (names that must be there; ``a|b`` for
either), ``needs_prefix``, ``side_patterns`` (where the side may stand around the word ``{b}``),
``attached``, ``carried``, ``settings`` and ``idle`` (see :class:`.mapping.Mapping`), and ``ik``, the controls of
a ``leg`` and an ``arm`` (see :class:`.rig_controls.IkControls`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from ..errors import BadInput
from .mapping import CHAIN_LENGTHS, CORE, FINGERS, SIDES, TWISTED, Mapping, soundness
from .rig import Rig
from .rig_controls import CHAINS, IkControls, ik_from_json, settings_from_json

_MIDDLE = ("root", "pelvis", "head", "jaw")
_SIDED = ("collar", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot", "eye")
_CHAINS = ("spine", "neck")
_KEYS = {*_MIDDLE, *_SIDED, *_CHAINS, *FINGERS, *(f"{joint}_twist" for joint in TWISTED)}
_SHARED = 0.6
"""Share of the bones that must begin alike for that beginning to count as a prefix."""


@dataclass(frozen=True)
class Family:
    """One name table, see the module's text for the fields."""

    key: str
    label: str
    rank: int
    prefixes: tuple[str, ...]
    sides: tuple[tuple[str, str], ...]
    bones: dict[str, list[Any]]
    needs: tuple[str, ...] = ()
    needs_prefix: bool = False
    side_patterns: tuple[str, ...] = ()
    attached: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    settings: dict[str, dict[str, float]] = field(default_factory=dict)
    ik: dict[str, IkControls] = field(default_factory=dict)
    idle: tuple[str, ...] = ()


def family_from_json(data: Any) -> Family:
    """Check a name table.

    Raises:
        BadInput: with the first thing that is wrong with it.
    """
    try:
        bones = {str(key): list(names) for key, names in data["bones"].items()}
        unknown = sorted(set(bones) - _KEYS)
        if unknown:
            raise BadInput(f"A name table knows no part called {unknown[0]}.", field="bones")
        for names in bones.values():
            for name in names:
                if not (isinstance(name, str) or (isinstance(name, list) and len(name) == 3)):
                    raise BadInput(f"A name table holds {name!r} where a name belongs.", field="bones")
        prefixes = tuple(str(pattern) for pattern in data.get("prefixes", ()))
        for pattern in prefixes:
            re.compile(pattern)
        return Family(
            key=str(data["family"]),
            label=str(data.get("label", data["family"])),
            rank=int(data.get("rank", 50)),
            prefixes=prefixes,
            sides=tuple((str(left), str(right)) for left, right in data["sides"]),
            bones=bones,
            needs=tuple(str(name) for name in data.get("needs", ())),
            needs_prefix=bool(data.get("needs_prefix", False)),
            side_patterns=tuple(str(pattern) for pattern in data.get("side_patterns", ())),
            attached=tuple(str(key) for key in data.get("attached", ())),
            carried=tuple(str(key) for key in data.get("carried", ())),
            settings=settings_from_json(data.get("settings")),
            ik={kind: ik_from_json(ik) for kind, ik in data.get("ik", {}).items() if kind in CHAINS},
            idle=tuple(str(name) for name in data.get("idle", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        raise BadInput(f"This name table cannot be read: {error}.", field="bones") from error


@lru_cache(maxsize=65536)
def canonical(name: str) -> str:
    """A name without case, separators and full-width letters."""
    return re.sub(r"[\s_\-.:|]+", "", unicodedata.normalize("NFKC", name)).casefold()


def _without_prefixes(bones: Iterable[str], family: Family) -> list[dict[str, str]]:
    """Canonical name to bone, read in several ways: as it is, without namespace, without a common beginning.

    The first bone of a name wins, which is the one nearest to the root.
    """
    names = list(bones)
    readings = [names]
    for pattern in family.prefixes:
        cut = [re.sub("^" + pattern, "", name, flags=re.IGNORECASE) for name in names]
        if sum(a != b for a, b in zip(cut, names, strict=True)) > _SHARED * len(names):
            readings.append(cut)
    if family.needs_prefix:
        readings = readings[1:]
    for reading in list(readings):
        plain = [re.sub(r"^.*[:|]", "", name) for name in reading]
        beginning = _common_beginning(plain)
        for cut in (plain, [name.removeprefix(beginning) for name in plain] if beginning else plain):
            bare = [re.sub(r"\.\d{3}$", "", name) for name in cut]
            numbered = sum(a != b for a, b in zip(cut, bare, strict=True)) > 0.9 * len(cut)
            readings.append(bare if numbered else cut)
    tables: list[dict[str, str]] = []
    for reading in readings:
        table: dict[str, str] = {}
        for name, bone in zip(reading, names, strict=True):
            table.setdefault(canonical(name), bone)
        if table not in tables:
            tables.append(table)
    return tables


def _common_beginning(names: list[str]) -> str:
    """The beginning, up to a separator, that most names share: ``Armature_``, ``DEF-``."""
    counts: dict[str, int] = {}
    for name in names:
        for match in re.finditer(r"[_\-. ]", name[:40]):
            beginning = name[: match.end()]
            counts[beginning] = counts.get(beginning, 0) + 1
    shared = [b for b, count in counts.items() if count > _SHARED * len(names) and len(b) > 2]
    return max(shared, key=len, default="")


def match(rig: Rig, family: Family) -> Mapping:
    """The mapping that a family's names give a rig; its confidence is the share of a body that was found."""
    best = Mapping()
    for table in _without_prefixes(rig.bones, family):
        for sides in family.sides:
            if not all(any(canonical(n) in table for n in need.split("|")) for need in family.needs):
                continue
            found = _Reading(rig, family, table, sides).mapping()
            if (found.confidence, len(found.bones)) > (best.confidence, len(best.bones)):
                best = found
    return best


class _Reading:
    """A rig's names read one way, with one pair of words for the sides."""

    def __init__(self, rig: Rig, family: Family, table: dict[str, str], sides: tuple[str, str]) -> None:
        self.rig, self.family, self.table, self.sides = rig, family, table, sides
        self.bones: dict[str, str] = {}

    def mapping(self) -> Mapping:
        names = self.family.bones
        for key in ("head", "jaw"):
            self._take(key, self._find(names.get(key, [])))
        for side, word in zip(SIDES, self.sides, strict=True):
            for key in _SIDED:
                slot = f"{side}_eye_smplhf" if key == "eye" else f"{side}_{key}"
                self._take(slot, self._find(names.get(key, []), word))
        for side, word in zip(SIDES, self.sides, strict=True):
            for finger in FINGERS:
                self._take_finger(f"{side}_{finger}", names.get(finger, []), word)
            for joint in TWISTED:
                key = f"{joint}_twist"
                self._take_chain(f"{side}_{key}", names.get(key, []), word, CHAIN_LENGTHS["twist"])
        self._take("pelvis", self._pelvis(names.get("pelvis", [])))
        for key in _CHAINS:
            self._take_chain(key, names.get(key, []), "", CHAIN_LENGTHS[key])
        root = self._find(names.get("root", []))
        pelvis = self.bones.get("pelvis")
        if root and pelvis and ("pelvis" in self.family.attached or self._above(root, pelvis)):
            self._take("root", root)
        share = sum(slot in self.bones for slot in CORE) / len(CORE)
        attached, carried = (
            {slot for key in keys for slot in (key, *(f"{side}_{key}" for side in SIDES))}
            for keys in (self.family.attached, self.family.carried)
        )
        return Mapping(
            bones=self.bones,
            by=dict.fromkeys(self.bones, "name"),
            family=self.family.key,
            label=self.family.label,
            confidence=share * (0.5 + 0.5 * soundness(self.bones, self.rig, attached | carried)),
            attached=frozenset(slot for slot in attached if slot in self.bones),
            carried=frozenset(slot for slot in carried if slot in self.bones),
            settings=self._settings(self.family.settings, self.sides),
            ik=self._ik(),
            idle=tuple(self._named(self.family.idle, self.sides)),
        ).ordered()

    def _above(self, upper: str, lower: str) -> bool:
        return self.rig.is_above(self.rig.index[upper], self.rig.index[lower])

    def _names(self, pattern: str, word: str) -> list[str]:
        if not word:
            return [canonical(pattern)]
        wheres = self.family.side_patterns or ("{b}",)
        return [canonical(where.replace("{b}", pattern).replace("{s}", word)) for where in wheres]

    def _all(self, patterns: list[Any], word: str = "") -> list[str]:
        """Every bone that one of the patterns names and that plays no part yet, in the tables' order."""
        found: list[str] = []
        for pattern in patterns:
            for name in self._names(pattern, word):
                bone = self.table.get(name)
                if bone is not None and bone not in found and bone not in self.bones.values():
                    found.append(bone)
        return found

    def _find(self, patterns: list[Any], word: str = "") -> str | None:
        return next(iter(self._all(patterns, word)), None)

    def _take(self, slot: str, bone: str | None) -> None:
        if bone is not None:
            self.bones[slot] = bone

    def _pelvis(self, patterns: list[Any]) -> str | None:
        """The bone that both legs and the chest hang on, where several could be the hips."""
        candidates = self._all(patterns)
        carried = ("left_hip", "right_hip", "left_shoulder", "right_shoulder", "head")
        parts = [self.bones[slot] for slot in carried if slot in self.bones]
        return next((c for c in candidates if all(self._above(c, part) for part in parts)), None) or next(
            iter(candidates), None
        )

    def _take_chain(self, slot: str, patterns: list[Any], word: str, length: int) -> None:
        found = sorted(self._all(patterns, word), key=lambda bone: self.rig.index[bone])
        # What stands beside the chain (a breast called "chest.L", an end bone) is no part of it.
        head, carried = self.bones.get("head"), self.bones.get("left_shoulder")
        if slot in _CHAINS and "pelvis" not in self.family.attached:
            through = head if slot == "neck" or head is not None else carried
            if through is not None:
                found = [bone for bone in found if self._above(bone, through)]
        for i, bone in enumerate(found[:length], 1):
            self._take(f"{slot}.{i}", bone)

    def _take_finger(self, slot: str, patterns: list[Any], word: str) -> None:
        for pattern in patterns:
            triple = (
                [pattern.replace("{n}", str(i)) for i in (1, 2, 3)] if isinstance(pattern, str) else pattern
            )
            found = [self._find([name], word) for name in triple]
            if found[0] is not None:
                for i, bone in enumerate(found, 1):
                    if bone is None:
                        break
                    self._take(f"{slot}{i}", bone)
                return

    def _named(self, patterns: Iterable[str], words: Iterable[str]) -> Iterator[str]:
        """The rig's own names of the bones that patterns stand for, on the sides of ``words``."""
        for pattern in patterns:
            for word in words if "{s}" in pattern else ("",):
                name = self.table.get(canonical(pattern.replace("{s}", word)))
                if name is not None:
                    yield name

    def _settings(
        self, settings: dict[str, dict[str, float]], words: Iterable[str]
    ) -> dict[str, dict[str, float]]:
        return {
            name: dict(values) for bone, values in settings.items() for name in self._named([bone], words)
        }

    def _ik(self) -> dict[str, IkControls]:
        """Limb to its controls, where the rig has both the goal and the pole."""
        found: dict[str, IkControls] = {}
        for side, word in zip(SIDES, self.sides, strict=True):
            for kind, ik in self.family.ik.items():
                goal, pole, toe = (
                    next(self._named([name], (word,)), "") for name in (ik.goal, ik.pole, ik.toe)
                )
                if goal and pole:
                    settings = self._settings(ik.settings, (word,))
                    found[f"{side}_{kind}"] = replace(ik, goal=goal, pole=pole, toe=toe, settings=settings)
        return found
