"""From the device to the host, without waiting for it: copies are asked for and taken when they have come."""

from __future__ import annotations

import torch
from torch import Tensor


class Arrival:
    """Some tensors on their way. Elsewhere than on a GPU they are there at once."""

    def __init__(self, *tensors: Tensor) -> None:
        """As they are behind what the current stream has been given."""
        self._event: torch.cuda.Event | None = None
        if tensors and tensors[0].device.type == "cuda":
            self._copies = [self._pinned(tensor) for tensor in tensors]
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()
        else:
            self._copies = [tensor.clone() for tensor in tensors]

    @property
    def arrived(self) -> bool:
        return self._event is None or bool(self._event.query())  # type: ignore[no-untyped-call]

    def take(self) -> list[Tensor]:
        """On the CPU; waits for them."""
        if self._event is not None:
            self._event.synchronize()
        return self._copies

    @staticmethod
    def _pinned(tensor: Tensor) -> Tensor:
        # Memory of torch's own cache of pinned memory: taking it costs no call of the driver.
        copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return copy.copy_(tensor, non_blocking=True)
