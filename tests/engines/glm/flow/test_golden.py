"""Every stage of the flow against the public reference's arrays: alone, and padded in a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import torch
from torch import Tensor, nn

from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.run import FlowRun
from tests.engines.glm.flow.jobs import TOLERANCE, drawn_job, flowed, golden, golden_job, together

CASES = {"short": 10, "odd": 10, "steps4": 4, "frames_2n_minus_1": 10, "prompt_longer_than_frames": 10}


INSIDE = 2e-5
"""Between arrays within a step, which are larger than a mel. The last digit of a moment turns the fastest wave of its
embedding by 6e-5, so that processors differ by 5e-6 there already."""


def close(ours: Tensor, theirs: Tensor, tolerance: float = TOLERANCE) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_mel_of_a_row_alone(flow: Flow, case: str) -> None:
    job = golden_job(case)
    (mel,) = flowed(flow, [job], 1, job.frames, CASES[case])
    close(mel, golden(f"{case}.mel"))


@pytest.mark.parametrize("case", CASES)
def test_mel_of_a_padded_row_among_others(flow: Flow, case: str) -> None:
    others = [drawn_job(128, 100), drawn_job(7, 3)]
    mels = together(flow, [others[0], golden_job(case), others[1]], 4, 256, CASES[case])
    close(mels[1], golden(f"{case}.mel"))


def test_golden_cases_in_one_batch(flow: Flow) -> None:
    cases = [case for case, steps in CASES.items() if steps == 10]
    mels = together(flow, [golden_job(case) for case in cases], len(cases), 232)
    for case, mel in zip(cases, mels, strict=True):
        close(mel, golden(f"{case}.mel"))


@pytest.mark.parametrize(("rows", "bucket"), [(1, 180), (2, 200)])
def test_state_before_every_step(flow: Flow, rows: int, bucket: int) -> None:
    with watched({"all": flow.estimator}) as (inputs, _):
        together(flow, [golden_job("short")], rows, bucket)
    for step, state in enumerate(inputs["all"], start=1):
        close(state[0, :180], golden(f"short.x_before_step{step}"))
        close(state[rows, :180], golden(f"short.x_before_step{step}"))
        assert not state[:, 180:].any()
    assert len(inputs["all"]) == 10


@pytest.mark.parametrize(("rows", "bucket"), [(1, 180), (2, 200)])
def test_every_stage(flow: Flow, rows: int, bucket: int) -> None:
    estimator = flow.estimator
    stages: dict[str, nn.Module] = {
        "concat": estimator.emb_concator,
        "block0": estimator.transformer_blocks[0],
        "block1": estimator.transformer_blocks[1],
        "velocity": estimator,
    }
    once: dict[str, nn.Module] = {"time_emb": estimator.time_embed, "text_emb": estimator.text_emb_layer}
    with watched(stages | once) as (_, outputs):
        together(flow, [golden_job("short")], rows, bucket)
    for half, row in [("cond", 0), ("uncond", rows)]:
        for stage in stages:
            close(outputs[stage][0][row, :180], golden(f"short.step1.{stage}.{half}"), INSIDE)
        close(outputs["velocity"][9][row, :180], golden(f"short.step10.velocity.{half}"), INSIDE)
        close(outputs["time_emb"][0][0], golden(f"short.step1.time_emb.{half}"), INSIDE)
        close(outputs["time_emb"][0][9], golden(f"short.step10.time_emb.{half}"), INSIDE)
        close(outputs["text_emb"][0][0, :180], golden(f"short.step1.text_emb.{half}"), INSIDE)
    # What the tokens say is found once, not at each step.
    assert len(outputs["text_emb"]) == len(outputs["time_emb"]) == 1


def test_steps_are_taken_one_at_a_time(flow: Flow) -> None:
    run = FlowRun(flow, [golden_job("steps4")], 1, 140, 4)
    assert [run.advance() for _ in range(4)] == [False, False, False, True]
    mel = run.mels()[0].clone()
    assert run.finished
    assert run.advance()
    assert torch.equal(run.mels()[0], mel)


@contextmanager
def watched(modules: dict[str, nn.Module]) -> Iterator[tuple[dict[str, list[Tensor]], dict[str, list[Tensor]]]]:
    """First arguments and results of each call."""
    inputs: dict[str, list[Tensor]] = {name: [] for name in modules}
    outputs: dict[str, list[Tensor]] = {name: [] for name in modules}
    with ExitStack() as stack:
        for name, module in modules.items():

            def note(_: nn.Module, given: tuple[Tensor, ...], result: Tensor, name: str = name) -> None:
                inputs[name].append(given[0])
                outputs[name].append(result)

            stack.callback(module.register_forward_hook(note).remove)
        yield inputs, outputs
