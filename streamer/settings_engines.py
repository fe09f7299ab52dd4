"""The sections of the engines: which one speaks, and what each is told."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from streamer.resources import folder
from streamer.settings_section import Count, Seconds, Section, Share

_SHA256 = re.compile("[0-9a-f]{64}").fullmatch
_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3})?").fullmatch
REQUIRED = "required_beside"
"""Type of the error of a key that another one asks for, or rules out. It is found where that one is known, a section
further out; `key` in the error's context names it."""


class Espeak(Section):
    """The embedded engine."""

    processes: Count = 2
    timeout: Seconds = 30.0
    """Seconds without a sound after which a child process counts as hung."""


class Schedule(Section):
    """Which waiting segment gets the next free row of the LLM. No byte of the audio depends on it."""

    largest_cost: int = Field(0, ge=0)
    """Estimated speech tokens (25 a second) that the engine takes in at once; more waits in the worker. 0: 2,000 for
    each row."""
    longest_wait: Seconds = 600.0
    """Seconds after which a waiting segment goes before all that follows here, even into a kept row; who waits longest
    goes first. To be more than `largest_cost` / 25 / (seconds of audio that the engine makes in a second): where all
    wait longer, nothing that follows has an effect. A CPU that makes half a second in a second, and takes in 16,000
    tokens for its 8 rows, needs more than 1,280 s."""
    short_share: float = Field(0.0, ge=0, lt=1)
    """Share of the rows, rounded up, that only short texts may take. They stay empty while none waits."""
    short_cost: Count = 250
    """Estimated speech tokens of a whole text up to which it is short; 250 are ten seconds."""
    fair_sources: bool = True
    """Whether the rows are shared alike among the sources of the requests that wait. If not, older texts go first."""

    def kept_rows(self, rows: int) -> int:
        """How many of so many rows are kept for short texts."""
        return math.ceil(round(self.short_share * rows, 6))  # 0.07 of 100 rows are 7, and a little more in binary


class Glm(Section):
    """GLM-TTS in this process. All but `checkpoint`, `memory_share`, `cache`, `schedule` and `step_limit` are part of
    the engine's revision, as far as they change a byte."""

    checkpoint: str = ""
    """Folder of the official weights, as `streamer models pull` makes it."""
    device: str = "auto"
    """auto: a GPU where there is one."""
    sample_rate: Literal[24_000, 32_000] = 24_000
    """Hz: 24,000 by HiFT, 32,000 by Vocos."""
    vocos_sha256: str = Field("", validate_default=True)
    """Hex digest of vocos2d/generator_jit.ckpt, which is executable code and loaded by those alone who state it."""
    rows: Count = 16
    """Segments that the LLM decodes at once."""
    flow_rows: Count = 1
    """Segments in one batch of the flow; computing one more costs a CPU as much as computing it alone. Of segments
    longer than 1,024 frames (20 s, the prompt included) fewer: so many frames that `flow_rows` of 1,024 have."""
    vocoder_rows: Count = 1
    """The same for the vocoder."""
    positions: int = Field(2048, ge=256)
    """Of each row of the LLM: prompt, text and speech of a segment, and of those before it with `use_cache`."""
    llm_precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 where the device multiplies it by instructions of its own, fp32 elsewhere."""
    flow_precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    vocoder_precision: Literal["fp32", "tf32"] = "fp32"
    memory_share: Share = 0.9
    """Of the GPU's memory, on a CPU of the machine's: the most that this process may take. A profile that needs more is
    refused at the start."""
    threads: int = Field(0, ge=0)
    """On a CPU. 0: as many as torch takes, which differs between machines, and with it the revision."""
    phoneme: bool = False
    """Whether requests that do not say are spoken with phonemes in place of ambiguous characters."""
    dictionary: Path = Field(default_factory=lambda: folder("configs") / "G2P_replace_dict.jsonl")
    """Words and the phonemes that stand for them, where phonemes are on; read again when it changes."""
    cache: str = ""
    """Folder of encoded voices and of what the text front end builds once; empty: the user's cache folder."""
    pause: float = Field(0.0, ge=0, le=10)
    """Seconds of silence between the segments of a long text."""
    cross_fade: float = Field(0.0, ge=0, le=1)
    """Seconds that they overlap."""
    use_cache: bool = True
    """A segment is prompted by those before it, so that one voice carries on."""
    sampling: Literal["ras", "topk"] = "ras"
    """How the next token is drawn: repetition-aware, or among the most likely ones."""
    draws: Literal["counter", "reference"] = "counter"
    """`reference` draws as the public code does, one CPU generator a segment: for comparisons."""
    step_limit: Seconds = 120.0
    """Seconds after which a step counts as stuck, or a text in the process that cuts texts."""
    schedule: Schedule = Schedule()

    @field_validator("device")
    @classmethod
    def _known(cls, value: str) -> str:
        if not _DEVICE(value):
            raise ValueError("is no device; give auto, cpu, cuda or cuda:N")
        return value

    @field_validator("sample_rate", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        """From the environment it comes as text, which is none of the numbers."""
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("vocos_sha256")
    @classmethod
    def _stated(cls, value: str, info: Any) -> str:
        if value and not _SHA256(value):
            raise ValueError("is no sha256: 64 digits of 0-9 and a-f, as `sha256sum vocos2d/generator_jit.ckpt` tells")
        if not value and info.data.get("sample_rate") == 32_000:
            raise ValueError(
                "is required with sample_rate 32000: its vocoder is executable code, and only the file is loaded that "
                "this names; `sha256sum vocos2d/generator_jit.ckpt` tells it"
            )
        return value

    @field_validator("schedule")
    @classmethod
    def _leaves_rows(cls, value: Schedule, info: Any) -> Schedule:
        rows = info.data.get("rows")
        if rows is not None and (kept := value.kept_rows(rows)) >= rows:
            raise PydanticCustomError(
                REQUIRED,
                "is {share}, which keeps {kept} of engine.glm.rows = {rows} for short texts and leaves none to others; "
                "give at most {most}, or more rows",
                {
                    "key": "short_share",
                    "share": f"{value.short_share:g}",
                    "kept": kept,
                    "rows": rows,
                    "most": f"{math.floor((rows - 1) / rows * 1000) / 1000:g}",
                },
            )
        return value


class Tone(Section):
    """The engine of tests and benchmarks: a tone per character, at a settable cost."""

    seconds_per_character: float = Field(0.005, ge=0)
    """Audio made for a character."""
    cost_per_character: float = Field(0.0, ge=0)
    """Seconds of work for a character."""
    rows: Count = 8
    """Utterances advanced at once."""
    failure_rate: float = Field(0.0, ge=0, le=1)
    """Share of texts, chosen by their hash, that always fail."""
    step_limit: Seconds = 10.0
    """Seconds after which a step counts as stuck, what its work costs left out."""


class EngineChoice(Section):
    """Which engine, and the limits of what is given to it."""

    name: Literal["espeak", "glm", "tone"] = "espeak"
    attempts: Count = 3
    """How often a record that fails alone is tried."""
    max_text: Count = 20_000
    """Characters; a longer text fails as text_too_long."""
    espeak: Espeak = Espeak()
    glm: Glm = Field(Glm(), validate_default=True)
    tone: Tone = Tone()

    @field_validator("glm")
    @classmethod
    def _with_weights(cls, value: Glm, info: Any) -> Glm:
        if info.data.get("name") == "glm" and not value.checkpoint:
            raise PydanticCustomError(
                REQUIRED,
                "is required with engine.name glm: the folder of its weights; `streamer models pull` fetches them",
                {"key": "checkpoint"},
            )
        return value
