"""The flow of a checkpoint."""

from __future__ import annotations

import torch
from torch import nn

from streamer.engines.glm.checkpoint.configs import read_yaml
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.tensors import fill, read_pickled
from streamer.engines.glm.flow.config import FlowConfig
from streamer.engines.glm.flow.estimator import Estimator
from streamer.errors import EngineError

_PRECISIONS = (torch.float32, torch.bfloat16)


class Flow(nn.Module):
    """Weights and sizes, as they are in flow.pt and its config.yaml."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        self.estimator = Estimator(config)

    @property
    def device(self) -> torch.device:
        return self.estimator.proj_out.weight.device

    @classmethod
    def open(cls, layout: Layout, device: torch.device, dtype: torch.dtype = torch.float32) -> Flow:
        """`dtype`: in which the blocks multiply, float32 or bfloat16; norms and the mel are float32 in both.

        Errors: CheckpointError that names the file, and the field or tensor.
        """
        if dtype not in _PRECISIONS:
            raise EngineError(f"the flow computes in float32 or bfloat16, not in {dtype}")
        config = read_yaml(layout.flow_config, FlowConfig)
        # Made without memory first: drawing weights that are overwritten takes seconds.
        with torch.device("meta"):
            flow = cls(config)
        flow.estimator.narrow(dtype)
        parts = flow.state_dict()
        room = {name: torch.empty(tensor.shape, dtype=tensor.dtype, device=device) for name, tensor in parts.items()}
        flow.load_state_dict(room, assign=True)
        fill(flow, read_pickled(layout.flow), layout.flow)
        return flow.requires_grad_(False).eval()
