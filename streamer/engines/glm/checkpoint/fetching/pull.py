"""Everything a checkpoint needs, fetched into one folder."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import httpx2

from streamer.engines.glm.checkpoint.fetching import hub, modelscope
from streamer.engines.glm.checkpoint.fetching.remote import Checksum, RemoteFile, Report, matching
from streamer.engines.glm.checkpoint.fetching.transfer import Transfer
from streamer.engines.glm.checkpoint.parts import CAMPPLUS, PARTS, Part, table
from streamer.errors import FetchError

CAMPPLUS_URL = "https://github.com/zai-org/GLM-TTS/raw/main/frontend/campplus.onnx"
_ONNX = b"\x08"
"""A model begins with its version: field 1, a number."""
_SPARE = 64 << 20
"""Bytes that must be left on the disk."""


class Wanted(NamedTuple):
    """What to fetch, and from where."""

    source: Literal["huggingface", "modelscope"] = "huggingface"
    revision: str | None = None
    endpoint: str | None = None
    vocos: bool = False
    """Whether also the vocoder for 32 kHz, which is executable code."""
    campplus_url: str = CAMPPLUS_URL
    campplus_sha256: str | None = None


def pull(root: Path, wanted: Wanted, report: Report, sleep: Callable[[float], None] = time.sleep) -> None:
    """Fetch what is not there yet. Errors: FetchError; its message ends with what to place by hand, and where."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with httpx2.Client() as client:
            transfer = Transfer(client, root, report, sleep)
            _weights(root, wanted, report, transfer)
            _speaker(root, wanted, report, transfer)
    except FetchError as error:
        raise FetchError(f"{error}\n{_by_hand(root)}") from error
    except OSError as error:
        raise FetchError(f"{root}: {error.strerror or error}") from error


def _weights(root: Path, wanted: Wanted, report: Report, transfer: Transfer) -> None:
    parts = [part for part in PARTS if not part.code and (wanted.vocos or part.name != "vocos")]
    patterns = [pattern for part in parts for pattern in (*part.patterns, *part.optional)]
    if wanted.source == "modelscope":
        paths = modelscope.pulled(root, patterns, wanted.revision, wanted.endpoint, report)
        _complete(parts, paths, "ModelScope")
        return
    revision = wanted.revision or "main"
    commit, files = hub.listed(patterns, revision, wanted.endpoint)
    _complete(parts, [file.path for file in files], f"commit {commit}")
    _fits(root, files)
    report.note(
        f"revision {revision} is commit {commit}: {len(files)} files, {sum(f.size or 0 for f in files):,} bytes"
    )
    for file in files:
        transfer.fetch(file)


def _complete(parts: Sequence[Part], paths: Sequence[str], where: str) -> None:
    """Errors: FetchError where the repository has not what a checkpoint needs."""
    missing = [pattern for part in parts for pattern in part.patterns if not matching(paths, [pattern])]
    if missing:
        raise FetchError(
            f"the repository ({where}) has no {', '.join(missing)}; it is not the layout this was made for"
        )


def _fits(root: Path, files: Sequence[RemoteFile]) -> None:
    """Errors: FetchError where the disk is too small for what is not there yet; what was begun counts as missing."""
    needed = sum(file.size or 0 for file in files if not (root / file.path).is_file())
    free = shutil.disk_usage(root).free
    if needed and needed + _SPARE > free:
        raise FetchError(f"{root}: {needed:,} bytes are to come, and {free:,} are free on that disk")


def _speaker(root: Path, wanted: Wanted, report: Report, transfer: Transfer) -> None:
    """campplus.onnx, of which nobody publishes a checksum: its sha256 is told, to be compared or given next time."""
    checksum = Checksum("sha256", wanted.campplus_sha256.lower()) if wanted.campplus_sha256 else None
    path = transfer.fetch(RemoteFile(CAMPPLUS, wanted.campplus_url, None, checksum, {}, _ONNX))
    with path.open("rb") as file:
        report.note(f"sha256 of {CAMPPLUS}: {hashlib.file_digest(file, 'sha256').hexdigest()}")


def _by_hand(root: Path) -> str:
    return (
        f"What is complete stays, and `streamer models pull` goes on where it stopped. Without a network, place these "
        f"in {root}, then run `streamer models check`:\n{table()}"
    )
