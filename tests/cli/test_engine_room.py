from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import threading
from streamer.cli.engine_room import leave
from streamer.errors import *
threading.Thread(target=threading.Event().wait).start()  # what would keep an ordinary exit waiting

def work():
    print("worked")
    {body}

leave("streamer test", work)
"""


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("return 1", 1, ""),
        ("return 130", 130, ""),
        ("raise ConfigurationError(['a', 'b'])", 2, "streamer test: a\nstreamer test: b\n"),
        ("raise Fenced('by another')", 3, "streamer test: Fenced: by another\n"),
        ("raise MetadataMismatch('m')", 2, "streamer test: MetadataMismatch: m\n"),
    ],
)
def test_it_leaves_with_the_works_exit_code_and_waits_for_nobody(body: str, code: int, said: str) -> None:
    program = [sys.executable, "-c", _PROGRAM.format(body=body)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "worked\n", said)


def test_a_defect_is_told_whole() -> None:
    program = [sys.executable, "-c", _PROGRAM.format(body="raise KeyError('x')")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "KeyError: 'x'" in done.stderr
