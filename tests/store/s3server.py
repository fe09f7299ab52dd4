"""A real S3 server for tests: versitygw over a folder, which can be killed and started again on its data."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from streamer.embedded.ports import accepts, choose
from streamer.settings import Store

BUCKET: Final = "streamer"
KEY, SECRET = "tests", "tests-secret"
_PATIENCE = 30.0
_TOOLS = Path(__file__).parents[2] / ".tools"


class Missing(Exception):
    """There is no versitygw; says how to get it."""


def binary(named: str = "") -> Path:
    """`named` (STREAMER_TEST_S3) where it is given, else the one of `make .tools/versitygw`, else that on PATH."""
    found = named or shutil.which("versitygw", path=f"{_TOOLS}{os.pathsep}{os.environ.get('PATH', '')}")
    if not found:
        raise Missing("no versitygw: run `make .tools/versitygw`, which needs Go, or name one by STREAMER_TEST_S3")
    return Path(found)


class S3Server:
    """One server and one bucket of its own. `start` after `kill` (SIGKILL) is the same port and data again."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = choose()
        for name in ("objects", "accounts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "objects" / BUCKET).mkdir(exist_ok=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}

    def settings(self, prefix: str, **changes: object) -> Store:
        chosen = {"url": f"s3://{BUCKET}/{prefix}", "endpoint": self.endpoint, "timeout": 5.0}
        return Store.model_validate(chosen | changes)

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(self._program), "--port", f"127.0.0.1:{self.port}"),
                    *("--iam-dir", str(self._folder / "accounts")),
                    *("posix", str(self._folder / "objects")),
                ],
                env={**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _PATIENCE
        while not accepts(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"versitygw does not listen:\n{(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

    @property
    def running(self) -> bool:
        return self._process is not None

    def add_user(self, key: str, secret: str) -> None:
        """One who may do nothing in the bucket."""
        subprocess.run(
            [
                *(str(self._program), "admin", "--access", KEY, "--secret", SECRET),
                *("--endpoint-url", self.endpoint, "create-user"),
                *("--access", key, "--secret", secret, "--role", "user"),
            ],
            check=True,
            capture_output=True,
            timeout=_PATIENCE,
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
