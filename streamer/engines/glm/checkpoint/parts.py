"""What a checkpoint consists of, and where each part is published. Nothing is opened here."""

from __future__ import annotations

from typing import NamedTuple

REPOSITORY = "zai-org/GLM-TTS"
"""On the Hugging Face Hub; the code repository on GitHub has the same name."""
MODELSCOPE_REPOSITORY = "ZhipuAI/GLM-TTS"
CODE = "https://github.com/zai-org/GLM-TTS"
CAMPPLUS = "frontend/campplus.onnx"


class Part(NamedTuple):
    """One part of the folder. `patterns`: shell patterns of its files; each must match at least one, unless marked."""

    name: str
    patterns: tuple[str, ...]
    what: str
    code: bool = False
    """Whether it comes from the code repository instead of the weights."""
    optional: tuple[str, ...] = ()
    """Patterns that may match nothing."""
    rate: int = 0
    """Hz; needed only for sound of this rate. 0: always."""


PARTS = (
    Part(
        "tokenizer",
        ("vq32k-phoneme-tokenizer/tokenizer.model", "vq32k-phoneme-tokenizer/tokenizer_config.json"),
        "text to token ids",
    ),
    Part(
        "llm",
        ("llm/config.json", "llm/model*.safetensors"),
        "token ids to speech tokens",
        optional=("llm/model.safetensors.index.json",),
    ),
    Part(
        "speech_tokenizer",
        ("speech_tokenizer/config.json", "speech_tokenizer/model*.safetensors"),
        "a prompt's sound to speech tokens",
        optional=("speech_tokenizer/model.safetensors.index.json", "speech_tokenizer/preprocessor_config.json"),
    ),
    Part("flow", ("flow/config.yaml", "flow/flow.pt"), "speech tokens to a mel"),
    Part("hift", ("hift/hift.pt",), "a mel to sound, 24 kHz"),
    Part("vocos", ("vocos2d/generator_jit.ckpt",), "a mel to sound, 32 kHz (TorchScript)", rate=32_000),
    Part("speaker", (CAMPPLUS,), "a prompt's sound to a speaker vector", code=True),
)


def table() -> str:
    """Every file by name and where it is published, for those who have to place them by hand."""
    rows = [
        (pattern, _origin(part), part.what + _need(part, pattern))
        for part in PARTS
        for pattern in (*part.patterns, *part.optional)
    ]
    files, origins = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"  {file:<{files}}  {origin:<{origins}}  {what}" for file, origin, what in rows)


def _origin(part: Part) -> str:
    return f"code repository {CODE}" if part.code else f"weights {REPOSITORY}"


def _need(part: Part, pattern: str) -> str:
    if pattern in part.optional:
        return "; if the repository has it"
    return "; only where it is wanted" if part.rate == 32_000 else ""
