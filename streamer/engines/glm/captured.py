"""Work of one shape, launched over and over: as a CUDA graph on a GPU, where launching its kernels one by one takes
longer than they run; elsewhere just called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

_WARMING = 2
"""Calls before the capture: kernels are compiled, and libraries take their memory, at the first."""


class Captured:
    """`work` reads and writes tensors that stay where they are, and asks nothing of the device.

    It is called a few times when it is captured: what it does then must do no harm. To be made within the stream that
    it will be launched on: the graph's kernels keep that stream's priority, and cuBLAS's memory, which two streams must
    not share. `pool`: memory that graphs share which never run at the same time.
    """

    def __init__(self, work: Callable[[], None], device: torch.device, pool: Any = None) -> None:
        self._work = work
        self._graph = self._capture(device, pool) if device.type == "cuda" else None

    def __call__(self) -> None:
        """On the current stream."""
        if self._graph is None:
            self._work()
        else:
            self._graph.replay()

    @torch.inference_mode()
    def _capture(self, device: torch.device, pool: Any) -> torch.cuda.CUDAGraph:
        for _ in range(_WARMING):
            self._work()
        torch.cuda.synchronize(device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, stream=torch.cuda.current_stream(device)):
            self._work()
        return graph
