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
            # What was launched so far, such as weights on their way, comes before.
            self._stream.wait_stream(torch.cuda.current_stream(device))

    def __call__(self) -> AbstractContextManager[object]:
        if self._stream is None:
            return nullcontext()
        context: AbstractContextManager[object] = torch.cuda.stream(self._stream)
        return context


class Arrival:
    """A tensor on its way to the host."""

    def __init__(self, tensor: Tensor, room: Tensor | None = None) -> None:
        """As it is behind what the current stream has been given. `room`: made by `host_room`, where it may not fail
        for want of memory; free once the tensor was taken."""
        self._event: Any = None
        self._copy = host_room(tensor) if room is None else room
        self._copy.copy_(tensor, non_blocking=True)
        if tensor.device.type == "cuda":
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()

    @property
    def arrived(self) -> bool:
        return self._event is None or bool(self._event.query())

    def take(self) -> Tensor:
        """On the CPU; waits for it."""
        if self._event is not None:
            self._event.synchronize()
        return self._copy


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """From the host to the device."""
    if device.type != "cuda" or tensor.device.type == "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def host_room(tensor: Tensor) -> Tensor:
    """Memory of the host for such a tensor, to which a GPU copies by itself."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.device.type == "cuda")
