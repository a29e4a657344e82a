"""The language model as a graph: what follows what was read, and what it has to say about the next frame."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...backend.models.language_config import LanguageConfig
from .builder import CONTRIB, FLOAT, INT32, INT64, Graph

POSITIONS = 1024
"""As many as the torch module allows."""
EPSILON = 1e-6  # of transformers' llama
BASE = 10000.0


def language_graph(config: LanguageConfig, shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """Embeddings (B, S, width), mask (B, P + S), positions (B, S) and the cache of P positions -> the last position's
    hidden state (B, width), its scores of every part, and the cache with the new positions.

    The transformer is transformers' ``llama``: RMSNorm, rotary positions, gated feed-forward.
    """
    graph = Graph("language", shapes)
    width, heads = config.width, config.heads
    size = width // heads
    x = graph.input("inputs", FLOAT, ["B", "S", width])
    mask = graph.input("mask", INT32, ["B", "T"])
    positions = graph.input("positions", INT64, ["B", "S"])
    # In double precision and rounded: powers of single numbers differ from processor to processor.
    frequencies = (BASE ** (-np.arange(0, size, 2) / size)).astype(np.float32)
    angles = np.arange(POSITIONS)[:, None] * frequencies.astype(np.float64)
    cos, sin = graph.const(np.cos(angles)), graph.const(np.sin(angles))

    def norm(value: str, name: str) -> str:
        return graph.op(
            "SimplifiedLayerNormalization", value, graph.weight(f"{name}.weight"), axis=-1, epsilon=EPSILON
        )

    def turned(value: str) -> str:
        return graph.op("RotaryEmbedding", value, positions, cos, sin, domain=CONTRIB, num_heads=heads)

    presents = []
    for i in range(config.layers):
        layer = f"backbone.layers.{i}"
        past = [graph.input(f"past_{kind}_{i}", FLOAT, ["B", heads, "P", size]) for kind in ("key", "value")]
        joined = graph.linear(
            norm(x, f"{layer}.input_layernorm"), *(f"{layer}.self_attn.{n}_proj" for n in "qkv")
        )
        query, key, value = graph.split(joined, 3)
        attended, *present = graph.attention(
            turned(query), turned(key), value, heads, mask, (past[0], past[1]), causal=True
        )
        presents.append(present)
        x = graph.op("Add", x, graph.linear(attended, f"{layer}.self_attn.o_proj"))
        joined = graph.linear(
            norm(x, f"{layer}.post_attention_layernorm"), f"{layer}.mlp.gate_proj", f"{layer}.mlp.up_proj"
        )
        gate, up = graph.split(joined, 2)
        x = graph.op("Add", x, graph.linear(graph.op("Mul", graph.silu(gate), up), f"{layer}.mlp.down_proj"))
    last = graph.op("Gather", x, graph.const(-1, np.int64), axis=1)
    hidden = norm(last, "backbone.norm")
    graph.output(hidden, "hidden", FLOAT, ["B", width])
    for part, codes in config.parts.items():
        graph.output(graph.linear(hidden, f"heads.{part}"), f"scores_{part}", FLOAT, ["B", codes + 1])
    for i, present in enumerate(presents):
        for kind, tensor in zip(("key", "value"), present, strict=True):
            graph.output(tensor, f"present_{kind}_{i}", FLOAT, ["B", heads, "T", size])
    return graph
