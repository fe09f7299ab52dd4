"""The child's end: its life is its parent's, and its standard output is for frames alone."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tie_to_parent(parent: int) -> None:
    """Die with the thread that started this process, and for no other reason: its signals are its own to obey."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def frames_output() -> int:
    """A descriptor for frames. Whatever libraries print from now on goes to standard error: it is no frame."""
    output = os.dup(1)
    os.dup2(2, 1)
    return output
