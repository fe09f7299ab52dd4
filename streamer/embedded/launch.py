"""Becomes another program that dies with its parent: `launch.py PARENT PROGRAM ARGUMENT…`.

Run by its path with the Python at hand. The kernel's parent-death signal is set here, in a process of its own, since
between fork and exec of a process with threads hardly any code is safe.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)  # it died before the signal was set
    os.execv(program[0], program)  # noqa: S606


if __name__ == "__main__":
    main()
