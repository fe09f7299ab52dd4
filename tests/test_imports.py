"""Who may import whom, as the layout promises."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import streamer

ROOT = Path(streamer.__file__).parent

SIDES = ("streamer.bridge", "streamer.intake", "streamer.worker", "streamer.downstream")

FORBIDDEN = {
    **{side: tuple(other for other in (*SIDES, "streamer.cli") if other != side) for side in SIDES},
    "streamer.engines": ("streamer.kafka", "streamer.store", "streamer.worker", "streamer.cli"),
    "streamer.kafka": (*SIDES, "streamer.store", "streamer.engines", "streamer.cli"),
    "streamer.store": (*SIDES, "streamer.kafka", "streamer.engines", "streamer.cli"),
    "streamer.wire": (*SIDES, "streamer.kafka", "streamer.store", "streamer.engines", "streamer.cli"),
    "streamer.render": (*SIDES, "streamer.kafka", "streamer.store", "streamer.engines", "streamer.cli"),
    "streamer.observe": (*SIDES, "streamer.kafka", "streamer.store", "streamer.engines", "streamer.cli"),
    "streamer.embedded": (*SIDES, "streamer.store", "streamer.engines", "streamer.cli"),
}
"""Package → what its modules must not import."""

GLM = (
    "torch",
    "torchaudio",
    "safetensors",
    "onnxruntime",
    "tiktoken",
    "tn",
    "itn",
    "pynini",
    "jieba",
    "pypinyin",
    "inflect",
    "pronouncing",
    "emoji",
    "yaml",
    "pynvml",
)
"""Libraries of the extra `glm`."""

ONLY_IN = {
    "confluent_kafka": ("streamer.kafka", "streamer.wire"),
    "starlette": ("streamer.bridge",),
    "uvicorn": ("streamer.bridge",),
    **dict.fromkeys(GLM, ("streamer.engines.glm",)),
    "triton": ("streamer.engines.glm.kernels",),
    "jinja2": ("streamer.render",),
    "obstore": ("streamer.store",),
}
"""Library → the packages whose modules may import it."""


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def imported(module: str, source: str, is_package: bool = False) -> Iterator[str]:
    """Every module that the source imports, wherever in it, relative imports resolved."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: len(module.split(".")) - node.level + is_package]
                base = ".".join([*parents, base] if base else parents)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def violations(module: str, source: str, is_package: bool = False) -> set[str]:
    names = set(imported(module, source, is_package))
    found = {
        f"{module} imports {name}"
        for package, forbidden in FORBIDDEN.items()
        if within(module, package)
        for name in names
        if any(within(name, other) for other in forbidden)
    }
    found |= {
        f"{module} imports {name}"
        for library, homes in ONLY_IN.items()
        if not any(within(module, home) for home in homes)
        for name in names
        if within(name, library)
    }
    if within(module, "streamer.worker"):  # the worker sees the interface of engines only
        found |= {
            f"{module} imports {name}"
            for name in names
            if within(name, "streamer.engines")
            and name != "streamer.engines"
            and not within(name, "streamer.engines.base")
        }
    return found


def modules() -> Iterator[tuple[str, str, bool]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = ["streamer", *path.relative_to(ROOT).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        yield ".".join(parts[:-1] if is_package else parts), path.read_text(encoding="utf-8"), is_package


def test_nobody_imports_what_it_must_not() -> None:
    seen = list(modules())
    assert {"streamer", "streamer.bridge.app", "streamer.worker", "streamer.kafka.confluent"} <= {s[0] for s in seen}
    assert [violation for each in seen for violation in sorted(violations(*each))] == []


@pytest.mark.parametrize(
    ("module", "source", "caught"),
    [
        ("streamer.bridge.core", "from streamer.worker.loop import Loop", True),
        ("streamer.bridge.core", "from streamer import worker", True),
        ("streamer.bridge.core", "from ..worker import loop", True),
        ("streamer.bridge", "from ..worker import loop", True),
        ("streamer.bridge.core", "def f():\n    import streamer.intake.jsonl", True),
        ("streamer.bridge.core", "if TYPE_CHECKING:\n    from streamer.downstream import follow", True),
        ("streamer.downstream.follow", "import streamer.bridge", True),
        ("streamer.worker.loop", "from streamer.engines.espeak import Espeak", True),
        ("streamer.worker.loop", "from streamer.engines import tone", True),
        ("streamer.worker.loop", "import starlette.routing", True),
        ("streamer.engines.tone", "from streamer.store.base import Store", True),
        ("streamer.engines.tone", "from streamer.kafka import base", True),
        ("streamer.store.disk", "from confluent_kafka import Producer", True),
        ("streamer.engines.espeak", "import torch", True),
        ("streamer.cli.check", "from safetensors import safe_open", True),
        ("streamer.render.numerals_zh", "import tn.chinese.normalizer", True),
        ("streamer.engines.glm.text.front", "import tn.chinese.normalizer", False),
        ("streamer.engines.glm.flow", "import torch", False),
        ("streamer.engines.glm.llm.layer", "import triton.language as tl", True),
        ("streamer.engines.glm.kernels.triton_norm", "import triton.language as tl", False),
        ("streamer.kafka.confluent", "import confluent_kafka", False),
        ("streamer.worker.loop", "from streamer.engines.base import Synthesizer", False),
        ("streamer.worker.loop", "from streamer.engines import base", False),
        ("streamer.bridge.core", "from . import app\nfrom .app import App", False),
        ("streamer.cli.demo", "from streamer import bridge, worker", False),
        ("streamer.worker.loop", "from streamer.bridges import x", False),
    ],
)
def test_a_planted_import_is_judged(module: str, source: str, caught: bool) -> None:
    assert bool(violations(module, source, is_package=module == "streamer.bridge")) == caught
