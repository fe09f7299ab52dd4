"""Triangular filters on Slaney's mel scale: linear below 1 kHz, logarithmic above, each of the same area."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_HERTZ_A_MEL = 200.0 / 3.0
_KNEE = 1000.0
_STEP = math.log(6.4) / 27.0


def slaney(rate: int, n_fft: int, bins: int, high: float) -> Tensor:
    """(bins, n_fft // 2 + 1) float32: weights over the spectrum's lines, from 0 Hz to `high` Hz.

    Source: M. Slaney, Auditory Toolbox, Technical Report 1998-010, Interval Research.
    """
    lines = torch.linspace(0.0, rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    corners = _hertz(torch.linspace(0.0, _mel(high), bins + 2, dtype=torch.float64))
    widths = corners.diff()
    slopes = corners[:, None] - lines[None, :]
    rising = -slopes[:-2] / widths[:-1, None]
    falling = slopes[2:] / widths[1:, None]
    area = 2.0 / (corners[2:] - corners[:-2])
    return (torch.minimum(rising, falling).clamp(min=0.0) * area[:, None]).float()


def _mel(hertz: float) -> float:
    if hertz < _KNEE:
        return hertz / _HERTZ_A_MEL
    return _KNEE / _HERTZ_A_MEL + math.log(hertz / _KNEE) / _STEP


def _hertz(mels: Tensor) -> Tensor:
    knee = _KNEE / _HERTZ_A_MEL
    return torch.where(mels < knee, mels * _HERTZ_A_MEL, _KNEE * torch.exp((mels - knee).clamp(min=0.0) * _STEP))
