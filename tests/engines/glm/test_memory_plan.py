"""The plan against what is really taken, so that it cannot drift from the code that it speaks of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamer.engines.glm import memory_plan
from streamer.engines.glm.checkpoint.shapes.flow import FlowSizes
from streamer.engines.glm.checkpoint.shapes.hift import HiftSizes
from streamer.engines.glm.checkpoint.tiny import official
from streamer.engines.glm.checkpoint.tiny.sizes import WHISPER, llama_config
from streamer.engines.glm.flow.config import FlowConfig
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.frames import frames_of
from streamer.engines.glm.flow.job import MOST_FRAMES, FlowJob
from streamer.engines.glm.flow.run import STEPS, FlowRun
from streamer.engines.glm.llm.audio import columns_of
from streamer.engines.glm.llm.cache import BLOCK, KvCache
from streamer.engines.glm.llm.config import LlamaConfig
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.stretches import STRETCH, Stretches
from streamer.engines.glm.memory_plan import Sizes, plan, remedies
from streamer.engines.glm.memory_room import sizes_of
from streamer.engines.glm.synthesizer import GlmSynthesizer
from streamer.engines.glm.text.tokenizer import Tokenizer
from streamer.engines.glm.vocoder import sizes as hift_sizes
from streamer.engines.glm.vocoder.hift import Hift
from streamer.engines.glm.voice.transformer import Encoder
from streamer.settings import Glm
from tests.engines.glm.golden import TINY
from tests.engines.glm.held import most_alive, numbers, the
from tests.engines.glm.llm.models import BF16, FP32, WIDE, seeded
from tests.engines.glm.speaking import open_here, settings

OFFICIAL = Sizes(
    llm=msgspec.convert(llama_config(official.LLAMA, end=1, pad=2, tied=True), LlamaConfig),
    columns=32_769,
    flow=official.FLOW,
    vocoder=official.HIFT,
    tokenizer=WHISPER,
    speaker=28_000_000,
)
FULL = Glm(rows=64, positions=4096, flow_rows=8, vocoder_rows=8, llm_precision="fp32", flow_precision="tf32")


def tiny_sizes(profile: Glm) -> Sizes:
    return sizes_of(TINY, profile, len(columns_of(Tokenizer.open(TINY).special).ids))


def planned(profile: Glm, sizes: Sizes, name: str, *, gpu: bool = False) -> int:
    (found,) = (part.bytes for part in plan(profile, sizes, gpu=gpu).parts if part.name == name)
    return found


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def opened(request: pytest.FixtureRequest, glm_cache: Path) -> tuple[Glm, GlmSynthesizer]:
    changes: dict[str, Any] = {"llm_precision": request.param, "flow_precision": request.param, "rows": 3}
    changes |= {"positions": 700}
    return settings(glm_cache, **changes), open_here(glm_cache, **changes)


def test_weights_keys_and_values_are_planned_to_the_byte(opened: tuple[Glm, GlmSynthesizer]) -> None:
    profile, engine = opened
    sizes = tiny_sizes(profile)
    assert numbers(the(Llama, engine)) == memory_plan.llm_weights(profile, sizes.llm, sizes.columns)
    assert numbers(the(KvCache, engine)) == memory_plan.keys_and_values(profile, sizes.llm)
    assert numbers(the(Flow, engine)) == memory_plan.flow_weights(profile, sizes.flow)
    assert numbers(dict(the(Hift, engine).state_dict())) == memory_plan.vocoder_weights(sizes.vocoder)
    assert numbers(the(Encoder, engine)) == memory_plan.voice_weights(sizes.tokenizer)


def test_what_is_held_before_the_first_text_is_less_than_planned(opened: tuple[Glm, GlmSynthesizer]) -> None:
    profile, engine = opened
    parts = [the(kind, engine) for kind in (Llama, KvCache, Flow, Hift, Encoder)]
    beside = numbers(engine) - numbers(parts)
    wanted = plan(profile, tiny_sizes(profile), gpu=False)
    assert 0 < beside < sum(part.bytes for part in wanted.parts if part.name.endswith("at work"))


def test_the_plan_knows_the_engines_constants() -> None:
    assert (memory_plan.BLOCK, memory_plan.STRETCH) == (BLOCK, STRETCH)
    assert (memory_plan.FRAMES, memory_plan.STEPS) == (MOST_FRAMES, STEPS)


def test_it_needs_no_torch() -> None:
    code = "import sys, streamer.engines.glm.memory_plan; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


# What a batch takes on its way: bounds that hold, and are no multiple of it


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stretch_of_an_input(precision: str) -> None:
    """By torch's kernels, which take more than Triton's, and as a CPU computes it."""
    positions = 8 * STRETCH
    profile = Glm.model_validate({"llm_precision": precision, "positions": positions})
    model = seeded(WIDE | {"num_hidden_layers": 2}, {"fp32": FP32, "bf16": BF16}[precision])
    cache, ids = model.cache(1, positions), torch.zeros(STRETCH, dtype=torch.int64)
    stretches = Stretches(model, cache)
    assert numbers(stretches) - numbers([model, cache]) == memory_plan.stretch_rooms(profile, model.config)
    bound, begin = memory_plan.stretch_work(profile, model.config), positions - STRETCH
    assert bound / 3 < most_alive(lambda: stretches.fill(ids, 0, begin)) < bound
    assert most_alive(lambda: model.prefill(ids, cache, 0, begin)) < bound


def test_a_gpu_keeps_the_rooms_of_its_stretches() -> None:
    more = planned(FULL, OFFICIAL, "LLM at work", gpu=True) - planned(FULL, OFFICIAL, "LLM at work")
    assert more == memory_plan.stretch_rooms(FULL, OFFICIAL.llm) > 0


@pytest.mark.parametrize(
    ("sizes", "precision"),
    [
        (FlowSizes(depth=1, vocab_size=99), "fp32"),
        (FlowSizes(depth=1, vocab_size=99, ff_mult=4), "bf16"),
        (FlowSizes(depth=1, vocab_size=99, trans_dim=128, heads=2, speech_token_dim=512), "fp32"),
    ],
    ids=["official", "wide in bf16", "narrow"],
)
def test_a_step_of_the_flow(sizes: FlowSizes, precision: str) -> None:
    frames = 128
    flow = Flow(FlowConfig(**msgspec.structs.asdict(sizes))).requires_grad_(False).eval()
    flow.estimator.narrow({"fp32": torch.float32, "bf16": torch.bfloat16}[precision])
    tokens = torch.zeros(frames // 2, dtype=torch.int64)
    noise = torch.zeros(frames_of(len(tokens)), sizes.mel_dim)
    job = FlowJob(tokens, torch.zeros(50, sizes.mel_dim), torch.ones(192), noise)

    def step() -> FlowRun:
        run = FlowRun(flow, [job], 1, frames)
        run.advance()
        return run

    profile = Glm.model_validate({"llm_precision": "fp32", "flow_precision": precision})
    held = planned(profile, OFFICIAL._replace(flow=sizes), "flow at work") * frames // MOST_FRAMES
    adaptations = (STEPS + 1) * 2 * (6 * sizes.depth + 2) * sizes.trans_dim * 4
    bound = held + adaptations
    assert bound / 2 < most_alive(step) < bound


@pytest.mark.parametrize("channels", [512, 64])
def test_a_batch_of_the_vocoder(channels: int) -> None:
    frames = 32
    widths = tuple(channels >> stage for stage in range(4))
    hift = Hift(
        hift_sizes.HiftSizes(
            80, 9, 16, widths, 7, 7, (16, 11, 7), (30, 6, 1), (7, 7, 11), (3, 7, 11), channels, (3,) * 5
        )
    )
    hift.requires_grad_(False).eval()

    def speak() -> torch.Tensor:
        sound: torch.Tensor = hift(
            torch.zeros(1, 80, frames), torch.tensor([frames]), torch.zeros(1, 9), torch.zeros(1, 480 * frames, 9)
        )
        return sound

    bound = frames * memory_plan.vocoder_frame(HiftSizes(channels, channels))
    assert bound / 2 < most_alive(speak) < bound


# What would fit


def test_on_a_cpu_a_row_more_of_flow_and_vocoder_is_no_batch_more() -> None:
    wide = FULL.model_copy(update={"flow_rows": 16, "vocoder_rows": 16})
    for name in ("flow at work", "vocoder at work"):
        assert planned(wide, OFFICIAL, name) < 3 * planned(FULL, OFFICIAL, name)
        assert planned(wide, OFFICIAL, name, gpu=True) > 1.9 * planned(FULL, OFFICIAL, name, gpu=True)


@given(st.integers(0, 60), st.booleans())
def test_a_remedy_fits_and_is_the_least_that_does(room: int, gpu: bool) -> None:
    bytes_of_room = room * 1_000_000_000
    if plan(FULL, OFFICIAL, gpu=gpu).total <= bytes_of_room:
        return
    for remedy in remedies(FULL, OFFICIAL, bytes_of_room, gpu=gpu):
        changes: dict[str, Any] = {}
        last = ""
        for part in remedy.split(" and "):
            last, value = part.removeprefix("engine.glm.").replace("at most ", "").split(" ")
            changes[last] = int(value) if value.isdecimal() else value
        assert plan(FULL.model_copy(update=changes), OFFICIAL, gpu=gpu).total <= bytes_of_room
        more = {**changes, last: changes[last] + (BLOCK if last == "positions" else 1)} if "most" in remedy else {}
        assert plan(FULL.model_copy(update=more), OFFICIAL, gpu=gpu).total > bytes_of_room


def test_one_key_alone_is_proposed_where_it_is_enough() -> None:
    found = remedies(FULL, OFFICIAL, plan(FULL, OFFICIAL, gpu=True).total - 1, gpu=True)
    assert found == [
        "engine.glm.rows at most 63",
        "engine.glm.flow_rows at most 7",
        "engine.glm.vocoder_rows at most 7",
        "engine.glm.positions at most 3840",
        "engine.glm.llm_precision bf16",
        "engine.glm.flow_precision bf16",
    ]


def test_else_narrow_numbers_and_rows_or_nothing() -> None:
    narrow = "engine.glm.llm_precision bf16 and engine.glm.flow_precision bf16"
    least = FULL.model_copy(update={"rows": 8, "llm_precision": "bf16", "flow_precision": "bf16"})
    assert remedies(FULL, OFFICIAL, plan(least, OFFICIAL, gpu=True).total, gpu=True)[0] == (
        f"{narrow} and engine.glm.rows at most 8"
    )
    least = least.model_copy(update={"rows": 3, "flow_rows": 1, "vocoder_rows": 1})
    assert remedies(FULL, OFFICIAL, plan(least, OFFICIAL, gpu=True).total, gpu=True) == [
        f"{narrow} and engine.glm.flow_rows 1 and engine.glm.vocoder_rows 1 and engine.glm.rows at most 3"
    ]
    assert remedies(FULL, OFFICIAL, 1_000_000_000, gpu=True) == []
