"""A hub on 127.0.0.1: the routes by which a model's files are listed and fetched, and what can go wrong with them.

GET /api/models/<repository>/revision/<revision>?blobs=true     the commit and its files, with their checksums
GET /<repository>/resolve/<commit>/<path>                       small files at once, large ones by a redirect
GET /store/<sha256>                                             as a large file's other host gives it: with ranges
GET /campplus.onnx                                              of the code repository
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

REPOSITORY = "zai-org/GLM-TTS"
COMMIT = "c" * 40
LARGE = 1000
"""Bytes from which a file lies in the large store."""


FLOW = bytes(range(256)) * 1200
LLM = b"safetensors" * 40_000
NEEDED = {
    "vq32k-phoneme-tokenizer/tokenizer.model": b"AA== 0\n" * 500,
    "vq32k-phoneme-tokenizer/tokenizer_config.json": b'{"added_tokens_decoder": {}}',
    "llm/config.json": b'{"model_type": "llama"}',
    "llm/model-00001-of-00002.safetensors": LLM,
    "llm/model-00002-of-00002.safetensors": LLM[::-1],
    "llm/model.safetensors.index.json": b'{"weight_map": {}}',
    "speech_tokenizer/config.json": b"{}",
    "speech_tokenizer/model.safetensors": b"speech" * 1000,
    "speech_tokenizer/preprocessor_config.json": b"{ }",
    "flow/config.yaml": b"flow: !new:x.Y\n  depth: 1\n",
    "flow/flow.pt": FLOW,
    "hift/hift.pt": b"hift" * 5000,
}
VOCOS = "vocos2d/generator_jit.ckpt"
OTHERS = {
    VOCOS: b"vocos" * 1000,
    "README.md": b"# GLM-TTS",
    "vq32k-phoneme-tokenizer/tokenization_chatglm.py": b"raise SystemExit('never run')",
    "llm/generation_config.json": b"{}",
    "llm/../../../escaped/config.json": b"{}",
    "flow/deeper/flow.pt": b"no",
}
ONNX = b"\x08\x08onnx" * 3000


def files(root: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class Request(NamedTuple):
    path: str
    range: str | None
    authorization: str | None
    agent: str | None


class Faults:
    """What the server does wrong; by the name that a path ends with."""

    def __init__(self) -> None:
        self.cut_after: dict[str, list[int]] = {}
        """Bytes after which the connection is closed, once for each."""
        self.stall_after: dict[str, int] = {}
        """Bytes after which nothing more comes until the server ends."""
        self.spoiled: set[str] = set()
        self.no_ranges = False
        self.status: dict[str, tuple[int, str]] = {}
        """Status and error code of answers."""
        self.busy: list[int] = []
        """Statuses given before all else, once each."""


class HubServer:
    def __init__(self, files: dict[str, bytes], campplus: bytes) -> None:
        self.files, self.campplus, self.faults = dict(files), campplus, Faults()
        self.hidden: set[str] = set()
        """Files that are not listed."""
        self.commit = COMMIT
        self.requests: list[Request] = []
        self.stalled, self.ended = threading.Event(), threading.Event()
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def campplus_url(self) -> str:
        return f"{self.url}/campplus.onnx"

    def fetched(self, name: str) -> list[Request]:
        """The requests that asked for a file's content."""
        digest = hashlib.sha256(self.files.get(name, b"")).hexdigest()
        return [r for r in self.requests if r.path.endswith((f"/resolve/{self.commit}/{name}", f"/store/{digest}"))]

    @contextmanager
    def running(self) -> Iterator[HubServer]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.ended.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_hub: HubServer

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server_hub
        path = unquote(urlsplit(self.path).path)
        headers = self.headers
        hub.requests.append(Request(path, headers["Range"], headers["Authorization"], headers["User-Agent"]))
        if hub.faults.busy:
            return self._refuse(hub.faults.busy.pop(0), "")
        for name, (status, code) in hub.faults.status.items():
            if path.endswith(name):
                return self._refuse(status, code)
        if match := re.fullmatch(rf"/api/models/{REPOSITORY}/revision/([^/]+)", path):
            return self._list(match[1])
        if match := re.fullmatch(rf"/{REPOSITORY}/resolve/{hub.commit}/(.+)", path):
            return self._resolve(match[1])
        if match := re.fullmatch(r"/store/(\w{64})", path):
            for name, content in hub.files.items():
                if hashlib.sha256(content).hexdigest() == match[1]:
                    return self._give(name, content)
        if path == "/campplus.onnx":
            return self._give("campplus.onnx", hub.campplus)
        return self._refuse(404, "RepoNotFound")

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _list(self, revision: str) -> None:
        if revision not in ("main", "v1", self.server_hub.commit):
            return self._refuse(404, "RevisionNotFound")
        siblings: list[dict[str, Any]] = []
        for name, content in self.server_hub.files.items():
            if name in self.server_hub.hidden:
                continue
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            sibling = {"rfilename": name, "size": len(content), "blobId": blob}
            if len(content) >= LARGE:
                sha256 = hashlib.sha256(content).hexdigest()
                sibling["lfs"] = {"size": len(content), "sha256": sha256, "pointerSize": 134}
            siblings.append(sibling)
        document = {"id": REPOSITORY, "modelId": REPOSITORY, "sha": self.server_hub.commit, "siblings": siblings}
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def _resolve(self, name: str) -> None:
        content = self.server_hub.files.get(name)
        if content is None:
            return self._refuse(404, "EntryNotFound")
        if len(content) < LARGE:
            return self._give(name, content)
        digest = hashlib.sha256(content).hexdigest()
        self.send_response(302)
        self.send_header("X-Repo-Commit", self.server_hub.commit)
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("X-Linked-ETag", f'"{digest}"')
        # Another name of this machine: who sends a token on to another host is found out.
        self.send_header("Location", f"http://localhost:{self.server_hub.port}/store/{digest}")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def _give(self, name: str, content: bytes) -> None:
        faults, start = self.server_hub.faults, 0
        if name in faults.spoiled:
            content = content[:-1] + bytes([content[-1] ^ 1])
        match = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if match and not faults.no_ranges:
            start = int(match[1])
            if start >= len(content):
                return self._refuse(416, "")
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.server_hub.commit)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self._send(name, content[start:])
        return None

    def _send(self, name: str, content: bytes) -> None:
        faults = self.server_hub.faults
        if self.command == "HEAD":
            return
        if name in faults.stall_after:
            self.wfile.write(content[: faults.stall_after.pop(name)])
            self.server_hub.stalled.set()
            self.server_hub.ended.wait(60)
            self.close_connection = True
        elif faults.cut_after.get(name):
            self.wfile.write(content[: faults.cut_after[name].pop(0)])
            self.close_connection = True
        else:
            self.wfile.write(content)
