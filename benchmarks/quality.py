"""What a pack is worth, for beside its speed: figures of its card, for the files that it has now.

Speed is measured with the pack's own settings (steps, guidance, clean-up), and its card was measured with them, too
(``understudy-train evaluate``, see docs/evaluation.md). The engines' clips agree to a thousandth of a radian, so that
the figures hold for both. Finding the pack compares its files with the checksums of the card.
"""

from __future__ import annotations

from typing import Any

CAPTIONS = "new captions: "
"""Of clips that no model has seen."""
COLUMNS = {
    "R@3 of 32": ("R-precision@3 of 32, generated", "R-precision@3 of 32, captured", "{:.2f}"),
    "FID": ("FID to validation motion, generated", "FID of as many training clips", "{:.2f}"),
    "skate, cm/s": (
        "mean speed of feet in contact in cm/s, generated",
        "mean speed of feet in contact in cm/s, captured",
        "{:.1f}",
    ),
}
"""Head of a column: what is generated, what it is compared with, how it is written."""


def columns(pack: str) -> dict[str, str]:
    """Head and cell, "generated (captured)", of every column."""
    metrics = _metrics(pack)
    return {
        f"{head} (captured)": f"{_cell(metrics, made, form)} ({_cell(metrics, captured, form)})"
        for head, (made, captured, form) in COLUMNS.items()
    }


def sentence(pack: str) -> str:
    """All of it in one line."""
    from understudy.backend.packs.config import read_config
    from understudy.backend.packs.finding import find_pack

    found = find_pack(pack)
    steps = read_config(found.path).sampling.steps
    values = ", ".join(f"{head} {cell}" for head, cell in columns(pack).items())
    return f"Quality of `{found.name}` {found.version} at {steps} diffusion steps, by its card: {values}."


def _metrics(pack: str) -> dict[str, Any]:
    import tomllib

    from understudy.backend.packs.finding import find_pack

    card = tomllib.loads((find_pack(pack).path / "pack.toml").read_text(encoding="utf-8"))
    return dict(card.get("metrics", {}))


def _cell(metrics: dict[str, Any], name: str, form: str) -> str:
    value = metrics.get(CAPTIONS + name)
    return "not measured" if value is None else form.format(value)
