"""Verification: whether samples can be the speech of a text, measured against the bounds of the engine's profile.

It finds what goes wrong with engines that draw lots (nothing, silence, a shout at full scale, an end that comes too
early or never, a loop), not whether the words are right. Pure functions; a speech of any length is looked at in blocks,
so that its samples are never copied as a whole.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.engines.base import Durations, Profile, Samples, SpeechBounds, Utterance
from streamer.errors import RequestFailed
from streamer.records import FailureCode
from streamer.validation import MAX_SEED

FULL_SCALE = 32_767
_FRAME = 0.01
"""Seconds of one value of loudness."""
_BLOCK = 1 << 20
_QUIET = 0.01
"""Of the peak: -40 dB."""
_WINDOW, _HOP = 600, 300
"""Frames in which a loop is looked for."""
_LAGS = slice(15, 250)
"""Frames after which it may begin again: from a short syllable to less than half the window."""
_FLOOR_DB = 50.0

_IDEOGRAPHS = re.compile("[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LETTERS = re.compile("[A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]")
_DIGITS = re.compile(r"\d")
_PAUSES = re.compile(
    r"[\s.,:;!?'\"()\[\]{}\u2010-\u2027\u3000-\u3003\u3008-\u301b\uff01\uff08\uff09\uff0c\uff0e\uff1a\uff1b\uff1f]"
)
_REPEATED = re.compile(r"(.{1,80}?)\1{2,}", re.DOTALL)

Loudness = NDArray[np.float32]
"""Mean square of each frame, full scale being 1."""


class Flaw(NamedTuple):
    """Why a speech does not count."""

    measure: str
    """The bound's name in SpeechBounds, or `empty`."""
    message: str
    """What was measured, and the bound."""


def verify(samples: Samples, sample_rate: int, text: str, bounds: SpeechBounds, pace: float = 1.0) -> Flaw | None:
    """The first flaw of `samples`: shape (frames,), int16. `pace` scales the durations (SpeechBounds.pace)."""
    if not len(samples):
        return Flaw("empty", "the speech is empty")
    peak = max(int(samples.max()), -int(samples.min())) / FULL_SCALE
    loudness = _loudness(samples, max(1, round(_FRAME * sample_rate)))
    return (
        _silent(loudness, peak, bounds)
        or _clipped(samples, peak, bounds)
        or _length(len(samples) / sample_rate, text, bounds, pace)
        or _silence(loudness, peak, bounds, pace)
        or _loop(loudness, text, bounds)
    )


def flaw_of(samples: Samples, utterance: Utterance, profile: Profile) -> Flaw | None:
    """What `verify` says of an utterance's speech; None too where its engine's is not verified."""
    bounds = profile.bounds
    if bounds is None:
        return None
    return verify(samples, profile.sample_rate, utterance.text, bounds, bounds.pace(utterance.voice))


def next_try(utterance: Utterance, profile: Profile, speeches: int) -> Utterance | None:
    """What to speak instead of a speech that was rejected, the `speeches`th of its record; None: nothing, it fails.

    Once more, with the next seed, which then is the one that its recipe names; not where a seed changes nothing.
    """
    if speeches > 1 or not profile.seeded:
        return None
    return msgspec.structs.replace(utterance, seed=(utterance.seed + 1) % (MAX_SEED + 1))


def rejection(flaw: Flaw, utterance: Utterance, profile: Profile) -> RequestFailed:
    """The failure of a record whose last speech has `flaw`."""
    tried = f"seed {utterance.seed}, and the one before it" if profile.seeded else "a seed changes nothing in it"
    message = f"{flaw.message} ({flaw.measure} of engine {profile.name}; {tried})"
    return RequestFailed(FailureCode.SPEECH_REJECTED, message)


def duration(text: str, durations: Durations) -> float:
    """Seconds; the sum that Durations describes."""
    ideographs, letters, digits, pauses = (
        len(kind.findall(text)) for kind in (_IDEOGRAPHS, _LETTERS, _DIGITS, _PAUSES)
    )
    named = len(text) - ideographs - letters - digits - pauses
    return (
        durations.constant
        + ideographs * durations.ideograph
        + letters * durations.letter
        + digits * durations.digit
        + pauses * durations.pause
        + named * durations.named
    )


def alike(loudness: Loudness) -> float:
    """The highest normalised autocorrelation of the loudness (in dB, floor -50 dB) in any six seconds; 0 if shorter.

    r(lag) = Σ x(t) x(t+lag) / √(Σ x(t)² · Σ x(t+lag)²), the sums over the overlap alone, by FFT in all windows at once.
    """
    if len(loudness) < _WINDOW:
        return 0.0
    peak = float(loudness.max()) or 1.0
    level = 10 * np.log10(np.maximum(loudness / peak, 10 ** (-_FLOOR_DB / 10)))
    windows = np.lib.stride_tricks.sliding_window_view(level, _WINDOW)
    windows = np.concatenate([windows[::_HOP], windows[-1:]])
    best = 0.0
    for start in range(0, len(windows), 64):
        best = max(best, _correlation(windows[start : start + 64]))
    return best


