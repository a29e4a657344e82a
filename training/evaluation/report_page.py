"""The numbers of an evaluation as one page, Markdown or HTML, with plots."""

from __future__ import annotations

import base64
import html
import io
import os
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backend.errors import BadInput
from .summary import SPLITS

WHO = {"generated": "generated", "captured": "captured motion", "search": "nearest caption's motion"}
COLOURS = {"generated": "#2a6f97", "captured": "#8a8a8a", "search": "#c98b2b"}
RIGHT = {
    "": "strict",
    "_recording": "told in the same words counts too",
    "_action": "same action counts too",
}
PHYSICS = {
    "foot_skate": "mean speed of feet in contact, cm/s",
    "skate_share": "share of contact frames above 2.5 cm/s",
    "penetration": "mean floor penetration, cm",
    "jerk": "mean jerk, m/s³",
}


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Table:
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Figure:
    """A plot: its name, what it shows in one sentence, and the PNG."""

    name: str
    caption: str
    png: bytes


Block = Heading | Paragraph | Table | Figure


def check_page(path: Path) -> None:
    """Raises :class:`BadInput` where the page's kind cannot be told from its name."""
    if path.suffix.lower() not in (".md", ".html", ".htm"):
        raise BadInput(f"The page {path.name} is to end in .md or .html.", field="page")


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Under a temporary name first, so that what is there is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def write_page(numbers: dict[str, Any], path: Path) -> None:
    """The page; plots of a Markdown page lie in a folder beside it, those of an HTML page inside it.

    Raises:
        BadInput: the name ends in neither.
    """
    check_page(path)
    title, blocks = f"Pack {numbers['pack']}, measured", page(numbers)
    if path.suffix.lower() == ".md":
        folder = path.with_name(path.stem + "-plots")
        for figure in blocks:
            if isinstance(figure, Figure):
                write_bytes(folder / f"{figure.name}.png", figure.png)
        write_text(path, _markdown(title, blocks, folder.name))
    else:
        write_text(path, _html(title, blocks))


# ------------------------------------------------------------------------------------- content


def page(numbers: dict[str, Any]) -> list[Block]:
    """What the page says, in order; what was not measured is left out."""
    settings = numbers["settings"]
    blocks: list[Block] = [
        Paragraph(
            f"Sets: {', '.join(settings['datasets'])}. {settings['cases']} captions of each kind at most, "
            f"{settings['validation_segments']} validation segments, seed {settings['seed']}, "
            f"{settings['replications']} replications. ± is half of the 95 % interval over captions. "
            f"Plans written for each clip, of which one is kept: {settings['candidates']}."
        ),
        *(Paragraph(f"Not measured: {sentence}") for sentence in settings["missing"]),
    ]
    for part in (
        _targets, _text, _variety, _sliders, _halves, _told, _action, _physics, _tokenizers, _other_runs, _groups,
    ):  # fmt: skip
        blocks += part(numbers)
    if not settings["alignment"]:
        blocks.append(
            Paragraph("No alignment model was given: R-precision, FID and variety are not measured.")
        )
    return blocks


def _pm(number: dict[str, float] | None, digits: int = 3) -> str:
    return "–" if number is None else f"{number['mean']:.{digits}f} ± {number['half']:.{digits}f}"


