"""One file over HTTP: into a part beside its place, continued where it stopped, compared, then renamed."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import httpx2

from streamer.engines.glm.checkpoint.fetching.remote import RemoteFile, Report
from streamer.errors import FetchError

_CHUNK = 1 << 16
_ATTEMPTS = 4
"""In a row, without a byte between them."""
_TIMEOUT = httpx2.Timeout(30.0, connect=10.0)
_RANGE = re.compile(r"bytes (\d+)-")
_PASSING = (408, 429, 500, 502, 503, 504)


class Transfer:
    """Fetches files into `root`, one after the other.

    A part is named after what it shall become, so that another version of a file begins anew. Whoever is killed leaves
    his part; the next one goes on with it.
    """

    def __init__(self, client: httpx2.Client, root: Path, report: Report, sleep: Callable[[float], None]) -> None:
        self._client, self._root, self._report, self._sleep = client, root, report, sleep

    def fetch(self, file: RemoteFile) -> Path:
        """The path, once its content is the publisher's. Errors: FetchError that names the file."""
        target = self._root / file.path
        part = target.with_name(f"{target.name}.{_mark(file)}.part")
        if target.is_file() and self._is(file, target):
            self._report.done(file.path, "was here already")
            return target
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("ab") as opened:
                _alone(opened, part)
                if file.checksum is None:
                    opened.truncate(0)  # nothing says whether what is there is the beginning of what comes
                self._complete(file, opened)
                opened.flush()
                os.fsync(opened.fileno())
            note = self._compared(file, part)
            part.replace(target)
        except OSError as error:
            raise FetchError(f"{target}: cannot be written ({error.strerror or error})") from error
        finally:
            if part.is_file() and not part.stat().st_size:
                part.unlink()  # nothing came
        self._report.done(file.path, note)
        return target

    def _is(self, file: RemoteFile, target: Path) -> bool:
        """Whether that file is the one published. Without a checksum any file is, for then it was placed by hand."""
        if file.checksum is None:
            return True
        if file.size is not None and target.stat().st_size != file.size:
            return False
        return file.checksum.of(target) == file.checksum.value

    def _complete(self, file: RemoteFile, part: BinaryIO) -> None:
        had = part.seek(0, os.SEEK_END)
        self._report.begin(file.path, file.size, had)
        failures = 0
        while file.size is None or had < file.size:
            try:
                complete = self._receive(file, part, had)
                reason = "the connection was closed before the end"
            except httpx2.InvalidURL as error:
                raise FetchError(f"{file.path}: {file.url} is no address ({error})") from error
            except httpx2.HTTPError as error:
                complete, reason = False, f"{type(error).__name__}: {error}"
            before, had = had, part.seek(0, os.SEEK_END)
            if complete:
                return
            failures = 1 if had > before else failures + 1
            if failures == _ATTEMPTS:
                raise FetchError(f"{file.path}: {_host(file.url)} gave no more of it after {had:,} bytes ({reason})")
            self._sleep(min(2.0**failures / 2, 8.0))

    def _receive(self, file: RemoteFile, part: BinaryIO, had: int) -> bool:
        """Append what comes; whether that was all. Errors: httpx2.HTTPError where asking again may help; FetchError."""
        headers = {**file.headers, "Accept-Encoding": "identity"}  # otherwise sizes and ranges would be of packed bytes
        if had:
            headers["Range"] = f"bytes={had}-"
        with self._client.stream("GET", file.url, headers=headers, timeout=_TIMEOUT, follow_redirects=True) as response:
            if response.status_code in _PASSING:
                response.raise_for_status()
            if response.status_code not in (200, 206):
                raise FetchError(f"{file.path}: {file.url} answered {response.status_code} {response.reason_phrase}")
            begins = _RANGE.match(response.headers.get("Content-Range", ""))
            if had and not (response.status_code == 206 and begins and int(begins[1]) == had):
                part.truncate(0)
                self._report.advance(-had)
                had = 0
                if response.status_code == 206:
                    return False
            for chunk in response.iter_bytes(_CHUNK):
                part.write(chunk)
                had += len(chunk)
                self._report.advance(len(chunk))
                if file.size is not None and had > file.size:
                    break  # which the comparison will tell
        return file.size is None or had >= file.size

    def _compared(self, file: RemoteFile, part: Path) -> str:
        """What to say of the file. Errors: FetchError where it is not the one published; it is deleted then."""
        size = part.stat().st_size
        with part.open("rb") as opened:
            begins = opened.read(len(file.begins)) == file.begins
        if file.checksum is None:
            if begins:
                return f"{size:,} bytes; nobody publishes a checksum of it"
            part.unlink()
            raise FetchError(f"{file.path}: what {file.url} gave is another kind of file; it was deleted")
        actual = file.checksum.of(part)
        if begins and actual == file.checksum.value and file.size in (None, size):
            return f"{file.checksum.kind} {actual}"
        part.unlink()
        raise FetchError(
            f"{file.path}: {file.checksum.kind} is {actual} ({size:,} bytes), but the publisher says "
            f"{file.checksum.value} ({file.size or size:,} bytes). What came was deleted; pull again, and if it is the "
            "same then, something between here and there changes it"
        )


def _mark(file: RemoteFile) -> str:
    return file.checksum.value[:12] if file.checksum is not None else "unverified"


def _alone(part: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FetchError(f"{path}: another pull is writing it; wait for that one") from error


def _host(url: str) -> str:
    return httpx2.URL(url).host
