"""Shapes of hift/hift.pt, a vocoder with a harmonic source. It has no configuration: two widths are read from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from streamer.engines.glm.checkpoint.shapes import Shapes, conv, linear

_MEL = 80
_HARMONICS = 9
_SPECTRUM = 18
"""Real and imaginary parts, or magnitudes and phases, of a 16-point transform."""
_UP_KERNELS = (16, 11, 7)
_SOURCE_DOWNS = (30, 6, 1)
_SOURCE_KERNELS = (7, 7, 11)
_KERNELS = (3, 7, 11)
_DILATIONS = 3
_F0_LAYERS = 5


class HiftSizes(NamedTuple):
    """Channels before the first stage, halved by each; and channels of the fundamental's predictor."""

    channels: int
    f0_channels: int


class Shaped(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...


def hift_sizes(tensors: Mapping[str, Shaped]) -> HiftSizes | None:
    """As two biases of the file tell them; None where it has them not."""
    widths = [tensors[name].shape for name in ("conv_pre.bias", "f0_predictor.condnet.0.bias") if name in tensors]
    if len(widths) != 2 or any(len(width) != 1 for width in widths):
        return None
    return HiftSizes(widths[0][0], widths[1][0])


def hift_shapes(sizes: HiftSizes) -> Shapes:
    """Of every tensor."""
    shapes = linear("m_source.l_linear", 1, _HARMONICS) | _normed("conv_pre", sizes.channels, _MEL, 7)
    for stage, kernel in enumerate(_UP_KERNELS):
        wide, narrow = sizes.channels >> stage, sizes.channels >> (stage + 1)
        # A transposed convolution has its input channels first, and its bias on the outputs.
        shapes |= _normed(f"ups.{stage}", wide, narrow, kernel) | {f"ups.{stage}.bias": (narrow,)}
        shapes |= conv(f"source_downs.{stage}", narrow, _SPECTRUM, _SOURCE_DOWNS[stage])
        shapes |= _residual(f"source_resblocks.{stage}", narrow, _SOURCE_KERNELS[stage])
        for number, size in enumerate(_KERNELS):
            shapes |= _residual(f"resblocks.{len(_KERNELS) * stage + number}", narrow, size)
    shapes |= _normed("conv_post", _SPECTRUM, sizes.channels >> len(_UP_KERNELS), 7)
    width = sizes.f0_channels
    for number in range(_F0_LAYERS):
        shapes |= _normed(f"f0_predictor.condnet.{2 * number}", width, width if number else _MEL, 3)
    return shapes | linear("f0_predictor.classifier", 1, width)


def _residual(name: str, channels: int, kernel: int) -> Shapes:
    shapes: Shapes = {}
    for number in range(_DILATIONS):
        for side in ("1", "2"):
            shapes |= _normed(f"{name}.convs{side}.{number}", channels, channels, kernel)
            shapes[f"{name}.activations{side}.{number}.alpha"] = (channels,)
    return shapes


def _normed(name: str, first: int, second: int, kernel: int) -> Shapes:
    """A convolution under weight norm over its first dimension: lengths, directions, bias."""
    weight = f"{name}.parametrizations.weight"
    return {
        f"{weight}.original0": (first, 1, 1),
        f"{weight}.original1": (first, second, kernel),
        f"{name}.bias": (first,),
    }
