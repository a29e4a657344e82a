"""Numbers of an evaluation, put together: physics beside captured motion, tables by action, the few that a card has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .text_metrics import Number

SPLITS = {
    "train": "training captions",
    "balanced": "training captions, each action as often",
    "val": "new captions",
    "reworded": "new captions in other words",
}
PHYSICS = {
    "foot_skate": "mean speed of feet in contact in cm/s",
    "skate_share": "share of contact frames above 2.5 cm/s",
    "penetration": "mean floor penetration in cm",
    "jerk": "mean jerk in m/s3",
}


def physics_table(generated: list[dict[str, float]], captured: list[dict[str, float]]) -> dict[str, Any]:
    """Means over clips with 95 % intervals, generated and captured, and the ratio of the means."""

    def mean(reports: list[dict[str, float]], key: str) -> Number:
        values = [report[key] for report in reports]
        return {
            "mean": float(np.mean(values)),
            "half": float(1.96 * np.std(values) / np.sqrt(len(values))),
        }

    table: dict[str, Any] = {}
    for key in generated[0]:
        ours, theirs = mean(generated, key), mean(captured, key)
        ratio = ours["mean"] / theirs["mean"] if theirs["mean"] > 1e-9 else None
        table[key] = {"generated": ours, "captured": theirs, "ratio": ratio}
    return table


def tables(rows: Sequence[dict[str, Any]], key: str) -> dict[str, dict[str, float | None]]:
    """Means of the cases' numbers by the value of ``key``, the most frequent first; None where none has
    the number."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in rows:
        groups.setdefault(each[key], []).append(each)
    result: dict[str, dict[str, float | None]] = {}
    for value, members in sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        result[value] = {"cases": float(len(members))}
        for name in ("match", "R3", "R3_recording", "mm_dist", "foot_skate", "skate_share", "jerk"):
            known = [m[name] for m in members if m.get(name) is not None]
            result[value][name] = float(np.mean(known)) if known else None
    return result


def headline(numbers: dict[str, Any]) -> dict[str, float]:
    """The few numbers that go into pack.toml and the card."""
    result: dict[str, float] = {}
    for split, name in SPLITS.items():
        if split not in numbers:
            continue
        found = numbers[split]
        spread = 1.96 * np.sqrt(found["match"] * (1 - found["match"]) / found["cases"])
        result[f"{name}: action of the nearest clip right"] = found["match"]
        result[f"{name}: half of its 95 % interval"] = float(spread)
        result[f"{name}: right in one of the nearest three"] = found["match_3"]
        result[f"{name}: the same for captured motion"] = found["captured"]
        result[f"{name}: the same for the nearest caption's motion"] = found["search"]
        result[f"{name}: by chance"] = found["chance"]
        if split in ("balanced", "reworded"):
            continue
        for key, label in PHYSICS.items():
            for who in ("generated", "captured"):
                result[f"{name}: {label}, {who}"] = numbers["physics"][split][key][who]["mean"]
    for split, table in numbers.get("text", {}).items():
        name = SPLITS[split]
        for who, label in (("generated", "generated"), ("captured", "captured"), ("search", "nearest caption's motion")):  # fmt: skip
            if "R3" in table[who]:
                result[f"{name}: R-precision@3 of 32, {label}"] = table[who]["R3"]["mean"]
                result[f"{name}: the same, other clips told in the same words are right too, {label}"] = (
                    table[who]["R3_recording"]["mean"]
                )
        if "fid" in table["generated"] and table["training_subset_fid"]:
            result[f"{name}: FID to validation motion, generated"] = table["generated"]["fid"]["mean"]
            result[f"{name}: FID of as many training clips"] = table["training_subset_fid"]["mean"]
    for part, errors in numbers.get("tokenizers", {}).items():
        result[f"tokenizer, {part}: joint error in mm"] = errors["mpjpe_mm"]
    if numbers.get("variety"):
        result["variety: multimodality against real clips of the action"] = numbers["variety"]["ratio"]
    for slider, found in ((numbers.get("sliders") or {}).get("sliders") or {}).items():
        result[f"slider {slider}: Spearman with what is measured"] = found["spearman"]["mean"]
        if "drop" in found:
            result[f"slider {slider}: share of R-precision@3 lost"] = found["drop"]
    for half in ("upper", "lower") if (numbers.get("halves") or {}).get("halves") else ():
        result[f"prompts of the halves: {half} half recognised"] = numbers["halves"]["halves"][half]["mean"]
    if numbers.get("told"):
        for key, label in (
            ("bleu1", "BLEU-1"),
            ("bleu4", "BLEU-4"),
            ("similarity", "similarity of sentences"),
        ):
            result[f"told in words: {label}"] = numbers["told"][key]["mean"]
    if numbers.get("speed"):
        result["seconds for a clip of 6 s, warm"] = numbers["speed"]["seconds"]
    costs = [numbers[split]["compute_seconds_per_second"] for split in SPLITS if split in numbers]
    if costs:
        result["seconds of computing per second of motion (torch, CPU)"] = costs[0]
    return result


def report(numbers: dict[str, Any]) -> str:
    """A readable summary."""
    lines = [f"Pack {numbers['pack']}"]
    for split in (split for split in SPLITS if split in numbers):
        lines += ["", f"{numbers[split]['cases']} {SPLITS[split]}:"]
        for each in numbers[split]["rows"]:
            mark = "=" if each["match"] else "~" if each["match_3"] else "x"
            lines.append(f"  {mark} {each['action']:10} {each['caption'][:58]:58} -> {each['nearest'][:58]}")
    lines.append("")
    lines += [f"  {name}: {value:.4g}" for name, value in headline(numbers).items()]
    return "\n".join(lines)
