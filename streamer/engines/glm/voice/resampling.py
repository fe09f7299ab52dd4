"""Samples at another rate: windowed sinc, as torchaudio has it (Hann window, six zero crossings a side, rolloff 0.99).

torchaudio tabulates one filter for each phase between the two rates. Rates with hardly a common divisor (44,101 Hz)
would need gigabytes for that, so that theirs are computed sample by sample: the same formula, without the table.
"""

from __future__ import annotations

import math

import torch
import torchaudio.transforms
from torch import Tensor

_CROSSINGS = 6
_ROLLOFF = 0.99
_LARGEST_TABLE = 2_000_000
"""Elements. 44.1 kHz → 16 kHz has 160 filters of 475."""
_AT_ONCE = 16_384
"""Samples whose filters are in memory together."""


def resample(wave: Tensor, source: int, target: int) -> Tensor:
    """(samples,) float32 at `source` Hz → (ceil(samples · target / source),) at `target` Hz."""
    if source == target:
        return wave
    divisor = math.gcd(source, target)
    if target // divisor * (source // divisor + 2 * _reach(source, target)) > _LARGEST_TABLE:
        return directly(wave, source, target)
    # The transform, not torchaudio.functional.resample, which tabulates in single precision.
    transform = torchaudio.transforms.Resample(
        source, target, lowpass_filter_width=_CROSSINGS, rolloff=_ROLLOFF, resampling_method="sinc_interp_hann"
    )
    resampled: Tensor = transform(wave)
    return resampled


def directly(wave: Tensor, source: int, target: int) -> Tensor:
    """The same without a table of filters. In double precision, for the phase of a late sample."""
    divisor = math.gcd(source, target)
    source, target = source // divisor, target // divisor
    reach = _reach(source, target)
    cutoff = min(source, target) * _ROLLOFF
    length = math.ceil(target * wave.shape[-1] / source)
    padded = torch.nn.functional.pad(wave.double(), (reach, reach + 1))
    taps = torch.arange(-reach, reach + 1)
    pieces = []
    for start in range(0, length, _AT_ONCE):
        # Whole numbers as long as possible: sample n lies at n · source / target of the old samples.
        place = torch.arange(start, min(start + _AT_ONCE, length)) * source
        nearest, rest = place // target, place % target
        distance = taps[None, :] / source - rest[:, None] / (source * target)
        crossing = (distance * cutoff).clamp(-_CROSSINGS, _CROSSINGS)
        filters = torch.sinc(crossing) * torch.cos(crossing * (math.pi / 2 / _CROSSINGS)) ** 2 * (cutoff / source)
        pieces.append((padded[nearest[:, None] + taps[None, :] + reach] * filters).sum(1))
    return torch.cat(pieces).float()


def _reach(source: int, target: int) -> int:
    """Old samples a side that a new one is made of."""
    return math.ceil(_CROSSINGS * source / (min(source, target) * _ROLLOFF))
