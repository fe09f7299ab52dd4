"""How far two sounds, or two mels, are from each other."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from streamer.engines.glm.voice.mel import Mel

EQUAL = "equal"
"""In place of a number of decibels, where every bit is the same."""
_DECIBELS = 20 / math.log(10)
"""Of a natural logarithm of amplitudes."""


def snr(signal: Tensor, other: Tensor) -> float | str:
    """Signal to noise in dB: the signal's power about its mean, for a mel lies far from zero, over the difference's."""
    if torch.equal(signal, other):
        return EQUAL
    signal, other = signal.double(), other.double()
    power = (signal - signal.mean()).square().mean()
    return float(10 * torch.log10(power / (signal - other).square().mean()))


def mel_distance(signal: Tensor, other: Tensor) -> float:
    """dB, root mean square: between mels of natural logarithms of amplitudes, any shape."""
    return _DECIBELS * float((signal.double() - other.double()).square().mean().sqrt())


def log_mel_distance(signal: Tensor, other: Tensor, sample_rate: int) -> float:
    """dB, root mean square over the log mels of two sounds [samples], as GLM-TTS makes mels of prompts."""
    mel = Mel(sample_rate)
    return mel_distance(mel(signal.float()), mel(other.float()))
