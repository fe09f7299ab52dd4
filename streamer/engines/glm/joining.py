"""The pieces of a text, made one sound."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.engines.base import Samples
from streamer.errors import EngineError

Wave = NDArray[np.float32]

_FULL_SCALE = 32_767


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """How pieces follow each other. The default is the reference's: one directly behind the other.

    With n pieces that are not empty, pause and fade in samples (seconds × rate, rounded), the joined sound has

        sum of their lengths + (n - 1) × pause        samples where there is a pause,
        sum of their lengths - overlap of each joint  where there is none.

    The overlap of a joint is the fade, but never more than half of the shorter of its two pieces (rounded down), so
    that the two fades of one piece never meet; next to a piece of one sample there is none. With a pause pieces do not
    overlap: as much of each end fades out into the silence, and of each beginning in from it.
    """

    sample_rate: int
    pause: float = 0.0
    """Seconds of silence between two pieces."""
    cross_fade: float = 0.0
    """Seconds in which one piece fades out while the next fades in."""
    curve: Literal["linear", "power"] = "linear"
    """What adds up to one during a fade: the amplitudes (ends that are alike, or silent), or the powers (sounds that
    have nothing in common; both at full scale may clip)."""

    def join(self, pieces: Sequence[Wave]) -> Samples:
        """Waves of shape (frames,), full scale ±1 → int16, clipped, round(32767 x), ties to even.

        Empty pieces are passed over, and bring no pause. Errors: EngineError if a piece holds no finite number.
        """
        for index, piece in enumerate(pieces):
            if not np.isfinite(piece).all():
                raise EngineError(f"piece {index} of the speech holds samples that are no finite numbers")
        spoken = [piece for piece in pieces if len(piece)]
        if not spoken:
            return np.zeros(0, np.int16)
        parts = self._paused(spoken) if self._samples(self.pause) else self._overlapped(spoken)
        wave = np.clip(np.concatenate(parts), np.float32(-1), np.float32(1))
        samples: Samples = np.rint(wave * np.float32(_FULL_SCALE)).astype(np.int16)
        return samples

    def _samples(self, seconds: float) -> int:
        return round(seconds * self.sample_rate)

    def _overlaps(self, pieces: Sequence[Wave]) -> list[int]:
        """Of each joint, in samples: one fewer than there are pieces."""
        fade = self._samples(self.cross_fade)
        return [min(fade, len(left) // 2, len(right) // 2) for left, right in pairwise(pieces)]

    def _overlapped(self, pieces: Sequence[Wave]) -> list[Wave]:
        parts = []
        begin = 0
        for overlap, (left, right) in zip(self._overlaps(pieces), pairwise(pieces), strict=True):
            end = len(left) - overlap
            rising = self._rising(overlap)
            parts += [left[begin:end], left[end:] * rising[::-1] + right[:overlap] * rising]
            begin = overlap
        return [*parts, pieces[-1][begin:]]

    def _paused(self, pieces: Sequence[Wave]) -> list[Wave]:
        silence = np.zeros(self._samples(self.pause), np.float32)
        overlaps = self._overlaps(pieces)
        parts: list[Wave] = []
        for piece, before, after in zip(pieces, [0, *overlaps], [*overlaps, 0], strict=True):
            middle = len(piece) - after
            faded_in = piece[:before] * self._rising(before)
            faded_out = piece[middle:] * self._rising(after)[::-1]
            parts += [faded_in, piece[before:middle], faded_out, silence]
        return parts[:-1]

    def _rising(self, samples: int) -> Wave:
        """Weights of what fades in, 0 to 1, at the middle of each sample, so that it mirrors what fades out.

        A root is rounded exactly everywhere, which a sine is not.
        """
        linear = (np.arange(samples) + 0.5) / max(samples, 1)
        return (linear if self.curve == "linear" else np.sqrt(linear)).astype(np.float32)
