"""The sentence encoder as a graph."""

from __future__ import annotations

from collections.abc import Mapping

from .builder import FLOAT, INT32, Graph

LAYERS, HEADS, EPSILON = 6, 12, 1e-12
"""Of all-MiniLM-L6-v2, a BERT (Devlin et al. 2019)."""


def text_graph(shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """Embedded words (B, W, 384), of :mod:`understudy.backend.engines.onnx_text`, and their mask (B, W) -> token
    embeddings (B, W, 384)."""
    graph = Graph("text", shapes)
    width = shapes["embeddings.LayerNorm.weight"][0]
    words = graph.input("words", FLOAT, ["B", "W", width])
    mask = graph.input("mask", INT32, ["B", "W"])
    x = graph.layer_norm(words, "embeddings.LayerNorm", width, EPSILON)
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        joined = graph.linear(x, *(f"{layer}.attention.self.{name}" for name in ("query", "key", "value")))
        query, key, value = graph.split(joined, 3)
        (attended,) = graph.attention(query, key, value, HEADS, mask)
        x = graph.op("Add", x, graph.linear(attended, f"{layer}.attention.output.dense"))
        x = graph.layer_norm(x, f"{layer}.attention.output.LayerNorm", width, EPSILON)
        deep = graph.op("Gelu", graph.linear(x, f"{layer}.intermediate.dense"))
        x = graph.op("Add", x, graph.linear(deep, f"{layer}.output.dense"))
        x = graph.layer_norm(x, f"{layer}.output.LayerNorm", width, EPSILON)
    graph.output(x, "tokens", FLOAT, ["B", "W", width])
    return graph
