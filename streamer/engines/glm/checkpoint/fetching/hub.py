"""The repository on the Hugging Face Hub: which files it has, and by what they are known.

huggingface_hub resolves the revision and lists the files; its own download is not used, for it names its parts anew at
each start, so that a process that was killed begins 3 GB from their first byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from huggingface_hub import HfApi, close_session, hf_hub_url
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from streamer import __version__
from streamer.engines.glm.checkpoint.fetching.remote import Checksum, RemoteFile, matching
from streamer.engines.glm.checkpoint.parts import REPOSITORY
from streamer.errors import FetchError

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

_TIMEOUT = 30.0
_AGENT = {"user-agent": f"streamer/{__version__}"}
"""In place of the library's own, which tells which other libraries are installed."""


def listed(patterns: Sequence[str], revision: str, endpoint: str | None) -> tuple[str, list[RemoteFile]]:
    """The commit that `revision` stands for, and the files of it that fit. Errors: FetchError."""
    api = HfApi(endpoint=endpoint, headers=_AGENT)
    try:
        info = api.model_info(REPOSITORY, revision=revision, files_metadata=True, timeout=_TIMEOUT)
    except Exception as error:  # the library lets through whatever its HTTP client raises
        raise FetchError(_reason(error, api.endpoint, revision)) from error
    finally:
        close_session()
    if info.sha is None:
        raise FetchError(f"{api.endpoint} does not say which commit {revision} of {REPOSITORY} is; is it a hub?")
    return info.sha, _files(info, info.sha, patterns, api.endpoint)


def _files(info: ModelInfo, commit: str, patterns: Sequence[str], endpoint: str) -> list[RemoteFile]:
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or []}
    headers = build_hf_headers(headers=_AGENT)
    files = []
    for path in matching(list(siblings), patterns):
        sibling = siblings[path]
        if sibling.lfs is not None:
            checksum = Checksum("sha256", sibling.lfs.sha256)
        elif sibling.blob_id is not None:
            checksum = Checksum("git-sha1", sibling.blob_id)
        else:
            raise FetchError(f"{endpoint} gives no checksum of {path}; is it a hub?")
        size = sibling.lfs.size if sibling.lfs is not None else sibling.size
        url = hf_hub_url(REPOSITORY, path, revision=commit, endpoint=endpoint)
        files.append(RemoteFile(path, url, size, checksum, headers))
    return files


def _reason(error: Exception, endpoint: str, revision: str) -> str:
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
    if isinstance(error, GatedRepoError):
        return (
            f"{REPOSITORY} is gated at {endpoint}: ask for access on its page there, then give a token "
            "(HF_TOKEN, or `hf auth login`)"
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{endpoint} has no revision {revision} of {REPOSITORY}"
    if status in (401, 403):
        return (
            f"{endpoint} refuses {REPOSITORY} ({status}): give a token that may read it (HF_TOKEN, or `hf auth login`)"
        )
    if isinstance(error, RepositoryNotFoundError) or status == 404:
        return f"{endpoint} has no repository {REPOSITORY}"
    first = str(error).strip().partition("\n")[0]
    return f"{endpoint} cannot be asked for {REPOSITORY} ({type(error).__name__}: {first})"
