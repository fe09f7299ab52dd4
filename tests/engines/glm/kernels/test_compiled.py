"""Triton's kernels compiled for an H100 and an H200 in the official sizes, without one: to machine code, by NVIDIA's
assembler, which Triton brings along."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from streamer.engines.glm.kernels.base import Scratch

triton = pytest.importorskip("triton", reason="Triton is not made for this system")

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from streamer.engines.glm.kernels import (  # noqa: E402
    triton_attention,
    triton_candidates,
    triton_draw,
    triton_norm,
    triton_rotation,
    triton_stretch,
    triton_swiglu,
)
from streamer.engines.glm.kernels.launch import Launch  # noqa: E402

pytestmark = pytest.mark.skipif(bool(os.environ.get("TRITON_INTERPRET")), reason="TRITON_INTERPRET is set")

_TARGET = GPUTarget("cuda", 90, 32)
_SHARED_MEMORY = 227 * 1024
"""Bytes that a program can have on it."""
_NAMES = {torch.float32: "*fp32", torch.bfloat16: "*bf16", torch.int64: "*i64"}
_NAMES |= {torch.float64: "*fp64", torch.bool: "*i1"}
_ROWS, _HEADS, _SHARED, _HEAD, _POSITIONS, _HIDDEN, _INNER = 128, 16, 4, 128, 4096, 2048, 6144
_COLUMNS, _CANDIDATES, _LENGTH = 32_769, 25, 256


def _launches(dtype: torch.dtype) -> Iterator[Launch]:
    """All that a step starts; tensors without memory."""

    def tensor(*shape: int, of: torch.dtype = dtype) -> Tensor:
        return torch.empty(shape, dtype=of, device="meta")

    positions, cache = tensor(_ROWS, of=torch.int64), tensor(_ROWS, _SHARED, _POSITIONS, _HEAD)
    queries, hidden = tensor(_ROWS, _HEADS, _HEAD), tensor(_ROWS, _HIDDEN)
    angles = tensor(_POSITIONS, _HEAD // 2, of=torch.float32)
    joint = tensor(_ROWS, (_HEADS + 2 * _SHARED) * _HEAD)
    scratch = Scratch.of(_ROWS, _HEADS, _POSITIONS, _HEAD, torch.device("meta"))
    yield triton_rotation.rotate_and_store(joint, angles, angles, positions, cache, cache, queries)
    yield from triton_attention.decode_attention(queries, cache, cache, positions, scratch, hidden)
    yield triton_swiglu.swiglu(tensor(_ROWS, 2 * _INNER), tensor(_ROWS, _INNER))
    yield triton_norm.add_rms_norm(hidden, hidden, tensor(_HIDDEN), 1e-5, hidden)
    last = tensor(_ROWS, _HIDDEN, of=torch.float32)
    yield triton_norm.add_rms_norm(hidden, None, tensor(_HIDDEN, of=torch.float32), 1e-5, last)


def _stretch(dtype: torch.dtype) -> Iterator[Launch]:
    """What a stretch starts of its own."""

    def tensor(*shape: int, of: torch.dtype = dtype) -> Tensor:
        return torch.empty(shape, dtype=of, device="meta")

    place, cache = tensor(3, of=torch.int64), tensor(_ROWS, _SHARED, _POSITIONS, _HEAD)
    queries = tensor(_LENGTH, _HEADS, _HEAD)
    angles = tensor(_POSITIONS, _HEAD // 2, of=torch.float32)
    joint = tensor(_LENGTH, (_HEADS + 2 * _SHARED) * _HEAD)
    yield triton_rotation.rotate_and_store_stretch(joint, angles, angles, place, cache, cache, queries)
    yield triton_stretch.stretch_attention(queries, cache, cache, place, tensor(_LENGTH, _HEADS * _HEAD))


def _draws() -> Iterator[Launch]:
    def tensor(*shape: int, of: torch.dtype) -> Tensor:
        return torch.empty(_ROWS, *shape, dtype=of, device="meta")

    probabilities, drawn = tensor(_COLUMNS, of=torch.float32), tensor(of=torch.int64)
    columns, likely = tensor(_CANDIDATES, of=torch.int64), tensor(_CANDIDATES, of=torch.float32)
    best = triton_candidates.scratch(probabilities, _CANDIDATES)
    yield from triton_candidates.candidates(probabilities, best, columns, likely)
    uniforms, wanted = tensor(of=torch.float64), tensor(of=torch.bool)
    for weights in (likely, probabilities):
        yield triton_draw.draw(weights, uniforms, wanted, drawn)


def _compiled(launch: Launch) -> Any:
    function = launch.kernel.jit
    given = dict(zip(function.arg_names, launch.tensors, strict=False))
    signature = {name: _NAMES[given[name].dtype] if name in given else "constexpr" for name in function.arg_names}
    aligned = {(place,): [["tt.divisibility", 16]] for place in range(len(given))}
    options = {"num_warps": launch.warps, "num_stages": launch.stages, "enable_fp_fusion": launch.contracted}
    compiled = triton.compile(ASTSource(function, signature, dict(launch.constants), aligned), _TARGET, options)
    assert compiled.asm["cubin"].startswith(b"\x7fELF")
    assert compiled.metadata.shared <= _SHARED_MEMORY
    return compiled


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was compiled before."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_every_kernel_becomes_machine_code(dtype: torch.dtype) -> None:
    compiled = {launch.kernel.jit.__name__: _compiled(launch) for launch in _launches(dtype)}
    _is_fed_beside_computing(compiled["_see_block"], dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_the_kernels_of_a_stretch_become_machine_code(dtype: torch.dtype) -> None:
    compiled = {launch.kernel.jit.__name__: _compiled(launch) for launch in _stretch(dtype)}
    _is_fed_beside_computing(compiled["_stretch_attention"], dtype)


def _is_fed_beside_computing(compiled: Any, dtype: torch.dtype) -> None:
    """Keys and values are fetched while others are computed with, in bfloat16 by tensor cores."""
    attention = compiled.asm["ptx"]
    assert "cp.async" in attention
    assert ("mma.sync" in attention) == (dtype == torch.bfloat16)
    assert "tf32" not in attention


def test_draws_become_machine_code() -> None:
    assert len([_compiled(launch) for launch in _draws()]) == 4
