"""`python -m benchmarks.precision`: how far flow and vocoder in bfloat16 or TF32 are from float32, and it from itself.

The same pieces, behind a prompt of 5 s, with the same noise. First the noise floor: float32 against float64, against an
independent float32 of the same network, and against itself in a longer shape and in a batch of four. SNR of the mel and
of the waveform that the float32 vocoder makes of it, and the distance of the waveforms' log mels.

The SNR of a waveform falls with its length whatever the precision: the vocoder adds up the phase of the fundamental, so
that any difference shifts it. Weights are noise: this tells how products round, not how speech sounds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.engine import folder
from benchmarks.engine.plain.flow import PlainFlow
from benchmarks.precision.measures import log_mel_distance, mel_distance, snr
from benchmarks.precision.piece import Piece
from benchmarks.report import publish
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.opening import open_device
from streamer.engines.glm.precision import exact
from streamer.engines.glm.shapes import bucket
from streamer.engines.glm.vocoder.hift import Hift

_COLUMNS = ("weights", "piece (s)", "what", "mel SNR (dB)", "mel ± (mdB)", "wave SNR (dB)", "log mel ± (dB)")
_TOKENS = {"tiny": (60, 200, 360), "full": (60, 200)}
_ROWS = 4
_SECOND = 25


class Other(NamedTuple):
    """Something else than float32 by the engine."""

    what: str
    mel: Tensor
    wave: Tensor


class Comparison:
    """One size of weights on one device."""

    def __init__(self, root: Path, size: folder.Size, device: torch.device) -> None:
        self._size, self._device = size, device
        self._layout: Layout = folder.prepared(root, size)
        self._cache = folder.cache(root)
        self._hift = Hift.open(self._layout, device)

    def rows(self, tokens: int) -> Iterator[tuple[object, ...]]:
        piece = Piece(self._layout, self._cache, tokens)
        flow = Flow.open(self._layout, self._device, torch.float32)
        mel = piece.mel(flow)
        wave = piece.wave(self._hift, mel)
        for other in self._others(piece, flow, mel):
            yield (
                self._size,
                round(tokens / _SECOND, 1),
                other.what,
                _rounded(snr(mel, other.mel)),
                float(f"{1_000 * mel_distance(mel, other.mel):.3g}"),
                _rounded(snr(wave, other.wave)),
                float(f"{log_mel_distance(wave, other.wave, Hift.sample_rate):.3g}"),
            )

    def _others(self, piece: Piece, flow: Flow, mel: Tensor) -> Iterator[Other]:
        def other(what: str, made: Tensor) -> Other:
            return Other(what, made, piece.wave(self._hift, made))

        for name, dtype in (("float64", torch.float64), ("another float32", torch.float32)):
            plain = PlainFlow(self._layout, self._device, dtype)
            yield other(f"floor: {name}", piece.plain_mel(plain))
            del plain
        yield other("floor: fp32, longer shape", piece.mel(flow, bucket(piece.frames + 64)))
        yield other(f"floor: fp32, {_ROWS} rows", piece.mel(flow, rows=_ROWS))
        if self._device.type == "cuda":
            yield other("flow in TF32", piece.mel(flow, tf32=True))
            yield Other("vocoder in TF32", mel, piece.wave(self._hift, mel, tf32=True))
        yield other("flow in bf16", piece.mel(Flow.open(self._layout, self._device, torch.bfloat16)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--size", choices=("tiny", "full"), nargs="+", default=("tiny", "full"))
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--folder", type=Path, default=folder.default(), help="keeps the weights: 20 MB or 4 GB")
    parser.add_argument("--name", default="precision", help="of the file of results")
    parser.add_argument("--dry", action="store_true", help="nothing is written to the results")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("--device cuda: this machine has no CUDA device")
    device = open_device(arguments.device)
    exact()
    rows: list[tuple[object, ...]] = []
    for size in arguments.size:
        comparison = Comparison(arguments.folder, size, device)
        for tokens in _TOKENS[size]:
            rows += _told(comparison.rows(tokens))
    publish(
        arguments.name,
        f"Precision on {device}: how far from float32",
        _COLUMNS,
        rows,
        write=not arguments.dry,
        torch=torch.__version__,
        gpu=torch.cuda.get_device_name() if device.type == "cuda" else None,
    )


def _told(rows: Iterator[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        print(*row, flush=True)
        yield row


def _rounded(decibels: float | str) -> float | str:
    return decibels if isinstance(decibels, str) else round(decibels, 1)


if __name__ == "__main__":
    main()
