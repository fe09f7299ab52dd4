"""How large a HiFT is. The checkpoint has no configuration for it: its tensors are the only ones who know."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

from streamer.engines.glm.checkpoint.tensors import Tensors
from streamer.errors import CheckpointError

# What the published model was made with and no tensor's shape tells.
SAMPLE_RATE = 24_000
RATES = (8, 5, 3)
"""How many times longer each stage makes its input."""
SPECTRUM_HOP = 4
"""Samples from one frame of the spectrum to the next."""
HOP = SPECTRUM_HOP * math.prod(RATES)
"""Samples that a mel frame becomes: 480."""
DILATIONS = (1, 3, 5)
"""In every residual block."""
SOURCE_STRIDES = tuple(math.prod(RATES[stage + 1 :]) for stage in range(len(RATES)))
"""The source's spectrum is as dense as the last stage, the earlier ones take it in strides: 15, 3, 1."""


class HiftSizes(NamedTuple):
    """Kernels are in taps."""

    mels: int
    harmonics: int
    transform: int
    """Samples of a Fourier transform."""
    channels: tuple[int, ...]
    """Before the first stage, and after each."""
    before: int
    """Kernel before the stages."""
    after: int
    """Kernel behind them."""
    ups: tuple[int, ...]
    """Kernel of each stage's transposed convolution."""
    source_downs: tuple[int, ...]
    source_blocks: tuple[int, ...]
    """Kernel of each stage's residual block on the source."""
    blocks: tuple[int, ...]
    """Kernels of the residual blocks of a stage, whose mean is taken."""
    f0_channels: int
    f0: tuple[int, ...]
    """Kernel of each convolution of the predictor."""


def sizes_of(tensors: Tensors, file: Path) -> HiftSizes:
    """Of weights without weight normalization. Errors: CheckpointError that names file and tensor."""
    shapes = _Shapes(tensors, file)
    ups = shapes.each("ups.*.weight", len(RATES))
    blocks = shapes.each("resblocks.*.convs1.0.weight")
    condnet = shapes.each("f0_predictor.condnet.*.weight")
    if not blocks or len(blocks) % len(RATES) or not condnet:
        raise CheckpointError(
            f"{file}: holds {len(blocks)} resblocks.* and {len(condnet)} f0_predictor.condnet.*; "
            f"expected are as many blocks at each of {len(RATES)} stages, and a predictor"
        )
    before = shapes.of("conv_pre.weight", 3)
    after = shapes.of("conv_post.weight", 3)
    sizes = HiftSizes(
        mels=before[1],
        harmonics=shapes.of("m_source.l_linear.weight", 2)[1],
        transform=after[0] - 2,
        channels=(before[0], *(shape[1] for shape in ups)),
        before=before[2],
        after=after[2],
        ups=tuple(shape[2] for shape in ups),
        source_downs=tuple(shape[2] for shape in shapes.each("source_downs.*.weight", len(RATES))),
        source_blocks=tuple(shape[2] for shape in shapes.each("source_resblocks.*.convs1.0.weight", len(RATES))),
        blocks=tuple(shape[2] for shape in blocks[: len(blocks) // len(RATES)]),
        f0_channels=condnet[0][0],
        f0=tuple(shape[2] for shape in condnet),
    )
    _check(sizes, file)
    return sizes


def _check(sizes: HiftSizes, file: Path) -> None:
    """That every kernel makes its length what the next part expects. Errors: CheckpointError."""
    problems = [
        f"ups.{stage}.weight has {kernel} taps, which cannot lengthen {rate} times"
        for stage, (kernel, rate) in enumerate(zip(sizes.ups, RATES, strict=True))
        if kernel < rate or (kernel - rate) % 2
    ]
    problems += [
        f"source_downs.{stage}.weight has {kernel} taps, expected are {2 * stride if stride > 1 else 1}"
        for stage, (kernel, stride) in enumerate(zip(sizes.source_downs, SOURCE_STRIDES, strict=True))
        if kernel != (2 * stride if stride > 1 else 1)
    ]
    odd = {
        "conv_pre.weight": (sizes.before,),
        "conv_post.weight": (sizes.after,),
        "source_resblocks.*": sizes.source_blocks,
        "resblocks.*": sizes.blocks,
        "f0_predictor.condnet.*": sizes.f0,
    }
    problems += [
        f"{name} has {kernel} taps, expected is an odd number"
        for name, kernels in odd.items()
        for kernel in kernels
        if kernel % 2 == 0
    ]
    if sizes.transform < 2 * SPECTRUM_HOP or sizes.transform % 2:
        problems.append(f"conv_post.weight makes {sizes.transform + 2} channels, which are no magnitudes and phases")
    if problems:
        raise CheckpointError(f"{file}: tensor " + "; tensor ".join(problems))


class _Shapes:
    def __init__(self, tensors: Tensors, file: Path) -> None:
        self._tensors, self._file = tensors, file

    def of(self, name: str, dimensions: int) -> tuple[int, ...]:
        if name not in self._tensors:
            raise CheckpointError(f"{self._file}: tensor {name} is missing")
        shape = tuple(self._tensors[name].shape)
        if len(shape) != dimensions or 0 in shape:
            raise CheckpointError(f"{self._file}: tensor {name} has the shape {shape}, expected are {dimensions} sizes")
        return shape

    def each(self, pattern: str, count: int | None = None) -> list[tuple[int, ...]]:
        """Shapes of the convolutions whose names differ in one number, in its order; `count`: 0 … count - 1."""
        name = re.compile(re.escape(pattern).replace(r"\*", r"(\d+)"))
        found = sorted((int(match[1]), match[0]) for each in self._tensors if (match := name.fullmatch(each)))
        if count is None:
            return [self.of(each, 3) for _, each in found]
        return [self.of(pattern.replace("*", str(index)), 3) for index in range(count)]
