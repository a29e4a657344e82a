"""A part's tokenizer as two graphs, frames last-but-one and channels last throughout.

A convolution is a matrix product over neighbouring frames laid side by side: onnxruntime then packs its weights once,
and normalising a frame's channels needs no transposition.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...backend.models.tokenizer_config import TokenizerConfig
from .builder import FLOAT, Graph

_END = 2**31 - 1


def _convolution(
    graph: Graph, x: str, name: str, *, dilation: int = 1, stride: int = 1, padding: int | None = None
) -> str:
    """(B, T, C) -> (B, T / stride, C'), zeros beyond the edges."""
    taps = graph.shapes[f"{name}.weight"][2]
    reach = dilation * (taps - 1)
    if padding is None:
        padding = reach // 2
    if taps > 1:
        x = graph.op("Pad", x, graph.ints(0, padding, 0, 0, padding, 0))
        shifted = []
        for tap in range(taps):
            start, left = tap * dilation, reach - tap * dilation
            shifted.append(
                graph.op(
                    "Slice", x, graph.ints(start), graph.ints(-left if left else _END), graph.ints(1), graph.ints(stride)
                )
            )  # fmt: skip
        x = graph.concat(*shifted)
    return graph.op(
        "Add", graph.op("MatMul", x, graph.weight(f"{name}.weight|C")), graph.weight(f"{name}.bias")
    )


def _active(graph: Graph, config: TokenizerConfig, x: str) -> str:
    if config.activation == "silu":
        return graph.silu(x)
    return graph.op({"relu": "Relu", "gelu": "Gelu"}[config.activation], x)


def _norm(graph: Graph, config: TokenizerConfig, x: str, name: str) -> str:
    if config.norm == "frame":
        return graph.layer_norm(x, name, config.width)
    groups = 8
    apart = graph.op("Reshape", x, graph.ints(0, 0, groups, -1))
    axes = graph.ints(1, 3)
    centred = graph.op("Sub", apart, graph.op("ReduceMean", apart, axes, keepdims=1))
    variance = graph.op("ReduceMean", graph.op("Mul", centred, centred), axes, keepdims=1)
    deviation = graph.op("Sqrt", graph.op("Add", variance, graph.const(1e-5)))
    normed = graph.op("Reshape", graph.op("Div", centred, deviation), graph.ints(0, 0, -1))
    scaled = graph.op("Mul", normed, graph.weight(f"{name}.weight"))
    return graph.op("Add", scaled, graph.weight(f"{name}.bias"))


def _residuals(graph: Graph, config: TokenizerConfig, x: str, name: str, *, reverse: bool) -> str:
    dilations = [config.dilation_growth**i for i in range(config.depth)]
    for i, dilation in enumerate(reversed(dilations) if reverse else dilations):
        layers = f"{name}.{i}.layers"
        h = _active(graph, config, _norm(graph, config, x, f"{layers}.0"))
        h = _active(graph, config, _convolution(graph, h, f"{layers}.2", dilation=dilation))
        x = graph.op("Add", x, _convolution(graph, h, f"{layers}.5"))
    return x


def encoder_graph(part: str, config: TokenizerConfig, shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """Features (B, T, F) -> latents before quantisation (B, T / stride, D); T a multiple of the stride."""
    graph = Graph(f"encode_{part}", shapes)
    features = graph.input("features", FLOAT, ["B", "T", config.features])
    normed = graph.op("Div", graph.op("Sub", features, graph.weight("mean")), graph.weight("std"))
    x = _convolution(graph, normed, "encoder.0")
    for i in range(config.down):
        x = _convolution(graph, x, f"encoder.{1 + 2 * i}", stride=2, padding=1)
        x = _residuals(graph, config, x, f"encoder.{2 + 2 * i}", reverse=False)
    latents = _convolution(graph, _active(graph, config, x), f"encoder.{2 + 2 * config.down}")
    if config.rates:
        rates = graph.op("Slice", normed, graph.ints(0), graph.ints(config.rates), graph.ints(2))
        apart = graph.op("Reshape", rates, graph.ints(0, -1, config.stride, config.rates))
        means = graph.op("ReduceMean", apart, graph.ints(2), keepdims=0)
        latents = graph.concat(graph.op("Mul", means, graph.const(config.rate_scale)), latents)
    graph.output(latents, "latents", FLOAT, ["B", "L", config.latent])
    return graph


def decoder_graph(part: str, config: TokenizerConfig, shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """Latents (B, L, D) -> features (B, L * stride, F)."""
    graph = Graph(f"decode_{part}", shapes)
    latents = graph.input("latents", FLOAT, ["B", "L", config.latent])
    x = _convolution(graph, latents, "decoder.0")
    for i in range(config.down):
        x = _residuals(graph, config, x, f"decoder.{1 + 3 * i}", reverse=True)
        twice = graph.op("Unsqueeze", x, graph.ints(2))
        x = graph.op("Reshape", graph.concat(twice, twice, axis=2), graph.ints(0, -1, config.width))
        x = _convolution(graph, x, f"decoder.{3 + 3 * i}")
    at = 2 + 3 * config.down
    x = _active(graph, config, _convolution(graph, _active(graph, config, x), f"decoder.{at}"))
    x = _convolution(graph, x, f"decoder.{at + 2}")
    if config.rates:
        rates, rest = graph.ops(
            "Split", 2, x, graph.ints(config.rates, config.features - config.rates), axis=-1
        )
        blocks = graph.op("Reshape", rates, graph.ints(0, -1, config.stride, config.rates))
        means = graph.op("ReduceMean", blocks, graph.ints(2), keepdims=1)
        wanted = graph.op("Slice", latents, graph.ints(0), graph.ints(config.rates), graph.ints(2))
        wanted = graph.op("Mul", wanted, graph.const(1 / config.rate_scale))
        exact = graph.op("Add", graph.op("Sub", blocks, means), graph.op("Unsqueeze", wanted, graph.ints(2)))
        x = graph.concat(graph.op("Reshape", exact, graph.ints(0, -1, config.rates)), rest)
    scaled = graph.op("Add", graph.op("Mul", x, graph.weight("std")), graph.weight("mean"))
    graph.output(scaled, "features", FLOAT, ["B", "T", config.features])
    return graph
