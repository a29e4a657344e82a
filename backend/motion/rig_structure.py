"""Recognising a rig by its structure, where names say nothing.

A biped's skeleton has two pairs of like branches, the legs and the arms, at the two ends of a trunk, and
something else above the arms, the head. Branches are alike when their bones agree in number and length;
which way is up follows from the legs, which way is forward from the feet, and so which side is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from .mapping import CHAIN_LENGTHS, FINGERS, SIDES, Mapping, twist_slots
from .rig import Rig

ALIKE = 0.85
"""Two branches whose bone lengths agree to this share are a pair."""
MOST_CERTAIN = 0.85
"""Structure alone never says more than this."""
_SHORT = 0.25  # a hip helper is at most this share of the whole leg
_THUMB = 0.35  # how far a thumb stands out from the next finger, see _fingers
_CROWN = 0.6  # of hips to shoulders; the joint of the head stands about 0.4 above these, the crown 0.8


@dataclass(frozen=True)
class _Pair:
    """Two like branches below one bone."""

    parent: int
    branches: tuple[list[int], list[int]]
    alike: float
    length: float


def recognise_structure(rig: Rig) -> Mapping:
    """The mapping that a rig's shape gives; empty, with a confidence of 0, where it is no biped's."""
    return _Reader(rig).mapping() if len(rig) >= 9 else Mapping()


class _Reader:
    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.points = rig.heads
        self.reach = np.zeros(len(rig))
        self.count = np.ones(len(rig), int)
        for i in reversed(range(len(rig))):
            for child in rig.children[i]:
                step = float(np.linalg.norm(self.points[child] - self.points[i]))
                self.reach[i] = max(self.reach[i], step + self.reach[child])
                self.count[i] += self.count[child]

    # --- branches -----------------------------------------------------------------------------------------

    def main_line(self, bone: int) -> list[int]:
        """From a bone along its longest way to an end."""
        line = [bone]
        while self.rig.children[line[-1]]:
            here = self.points[line[-1]]
            line.append(
                max(
                    self.rig.children[line[-1]],
                    key=lambda c: float(np.linalg.norm(self.points[c] - here) + self.reach[c]),
                )
            )
        return line

    def _lengths(self, line: list[int], parent: int) -> np.ndarray:
        points = self.points[[parent, *line]]
        return np.linalg.norm(np.diff(points, axis=0), axis=1)

    def pairs(self) -> list[_Pair]:
        """Like branches, the longest first."""
        found = []
        for parent in range(len(self.rig)):
            for a, b in combinations(self.rig.children[parent], 2):
                if self.count[a] < 2 or abs(self.count[a] - self.count[b]) > 0.1 * self.count[a]:
                    continue
                lines = self.main_line(a), self.main_line(b)
                if len(lines[0]) != len(lines[1]):
                    continue
                first, second = (self._lengths(line, parent) for line in lines)
                alike = float(1 - np.abs(first - second).sum() / max((first + second).sum(), 1e-12))
                apart = np.linalg.norm(self.points[lines[0][-1]] - self.points[lines[1][-1]])
                if alike > ALIKE and apart > 0.02 * self.rig.size:
                    found.append(_Pair(parent, lines, alike, float(first.sum())))
        return sorted(found, key=lambda pair: -pair.length)

    def mapping(self) -> Mapping:
        pairs = [pair for pair in self.pairs() if pair.length > 0.15 * self.rig.size]
        for one, other in combinations(pairs[:6], 2):
            legs, arms = (one, other) if self._depth(one) <= self._depth(other) else (other, one)
            found = self._body(legs, arms)
            if found is not None:
                return found
        return Mapping()

    def _depth(self, pair: _Pair) -> int:
        return len(self.rig.line(pair.parent))

    def _body(self, legs: _Pair, arms: _Pair) -> Mapping | None:
        """Name the parts of a body with these legs and arms; None where they make no body."""
        above_legs, above_arms = self.rig.line(legs.parent), self.rig.line(arms.parent)
        pelvis = next((bone for bone in above_arms if bone in above_legs), None)
        if pelvis is None or pelvis == arms.parent:
            return None
        spine = [bone for bone in reversed(above_arms) if self.rig.is_above(pelvis, bone)]
        ends = np.mean([self.points[line[-1]] for line in legs.branches], axis=0)
        up = self.points[arms.parent] - ends
        up = up / max(float(np.linalg.norm(up)), 1e-12)
        limbs = [self._leg(line, up) for line in legs.branches]
        hands = [self._arm(line) for line in arms.branches]
        if any(limb is None for limb in limbs) or any(hand is None for hand in hands):
            return None
        neck = self._neck(legs, arms, up)
        if neck is None or (self.points[neck[-1]] - self.points[arms.parent]) @ up <= 0:
            return None
        forward, certain = self._forward(limbs, up)  # type: ignore[arg-type]
        left = np.cross(up, forward)

        bones: dict[str, int] = {"pelvis": pelvis}
        if self.rig.line(pelvis)[-1] != pelvis:
            bones["root"] = self.rig.line(pelvis)[-1]
        for i, bone in enumerate(spine[: CHAIN_LENGTHS["spine"]], 1):
            bones[f"spine.{i}"] = bone
        for i, bone in enumerate(neck[:-1][: CHAIN_LENGTHS["neck"]], 1):
            bones[f"neck.{i}"] = bone
        bones["head"] = neck[-1]
        for parts in (limbs, hands):
            at = [self.points[next(iter(part.values()))] @ left for part in parts]  # type: ignore[union-attr]
            order = (0, 1) if at[0] >= at[1] else (1, 0)
            for side, k in zip(SIDES, order, strict=True):
                for part, bone in parts[k].items():  # type: ignore[union-attr]
                    bones[f"{side}_{part}"] = bone
        for side in SIDES:
            self._fingers(bones, side)
        names = {slot: self.rig.bones[bone] for slot, bone in bones.items()}
        notes = () if certain else ("Left and right are a guess: the feet do not show which way is forward.",)
        return Mapping(
            bones=names,
            by=dict.fromkeys(names, "structure"),
            label="by structure",
            confidence=MOST_CERTAIN
            * legs.alike
            * arms.alike
            * self._plausible(bones)
            * (1 if certain else 0.6),
            notes=notes,
        ).ordered()

    # --- parts --------------------------------------------------------------------------------------------

    def _split(self, line: list[int], end: int) -> tuple[int, int, int]:
        """Where a limb bends: indices in ``line`` of its first bone, of the middle joint and ``end``."""
        points = self.points[line[: end + 1]]
        way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        middle = 1 + int(np.argmin(np.abs(way[1:-1] / way[-1] - 0.5)))
        return 0, middle, end

    def _evenness(self, line: list[int], end: int) -> float:
        """How alike in length the two halves of a limb are, 0 to 1."""
        start, middle, end = self._split(line, end)
        points = self.points[[line[start], line[middle], line[end]]]
        first, second = np.linalg.norm(np.diff(points, axis=0), axis=1)
        return float(min(first, second) / max(first, second, 1e-12))

    def _leg(self, line: list[int], up: np.ndarray) -> dict[str, int] | None:
        points = self.points[line]
        steps = np.diff(points, axis=0)
        lengths = np.linalg.norm(steps, axis=1)
        down = -(steps @ up) / np.maximum(lengths, 1e-12)
        # A helper between the hips and the thigh lies across.
        if len(line) > 4 and down[0] < 0.8 and lengths[0] < _SHORT * lengths.sum():
            return self._leg(line[1:], up)
        total = float(lengths.sum())
        flat = [i for i in range(2, len(steps)) if down[i] < 0.75 and lengths[:i].sum() > 0.5 * total]
        end = flat[0] if flat else len(line) - 1
        if end < 2:
            return None
        hip, knee, ankle = self._split(line, end)
        found = {"hip": line[hip], "knee": line[knee], "ankle": line[ankle]}
        if end + 1 < len(line):
            found["foot"] = self._ball(line[end:])
        self._twists(found, line, "hip", hip, knee)
        self._twists(found, line, "knee", knee, ankle)
        return found

    def _ball(self, line: list[int]) -> int:
        """Where the toes bend, along a line of bones from the ankle to the end of the foot."""
        far = np.linalg.norm(self.points[line] - self.points[line[0]], axis=1)
        return line[1] if len(line) < 3 or far[1] > 0.5 * far[-1] else line[2]

    def _arm(self, line: list[int]) -> dict[str, int] | None:
        knuckles = [i for i, bone in enumerate(line) if self._is_hand(bone)]
        end = knuckles[-1] if knuckles else len(line) - 1
        if end < 2:
            return None
        # With a shoulder blade in front, the arm's two halves would be very unlike.
        blades = max(range(min(end - 1, 3)), key=lambda n: self._evenness(line[n:], end - n) - 0.02 * n)
        rest = line[blades:]
        end -= blades
        shoulder, elbow, wrist = self._split(rest, end)
        found = {"shoulder": rest[shoulder], "elbow": rest[elbow], "wrist": rest[wrist]}
        if blades:
            found["collar"] = line[0]
        self._twists(found, rest, "shoulder", shoulder, elbow)
        self._twists(found, rest, "elbow", elbow, wrist)
        return found

    def _is_hand(self, bone: int) -> bool:
        """Whether fingers begin at a bone: three branches, or two that go on."""
        children = self.rig.children[bone]
        return len(children) >= 3 or sum(self.count[child] >= 2 for child in children) >= 2

    def _twists(self, found: dict[str, int], line: list[int], joint: str, start: int, end: int) -> None:
        for slot, i in zip(twist_slots(joint), range(start + 1, end), strict=False):
            found[slot] = line[i]

    def _neck(self, legs: _Pair, arms: _Pair, up: np.ndarray) -> list[int] | None:
        """Bones from above the arms to the head, the head last."""
        taken = {arms.branches[0][0], arms.branches[1][0]}
        rest = [child for child in self.rig.children[arms.parent] if child not in taken]
        if not rest:
            return None
        line = [
            max(rest, key=lambda c: float(self.reach[c] + np.linalg.norm(self.rig.tails[c] - self.points[c])))
        ]
        while len(self.rig.children[line[-1]]) == 1:  # a head has none, or a face
            line.append(self.rig.children[line[-1]][0])
        shoulders = np.mean([self.points[arm[0]] for arm in arms.branches], axis=0)
        hips = np.mean([self.points[leg[0]] for leg in legs.branches], axis=0)
        # The crown is no head: it stands far higher above the shoulders than the joint of the head does.
        while len(line) > 1 and (self.points[line[-1]] - shoulders) @ up > _CROWN * ((shoulders - hips) @ up):
            line.pop()
        while len(line) > 1 and not self._rises(line[-2], line[-1], up):
            line.pop()  # a face that begins where the head does, a jaw before it
        if len(line) > 2:
            steps = np.linalg.norm(np.diff(self.points[line], axis=0), axis=1)
            if steps[-1] < 0.7 * steps[-2]:
                line.pop()  # the end bone of an exporter; the bones of a neck are of one length
        return line

    def _rises(self, lower: int, upper: int, up: np.ndarray) -> bool:
        step = self.points[upper] - self.points[lower]
        length = float(np.linalg.norm(step))
        return length > 0.01 * self.rig.size and float(step @ up) > 0.5 * length

    def _forward(self, limbs: list[dict[str, int]], up: np.ndarray) -> tuple[np.ndarray, bool]:
        """Where the toes point (3,), across ``up``; and whether they really show it."""
        total = np.zeros(3)
        for limb in limbs:
            ankle = self.points[limb["ankle"]]
            toes = self.points[limb["foot"]] if "foot" in limb else self.rig.tails[limb["ankle"]]
            total += toes - ankle
        flat = total - (total @ up) * up
        certain = float(np.linalg.norm(flat)) > 0.3 * float(np.linalg.norm(total)) > 0
        across = self.points[limbs[0]["hip"]] - self.points[limbs[1]["hip"]]
        # Forward lies across both up and the line between the hips, on the side of the toes.
        straight = np.cross(across, up)
        straight = straight / max(float(np.linalg.norm(straight)), 1e-12)
        return (straight if straight @ flat >= 0 else -straight), certain

    def _fingers(self, bones: dict[str, int], side: str) -> None:
        wrist = bones[f"{side}_wrist"]
        lines = [self.main_line(child) for child in self.rig.children[wrist]]
        hand = self.points[wrist]
        lines = [self._without_palm(line, hand) for line in lines if len(line) >= 2]
        if not 2 <= len(lines) <= 5:
            return
        middle = np.mean([self.points[line[0]] for line in lines], axis=0) - hand

        def outlying(line: list[int]) -> float:
            """How near the wrist a finger begins and how far it points away from the others."""
            start = self.points[line[0]] - hand
            way = self.points[line[1]] - self.points[line[0]]
            length = float(np.linalg.norm(middle))
            cosine = float(way @ middle) / max(float(np.linalg.norm(way)) * length, 1e-12)
            return float(np.linalg.norm(start)) / max(length, 1e-12) + 2.0 * cosine

        thumb, second = sorted(lines, key=outlying)[:2]
        if outlying(second) - outlying(thumb) < _THUMB:
            return  # no finger stands out: which one is the thumb would be a guess
        others = [line for line in lines if line is not thumb]
        others.sort(key=lambda line: float(np.linalg.norm(self.points[line[0]] - self.points[thumb[0]])))
        for finger, line in zip(FINGERS, [thumb, *others], strict=False):
            for i, bone in enumerate(line[:3], 1):
                bones[f"{side}_{finger}{i}"] = bone

    def _without_palm(self, line: list[int], hand: np.ndarray) -> list[int]:
        """A finger without its bone in the palm, which begins near the wrist."""
        if len(line) < 4:
            return line
        near, far = (float(np.linalg.norm(self.points[bone] - hand)) for bone in line[:2])
        return line[1:] if near < 0.5 * far else line

    def _plausible(self, bones: dict[str, int]) -> float:
        """How human the proportions are, 0 to 1."""

        def span(a: str, b: str) -> float:
            return float(np.linalg.norm(self.points[bones[a]] - self.points[bones[b]]))

        worst = 1.0
        for upper, middle, lower in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            for side in SIDES:
                joints = [f"{side}_{joint}" for joint in (upper, middle, lower)]
                first, second = (span(a, b) for a, b in pairwise(joints))
                ratio = min(first, second) / max(first, second, 1e-12)
                worst = min(worst, np.clip((ratio - 0.25) / 0.35, 0.0, 1.0))
        return float(worst)
