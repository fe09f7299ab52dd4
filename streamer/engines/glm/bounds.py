"""Between what measures the speech of GLM-TTS lies when nothing went wrong.

Wide on purpose: set from what the model may do (2 to 20 speech tokens a text token, 25 a second), never measured on the
official weights. What they are for is silence, noise at full scale, a loop, and a voice that runs on to its limit.
"""

from __future__ import annotations

from streamer.engines.base import Durations, SpeechBounds

BOUNDS = SpeechBounds(
    least_rms=0.003,
    most_clipped=0.02,
    longest_silence=4.0,
    most_alike=0.98,
    shortest=Durations(ideograph=0.06, letter=0.015, digit=0.05, pause=0.0, named=0.0, constant=-0.2),
    longest=Durations(ideograph=0.7, letter=0.25, digit=0.8, pause=0.8, named=1.5, constant=2.0),
)
