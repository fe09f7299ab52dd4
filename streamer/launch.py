"""Start a program that dies with the thread that started it, however that dies.

`python launch.py PARENT PROGRAM ARGUMENT…` sets the kernel's parent-death signal and becomes the program. That happens
in a process of its own: between fork and exec of a process with threads hardly any code is safe.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def dying_with_parent(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` (its program by absolute path) bound to the life of the calling thread."""
    # Isolated and without site: it starts in a few milliseconds, and the program gets its own Python anyway.
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)  # it died before the signal was set
    os.execv(program[0], program)  # noqa: S606


if __name__ == "__main__":
    main()
