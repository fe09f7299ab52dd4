"""A row of a batch is what it is alone, and to the bit what it is in any other company of the same shape."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engines.glm.vocoder.ends import within
from streamer.engines.glm.vocoder.hift import Hift
from tests.engines.glm.vocoder.rows import Row, row, vocode, vocode_together

BUCKET = 11
ROWS = 4
lengths = st.integers(1, BUCKET)
anyone = st.tuples(lengths, st.integers(0, 9))
"""Length and seed of a row."""


@pytest.mark.parametrize("frames", [1, 2, 3, 7, BUCKET])
def test_a_padded_row_is_itself_alone(hift: Hift, frames: int) -> None:
    own = row(hift, frames, 0)
    padded = vocode(hift, [own], BUCKET)
    np.testing.assert_allclose(padded[:, : hift.hop * frames], vocode(hift, [own], frames), atol=1e-4, rtol=0)
    assert not padded[:, hift.hop * frames :].any()


@given(rows=st.lists(anyone, min_size=1, max_size=ROWS))
@settings(max_examples=12)
def test_in_float64_nothing_of_the_padding_is_left(exact: Hift, rows: list[tuple[int, int]]) -> None:
    """Masks, mirrored ends and window sums are each row's own: what differs is rounding, and nothing else."""
    mixed = [row(exact, *each) for each in rows]
    sounds = vocode_together(exact, mixed, BUCKET, garbage=7.0)
    for own, sound in zip(mixed, sounds, strict=True):
        end = exact.hop * own.frames
        np.testing.assert_allclose(sound[:end], vocode(exact, [own], own.frames)[0], atol=1e-10, rtol=0)
        assert not sound[end:].any()


@given(own=anyone, others=st.lists(anyone, min_size=ROWS - 1, max_size=ROWS - 1), place=st.integers(0, ROWS - 1))
@settings(max_examples=8)
def test_bits_do_not_depend_on_neighbours_or_place(
    hift: Hift, own: tuple[int, int], others: list[tuple[int, int]], place: int
) -> None:
    """Neither on a CPU nor, as far as it can be seen on one thread, where rows are computed together."""
    mine = row(hift, *own)
    quiet = Row(torch.zeros(hift.mels, 1), torch.zeros(hift.harmonics), torch.zeros(hift.hop, hift.harmonics))
    company = [row(hift, *each) for each in others]
    company.insert(place, mine)
    for compute in (vocode, vocode_together):
        expected = compute(hift, [mine] + [quiet] * (ROWS - 1), BUCKET)[0]
        assert torch.equal(compute(hift, company, BUCKET)[place], expected)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_bits_do_not_depend_on_order_or_on_how_many_share_a_batch(hift: Hift, threads: int) -> None:
    """Also where threads are no divisor of the rows. `one_thread` sets their number back."""
    torch.set_num_threads(threads)
    mixed = [row(hift, frames, 5) for frames in (1, 4, 7, BUCKET)]
    alone = torch.cat([vocode(hift, [each], BUCKET) for each in mixed])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 2, 3, 0], [2, 0, 1], [3, 1]):
        assert torch.equal(vocode(hift, [mixed[index] for index in order], BUCKET), alone[order])


@pytest.mark.parametrize("garbage", [math.nan, math.inf, 1e30])
def test_what_stands_beyond_the_end_has_no_effect(hift: Hift, garbage: float) -> None:
    mixed = [row(hift, 3, 1), row(hift, 8, 2)]
    assert torch.equal(vocode_together(hift, mixed, BUCKET, garbage), vocode_together(hift, mixed, BUCKET))


def test_a_row_may_be_empty(hift: Hift) -> None:
    own = row(hift, 5, 3)
    sounds = vocode_together(hift, [row(hift, 0, 0), own], BUCKET)
    assert not sounds[0].any()
    assert torch.equal(sounds[1], vocode_together(hift, [row(hift, 9, 0), own], BUCKET)[1])


@pytest.mark.parametrize("frames", [1, 2, 29, 63])
def test_a_frame_is_480_samples(hift: Hift, frames: int) -> None:
    sound = vocode(hift, [row(hift, frames, 0)], frames)
    assert sound.shape == (1, 480 * frames)
    assert sound.isfinite().all()
    assert sound.abs().max() <= 0.99


def test_the_start_phase_has_no_effect(hift: Hift) -> None:
    """As with the reference: golden `noise` was made with one, and is met without."""
    own = row(hift, 6, 4)
    assert torch.equal(vocode(hift, [own], 6), vocode(hift, [own._replace(start_phase=torch.zeros(9))], 6))


def test_a_long_phase_is_the_references_float32(hift: Hift) -> None:
    """Turns are summed frame by frame, each sum rounded to float32, as a sum on the CPU does: at every length equal."""
    frames = 600
    f0 = 80 + 200 * torch.rand(1, frames, generator=torch.Generator().manual_seed(0))
    noise = torch.zeros(1, hift.hop * frames, hift.harmonics)
    whole = hift.m_source(f0, noise)
    for end in (1, 299, 598):
        part = hift.m_source(f0[:, :end], noise[:, : hift.hop * end])
        # The last half frame stands still where the row ends.
        upto = hift.hop * end - hift.hop // 2
        np.testing.assert_allclose(part[0, :upto], whole[0, :upto], atol=1e-6, rtol=0)
        held = hift.m_source(f0 * within(torch.tensor([end]), frames)[:, 0], noise)
        np.testing.assert_allclose(held[0, : hift.hop * end], part[0], atol=1e-6, rtol=0)
