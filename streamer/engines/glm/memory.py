"""Telling that memory ran out, wherever the memory was."""

from __future__ import annotations

import torch


def is_out_of_memory(error: Exception) -> bool:
    """Of a GPU torch raises its own error; of this machine's memory a plain RuntimeError that says so."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)
