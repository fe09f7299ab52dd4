"""Jobs that cannot be flowed, and checkpoints that are not one: the error names what is wrong."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.flow.config import FlowConfig
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.run import FlowRun
from streamer.errors import CheckpointError, EngineError
from tests.engines.glm.flow.jobs import drawn_job
from tests.engines.glm.golden import TINY, document

CPU = torch.device("cpu")


def test_the_official_sizes_have_the_official_shapes() -> None:
    with torch.device("meta"):
        flow = Flow(FlowConfig())
    shapes = {name: list(tensor.shape) for name, tensor in flow.state_dict().items()}
    assert shapes == document("shapes/shapes_flow")
    assert sum(parameter.numel() for parameter in flow.parameters()) == 225_299_792


@pytest.mark.parametrize(
    ("name", "tensor", "what"),
    [
        ("tokens", torch.zeros(0, dtype=torch.int64), "its tokens have the shape (0,)"),
        ("tokens", torch.zeros(5), "are torch.float32, not some of int64"),
        (
            "tokens",
            torch.tensor([3, -1, 3, 3, 3]),
            "its tokens lie between -1 and 3, those of the flow between 0 and 32768",
        ),
        ("tokens", torch.tensor([3, 32769, 3, 3, 3]), "its tokens lie between 3 and 32769"),
        ("tokens", torch.zeros(9, dtype=torch.int64), "9 tokens make 18 frames, more than the bucket's 16"),
        ("prompt_mel", torch.zeros(4, 81), "its prompt mel has the shape (4, 81), expected is (4, 80)"),
        ("speaker", torch.zeros(191), "its speaker vector has the shape (191,), expected is (192,)"),
        ("noise", torch.zeros(9, 80), "its noise has the shape (9, 80), expected is (10, 80)"),
    ],
)
def test_a_job_that_cannot_be_flowed(flow: Flow, name: str, tensor: torch.Tensor, what: str) -> None:
    job = drawn_job(5, 4)
    with pytest.raises(EngineError, match=re.escape(what)) as caught:
        FlowRun(flow, [job, job._replace(**{name: tensor})], 2, 16)
    assert "job 1 of the flow's batch" in str(caught.value)


def test_shapes_that_are_none(flow: Flow) -> None:
    job = drawn_job(5, 4)
    with pytest.raises(EngineError, match="2 jobs do not fit a batch of 1"):
        FlowRun(flow, [job, job], 1, 16)
    with pytest.raises(EngineError, match="4097 frames are more than the 4096 positions"):
        FlowRun(flow, [job], 1, 4097)
    with pytest.raises(EngineError, match="a flow of 0 steps"):
        FlowRun(flow, [job], 1, 16, 0)


def test_a_mel_before_its_time(flow: Flow) -> None:
    run = FlowRun(flow, [drawn_job(5, 4)], 1, 16, 2)
    run.advance()
    with pytest.raises(EngineError, match="1 of its 2 steps"):
        run.mels()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A folder with a flow to be spoiled."""
    shutil.copytree(TINY.flow.parent, tmp_path / "flow")
    return Layout(tmp_path)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("spkr_emb_adaLN: False", "`spkr_emb_adaLN` is False; only True is supported"),
        ("speech_token_cfg: True", "`speech_token_cfg` is True; only False is supported"),
        ("remove_spkr_concat_condition: False", "`remove_spkr_concat_condition` is False"),
        ("t_scheduler: linear", "t_scheduler"),
        ("mel_framerate: 86", "mel_framerate"),
        ("depth: 0", "depth"),
        ("trans_dim: 24", "`trans_dim` is 24, which is no multiple of 16"),
    ],
)
def test_a_configuration_of_another_network(layout: Layout, line: str, what: str) -> None:
    field = line.partition(":")[0]
    lines = layout.flow_config.read_text(encoding="utf-8").splitlines()
    kept = [one for one in lines if not one.strip().startswith(f"{field}:")]
    layout.flow_config.write_text("\n".join([*kept, f"  {line}", ""]), encoding="utf-8")
    with pytest.raises(CheckpointError, match=re.escape(what)) as caught:
        Flow.open(layout, CPU)
    assert str(layout.flow_config) in str(caught.value)


def test_weights_without_a_key_around_them(layout: Layout, flow: Flow) -> None:
    torch.save(torch.load(TINY.flow, weights_only=True)["model"], layout.flow)
    opened = Flow.open(layout, CPU).state_dict()
    assert all(torch.equal(opened[name], tensor) for name, tensor in flow.state_dict().items())


@pytest.mark.parametrize("how", ["missing", "too many", "cut"])
def test_weights_of_another_network(layout: Layout, how: str) -> None:
    tensors = torch.load(layout.flow, weights_only=True)["model"]
    name = "estimator.transformer_blocks.1.attn.to_q.weight"
    if how == "missing":
        del tensors[name]
    elif how == "too many":
        name = "estimator.transformer_blocks.2.attn.to_q.weight"
        tensors[name] = torch.zeros(1)
    else:
        tensors[name] = tensors[name][:-1]
    torch.save(tensors, layout.flow)
    with pytest.raises(CheckpointError, match=re.escape(name)) as caught:
        Flow.open(layout, CPU)
    assert str(layout.flow) in str(caught.value)


def test_sizes_come_from_the_configuration(layout: Layout) -> None:
    text = layout.flow_config.read_text(encoding="utf-8").replace("depth: 2", "depth: 3")
    layout.flow_config.write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=re.escape("estimator.transformer_blocks.2.")):
        Flow.open(layout, CPU)


def test_a_precision_that_is_none() -> None:
    with pytest.raises(EngineError, match=r"torch\.float16"):
        Flow.open(TINY, CPU, torch.float16)