def _plain(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _text(numbers: dict[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    for split, table in numbers["text"].items():
        blocks.append(Heading(f"Text to motion, {table['captions']} {SPLITS[split]}"))
        rows = []
        for who, label in WHO.items():
            found = table[who]
            rows.append(
                [label, *(_pm(found.get(f"R{k}")) for k in (1, 2, 3))]
                + [_plain(found[f"R3{s}"]["mean"] if f"R3{s}" in found else None) for s in RIGHT if s]
                + [_pm(found.get(key)) for key in ("mm_dist", "fid", "diversity")]
            )
        if "R3" in table["generated"]:
            by_chance = {
                name: found["chance"] for name, found in table["generated"].items() if name[0] == "R"
            }
            names = ("R1", "R2", "R3", *(f"R3{s}" for s in RIGHT if s))
            rows.append(["chance", *(_plain(by_chance[name]) for name in names), "", "", ""])
        header = ["", "R@1", "R@2", "R@3", *(f"R@3, {RIGHT[s]}" for s in RIGHT if s)]
        blocks.append(Table([*header, "MM-dist", "FID", "diversity"], rows))
        subset = table.get("training_subset_fid")
        if subset:
            ratio = table["generated"]["fid"]["mean"] / max(subset["mean"], 1e-9)
            blocks.append(
                Paragraph(
                    f"FID is to the validation motion; as many captured clips of the training set have "
                    f"{_pm(subset)}, so the generated ones have {ratio:.2f} times as much."
                )
            )
        if "R3" not in table["generated"]:
            blocks.append(Paragraph("Too few captions for R-precision in groups of 32."))
    if any("R3" in table["generated"] for table in numbers["text"].values()):
        blocks.append(
            Figure("r-precision", "R-precision@3 in groups of 32, strict.", _plot(_bars, numbers["text"]))
        )
    return blocks


def _targets(numbers: dict[str, Any]) -> list[Block]:
    said = {True: "yes", False: "no", None: "not measured"}
    rows = [
        [row["name"], row["to_reach"], _plain(row["value"]), said[row["met"]], row["note"]]
        for row in numbers["targets"]
    ]
    return [Heading("Targets"), Table(["target", "to reach", "measured", "met", ""], rows)]


def _sliders(numbers: dict[str, Any]) -> list[Block]:
    found = numbers.get("sliders")
    if not found:
        return []
    rows = []
    for slider, each in found["sliders"].items():
        kept = [_plain(value, 2) for value in each.get("R3", [])]
        places = zip(each["measured"], each["ranks"], strict=True)
        rows.append([slider, _pm(each["spearman"], 2), *(f"{_plain(v)} ({_plain(r, 2)})" for v, r in places)])
        rows[-1] += [", ".join(kept) or "–", _plain(each.get("drop"), 2)]
    header = ["slider", "Spearman", *(f"measured at {level:g}" for level in found["levels"])]
    free = f" Without sliders R-precision@3 is {_pm(found['R3'], 2)}." if "R3" in found else ""
    return [
        Heading(f"Style sliders, {len(found['prompts'])} prompts"),
        Table([*header, "R@3 at these levels", "R@3 lost"], rows),
        Paragraph(
            "Spearman's correlation of slider and measurement, mean over prompts; in brackets the rank among "
            "captured motion, which is what the slider asks for. R-precision@3 is of a clip "
            f"among 31 captured ones of other actions.{free}"
        ),
        Figure(
            "sliders", "What is measured against the slider; grey: single prompts.", _plot(_curves, found)
        ),
    ]


def _halves(numbers: dict[str, Any]) -> list[Block]:
    found = numbers.get("halves")
    if not found:
        return []
    rows = []
    ways = {"halves": "each half by its own prompt", "one_sentence": "both in one sentence"}
    for key, label in ways.items():
        if found[key] is None:
            continue
        each, space = found[key], found[key].get("space")
        rows.append(
            [label, *(_pm(each[half], 2) for half in ("upper", "lower", "both", "false"))]
            + [_pm(space[half], 2) if space else "–" for half in ("upper", "lower")]
        )
    header = ["asked", "arms shown", "legs shown", "both", "rules of other arms fire"]
    actions = []
    own = found["halves"] and found["halves"]["actions"]
    for half, shares in found["one_sentence"]["actions"].items():
        for does, value in shares.items():
            trust = found["trust"][does]
            actions.append(
                [half, does, _plain(own[half][does] if own else None, 2), _plain(value, 2)]
                + [f"{trust['shown']} of {trust['clips']}", f"{trust['false']} of {trust['others']}"]
            )
    captured = found.get("trust_space") or {}
    told = "; ".join(
        f"{half}: {_pm(each, 2)} of {each['clips']:.0f} clips" for half, each in captured.items() if each
    )
    return [
        Heading(f"Prompts of the halves, {found['pairs']} pairs"),
        Table([*header, "arms nearest in the space", "legs nearest in the space"], rows),
        Table(
            [
                "half",
                "asked",
                "shown",
                "in one sentence",
                "captured clips: shown",
                "captured clips of others: false",
            ],
            actions,
        ),
        Paragraph(
            "Shown: by rules on joint positions; the last two columns are the same rules on captured clips "
            "whose captions tell of the action, or of others. Nearest in the space: nearest to the own prompt "
            f"among all prompts of the half, in the alignment model's view of it (chance 0.1 for arms, 0.2 for "
            f"legs).{' Captured clips are nearest to theirs: ' + told + '.' if told else ''}"
        ),
    ]


def _told(numbers: dict[str, Any]) -> list[Block]:
    found = numbers.get("told")
    if not found:
        return []
    labels = {"bleu1": "BLEU-1", "bleu4": "BLEU-4", "similarity": "cosine of sentence embeddings"}
    rows = [[label, _pm(found[key]), _plain(found["shuffled"][key])] for key, label in labels.items()]
    examples = [[row["told"], row["captions"][0]] for row in found["rows"][:8]]
    return [
        Heading(f"Told in words, {found['clips']} captured clips"),
        Table(["", "own captions", "captions of other clips"], rows),
        Table(["told", "first caption"], examples),
    ]


def _variety(numbers: dict[str, Any]) -> list[Block]:
    found = numbers.get("variety")
    if not found:
        return []
    rows = [
        [action, prompt, _plain(each["generated"]), _plain(each["real"]), _plain(each["ratio"], 2)]
        for (action, each), prompt in zip(found["actions"].items(), found["prompts"], strict=True)
    ]
    rows.append(
        ["all", "", _pm(found["generated"]), _pm(found["real"]), _plain(found["ratio"], 2)],
    )
    return [
        Heading(f"Variety: {found['samples']} clips of one prompt against real clips of its action"),
        Table(["action", "prompt", "multimodality", "spread of real clips", "ratio"], rows),
    ]


def _action(numbers: dict[str, Any]) -> list[Block]:
    keys = ("match", "match_3", "captured", "search", "chance")
    rows = [
        [SPLITS[split], str(numbers[split]["cases"]), *(_plain(numbers[split][key], 2) for key in keys)]
        for split in SPLITS
        if split in numbers
    ]
    if not rows:
        return []
    return [
        Heading("Does the nearest captured motion carry the action asked for"),
        Table(
            ["captions", "cases", "generated", "one of nearest 3", "captured", "nearest caption", "chance"],
            rows,
        ),
    ]


def _physics(numbers: dict[str, Any]) -> list[Block]:
    rows = []
    for split, table in numbers["physics"].items():
        for key, label in PHYSICS.items():
            each = table[key]
            rows.append(
                [
                    SPLITS[split],
                    label,
                    _pm(each["generated"]),
                    _pm(each["captured"]),
                    _plain(each["ratio"], 2),
                ]
            )
    title = Heading("Physics after clean-up, contacts found the same way on both")
    return [title, Table(["captions", "", "generated", "captured", "ratio"], rows)]


def _tokenizers(numbers: dict[str, Any]) -> list[Block]:
    found = numbers["tokenizers"]
    if not found:
        return []
    rows = [
        [
            part,
            _plain(each["mpjpe_mm"], 1),
            _plain(each["rotation_deg"], 2),
            _plain(each.get("root_drift_10s_cm_mean"), 1),
            _plain(each.get("root_drift_10s_cm_median"), 1),
        ]
        for part, each in found.items()
    ]
    header = ["part", "joints, mm", "rotations, °", "root drift in 10 s, mean cm", "median cm"]
    return [Heading("Through the tokenizers and back, whole validation motions"), Table(header, rows)]


def _other_runs(numbers: dict[str, Any]) -> list[Block]:
    runs = {f"without {name.replace('_', ' ')}": run for name, run in numbers["ablations"].items()}
    runs |= {f"guidance {scale}": run for scale, run in numbers["guidance"].items()}
    runs |= {f"{count} steps": run for count, run in numbers.get("steps", {}).items()}
    if not runs:
        return []
    split = "val" if "val" in numbers["cases"] else "train"
    text = numbers["text"].get(split, {}).get("generated")
    whole = {"match": numbers.get(split, {}).get("match"), "text": text, "physics": numbers["physics"][split]}
    rows = []
    for name, run in {"as it is": whole, **runs}.items():
        found = run.get("text") or {}
        rows.append(
            [name, _pm(found.get("R3")), _pm(found.get("fid")), _pm(found.get("mm_dist"))]
            + [_plain(run["match"], 2)]
            + [_plain(run["physics"][key]["generated"]["mean"]) for key in ("foot_skate", "jerk")]
        )
    blocks: list[Block] = [
        Heading(f"Other ways to perform the {SPLITS[split]}"),
        Table(["", "R@3", "FID", "MM-dist", "action right", "foot skate, cm/s", "jerk, m/s³"], rows),
    ]
    if len(numbers["guidance"]) > 1 and text:
        blocks.append(
            Figure(
                "guidance",
                "Guidance of the diffusion model: R-precision@3 and FID.",
                _plot(_sweep, numbers["guidance"]),
            )
        )
    return blocks


def _groups(numbers: dict[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    for key, table in numbers["tables"].items():
        rows = [
            [name, f"{each['cases']:.0f}", _plain(each["match"], 2), _plain(each["R3"], 2)]
            + [_plain(each[number]) for number in ("mm_dist", "foot_skate", "jerk")]
            for name, each in table.items()
        ]
        header = [key, "cases", "action right", "R@3", "MM-dist", "foot skate, cm/s", "jerk, m/s³"]
        blocks += [Heading(f"By {'action' if key == 'action' else 'data set'}"), Table(header, rows)]
    return blocks


# --------------------------------------------------------------------------------------- plots


def _plot(draw: Callable[[Any, dict[str, Any]], None], found: dict[str, Any]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(7.0, 3.2), layout="constrained")
    FigureCanvasAgg(canvas)
    draw(canvas, found)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _bars(canvas: Any, text: dict[str, Any]) -> None:
    axes = canvas.subplots()
    shown = [split for split in text if "R3" in text[split]["generated"]]
    for i, (who, label) in enumerate(WHO.items()):
        found = [text[split][who]["R3"] for split in shown]
        axes.bar(
            [at + 0.27 * (i - 1) for at in range(len(shown))],
            [each["mean"] for each in found],
            width=0.25,
            yerr=[each["half"] for each in found],
            capsize=3,
            label=label,
            color=COLOURS[who],
        )
    axes.axhline(3 / 32, color="black", linewidth=0.8, linestyle=":", label="chance")
    axes.set_xticks(range(len(shown)), [textwrap.fill(SPLITS[split], 16) for split in shown])
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("R-precision@3")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def _curves(canvas: Any, found: dict[str, Any]) -> None:
    for i, (slider, each) in enumerate(found["sliders"].items()):
        axes = canvas.add_subplot(1, len(found["sliders"]), i + 1)
        for row in each["rows"]:
            axes.plot(found["levels"], row, color="#cccccc", linewidth=0.8)
        axes.plot(found["levels"], each["measured"], marker="o", color=COLOURS["generated"])
        axes.set_xlabel(f"slider {slider}")
        axes.set_title(f"Spearman {each['spearman']['mean']:.2f}", fontsize=9)


def _sweep(canvas: Any, guidance: dict[str, Any]) -> None:
    scales = sorted(guidance, key=float)
    for i, (key, label) in enumerate((("R3", "R-precision@3"), ("fid", "FID"))):
        axes = canvas.add_subplot(1, 2, i + 1)
        shown = [scale for scale in scales if key in guidance[scale].get("text", {})]
        found = [guidance[scale]["text"][key] for scale in shown]
        axes.errorbar(
            [float(scale) for scale in shown],
            [each["mean"] for each in found],
            yerr=[each["half"] for each in found],
            marker="o",
            capsize=3,
            color=COLOURS["generated"],
        )
        axes.set_xlabel("guidance")
        axes.set_ylabel(label)


# --------------------------------------------------------------------------------------- form


def _markdown(title: str, blocks: Sequence[Block], folder: str) -> str:
    def row(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    parts = [f"# {title}"]
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"## {block.text}")
        elif isinstance(block, Paragraph):
            parts.append(block.text)
        elif isinstance(block, Table):
            lines = [row(block.header), "|" + "---|" * len(block.header), *map(row, block.rows)]
            parts.append("\n".join(lines))
        else:
            parts.append(f"![{block.caption}]({folder}/{block.name}.png)")
    return "\n\n".join(parts) + "\n"


STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .7em;border-bottom:1px solid #ddd;"
    "text-align:left}img{max-width:100%}"
)


def _html(title: str, blocks: Sequence[Block]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    parts = [f"<h1>{html.escape(title)}</h1>"]
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"<h2>{html.escape(block.text)}</h2>")
        elif isinstance(block, Paragraph):
            parts.append(f"<p>{html.escape(block.text)}</p>")
        elif isinstance(block, Table):
            lines = [row(block.header, "th"), *(row(cells, "td") for cells in block.rows)]
            parts.append("<table>\n" + "\n".join(lines) + "\n</table>")
        else:
            source = "data:image/png;base64," + base64.b64encode(block.png).decode()
            parts.append(f'<p><img alt="{html.escape(block.caption)}" src="{source}"></p>')
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )
