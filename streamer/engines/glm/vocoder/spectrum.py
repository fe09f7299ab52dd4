"""Short-time Fourier transform and its inverse, each row with its own end.

Written as convolutions with the sines themselves: the transform is 16 samples long, a row's end costs nothing more,
and there is no plan of a Fourier library that could depend on the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_NO_DIVISION_BY_ZERO = 1e-11


class Spectrum(nn.Module):
    """Frames of `size` samples under a periodic Hann window, one every `hop`, centred on their sample.

    A row of n samples has n / hop + 1 frames, the first and last of them half beyond its ends.
    """

    def __init__(self, size: int, hop: int) -> None:
        super().__init__()
        self.size, self.hop = size, hop
        self.bins = size // 2 + 1
        samples = torch.arange(size, dtype=torch.float64)
        window = torch.sin(torch.pi * samples / size) ** 2
        turns = torch.outer(torch.arange(self.bins, dtype=torch.float64), samples) * (2 * torch.pi / size)
        parts = torch.cat([turns.cos(), -turns.sin()])
        # A real signal has each bin twice, but for the first and the last.
        weight = torch.full((self.bins, 1), 2.0, dtype=torch.float64)
        weight[0] = weight[-1] = 1.0
        inverse = parts * torch.cat([weight, weight]) / size
        for name, kernel in (("_forward", parts * window), ("_inverse", inverse * window), ("_square", window**2)):
            self.register_buffer(name, kernel.reshape(-1, 1, size).to(torch.float32), persistent=False)
        self._forward: Tensor
        self._inverse: Tensor
        self._square: Tensor

    def analyse(self, samples: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        """[B, n] → [B, 2 bins, n / hop + 1], real parts before imaginary ones.

        Each row is mirrored at its own end, after `lengths` [B] samples. `mask` [B, 1, n / hop + 1]: its own frames.
        """
        half = self.size // 2
        places = torch.arange(-half, samples.shape[1] + half, device=samples.device).abs()
        ends = lengths[:, None] - 1
        places = torch.where(places > ends, 2 * ends - places, places).clamp(min=0)
        mirrored = samples.gather(1, places).unsqueeze(1)
        return functional.conv1d(mirrored, self._forward, stride=self.hop).mul_(mask)

    def resynthesise(self, spectrum: Tensor, mask: Tensor) -> Tensor:
        """[B, 2 bins, F] → [B, hop (F - 1)]: overlapped, and divided by the sum of the squared windows.

        `mask` [B, 1, F]: which frames belong to a row. Others add nothing, neither to its sound nor to its windows.
        """
        half = self.size // 2
        sound = functional.conv_transpose1d(spectrum * mask, self._inverse, stride=self.hop, padding=half)
        windows = functional.conv_transpose1d(mask.to(sound.dtype), self._square, stride=self.hop, padding=half)
        return (sound / windows.clamp(min=_NO_DIVISION_BY_ZERO)).squeeze(1)
