"""What an engine holds: every tensor that can be reached from its objects, and the most that lived in a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import TypeVar

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

Kind = TypeVar("Kind")


def objects(root: object) -> Iterator[object]:
    """All that is reachable through attributes, containers and bound arguments; each once."""
    seen: set[int] = set()
    ahead = [root]
    while ahead:
        one = ahead.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType | str | bytes):
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, Tensor):
            continue
        if isinstance(one, dict):
            ahead += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            ahead += one
        ahead += getattr(one, "__dict__", {}).values()
        ahead += [getattr(one, "__self__", None)]


def the(kind: type[Kind], root: object) -> Kind:
    """The only one of a class."""
    (found,) = (one for one in objects(root) if isinstance(one, kind))
    return found


def numbers(root: object) -> int:
    """Bytes of floating-point memory; what several tensors share counts once."""
    sizes: dict[tuple[str, int], int] = {}
    for one in objects(root):
        if isinstance(one, Tensor) and one.is_floating_point():
            if one.is_mkldnn:  # laid out by oneDNN, which tells no address
                sizes["packed", id(one)] = one.numel() * one.element_size()
            else:
                storage = one.untyped_storage()
                sizes["plain", storage.data_ptr()] = storage.nbytes()
    return sum(sizes.values())


def most_alive(call: Callable[[], object]) -> int:
    """Bytes of this machine's memory that were taken in the call and not given back yet, at their most."""
    with (
        torch.inference_mode(),
        profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as told,
    ):
        kept = call()
    alive = most = 0
    events = told.profiler.kineto_results.events()
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            alive += event.nbytes()
            most = max(most, alive)
    del kept
    return most