def _correlation(windows: NDArray[np.float32]) -> float:
    """`windows`: shape (count, _WINDOW)."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * _WINDOW, axis=1)
    products = np.fft.irfft(spectrum * spectrum.conj(), axis=1)[:, _LAGS]
    squares = np.cumsum(centred * centred, axis=1)
    overlap = _WINDOW - np.arange(_LAGS.start, _LAGS.stop)
    first, all_ = squares[:, overlap - 1], squares[:, -1:]
    second = all_ - squares[:, _WINDOW - overlap - 1]
    norm = np.sqrt(np.maximum(first * second, 0))
    # A window without ups and downs is no loop: the variance of speech is far above 1 dB².
    steady = all_ < _WINDOW
    return float(np.max(np.where(steady | (norm <= 0), 0.0, products / np.maximum(norm, 1e-9))))


def _loudness(samples: Samples, width: int) -> Loudness:
    """Shape (frames of `width` samples,); the last frame may be shorter."""
    parts = []
    for start in range(0, len(samples), width * (_BLOCK // width or 1)):
        block = samples[start : start + width * (_BLOCK // width or 1)].astype(np.float32) / FULL_SCALE
        whole = len(block) // width * width
        framed = block[:whole].reshape(-1, width)
        parts.append(np.einsum("ij,ij->i", framed, framed) / width)
        if whole < len(block):
            rest = block[whole:]
            parts.append(np.array([rest @ rest / len(rest)], np.float32))
    return np.concatenate(parts)


def _silent(loudness: Loudness, peak: float, bounds: SpeechBounds) -> Flaw | None:
    rms = float(np.sqrt(loudness.mean()))
    if peak and rms >= bounds.least_rms:
        return None
    return Flaw("least_rms", f"the speech is silent: its RMS is {rms:.5f} of full scale, at least {bounds.least_rms:g}")


def _clipped(samples: Samples, peak: float, bounds: SpeechBounds) -> Flaw | None:
    if peak < 1:
        return None
    places = np.flatnonzero((samples >= FULL_SCALE) | (samples <= -FULL_SCALE))
    share = len(places) / len(samples)
    if share > bounds.most_clipped:
        most = bounds.most_clipped
        return Flaw("most_clipped", f"the speech is clipped: {share:.3%} of it at full scale, at most {most:.3%}")
    run = _longest_run(places)
    if bounds.longest_clipped is not None and run > bounds.longest_clipped:
        most_run = bounds.longest_clipped
        return Flaw("longest_clipped", f"the speech is clipped: {run} samples in a row, at most {most_run}")
    return None


def _length(seconds: float, text: str, bounds: SpeechBounds, pace: float) -> Flaw | None:
    characters = f"{seconds:.2f} s for {len(text)} characters"
    if bounds.shortest is not None and seconds < (least := pace * duration(text, bounds.shortest)):
        return Flaw("shortest", f"the speech is cut off: {characters}, at least {least:.2f} s")
    if bounds.longest is not None and seconds > (most := pace * duration(text, bounds.longest)):
        return Flaw("longest", f"the speech does not end: {characters}, at most {most:.2f} s")
    return None


def _silence(loudness: Loudness, peak: float, bounds: SpeechBounds, pace: float) -> Flaw | None:
    if bounds.longest_silence is None:
        return None
    seconds = _longest_run(np.flatnonzero(loudness < (_QUIET * peak) ** 2)) * _FRAME
    most = bounds.longest_silence * pace
    if seconds <= most:
        return None
    return Flaw("longest_silence", f"the speech holds {seconds:.2f} s of silence, at most {most:.2f} s")


def _loop(loudness: Loudness, text: str, bounds: SpeechBounds) -> Flaw | None:
    if bounds.most_alike is None or (found := alike(loudness)) <= bounds.most_alike or _REPEATED.search(text):
        return None
    return Flaw(
        "most_alike", f"the speech loops: six seconds of it repeat with {found:.3f}, at most {bounds.most_alike:g}"
    )


def _longest_run(places: NDArray[np.intp]) -> int:
    """How many of the ascending places follow each other without a gap, at most."""
    if not len(places):
        return 0
    ends = np.flatnonzero(np.diff(places) != 1)
    return int(np.diff(np.concatenate([[-1], ends, [len(places) - 1]])).max())
