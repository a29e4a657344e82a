"""The architectures of other systems beside our engines: what a clip of ten seconds costs on this CPU.

.venv/bin/python benchmarks/peers.py [--runs 5] [--pack open] [--out FILE.md]

Each peer is built from its published sizes with random weights and runs the loops that its sampler runs, in torch, on
as many threads as torch takes. Costs do not depend on the weights. Where something is left out (projections at a
network's ends, cross-attention to a single token, post-processing, files), it is left out in the peer's favour, while
ours is timed from the prompt to the npz. Everybody gets one turn in every round, with prompts that nobody has seen, so
that nothing is remembered and whatever else the machine does meets all alike.

Sizes: MDM (Tevet et al. 2023, its release with 50 steps), MLD (Chen et al. 2023), T2M-GPT (Zhang et al. 2023), MoMask
(Guo et al. 2024), MotionLCM (Dai et al. 2024, one step), SynTalker (Chen et al. 2024).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import engines
import quality
import torch
from torch import nn
from torch.nn import functional

SECONDS = 10
PROMPT_WORDS = 12
"""Word pieces of the prompt, for encoders that do not pad."""


@dataclass(frozen=True)
class Size:
    """A stack of transformer blocks."""

    layers: int
    width: int
    heads: int
    inner: int


CLIP_B = Size(12, 512, 8, 2048)  # text towers: 77 tokens always
CLIP_L = Size(12, 768, 12, 3072)
SENTENCE_T5_LARGE = Size(24, 1024, 16, 4096)
SIZES = {
    "MDM, 50 steps": (CLIP_B, Size(8, 512, 4, 1024)),
    "MLD, 50 steps": (CLIP_L, Size(9, 256, 4, 1024)),
    "MotionLCM, 1 step": (SENTENCE_T5_LARGE, Size(9, 256, 4, 1024)),
    "T2M-GPT": (CLIP_B, Size(18, 1024, 16, 4096)),
    "T2M-GPT with a key-value cache": (CLIP_B, Size(18, 1024, 16, 4096)),
    "MoMask": (CLIP_B, Size(8, 384, 6, 1024)),
    "SynTalker, denoiser alone": (None, Size(8, 512, 4, 1024)),
}
FRAMES = 20 * SECONDS
"""Of the text-to-motion peers, which work at 20 fps; four of them are a token."""


class Block(nn.Module):
    """A transformer block; with a cache it reads only what is new."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.norms = nn.ModuleList([nn.LayerNorm(size.width), nn.LayerNorm(size.width)])
        self.qkv, self.out = nn.Linear(size.width, 3 * size.width), nn.Linear(size.width, size.width)
        self.inner = nn.Sequential(
            nn.Linear(size.width, size.inner), nn.GELU(), nn.Linear(size.inner, size.width)
        )

    def forward(self, x: torch.Tensor, cache: list[torch.Tensor] | None = None) -> torch.Tensor:
        q, k, v = self.qkv(self.norms[0](x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if cache is not None:
            if cache:
                k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
            cache[:] = [k, v]
        x = x + self.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.inner(self.norms[1](x))


class Stack(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.width = size.width
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))

    def forward(self, x: torch.Tensor, caches: list[list[torch.Tensor]] | None = None) -> torch.Tensor:
        for index, block in enumerate(self.blocks):
            x = block(x, None if caches is None else caches[index])
        return x

    def read(self, rows: int, tokens: int) -> torch.Tensor:
        """One pass over so many tokens."""
        result: torch.Tensor = self(torch.randn(rows, tokens, self.width))
        return result


class Residual(nn.Module):
    """A residual block of the convolutional decoders, all of 512 channels."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(),
            nn.Conv1d(512, 512, 3, padding=dilation, dilation=dilation),
            nn.ReLU(),
            nn.Conv1d(512, 512, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.layers(x)
        return result


def convolutions() -> nn.Sequential:
    """The decoder of T2M-GPT's and MoMask's tokenizers: twice three residual blocks and a doubling."""
    doubling = [
        layer
        for _ in range(2)
        for layer in (
            *map(Residual, (9, 3, 1)),
            nn.Upsample(scale_factor=2),
            nn.Conv1d(512, 512, 3, padding=1),
        )
    ]
    return nn.Sequential(
        nn.Conv1d(512, 512, 3, padding=1),
        *doubling,
        nn.Conv1d(512, 512, 3, padding=1),
        nn.Conv1d(512, 263, 3),
    )


Clip = Callable[[], None]
"""Does what one clip takes."""


def diffusion_over_frames(text: Stack, body: Stack) -> Clip:
    """MDM: 50 steps over all frames and a token of condition, with and without the prompt."""

    def clip() -> None:
        text.read(1, 77)
        for _ in range(50):
            body.read(2, FRAMES + 1)

    return clip


def latent_diffusion(text: Stack, body: Stack, decoder: Stack, steps: int, rows: int, words: int) -> Clip:
    """MLD and MotionLCM: steps over one latent, time and prompt; then a transformer makes all frames of it.

    MLD guides (two rows); MotionLCM has the guidance distilled into it (one)."""

    def clip() -> None:
        text.read(rows, words)
        for _ in range(steps):
            body.read(rows, 3)
        decoder.read(1, FRAMES + 1)

    return clip


def tokens_in_turn(text: Stack, body: Stack, decoder: nn.Module, *, cached: bool) -> Clip:
    """T2M-GPT: a token for every four frames, each of which reads all before it, or what a cache holds of them."""

    def clip() -> None:
        text.read(1, 77)
        caches: list[list[torch.Tensor]] | None = [[] for _ in body.blocks] if cached else None
        for written in range(FRAMES // 4):
            body(torch.randn(1, 1 if cached else written + 1, body.width), caches)
        decoder(torch.randn(1, 512, FRAMES // 4))

    return clip


def tokens_unmasked(text: Stack, mask: Stack, residual: Stack, decoder: nn.Module) -> Clip:
    """MoMask: ten rounds of unmasking, then five levels of the residual, each with and without the prompt."""

    def clip() -> None:
        text.read(1, 77)
        for _ in range(10):
            mask.read(2, FRAMES // 4 + 1)
        for _ in range(5):
            residual.read(2, FRAMES // 4 + 1)
        decoder(torch.randn(1, 512, FRAMES // 4))

    return clip


def diffusion_over_windows(body: Stack) -> Clip:
    """SynTalker: windows of 128 frames at 30 fps that share 16; in each 50 steps of nine passes, one by one."""
    windows = 1 + -(-(30 * SECONDS - 128) // (128 - 16))

    def clip() -> None:
        for _ in range(windows * 50 * 9):
            body.read(1, 32)

    return clip


def peers() -> dict[str, tuple[Clip, float]]:
    """What each peer does for a clip, and its million parameters."""
    found = {}
    for name, (words, size) in SIZES.items():
        body = Stack(size)
        text = None if words is None else Stack(words)
        decoder: nn.Module | None = None
        others: list[nn.Module] = []
        clip: Clip
        if text is None:
            clip = diffusion_over_windows(body)
        elif name.startswith("MDM"):
            clip = diffusion_over_frames(text, body)
        elif name.startswith(("MLD", "MotionLCM")):
            decoder = Stack(size)
            slow = name.startswith("MLD")
            clip = latent_diffusion(
                text, body, decoder, 50 if slow else 1, 2 if slow else 1, 77 if slow else PROMPT_WORDS
            )
        elif name.startswith("T2M-GPT"):
            decoder = convolutions()
            clip = tokens_in_turn(text, body, decoder, cached="cache" in name)
        else:
            decoder, residual = convolutions(), Stack(size)
            others = [residual]
            clip = tokens_unmasked(text, body, residual, decoder)
        modules = [module for module in (text, body, decoder, *others) if module is not None]
        for module in modules:
            module.eval()
        found[name] = clip, sum(p.numel() for module in modules for p in module.parameters()) / 1e6
    return found


def measure(pack: str, runs: int) -> str:
    """The report, Markdown."""
    children = {name: engines.Child(name, pack) for name in ("onnx", "torch")}
    others = peers()
    clock: dict[str, list[float]] = {name: [] for name in (*children, *others)}
    processor: dict[str, list[float]] = {name: [] for name in clock}
    with torch.inference_mode():
        for run in range(runs):
            for name, child in children.items():
                prompt = f"{engines.PROMPT} {run + 1} times"
                answer = child.ask(prompt=prompt, seconds=float(SECONDS), seed=run)
                clock[name].append(answer["seconds"])
                processor[name].append(answer["processor"])
            for name, (clip, _) in others.items():
                began, used = time.perf_counter(), time.process_time()
                clip()
                clock[name].append(time.perf_counter() - began)
                print(f"{run + 1}/{runs} {name}: {clock[name][-1]:.2f} s", file=sys.stderr, flush=True)
                processor[name].append(time.process_time() - used)
    for child in children.values():
        child.close()
    median = statistics.median
    ours = median(clock["onnx"]), median(processor["onnx"])
    machine = (
        f"{os.cpu_count()} cores, {torch.get_num_threads()} threads of torch, load {os.getloadavg()[0]:.1f}"
    )
    lines = [
        f"A clip of {SECONDS} s, one sample; {machine}; medians of {runs}.",
        "Peers have random weights and go from the text to features, ours to the npz.",
        "",
        "| | parameters, M | clock, s | processor, s | clock against onnx | processor |",
        "|---|---|---|---|---|---|",
    ]
    for name in clock:
        label = f"understudy, {name}" if name in children else name
        size = f"{others[name][1]:.0f}" if name in others else ""
        took, used = median(clock[name]), median(processor[name])
        lines.append(
            f"| {label} | {size} | {took:.2f} | {used:.2f} | {took / ours[0]:.1f} x | {used / ours[1]:.1f} x |"
        )
    lines += ["", f"Quality, which random weights have not: {quality.sentence(pack)}"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pack", default="open")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, metavar="FILE.md")
    arguments = parser.parse_args()
    report = measure(arguments.pack, arguments.runs)
    print(report, end="")
    if arguments.out:
        arguments.out.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
