"""Writes an ONNX graph node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ...backend.engines.onnx_weights import shape_of

OPSET = 20
IR_VERSION = 10
CONTRIB = "com.microsoft"
"""The fused operators of onnxruntime, which all of its providers have or leave to the CPU."""
FLOAT, INT64, INT32, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL


class Graph:
    """A graph under construction. Values are their names.

    Args:
        name: of the graph.
        shapes: the shape of every tensor of the weights' file.
    """

    def __init__(self, name: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.name, self.shapes = name, shapes
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self.weights: list[str] = []
        """Expressions of the weights that have to be given."""

    def input(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value: str, name: str, kind: int, shape: Sequence[int | str]) -> None:
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """The result of a node with one output."""
        return self.ops(kind, 1, *inputs, domain=domain, **attributes)[0]

    def ops(self, kind: str, count: int, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """The results of a node with several outputs."""
        at = len(self._nodes)
        outputs = [f"{kind}_{at}_{i}" for i in range(count)]
        self._nodes.append(
            helper.make_node(kind, list(inputs), outputs, f"{kind}_{at}", domain=domain, **attributes)
        )
        return outputs

    def const(self, value: Any, kind: Any = np.float32) -> str:
        """A small array that is part of the graph."""
        array = np.asarray(value, kind)
        name = f"const_{array.dtype}_{array.shape}_{array.tobytes().hex()}"
        if len(name) > 200:
            name = f"const_{len(self._initializers)}"
        if name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(array, name)
        return name

    def ints(self, *values: int) -> str:
        return self.const(values, np.int64)

    def weight(self, expression: str) -> str:
        """A weight by its expression; its place is filled when the graph is loaded."""
        if expression not in self._initializers:
            tensor = TensorProto(
                name=expression, data_type=FLOAT, dims=shape_of(expression, self.shapes.__getitem__)
            )
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="pack")
            self._initializers[expression] = tensor
            self.weights.append(expression)
        return expression

    def has(self, name: str) -> bool:
        return name in self.shapes

    def linear(self, x: str, *layers: str) -> str:
        """Linear layers of one input, side by side in the last axis."""
        result = self.op("MatMul", x, self.weight("+".join(f"{layer}.weight|T" for layer in layers)))
        if not self.has(f"{layers[0]}.bias"):
            return result
        return self.op("Add", result, self.weight("+".join(f"{layer}.bias" for layer in layers)))

    def layer_norm(self, x: str, name: str | None, width: int, epsilon: float = 1e-5) -> str:
        """Over the last axis; without a name, there is no scale and no shift."""
        if name is None:
            scale, shift = self.const(np.ones(width)), self.const(np.zeros(width))
        else:
            scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)

    def silu(self, x: str) -> str:
        return self.op("Mul", x, self.op("Sigmoid", x))

    def split(self, x: str, count: int) -> list[str]:
        """Equal shares of the last axis."""
        return self.ops("Split", count, x, axis=-1, num_outputs=count)

    def concat(self, *values: str, axis: int = -1) -> str:
        return values[0] if len(values) == 1 else self.op("Concat", *values, axis=axis)

    def as_float(self, x: str) -> str:
        return self.op("Cast", x, to=FLOAT)

    def attention(
        self,
        query: str,
        key: str,
        value: str,
        heads: int,
        mask: str = "",
        past: tuple[str, str] | None = None,
        *,
        causal: bool = False,
    ) -> list[str]:
        """Multi-head attention of (B, S, width); mask (B, T) int32, 0 where nothing is to be read.

        Returns:
            The result (B, S, width); with a past (two of (B, H, P, width / H)), also the present keys and values.
        """
        inputs = [query, key, value, "", mask, ""]
        return self.ops(
            "MultiHeadAttention",
            1 if past is None else 3,
            *(inputs if past is None else [*inputs, *past]),
            domain=CONTRIB,
            num_heads=heads,
            unidirectional=int(causal),
            mask_filter_value=-1e30,
        )

    def model(self) -> bytes:
        """The finished graph, checked."""
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, list(self._initializers.values())
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="understudy"
        )
        data: bytes = model.SerializeToString(deterministic=True)
        return data
