"""The short spectrum against torch's own transforms, whole rows and rows that end early."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from streamer.engines.glm.vocoder.ends import within
from streamer.engines.glm.vocoder.spectrum import Spectrum

SIZE, HOP = 16, 4
LENGTHS = (12, 40, 97 * HOP)
WINDOW = torch.hann_window(SIZE, periodic=True, dtype=torch.float64)


@pytest.fixture
def spectrum() -> Spectrum:
    return Spectrum(SIZE, HOP)


def rows(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def frames(length: int) -> int:
    return length // HOP + 1


def test_each_row_is_mirrored_at_its_own_end(spectrum: Spectrum) -> None:
    samples = rows(len(LENGTHS), max(LENGTHS))
    lengths = torch.tensor(LENGTHS)
    mask = within(lengths // HOP + 1, frames(max(LENGTHS)))
    made = spectrum.analyse(samples, lengths, mask)
    for row, length in enumerate(LENGTHS):
        alone = samples[row, :length].to(torch.float64)
        expected = torch.stft(alone, SIZE, HOP, SIZE, WINDOW, center=True, pad_mode="reflect", return_complex=True)
        parts = torch.cat([expected.real, expected.imag])
        torch.testing.assert_close(made[row, :, : frames(length)].to(torch.float64), parts, atol=2e-6, rtol=0)
        assert not made[row, :, frames(length) :].any()


def test_each_row_has_the_windows_of_its_own_frames(spectrum: Spectrum) -> None:
    parts = rows(len(LENGTHS), 2 * spectrum.bins, frames(max(LENGTHS)))
    mask = within(torch.tensor(LENGTHS) // HOP + 1, frames(max(LENGTHS)))
    made = spectrum.resynthesise(parts, mask)
    for row, length in enumerate(LENGTHS):
        alone = parts[row, :, : frames(length)].to(torch.float64)
        bins = torch.complex(*alone.chunk(2))
        expected = torch.istft(bins, SIZE, HOP, SIZE, WINDOW, center=True)
        torch.testing.assert_close(made[row, :length].to(torch.float64), expected, atol=2e-6, rtol=0)


def test_there_and_back_is_the_same(spectrum: Spectrum) -> None:
    samples = rows(2, 400)
    lengths = torch.tensor([400, 400])
    mask = within(lengths // HOP + 1, frames(400))
    back = spectrum.resynthesise(spectrum.analyse(samples, lengths, mask), mask)
    torch.testing.assert_close(back, samples, atol=2e-6, rtol=0)
