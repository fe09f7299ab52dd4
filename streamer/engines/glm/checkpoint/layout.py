"""Where each part of a checkpoint lies: the folder as it is published.

vq32k-phoneme-tokenizer/  tokenizer.model, tokenizer_config.json
llm/                      config.json, model.safetensors (or its shards and their index)
speech_tokenizer/         config.json, model.safetensors, preprocessor_config.json
flow/                     config.yaml, flow.pt
hift/                     hift.pt
vocos2d/                  generator_jit.ckpt          (32 kHz only)
frontend/                 campplus.onnx               (from the code repository, beside `ckpt/` there)
"""

from __future__ import annotations

from pathlib import Path

from streamer.errors import CheckpointError

TINY_MARK = "streamer-tiny.json"
"""Lies in folders that `streamer models make-tiny` wrote: random weights, whose speech no bounds fit."""


class Layout:
    """The paths of one checkpoint. Nothing is opened here."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tokenizer_ranks = root / "vq32k-phoneme-tokenizer" / "tokenizer.model"
        self.tokenizer_config = root / "vq32k-phoneme-tokenizer" / "tokenizer_config.json"
        self.llm = root / "llm"
        self.speech_tokenizer = root / "speech_tokenizer"
        self.flow_config = root / "flow" / "config.yaml"
        self.flow = root / "flow" / "flow.pt"
        self.hift = root / "hift" / "hift.pt"
        self.vocos = root / "vocos2d" / "generator_jit.ckpt"
        self.speaker = self._speaker()

    @property
    def tiny(self) -> bool:
        """Whether its weights are seeded noise."""
        return (self.root / TINY_MARK).is_file()

    def _speaker(self) -> Path:
        """In the folder, or where the code repository has it, beside its `ckpt`."""
        inside = self.root / "frontend" / "campplus.onnx"
        beside = self.root.parent / "frontend" / "campplus.onnx"
        return beside if not inside.is_file() and beside.is_file() else inside


def present(path: Path) -> Path:
    """The path, if there is a file. Errors: CheckpointError."""
    if not path.is_file():
        raise CheckpointError(
            f"{path} is missing; `streamer models pull FOLDER` fetches what a checkpoint needs, or lists what to put "
            "where"
        )
    return path
