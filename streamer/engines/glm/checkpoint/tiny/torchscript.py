"""generator_jit.ckpt: the vocoder for 32 kHz, scripted."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Mapping

import torch
from torch import nn

from streamer.engines.glm.checkpoint.tiny.noise import Floats

_TIME = (1980, 1, 1, 0, 0, 0)


class _Vocos(nn.Module):
    def __init__(self, weight: Floats, bias: Floats) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(weight), requires_grad=False)
        self.bias = nn.Parameter(torch.from_numpy(bias), requires_grad=False)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        samples = torch.matmul(mel, self.weight.t()) + self.bias
        return torch.flatten(torch.tanh(samples) * 0.3, 1)


def scripted(weights: Mapping[str, Floats]) -> bytes:
    """The archive of a module: mel [B, T, 80] → samples [B, 640 T], from `weight` [640, 80] and `bias` [640]."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The official file is TorchScript, whatever torch has come to recommend since.
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        module = torch.jit.script(_Vocos(weights["weight"], weights["bias"]))
        torch.jit.save(module, buffer)
    return _stripped(buffer.getvalue())


def _stripped(archive: bytes) -> bytes:
    """Without what tells where the source stood, for that differs from machine to machine."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            if not name.endswith(".debug_pkl"):
                target.writestr(zipfile.ZipInfo(name, _TIME), source.read(name))
    return out.getvalue()
