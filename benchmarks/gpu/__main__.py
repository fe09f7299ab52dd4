"""`python -m benchmarks.gpu` (`make bench-gpu`): tests, speed and precision of the engine glm on a CUDA device.

    tests        those that need a CUDA device: tests/engines/glm/**/test_*cuda*.py
    engine       benchmarks.engine on the official sizes, with the profiles fp32, tf32 and bf16, at 1 to 128 at once
    precision    benchmarks.precision, with TF32

All of it ends in benchmarks/results/engine_gpu.json. Options that are not known here go to benchmarks.engine. Ends with
1 where a part failed; the others are done all the same.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS

_PARTS = ("tests", "engine", "precision")
_ROOT = Path(__file__).parents[2]
_RESULT, _PRECISION = RESULTS / "engine_gpu.json", RESULTS / "precision_gpu.json"
_PROFILES = ("fp32", "tf32", "bf16")
_COUNTED = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS)
    arguments, others = parser.parse_known_args()
    _require_cuda()
    failed: list[str] = []
    found: dict[str, Any] = {}
    if "tests" in arguments.only:
        found["tests"] = tests()
        if found["tests"].get("passed", 0) == 0 or {"failed", "error"} & set(found["tests"]):
            failed.append("tests")
    if "engine" in arguments.only and not _benchmark("engine", engine_options(others)):
        failed.append("engine")
    if "precision" in arguments.only:
        if _benchmark("precision", ["--device", "cuda", "--name", _PRECISION.stem]):
            found["precision"] = json.loads(_PRECISION.read_text())["rows"]
            _PRECISION.unlink()
        else:
            failed.append("precision")
    merge(_RESULT, found)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def engine_options(others: Sequence[str]) -> list[str]:
    """Those of benchmarks.engine; what was asked for comes last, and counts."""
    options = ["--size", "full", "--device", "cuda", "--name", _RESULT.stem]
    if "--profile" not in others:
        options += [word for name in _PROFILES for word in ("--profile", name)]
    return [*options, *others]


def tests() -> dict[str, int]:
    """How many passed, failed and were skipped."""
    files = sorted(str(path) for path in (_ROOT / "tests" / "engines" / "glm").rglob("test_*cuda*.py"))
    command = [sys.executable, "-m", "pytest", "-q", *files]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, flush=True)
    return counted(done.stdout)


def counted(output: str) -> dict[str, int]:
    """Of pytest's last line."""
    last = output.strip().splitlines()[-1] if output.strip() else ""
    return {word.removesuffix("s") if word.startswith("error") else word: int(n) for n, word in _COUNTED.findall(last)}


def merge(file: Path, found: dict[str, Any]) -> None:
    """Put the parts beside what the file holds."""
    document = json.loads(file.read_text()) if file.is_file() else {"benchmark": file.stem}
    file.write_text(json.dumps(document | found, indent=2, ensure_ascii=False) + "\n")


def _benchmark(name: str, options: Sequence[str]) -> bool:
    """Whether it went well."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    return subprocess.run(command, cwd=_ROOT, check=False).returncode == 0


def _require_cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        build = "a build without CUDA" if torch.version.cuda is None else f"built for CUDA {torch.version.cuda}"
        sys.exit(f"this needs a CUDA device, and torch {torch.__version__} ({build}) sees none; nothing was measured")


if __name__ == "__main__":
    main()
