"""The repository on ModelScope, by ModelScope's own library, which compares checksums and resumes by itself."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamer.engines.glm.checkpoint.fetching.remote import Report, matching
from streamer.engines.glm.checkpoint.parts import MODELSCOPE_REPOSITORY
from streamer.errors import FetchError

_STAGE = ".modelscope"
_REVISION = "master"


def pulled(
    root: Path, patterns: Sequence[str], revision: str | None, endpoint: str | None, report: Report
) -> list[str]:
    """Fetch the files that fit into a folder within `root`, then move them to their places. Their paths.

    Errors: FetchError, also where the library is not installed.
    """
    try:
        library: Any = importlib.import_module("modelscope")
    except ModuleNotFoundError as error:
        raise FetchError(f"ModelScope's library is not installed ({error}): pip install modelscope") from error
    stage = root / _STAGE
    options = {"endpoint": endpoint} if endpoint else {}
    report.note(f"fetching {MODELSCOPE_REPOSITORY}, revision {revision or _REVISION}, by ModelScope's library")
    try:
        library.snapshot_download(
            MODELSCOPE_REPOSITORY,
            revision=revision or _REVISION,
            local_dir=str(stage),
            allow_patterns=list(patterns),
            **options,
        )
    except Exception as error:  # whatever the library raises
        first = str(error).strip().partition("\n")[0]
        raise FetchError(
            f"{MODELSCOPE_REPOSITORY} cannot be fetched from ModelScope ({type(error).__name__}: {first})"
        ) from error
    paths = [path.relative_to(stage).as_posix() for path in sorted(stage.rglob("*")) if path.is_file()]
    fitting = matching(paths, patterns)
    for path in fitting:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (stage / path).replace(target)
        report.done(path, "compared by ModelScope's library")
    shutil.rmtree(stage)
    return fitting
