"""Mel → fundamental frequency."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from streamer.engines.glm.vocoder.ends import Conv1d, same_padding


class F0Predictor(nn.Module):
    """Hz of each frame: |Linear(n × (convolution, ELU))|."""

    def __init__(self, mels: int, channels: int, kernels: tuple[int, ...]) -> None:
        """`kernels`: of each convolution; only the first sees the mel, the others see `channels`."""
        super().__init__()
        widths = [mels] + [channels] * len(kernels)
        # The checkpoint counts the ELU between them.
        self.condnet = nn.ModuleDict(
            {
                str(2 * index): Conv1d(widths[index], channels, kernel, padding=same_padding(kernel))
                for index, kernel in enumerate(kernels)
            }
        )
        self.classifier = nn.Linear(channels, 1)

    def forward(self, mel: Tensor, mask: Tensor) -> Tensor:
        """[B, mels, T], [B, 1, T] → [B, T]; 0 beyond the end."""
        x = mel
        for convolution in self.condnet.values():
            x = functional.elu(convolution(x, mask))
        # Not as a convolution of one tap: with one output channel that rounds by the row's place in the batch.
        hertz: Tensor = self.classifier(x.transpose(1, 2).contiguous()).squeeze(2)
        return hertz.abs() * mask.squeeze(1)
