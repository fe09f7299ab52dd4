"""Vocos at 32 kHz: mel → samples by the script that comes with the checkpoint.

The file is TorchScript, that is a program: whoever could change it could run anything as the worker. It is therefore
read only where 32 kHz is configured, and loaded only if it is the very file whose sha256 the configuration states.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import torch
from torch import Tensor

from streamer.engines.glm.checkpoint.layout import Layout, present
from streamer.errors import CheckpointError, EngineError

_SHIFT = -7.847762537473608
"""Added to a mel; the script was trained so."""


class Vocos:
    """A script cannot be told where a row ends: rows share a batch only if they are equally long, to the frame."""

    sample_rate = 32_000
    hop = 640
    """Samples that a mel frame becomes."""

    def __init__(self, script: torch.jit.ScriptModule, device: torch.device) -> None:
        self._script = script
        self.device = device

    @classmethod
    def open(cls, layout: Layout, sha256: str, device: torch.device) -> Vocos:
        """`sha256`: 64 hex digits, as configured. Errors: CheckpointError that names the file."""
        return cls(_loaded(_vouched(layout.vocos, sha256), layout.vocos, device), device)

    def samples(self, frames: int) -> int:
        """That so many frames make: a single one is spoken twice."""
        return self.hop * max(frames, 2)

    def __call__(self, mel: Tensor) -> Tensor:
        """[B, 80, T], ln of a 32 kHz mel, every row T frames → [B, 640 T], which is 1280 for T = 1.

        A single frame is spoken twice, as the reference does it: the script cannot work on one.
        Errors: EngineError where the script makes another number of samples.
        """
        if mel.shape[2] == 1:
            mel = mel.repeat(1, 1, 2)
        # Its executor would otherwise watch the first calls and rewrite itself for the later ones: other kernels, and
        # then other bytes after a restart.
        with torch.jit.optimized_execution(False), torch.inference_mode():  # type: ignore[attr-defined]
            samples = self._script((mel + _SHIFT).transpose(1, 2).contiguous())
        expected = (mel.shape[0], self.hop * mel.shape[2])
        if isinstance(samples, Tensor) and samples.dim() == 3 and samples.shape[1] == 1:
            samples = samples.squeeze(1)
        if not isinstance(samples, Tensor) or tuple(samples.shape) != expected:
            made = tuple(samples.shape) if isinstance(samples, Tensor) else type(samples).__name__
            raise EngineError(f"the Vocos script made {made} of a mel {tuple(mel.shape)}, expected is {expected}")
        return samples.to(torch.float32)


def _vouched(file: Path, sha256: str) -> bytes:
    """What is in the file, if it is what was stated. Read once: what was hashed is what is loaded."""
    try:
        content = present(file).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error})") from error
    actual = hashlib.sha256(content).hexdigest()
    if sha256.strip().lower() == actual:
        return content
    reason = (
        f"has not the sha256 that engine.glm.vocos_sha256 states ({sha256.strip()})"
        if sha256.strip()
        else "is a program, and engine.glm.vocos_sha256 does not state its sha256"
    )
    raise CheckpointError(
        f'{file}: {reason}. It is not loaded. If you trust this file as it is, set vocos_sha256 = "{actual}"'
    )


def _loaded(content: bytes, file: Path, device: torch.device) -> torch.jit.ScriptModule:
    try:
        with warnings.catch_warnings():
            # The format is the checkpoint's, not ours to choose.
            warnings.filterwarnings("ignore", message="`torch.jit.load` is deprecated", category=DeprecationWarning)
            script: torch.jit.ScriptModule = torch.jit.load(io.BytesIO(content), map_location=device)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        reason = str(error).strip().split("\n", 1)[0][:300]
        raise CheckpointError(f"{file}: is no TorchScript ({reason}); fetch it with `streamer models pull`") from error
    return script.eval()
