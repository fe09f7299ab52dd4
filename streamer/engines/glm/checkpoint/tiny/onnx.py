"""An ONNX model written by hand: the few protobuf messages that a speaker encoder of five operators needs.

Field numbers are those of onnx.proto (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamer.engines.glm.checkpoint.tiny.noise import Floats

_FLOAT = 1
_INT, _INTS = 2, 7
"""Types of an element, and of attributes."""
_IR_VERSION = 8
_OPSET = 13

Dimensions = tuple[int | str, ...]
"""Sizes; a name where any will do."""


def speaker_encoder(weights: Mapping[str, Floats]) -> bytes:
    """campplus.onnx: "input" [1, T, 80] → "output" [1, 192].

    Means over time of tanh(frames) and of its square, then a linear layer (`frames`, `vector`, `bias`).
    """
    nodes = [
        _node("MatMul", ["input", "frames"], "projected"),
        _node("Tanh", ["projected"], "features"),
        _node("Mul", ["features", "features"], "squares"),
        _node("ReduceMean", ["features"], "mean", axes=[1], keepdims=0),
        _node("ReduceMean", ["squares"], "power", axes=[1], keepdims=0),
        _node("Concat", ["mean", "power"], "pooled", axis=1),
        _node("Gemm", ["pooled", "vector", "bias"], "output"),
    ]
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, b"tiny")
    graph += b"".join(_bytes(5, _tensor(name, array)) for name, array in weights.items())
    graph += _bytes(11, _value("input", (1, "T", 80))) + _bytes(12, _value("output", (1, 192)))
    opset = _bytes(1, b"") + _integer(2, _OPSET)
    return _integer(1, _IR_VERSION) + _bytes(2, b"streamer") + _bytes(7, graph) + _bytes(8, opset)


def _node(operator: str, inputs: Iterable[str], output: str, **attributes: int | list[int]) -> bytes:
    node = b"".join(_bytes(1, name.encode()) for name in inputs) + _bytes(2, output.encode())
    node += _bytes(4, operator.encode())
    return node + b"".join(_bytes(5, _attribute(name, value)) for name, value in attributes.items())


def _attribute(name: str, value: int | list[int]) -> bytes:
    if isinstance(value, list):
        return _bytes(1, name.encode()) + b"".join(_integer(8, each) for each in value) + _integer(20, _INTS)
    return _bytes(1, name.encode()) + _integer(3, value) + _integer(20, _INT)


def _tensor(name: str, array: Floats) -> bytes:
    sizes = b"".join(_integer(1, size) for size in array.shape)
    return sizes + _integer(2, _FLOAT) + _bytes(8, name.encode()) + _bytes(9, array.astype("<f4").tobytes())


def _value(name: str, dimensions: Dimensions) -> bytes:
    sizes = b"".join(
        _bytes(1, _bytes(2, size.encode()) if isinstance(size, str) else _integer(1, size)) for size in dimensions
    )
    kind = _integer(1, _FLOAT) + _bytes(2, sizes)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, kind))


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    coded = bytearray()
    while value > 0x7F:
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    coded.append(value)
    return bytes(coded)
