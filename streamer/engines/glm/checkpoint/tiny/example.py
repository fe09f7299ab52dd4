"""What it takes to try a tiny checkpoint at once: a voice with its prompt, requests, and a configuration."""

from __future__ import annotations

import io

import numpy as np
import soundfile

RATE = 24_000
PROMPT_TEXT = "你好，这是一段合成的提示音。"

_SYLLABLES = 13
_SYLLABLE = 0.27
_LEAD = 0.25
"""Seconds: of a syllable, and of silence at both ends."""
_VOWELS = ((730, 1090), (270, 2290), (300, 870), (530, 1840), (570, 840))
"""Hz; the first two formants of a, i, u, e and o as American men speak them (Peterson and Barney, 1952)."""
_HARMONICS = 24

_NAMES = ("support", "manager", "vip", "news")
"""The presets that the events of streamer's own configuration name."""

VOICES = "\n".join(
    [
        "# The presets of streamer's events, all cloned from one synthetic prompt. Paths are relative to this file.",
        'default = "support"',
        *(f'\n[voices.{name}]\nprompt_audio = "prompt.wav"\nprompt_text = "{PROMPT_TEXT}"' for name in _NAMES),
        "",
    ]
)
REQUESTS = """{"id": "hello", "text": "你好，您的包裹已经发出。"}
{"id": "paid", "text": "Your order has been paid. Thank you!"}
{"id": "mixed", "text": "第3课 Good morning 的作业，全部做对了。"}
"""
CONFIGURATION = """# streamer --config streamer.toml synth requests.jsonl --out out      (run in this folder)
[engine]
name = "glm"

[engine.glm]
checkpoint = ".."

[voices]
file = "voices.toml"
"""


def prompt(syllables: int = _SYLLABLES, lead: float = _LEAD) -> bytes:
    """A WAV of 4 s, 24 kHz, mono: sung vowels, whose pitch falls from 190 to 120 Hz and wavers a little.

    Of other `syllables` (0.27 s each) and `lead` (seconds of silence at both ends) it is longer or shorter.
    Each harmonic is as loud as two resonances of the vowel let it be; a raised cosine opens and closes each syllable.
    """
    step = round(RATE * _SYLLABLE)
    time = np.arange(syllables * step) / RATE
    pitch = 190.0 - 70.0 * time / time[-1] + 4.0 * np.sin(2 * np.pi * 5.0 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    syllable = np.minimum(np.arange(len(time)) // step, syllables - 1)
    formants = np.array(_VOWELS, np.float64)[syllable % len(_VOWELS)]
    sound = np.zeros(len(time))
    for number in range(1, _HARMONICS + 1):
        distance = (number * pitch[:, None] - formants) / (0.12 * formants + 40.0)
        sound += (1 / (1 + distance**2)).sum(axis=1) / number**0.5 * np.sin(number * phase)
    sound *= np.sin(np.pi * (np.arange(len(time)) % step) / step) ** 0.5
    silence = np.zeros(round(RATE * lead))
    samples = np.concatenate([silence, 0.5 * sound / np.abs(sound).max(), silence])
    buffer = io.BytesIO()
    soundfile.write(buffer, np.round(samples * 32767).astype(np.int16), RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
