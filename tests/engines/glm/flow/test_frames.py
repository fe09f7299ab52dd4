from __future__ import annotations

import torch

from streamer.engines.glm.flow.config import FlowConfig
from streamer.engines.glm.flow.frames import frames_of, stretched
from streamer.engines.glm.flow.job import MOST_FRAMES, batch_of
from tests.engines.glm.flow.jobs import drawn_job, golden

CONFIG = FlowConfig()


def test_frames_of_every_length() -> None:
    assert [frames_of(tokens) for tokens in range(2048)] == golden("frames_for_tokens").tolist()
    assert [tokens for tokens in range(120) if frames_of(tokens) != 2 * tokens] == [29, 57, 58, 113, 114, 115, 116]


def test_stretching_is_that_of_torch_for_every_length() -> None:
    for count in range(1, MOST_FRAMES // 2 + 1):
        tokens, frames = torch.arange(count), frames_of(count)
        expected = torch.nn.functional.interpolate(tokens[None, None].float(), size=frames, mode="nearest")
        assert torch.equal(stretched(tokens, frames), expected[0, 0].long()), count


def test_an_empty_row_is_one_silent_frame() -> None:
    batch = batch_of([drawn_job(5, 4)], 2, 16, CONFIG)
    assert batch.lengths.tolist() == [10, 1]
    assert not any(part[1].any() for part in (batch.tokens, batch.condition, batch.speaker, batch.noise))
    assert batch.tokens.shape == (2, 16)
    assert batch.condition.shape == batch.noise.shape == (2, 16, 80)


def test_the_prompt_stands_first_and_the_speaker_has_length_one() -> None:
    job = drawn_job(5, 4)
    batch = batch_of([job], 1, 16, CONFIG)
    assert torch.equal(batch.condition[0, :4], job.prompt_mel)
    assert not batch.condition[0, 4:].any()
    torch.testing.assert_close(batch.speaker[0].norm(), torch.tensor(1.0))


def test_of_a_longer_prompt_the_end_is_seen() -> None:
    job = drawn_job(5, 13)
    batch = batch_of([job], 1, 16, CONFIG)
    assert torch.equal(batch.condition[0, :10], job.prompt_mel[3:])
    assert not batch.condition[0, 10:].any()
