"""What a pack has to reach, beside what was measured: met, missed, or not measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

RETRIEVAL = {"bandai_namco": 0.9}
"""R-precision@3 to reach on the captions of a set, captured motion = 1."""
RETRIEVAL_ELSEWHERE = 0.75
JOINTS_MM, DRIFT_CM = 25.0, 10.0
FID_RATIO, PHYSICS_RATIO = 2.0, 1.2
SPEARMAN, DROP = 0.8, 0.1
HALVES, VARIETY = 0.8, 0.5
SPEED_S = 0.5
JUDGE = 0.5
"""R-precision@3 that captured motion itself must have, else the space can tell nothing and is no judge."""


@dataclass(frozen=True)
class Target:
    """One row. ``value`` is compared with ``limit``; both are ``None`` where nothing was measured."""

    name: str
    to_reach: str
    value: float | None
    met: bool | None
    note: str = ""


def _most(name: str, value: float | None, limit: float, unit: str = "", note: str = "") -> Target:
    met = None if value is None else value <= limit
    return Target(name, f"≤ {limit:g}{unit}", value, met, note)


def _least(name: str, value: float | None, limit: float, note: str = "") -> Target:
    met = None if value is None else value >= limit
    return Target(name, f"≥ {limit:g}", value, met, note)


def targets(numbers: dict[str, Any]) -> list[dict[str, Any]]:
    """Every target with what the evaluation found, ready for JSON."""
    return [asdict(row) for row in _rows(numbers)]


def _rows(numbers: dict[str, Any]) -> Iterator[Target]:
    tokenizers = numbers.get("tokenizers") or {}
    yield _most(
        "tokenizer: joint error of the body", tokenizers.get("body", {}).get("mpjpe_mm"), JOINTS_MM, " mm"
    )
    path = tokenizers.get("lower_trans", {})
    windows = path.get("root_drift_windows")
    note = f"median {path['root_drift_10s_cm_median']:.1f} cm, {windows:.0f} stretches" if windows else ""
    yield _most(
        "tokenizer: root drift over 10 s, mean", path.get("root_drift_10s_cm_mean"), DRIFT_CM, " cm", note
    )
    yield from _text(numbers)
    table: dict[str, Any] = numbers["physics"].get("val") or next(iter(numbers["physics"].values()), {})
    for key, name in (("foot_skate", "foot skate"), ("jerk", "jerk"), ("penetration", "floor penetration")):
        each = table.get(key)
        note = f"{each['generated']['mean']:.3g} against {each['captured']['mean']:.3g}" if each else ""
        yield _most(
            f"{name} after clean-up, captured = 1", each["ratio"] if each else None, PHYSICS_RATIO, note=note
        )
    sliders = (numbers.get("sliders") or {}).get("sliders", {})
    for name in ("tempo", "energy", "smoothness"):
        found = sliders.get(name, {})
        spearman = found.get("spearman")
        yield _least(
            f"slider {name}: Spearman", spearman["mean"] if spearman else None, SPEARMAN,
            f"± {spearman['half']:.2f}; from {found['ranks'][0]:.2f} to {found['ranks'][-1]:.2f} of captured motion" if spearman else "",
        )  # fmt: skip
        yield _most(f"slider {name}: R-precision@3 lost", found.get("drop"), DROP)
    halves = (numbers.get("halves") or {}).get("halves")
    for half in ("upper", "lower"):
        each = halves[half] if halves else None
        yield _least(
            f"prompts of the halves: {half} half recognised", each["mean"] if each else None, HALVES,
            f"± {each['half']:.2f}" if each else "",
        )  # fmt: skip
    variety = numbers.get("variety")
    yield _least(
        "variety: 8 seeds of one prompt, real clips = 1", variety["ratio"] if variety else None, VARIETY
    )
    speed = numbers.get("speed")
    yield _most(
        "a clip of 6 s, warm", speed["seconds"] if speed else None, SPEED_S, " s",
        f"{speed['processor_seconds']:.2f} s of processor time, threads: {speed['threads']}, {speed['device']}" if speed else "",
    )  # fmt: skip


def _judged(row: Target, captured: dict[str, float] | None) -> Target:
    """The row, undecided where the alignment space does not even recognise captured motion."""
    if captured is None or captured["mean"] >= JUDGE:
        return row
    said = f"undecided: the space knows captured motion in {captured['mean']:.2f} only"
    return replace(row, met=None, note=f"{row.note}; {said}")


def _text(numbers: dict[str, Any]) -> Iterator[Target]:
    text, sets = numbers.get("text", {}), numbers["settings"]["datasets"]
    limit = max((RETRIEVAL[name] for name in sets if name in RETRIEVAL), default=RETRIEVAL_ELSEWHERE)
    table = text.get("val", {})
    key = "R3_recording"
    ours, theirs = (table.get(who, {}).get(key) for who in ("generated", "captured"))
    ratio = ours["mean"] / max(theirs["mean"], 1e-9) if ours and theirs else None
    note = f"{ours['mean']:.3f} ± {ours['half']:.3f} against {theirs['mean']:.3f}" if ours and theirs else ""
    row = _least("R-precision@3 of 32, new captions, captured = 1", ratio, limit, note)
    yield _judged(row, theirs)
    table = text.get("reworded", {})
    ours, search, theirs = (table.get(who, {}).get(key) for who in ("generated", "search", "captured"))
    above = ours["mean"] - search["mean"] if ours and search else None
    note = f"{ours['mean']:.3f} against {search['mean']:.3f}" if ours and search else ""
    row = Target(
        "R-precision@3 in other words, above the nearest caption's motion",
        "> 0", above, None if above is None else above > 0, note,
    )  # fmt: skip
    yield _judged(row, theirs)
    table = text.get("val", {})
    found, subset = table.get("generated", {}).get("fid"), table.get("training_subset_fid")
    ratio = found["mean"] / max(subset["mean"], 1e-9) if found and subset else None
    note = f"{found['mean']:.3f} against {subset['mean']:.3f}" if found and subset else ""
    yield _most("FID to validation motion, training subset = 1", ratio, FID_RATIO, note=note)
