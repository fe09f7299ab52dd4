"""ITU-T G.711: 16-bit samples to 8-bit A-law and mu-law codes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]

_EVEN_BITS: Final = 0x55
"""A-law inverts every second bit (G.711, table 1a, note 2)."""
_A_MAX: Final = 0x7FF
"""In steps of the lowest segment; as many 16-bit samples make one as its code drops bits, 16."""
_MU_BIAS: Final = 33
"""What turns mu-law's segments into powers of two (G.711, table 2a), in units of 14-bit samples."""
_MU_MAX: Final = 0x1FFF
"""Of the biased magnitude. Beyond it samples share the last code, as 32,636 to 32,767 do."""


def alaw(samples: NDArray[np.int16]) -> Codes:
    """One A-law code a sample."""
    return _ALAW[samples.view(np.uint16)]


def ulaw(samples: NDArray[np.int16]) -> Codes:
    """One mu-law code a sample."""
    return _ULAW[samples.view(np.uint16)]


def _every_sample() -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Sign and magnitude of all 16-bit samples, ordered by their bits as an unsigned number."""
    samples = np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32)
    return samples >= 0, np.abs(samples)


def _top_bit(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Place of the highest bit set; 0 for 0. Exact, since a double holds every one of these numbers."""
    exponents: NDArray[np.int32] = np.frexp(numbers.astype(np.float64))[1]
    return np.maximum(exponents - 1, 0)


def _alaw_codes() -> Codes:
    """G.711, table 1: sign, 3 bits of segment, 4 bits of step.

    The lowest two segments share a step size; above them it doubles from one to the next. A sample that is exactly a
    decision value, which the table gives to neither side, counts as the larger.
    """
    positive, magnitude = _every_sample()
    magnitude = np.minimum(magnitude >> 4, _A_MAX)
    segment = np.maximum(_top_bit(magnitude) - 3, 0)
    step = (magnitude >> np.maximum(segment - 1, 0)) & 0xF
    return _table(((positive << 7) | (segment << 4) | step) ^ _EVEN_BITS)


def _ulaw_codes() -> Codes:
    """G.711, table 2: sign, 3 bits of segment, 4 bits of step, all inverted. Decision values as in `_alaw_codes`."""
    positive, magnitude = _every_sample()
    biased = np.minimum((magnitude >> 2) + _MU_BIAS, _MU_MAX)
    segment = _top_bit(biased) - 5
    step = (biased >> (segment + 1)) & 0xF
    return _table(~((~positive << 7) | (segment << 4) | step))


def _table(codes: NDArray[np.int32]) -> Codes:
    table = (codes & 0xFF).astype(np.uint8)
    table.setflags(write=False)
    return table


_ALAW: Final = _alaw_codes()
_ULAW: Final = _ulaw_codes()
