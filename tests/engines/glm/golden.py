"""The arrays of the public reference that every stage is held to (tests/golden/README.md)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.engines.glm.checkpoint.layout import Layout

FOLDER = Path(__file__).parents[2] / "golden"
TINY = Layout(FOLDER / "tiny" / "ckpt")


@cache
def arrays(name: str) -> dict[str, NDArray[Any]]:
    """The arrays of `<name>.npz`, by "case.key"."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)


@cache
def document(name: str) -> Any:
    """What stands in `<name>.json`."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def sound(name: str) -> bytes:
    """One of wav/*.wav."""
    return (FOLDER / "wav" / f"{name}.wav").read_bytes()
