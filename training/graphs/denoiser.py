"""The denoiser as a graph: one call over a batch, all conditions in it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...backend.models.diffusion_config import HALVES, DiffusionConfig
from .builder import BOOL, CONTRIB, FLOAT, INT32, INT64, Graph


def denoiser_graph(config: DiffusionConfig, shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """What :class:`~understudy.backend.models.diffusion.Denoiser` computes where every latent frame exists.

    Inputs are named after the arguments of its ``forward``; a half's prompt is ``lower`` or ``upper`` and
    ``lower_mask`` or ``upper_mask``. What is not given is all zeros.
    """
    graph = Graph("denoiser", shapes)
    width = config.width

    def condition(name: str, columns: int, mask: str) -> tuple[str, str]:
        """A condition of every latent frame, and as a number (B, L, 1) whether it is given."""
        value = graph.input(name, FLOAT, ["B", "L", columns])
        given = graph.as_float(graph.input(mask, BOOL, ["B", "L"]))
        return value, graph.op("Unsqueeze", given, graph.ints(2))

    noisy = graph.input("noisy", FLOAT, ["B", "L", config.latent])
    plan, planned = condition("plan", config.latent, "with_plan")
    known, met = condition("known", config.latent, "known_mask")
    if not config.plan:
        planned = graph.op("Mul", planned, graph.const(0.0))
    columns = (noisy, graph.op("Mul", plan, planned), planned, graph.op("Mul", known, met), met)
    x = graph.linear(graph.concat(*columns), "input")
    if config.rhythm:
        rhythm, there = condition("rhythm", config.rhythm, "with_rhythm")
        joined = graph.concat(graph.op("Mul", rhythm, there), there)
        x = graph.op("Add", x, graph.linear(joined, "rhythm"))
    for name, count in (("sound", config.sound), ("words", config.words)):
        if count:
            heard, there = condition(name, count, f"with_{name}")
            deep = graph.linear(graph.silu(graph.linear(heard, f"{name}.0")), f"{name}.2")
            x = graph.op("Add", x, graph.op("Mul", there, deep))
    step, read, mask = _conditioning(graph, config)
    turn = _rotary(graph, config)
    for i in range(config.layers):
        x = _block(graph, config, f"blocks.{i}", x, step, read, mask, turn)
    clean = graph.linear(graph.layer_norm(x, "norm", width), "output")
    graph.output(clean, "clean", FLOAT, ["B", "L", config.latent])
    return graph


def _conditioning(graph: Graph, config: DiffusionConfig) -> tuple[str, str, str]:
    """What holds for the whole window: the step's vector (B, width), the words (B, R, width), which exist (B, R)."""
    with_text = graph.as_float(graph.input("with_text", BOOL, ["B"]))
    column = graph.op("Unsqueeze", with_text, graph.ints(1))

    def prompt(name: str, words: str) -> tuple[str, str, str]:
        """Words (B, W, width), which exist (B, W), and their mean."""
        tokens = graph.input(name, FLOAT, ["B", words, config.text_width])
        there = graph.as_float(graph.input(f"{name}_mask", BOOL, ["B", words]))
        total = graph.op(
            "ReduceSum",
            graph.op("Mul", tokens, graph.op("Unsqueeze", there, graph.ints(2))),
            graph.ints(1),
            keepdims=0,
        )
        count = graph.op("ReduceSum", there, graph.ints(1), keepdims=1)
        mean = graph.op("Div", total, graph.op("Max", count, graph.const(1.0)))
        normed = graph.layer_norm(tokens, "text.0", config.text_width)
        return graph.linear(normed, "text.1"), there, mean

    half = config.width // 2
    timesteps = graph.input("timesteps", FLOAT, ["B", 1])
    frequencies = np.exp(-np.log(10000.0) * np.arange(half, dtype=np.float32) / half)
    angles = graph.op("Mul", timesteps, graph.const(frequencies[None]))
    waves = graph.concat(graph.op("Cos", angles), graph.op("Sin", angles))
    step = graph.silu(graph.linear(graph.silu(graph.linear(waves, "step.0")), "step.2"))
    words, there, mean = prompt("text", "W")
    step = graph.op("Add", step, graph.op("Mul", column, graph.linear(mean, "pooled")))
    if config.style:
        values = graph.input("style", FLOAT, ["B", config.style])
        given = graph.as_float(graph.input("style_known", BOOL, ["B", config.style]))
        told = graph.op("ReduceMax", given, graph.ints(1), keepdims=1)
        centred = graph.op("Sub", graph.op("Mul", values, graph.const(2.0)), graph.const(1.0))
        joined = graph.concat(graph.op("Mul", centred, given), given)
        manner = graph.linear(graph.silu(graph.linear(joined, "style.0")), "style.2")
        step = graph.op("Add", step, graph.op("Mul", told, manner))
    # One place that every row has, whatever it is told; its shape follows the batch.
    ones = graph.op("Add", graph.op("Mul", column, graph.const(0.0)), graph.const(1.0))
    nothing = graph.op("Mul", graph.op("Unsqueeze", ones, graph.ints(2)), graph.weight("no_text"))
    reads, masks = [nothing, words], [ones, graph.op("Mul", there, column)]
    if config.halves:
        for i, name in enumerate(HALVES):
            words, there, mean = prompt(name, f"W_{name}")
            role = graph.op("Gather", graph.weight("roles"), graph.const(i, np.int64), axis=0)
            reads.append(graph.op("Add", words, role))
            masks.append(there)
            step = graph.op("Add", step, graph.linear(mean, f"pooled_halves.{name}"))
    return step, graph.concat(*reads, axis=1), graph.op("Cast", graph.concat(*masks, axis=1), to=INT32)


