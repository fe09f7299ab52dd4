"""The weights that are measured with: noise, written once into a folder that stays."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.tiny.folder import make_tiny
from streamer.engines.glm.checkpoint.tiny.official import make_official

Size = Literal["tiny", "full"]
_VERSION = 1
"""To be raised when other weights are to be measured with."""


def default() -> Path:
    return Path(tempfile.gettempdir()) / "streamer-benchmark"


def prepared(root: Path, size: Size) -> Layout:
    """The checkpoint of this size below `root`, which is made if it is not there whole. Errors: OSError."""
    layout = Layout(root / f"{size}-{_VERSION}")
    if not layout.tiny:
        print(f"writing weights of the size {size} to {layout.root}", file=sys.stderr, flush=True)
        if size == "tiny":
            make_tiny(layout.root, endless=True)
        else:
            make_official(layout.root)
    return layout


def cache(root: Path) -> Path:
    """Of text grammars and encoded voices, beside the weights."""
    return root / "cache"
