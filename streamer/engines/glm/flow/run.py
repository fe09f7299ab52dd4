"""The Euler steps of some jobs, one at a time, so that an engine does other work between them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.job import FlowJob, check
from streamer.engines.glm.flow.lane import Lanes
from streamer.errors import EngineError

STEPS = 10


class FlowRun:
    """Jobs on their way from noise to mel, in shapes that depend on `rows` and `bucket` alone.

    At most `rows` jobs of at most `bucket` frames each. A job's mel has the same bits whatever the other jobs are and
    whichever place it has; another `rows` or `bucket` may round it differently. On a GPU the jobs share one batch of
    `rows` rows. On a CPU each has a batch of its own: threads cut a batch into shares, and round what lies at a cut
    differently (seen in the position convolution on 3 threads, in activations on 5, in the adaptive norms on 2), so
    that a row's bits would depend on its place; and a CPU gains nothing from sharing here.
    Errors: EngineError that names the job and the numbers.
    """

    def __init__(
        self,
        flow: Flow,
        jobs: Sequence[FlowJob],
        rows: int,
        bucket: int,
        steps: int = STEPS,
        lanes: Lanes | None = None,
    ) -> None:
        if steps < 1:
            raise EngineError(f"a flow of {steps} steps goes nowhere")
        check(jobs, rows, bucket, flow.config)
        together = flow.device.type != "cpu"
        shares = [(list(jobs), rows)] if together else [([job], 1) for job in jobs]
        lanes = lanes or Lanes(flow, steps)
        self._lanes = [lanes.of(height, bucket) for _, height in shares]
        for lane, (share, _) in zip(self._lanes, shares, strict=True):
            lane.load(share)

    @property
    def finished(self) -> bool:
        return all(lane.finished for lane in self._lanes)

    def advance(self) -> bool:
        """One Euler step of all jobs; True when it was the last. Does nothing once finished."""
        for lane in self._lanes:
            lane.advance()
        return self.finished

    def mels(self) -> list[Tensor]:
        """Of each job [mel, F - T] float32 on the flow's device: what comes after the prompt's T frames, if anything.

        Errors: EngineError before the last step.
        """
        return [mel for lane in self._lanes for mel in lane.mels()]
