"""`python -m benchmarks.encoding`: what each audio format costs, in time and bytes, on speech by espeak.

Speech at the engine's own rate is encoded at the format's rate, resampling included. Time is the thread's own CPU
time, the best of `--repeats`, so that a busy machine changes little.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import publish
from streamer.clock import SystemClock
from streamer.engines.base import Failure, Utterance
from streamer.engines.opening import open_engine
from streamer.settings import Settings
from streamer.store.encoding import Encoded, default_rate, encode, formats, version
from streamer.voices import Voices

_TEXT = "您的订单已付款,我们会尽快为您发货。Your parcel has shipped and will arrive on Friday. " * 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    samples, rate = speech()
    cases = [(format, default_rate(format, 24_000)) for format in formats()] + [("wav", 8_000), ("opus", 16_000)]
    rows: list[tuple[object, ...]] = []
    for format, target in cases:
        seconds, encoded = best(samples, rate, format, target, repeats)
        rows.append(
            (
                format,
                target,
                round(encoded.duration / seconds),
                round(len(encoded.data) / encoded.duration),
                round(8 * len(encoded.data) / encoded.duration / 1_000, 1),
            )
        )
    publish(
        "encoding",
        f"Encoding {len(samples) / rate:.0f} s of speech from {rate} Hz",
        ("format", "rate (Hz)", "× real time", "bytes/s", "kbit/s"),
        rows,
        speech_seconds=round(len(samples) / rate, 2),
        repeats=repeats,
        version=version(),
    )


def speech() -> tuple[NDArray[np.int16], int]:
    settings = Settings()
    engine = open_engine(settings.engine, SystemClock())
    try:
        voice = Voices.load(settings.voices.file).get(None)
        if voice is None:
            raise SystemExit("voices.file has no default voice")
        engine.submit(Utterance(text=_TEXT, voice=voice, seed=1, phoneme=None))
        while not (reports := engine.step()):
            pass
        (report,) = reports
        if isinstance(report, Failure):
            raise SystemExit(report.message)
        return report.samples, engine.profile.sample_rate
    finally:
        engine.close()


def best(samples: NDArray[np.int16], rate: int, format: str, target: int, repeats: int) -> tuple[float, Encoded]:
    """CPU seconds of the fastest, and what it made."""
    times = []
    for _ in range(repeats):
        began = time.thread_time()
        encoded = encode(samples, rate, format, target)
        times.append(time.thread_time() - began)
    return min(times), encoded


if __name__ == "__main__":
    main()