def _rotary(graph: Graph, config: DiffusionConfig) -> tuple[str, str, str]:
    """Tables and positions of the rotary embedding."""
    size = config.width // config.heads
    # In double precision and rounded: powers of single numbers differ from processor to processor.
    frequencies = (10000.0 ** (-np.arange(size // 2) / (size // 2))).astype(np.float32)
    angles = np.arange(max(config.window, 256))[:, None] * frequencies.astype(np.float64)
    return (
        graph.input("positions", INT64, ["B", "L"]),
        graph.const(np.cos(angles)),
        graph.const(np.sin(angles)),
    )


def _block(
    graph: Graph,
    config: DiffusionConfig,
    name: str,
    x: str,
    step: str,
    read: str,
    mask: str,
    turn: tuple[str, str, str],
) -> str:
    """Self-attention, attention to the words, feed-forward; the step modulates the first and the last."""
    width, heads = config.width, config.heads
    modulation = graph.op("Unsqueeze", graph.linear(step, f"{name}.modulation"), graph.ints(1))
    shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = graph.split(modulation, 6)

    def modulated(value: str, scale: str, shift: str) -> str:
        normed = graph.layer_norm(value, None, width)
        return graph.op("Add", graph.op("Mul", normed, graph.op("Add", scale, graph.const(1.0))), shift)

    def turned(value: str) -> str:
        return graph.op("RotaryEmbedding", value, *turn, domain=CONTRIB, num_heads=heads)

    query, key, value = graph.split(graph.linear(modulated(x, scale_a, shift_a), f"{name}.qkv"), 3)
    (attended,) = graph.attention(turned(query), turned(key), value, heads)
    x = graph.op("Add", x, graph.op("Mul", gate_a, graph.linear(attended, f"{name}.out")))
    key, value = graph.split(graph.linear(read, f"{name}.key_value"), 2)
    query = graph.linear(graph.layer_norm(x, None, width), f"{name}.query")
    (attended,) = graph.attention(query, key, value, heads, mask)
    x = graph.op("Add", x, graph.linear(attended, f"{name}.cross_out"))
    deep = graph.op("Gelu", graph.linear(modulated(x, scale_f, shift_f), f"{name}.feed_forward.0"))
    return graph.op("Add", x, graph.op("Mul", gate_f, graph.linear(deep, f"{name}.feed_forward.3")))
