"""Between host and device without waiting: on a GPU work is put on streams, and what it makes is taken when it has
come. Elsewhere everything is there at once."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


class Side:
    """A stream of its own: what is launched within runs in its order, beside what other streams run."""

    def __init__(self, device: torch.device, *, urgent: bool = False) -> None:
        """`urgent`: its kernels go before those of others that wait for the device, too."""
        self._stream: Any = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device, priority=-1 if urgent else 0)  # type: ignore[no-untyped-call]

    def __call__(self) -> AbstractContextManager[object]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)


class Arrival:
    """Some tensors on their way to the host."""

    def __init__(self, *tensors: Tensor) -> None:
        """As they are behind what the current stream has been given."""
        self._event: Any = None
        if tensors[0].device.type == "cuda":
            self._copies = [_pinned(tensor) for tensor in tensors]
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()
        else:
            self._copies = [tensor.clone() for tensor in tensors]

    @property
    def arrived(self) -> bool:
        return self._event is None or bool(self._event.query())

    def take(self) -> list[Tensor]:
        """On the CPU; waits for them."""
        if self._event is not None:
            self._event.synchronize()
        return self._copies


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """From the host to the device."""
    if device.type != "cuda" or tensor.device.type == "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def _pinned(tensor: Tensor) -> Tensor:
    # Of torch's own cache of pinned memory: taking it costs no call of the driver.
    copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return copy.copy_(tensor, non_blocking=True)
