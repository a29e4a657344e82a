"""The models of a pack as ONNX graphs without weights: the structure alone, a few kilobytes each.

A graph's initializers are named after the tensors of the pack's own ``.safetensors`` files, by expressions of
:mod:`understudy.backend.engines.onnx_weights`, which makes them when a pack is loaded. So weights are stored once,
in as few bits as the pack has them, and a graph stays right when they are trained further.
"""
