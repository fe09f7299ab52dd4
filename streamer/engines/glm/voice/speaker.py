"""16 kHz samples → speaker vector: Kaldi's filter bank, then CAM++ by the ONNX runtime."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime
import torchaudio.compliance.kaldi
from numpy.typing import NDArray
from torch import Tensor

from streamer.engines.glm.checkpoint.layout import present
from streamer.engines.glm.voice.features import RATE
from streamer.errors import CheckpointError

SIZE = 192
"""Of the vector."""
_BINS = 80
_ERRORS_ONLY = 3
"""The runtime's severity: its warnings about a graph are for who exported it."""


class SpeakerEncoder:
    """On the CPU and one thread, so that its sums have one order."""

    def __init__(self, session: onnxruntime.InferenceSession, file: Path, digest: str) -> None:
        self.digest = digest
        """Hex, of the file."""
        self._session = session
        self._input = session.get_inputs()[0].name
        self._file = file

    @classmethod
    def open(cls, file: Path) -> Self:
        """campplus.onnx. Errors: CheckpointError that names it."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            model = present(file).read_bytes()
            session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except CheckpointError:
            raise
        except Exception as error:  # the runtime's errors have no class in common
            raise _unusable(file, error) from error
        if len(session.get_inputs()) != 1:
            raise CheckpointError(f"{file}: has {len(session.get_inputs())} inputs, a speaker encoder has one")
        return cls(session, file, hashlib.sha256(model).hexdigest()[:16])

    def vector(self, wave: Tensor) -> NDArray[np.float32]:
        """(samples,) float32 → (192,) float32. Errors: CheckpointError, where the file's model is another one."""
        features = fbank(wave).numpy()
        vector: NDArray[np.float32]
        try:
            vector = np.asarray(self._session.run(None, {self._input: features[None]})[0])
        except Exception as error:  # as above
            raise _unusable(self._file, error) from error
        if vector.shape != (1, SIZE) or vector.dtype != np.float32:
            raise CheckpointError(f"{self._file}: gives {vector.dtype} {vector.shape}, expected is float32 (1, {SIZE})")
        return vector.reshape(SIZE).copy()


def fbank(wave: Tensor) -> Tensor:
    """(samples,) at 16 kHz → (frames, 80) float32: log energies every 10 ms, less their mean over time."""
    energies: Tensor = torchaudio.compliance.kaldi.fbank(
        wave[None],
        sample_frequency=float(RATE),
        num_mel_bins=_BINS,
        frame_length=25.0,
        frame_shift=10.0,
        dither=0.0,
        window_type="povey",
        preemphasis_coefficient=0.97,
        remove_dc_offset=True,
        snip_edges=True,
        use_power=True,
        low_freq=20.0,
        high_freq=8_000.0,
        use_energy=False,
    )
    return energies - energies.mean(dim=0, keepdim=True)


def library() -> str:
    """What runs the model: its version changes the vector."""
    return f"onnxruntime {onnxruntime.__version__}"


def _unusable(file: Path, error: Exception) -> CheckpointError:
    reason = str(error).strip().split("\n", 1)[0][:300]
    return CheckpointError(
        f"{file}: cannot be used as a speaker encoder ({reason}); it is `frontend/campplus.onnx` of the code repository"
    )
