"""Fetching, from a server that speaks the hub's routes."""

from __future__ import annotations

import fcntl
import hashlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.engines.glm.checkpoint.fetching.pull import Wanted, pull
from streamer.engines.glm.checkpoint.fetching.remote import matching
from streamer.engines.glm.checkpoint.parts import CAMPPLUS
from streamer.errors import FetchError
from tests.engines.glm.checkpoint.hub_server import FLOW, NEEDED, ONNX, OTHERS, VOCOS, HubServer, files


class Lines:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.received = 0

    def begin(self, path: str, size: int | None, had: int) -> None:
        self.lines.append(f"begin {path} {size} {had}")

    def advance(self, count: int) -> None:
        self.received += count

    def done(self, path: str, note: str) -> None:
        self.lines.append(f"done {path}: {note}")

    def note(self, text: str) -> None:
        self.lines.append(text)

    def about(self, path: str) -> list[str]:
        return [line for line in self.lines if path in line]


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No token and no cache of whoever runs the tests, and no proxy between them and this machine."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer({**NEEDED, **OTHERS}, ONNX).running() as server:
        yield server


def fetched(root: Path, hub: HubServer, **options: Any) -> Lines:
    lines = Lines()
    wanted = Wanted(endpoint=hub.url, campplus_url=hub.campplus_url)._replace(**options)
    pull(root, wanted, lines, lambda seconds: None)
    return lines


def test_what_is_needed_is_fetched_and_nothing_else(hub: HubServer, tmp_path: Path) -> None:
    lines = fetched(tmp_path / "ckpt", hub)
    assert files(tmp_path / "ckpt") == {**NEEDED, CAMPPLUS: ONNX}
    assert not (tmp_path / "escaped").exists()
    assert lines.lines[0].startswith(f"revision main is commit {hub.commit}: 12 files, ")
    assert lines.about("flow/flow.pt") == [
        f"begin flow/flow.pt {len(FLOW)} 0",
        f"done flow/flow.pt: sha256 {hashlib.sha256(FLOW).hexdigest()}",
    ]
    assert "git-sha1" in lines.about("llm/config.json")[1]
    assert lines.lines[-1] == f"sha256 of {CAMPPLUS}: {hashlib.sha256(ONNX).hexdigest()}"
    assert lines.received == sum(map(len, NEEDED.values())) + len(ONNX)
    assert not [request for request in hub.requests if request.path.endswith(".py")]
    assert all(
        (request.agent or "").startswith("streamer/") for request in hub.requests if "campplus" not in request.path
    )


def test_vocos_is_code_and_comes_when_it_is_asked_for(hub: HubServer, tmp_path: Path) -> None:
    fetched(tmp_path, hub, vocos=True)
    assert files(tmp_path)[VOCOS] == OTHERS[VOCOS]


def test_a_second_pull_fetches_nothing(hub: HubServer, tmp_path: Path) -> None:
    fetched(tmp_path, hub)
    hub.requests.clear()
    lines = fetched(tmp_path, hub)
    assert len(hub.requests) == 1
    assert lines.received == 0
    assert lines.about("hift/hift.pt") == ["done hift/hift.pt: was here already"]


def test_a_file_that_changed_is_fetched_anew(hub: HubServer, tmp_path: Path) -> None:
    fetched(tmp_path, hub)
    hub.files["hift/hift.pt"], hub.commit = b"better" * 5000, "d" * 40
    fetched(tmp_path, hub)
    assert files(tmp_path)["hift/hift.pt"] == b"better" * 5000


def test_a_file_that_was_spoiled_here_is_fetched_anew(hub: HubServer, tmp_path: Path) -> None:
    fetched(tmp_path, hub)
    (tmp_path / "flow/flow.pt").write_bytes(FLOW[:-1] + b"?")
    fetched(tmp_path, hub)
    assert files(tmp_path) == {**NEEDED, CAMPPLUS: ONNX}


def test_a_revision_is_pinned_to_its_commit(hub: HubServer, tmp_path: Path) -> None:
    lines = fetched(tmp_path, hub, revision="v1")
    assert lines.lines[0].startswith(f"revision v1 is commit {hub.commit}")


def test_the_token_goes_to_the_hub_and_to_no_other_host(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetched(tmp_path, hub)
    sent = {request.path.split("/")[1]: request.authorization for request in hub.requests}
    assert sent == {"api": "Bearer hf_secret", "zai-org": "Bearer hf_secret", "store": None, "campplus.onnx": None}


def test_a_connection_that_breaks_is_continued(hub: HubServer, tmp_path: Path) -> None:
    hub.faults.cut_after["flow/flow.pt"] = [100_000, 70_000]
    lines = fetched(tmp_path, hub)
    assert files(tmp_path)["flow/flow.pt"] == FLOW
    ranges = [request.range for request in hub.fetched("flow/flow.pt") if "store" in request.path]
    assert ranges[0] is None
    assert len(ranges) == 3
    assert all(asked is not None and asked.startswith("bytes=") for asked in ranges[1:])
    assert lines.received == sum(map(len, NEEDED.values())) + len(ONNX)


def test_a_server_without_ranges_begins_anew(hub: HubServer, tmp_path: Path) -> None:
    hub.faults.cut_after["flow/flow.pt"] = [100_000]
    hub.faults.no_ranges = True
    lines = fetched(tmp_path, hub)
    assert files(tmp_path)["flow/flow.pt"] == FLOW
    assert lines.received == sum(map(len, NEEDED.values())) + len(ONNX)


def test_a_busy_server_is_asked_again(hub: HubServer, tmp_path: Path) -> None:
    fetched(tmp_path, hub)
    (tmp_path / "hift/hift.pt").unlink()
    hub.faults.status["/store/" + hashlib.sha256(NEEDED["hift/hift.pt"]).hexdigest()] = (503, "")
    with pytest.raises(FetchError, match=r"hift/hift\.pt: .* gave no more of it after 0 bytes"):
        fetched(tmp_path, hub)
    assert len([request for request in hub.requests if "/store/" in request.path]) >= 4
    hub.faults.status.clear()
    fetched(tmp_path, hub)
    assert files(tmp_path) == {**NEEDED, CAMPPLUS: ONNX}


def test_a_pull_that_failed_goes_on_where_it_stopped(hub: HubServer, tmp_path: Path) -> None:
    hub.faults.cut_after["flow/flow.pt"] = [200_000, 0, 0, 0, 0]
    with pytest.raises(FetchError, match=r"flow/flow\.pt: .* gave no more of it after 196,608 bytes"):
        fetched(tmp_path, hub)
    assert "flow/flow.pt" not in files(tmp_path)
    hub.faults.cut_after.clear()
    hub.requests.clear()
    lines = fetched(tmp_path, hub)
    assert files(tmp_path) == {**NEEDED, CAMPPLUS: ONNX}
    assert {request.range for request in hub.fetched("flow/flow.pt")} == {"bytes=196608-"}
    assert f"begin flow/flow.pt {len(FLOW)} 196608" in lines.lines


@pytest.mark.parametrize("name", ["flow/flow.pt", "llm/config.json"])
def test_a_wrong_checksum_names_the_file_and_leaves_nothing(hub: HubServer, tmp_path: Path, name: str) -> None:
    hub.faults.spoiled.add(name)
    with pytest.raises(FetchError, match=rf"^{name}: (sha256|git-sha1) is \w+ .*but the publisher says \w+"):
        fetched(tmp_path, hub)
    assert not [path for path in files(tmp_path) if path.startswith(name)]
    hub.faults.spoiled.clear()
    fetched(tmp_path, hub)
    assert files(tmp_path)[name] == NEEDED[name]


def test_a_file_that_is_listed_but_not_there(hub: HubServer, tmp_path: Path) -> None:
    hub.faults.status["hift/hift.pt"] = (404, "EntryNotFound")
    with pytest.raises(FetchError, match=r"hift/hift\.pt: http.* answered 404"):
        fetched(tmp_path, hub)
    assert not [path for path in files(tmp_path) if path.startswith("hift")]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "GatedRepo", r"is gated at .*: ask for access.*HF_TOKEN"),
        (403, "GatedRepo", r"is gated at .*: ask for access.*HF_TOKEN"),
        (401, "", r"refuses zai-org/GLM-TTS \(401\): give a token"),
        (403, "", r"refuses zai-org/GLM-TTS \(403\): give a token"),
        (404, "RepoNotFound", r"has no repository zai-org/GLM-TTS"),
        (404, "RevisionNotFound", r"has no revision main of zai-org/GLM-TTS"),
        (500, "", r"cannot be asked for zai-org/GLM-TTS"),
    ],
)
def test_a_repository_that_cannot_be_listed(
    hub: HubServer, tmp_path: Path, status: int, code: str, expected: str
) -> None:
    hub.faults.status["/revision/main"] = (status, code)
    with pytest.raises(FetchError, match=expected) as caught:
        fetched(tmp_path, hub)
    assert "hift/hift.pt" in str(caught.value)
    assert f"place these in {tmp_path}" in str(caught.value)
    assert files(tmp_path) == {}


def test_a_page_that_is_no_hub(hub: HubServer, tmp_path: Path) -> None:
    hub.files.clear()
    with pytest.raises(FetchError, match=r"has no vq32k-phoneme-tokenizer/tokenizer\.model, .*not the layout"):
        fetched(tmp_path, hub)
    with pytest.raises(FetchError, match="has no repository"):
        fetched(tmp_path, hub, endpoint=hub.campplus_url)


def test_a_repository_without_a_part(hub: HubServer, tmp_path: Path) -> None:
    optional = {"llm/model.safetensors.index.json", "speech_tokenizer/preprocessor_config.json"}
    for name in sorted(set(NEEDED) - optional):
        hub.hidden = {other for other in NEEDED if other.startswith(name.partition("-0000")[0])}
        with pytest.raises(FetchError, match="it is not the layout this was made for"):
            fetched(tmp_path, hub)
    assert files(tmp_path) == {}
    hub.hidden = optional
    fetched(tmp_path, hub)
    assert files(tmp_path).keys() == NEEDED.keys() - optional | {CAMPPLUS}


def test_nobody_answers(tmp_path: Path) -> None:
    wanted = Wanted(endpoint="http://127.0.0.1:9", campplus_url="http://127.0.0.1:9/c")
    with pytest.raises(FetchError, match="cannot be asked") as caught:
        pull(tmp_path / "ckpt", wanted, Lines(), lambda seconds: None)
    assert "frontend/campplus.onnx" in str(caught.value)
    assert "code repository https://github.com/zai-org/GLM-TTS" in str(caught.value)
    assert files(tmp_path) == {}


@pytest.mark.parametrize("content", [b"<html>sign in</html>", b"version https://git-lfs.github.com/spec/v1\n", b""])
def test_a_page_in_place_of_the_speaker_encoder(hub: HubServer, tmp_path: Path, content: bytes) -> None:
    hub.campplus = content
    with pytest.raises(FetchError, match=r"frontend/campplus\.onnx: what http.* gave is another kind of file"):
        fetched(tmp_path, hub)
    assert files(tmp_path) == NEEDED  # the weights stay


def test_the_speaker_encoder_by_its_sha256(hub: HubServer, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"campplus\.onnx: sha256 is"):
        fetched(tmp_path, hub, campplus_sha256="0" * 64)
    fetched(tmp_path, hub, campplus_sha256=hashlib.sha256(ONNX).hexdigest().upper())
    assert files(tmp_path)[CAMPPLUS] == ONNX


def test_a_speaker_encoder_that_was_placed_by_hand_stays(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "frontend").mkdir()
    (tmp_path / CAMPPLUS).write_bytes(b"\x08mine")
    lines = fetched(tmp_path, hub)
    assert files(tmp_path)[CAMPPLUS] == b"\x08mine"
    assert f"done {CAMPPLUS}: was here already" in lines.lines


def test_the_speaker_encoder_is_cut(hub: HubServer, tmp_path: Path) -> None:
    hub.faults.cut_after["campplus.onnx"] = [3000]
    fetched(tmp_path, hub)
    assert files(tmp_path)[CAMPPLUS] == ONNX


def test_an_address_that_is_none(hub: HubServer, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"campplus\.onnx: http://host:port/ is no address"):
        fetched(tmp_path, hub, campplus_url="http://host:port/")


def test_two_pulls_at_once(hub: HubServer, tmp_path: Path) -> None:
    hub.faults.cut_after["flow/flow.pt"] = [200_000, 0, 0, 0, 0]
    with pytest.raises(FetchError):
        fetched(tmp_path, hub)
    (part,) = tmp_path.glob("flow/*.part")
    with part.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(FetchError, match="another pull is writing it"):
            fetched(tmp_path, hub)


def test_a_disk_that_is_too_small(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: types.SimpleNamespace(free=1000))
    with pytest.raises(FetchError, match="1,000 are free on that disk"):
        fetched(tmp_path, hub)


def test_a_folder_that_cannot_be_made(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FetchError, match="Not a directory"):
        fetched(tmp_path / "file" / "ckpt", hub)
    (tmp_path / "flow").write_bytes(b"")
    with pytest.raises(FetchError, match="cannot be written"):
        fetched(tmp_path, hub)


def test_modelscope_without_its_library(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modelscope", None)
    with pytest.raises(FetchError, match="pip install modelscope"):
        fetched(tmp_path, hub, source="modelscope")


class Library(types.ModuleType):
    """In place of ModelScope's own."""

    def __init__(self, offered: dict[str, bytes]) -> None:
        super().__init__("modelscope")
        self.offered = offered
        self.asked: tuple[str, str, list[str], dict[str, str]] | None = None

    def snapshot_download(
        self, model_id: str, *, revision: str, local_dir: str, allow_patterns: list[str], **options: str
    ) -> str:
        self.asked = model_id, revision, allow_patterns, options
        for name, content in self.offered.items():
            path = Path(local_dir) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return local_dir


def test_modelscope_by_its_library(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library({**NEEDED, "configuration.json": b"{}"})
    monkeypatch.setitem(sys.modules, "modelscope", library)
    lines = fetched(tmp_path, hub, source="modelscope", endpoint=None)
    assert files(tmp_path) == {**NEEDED, CAMPPLUS: ONNX}
    assert library.asked is not None
    assert library.asked[:2] == ("ZhipuAI/GLM-TTS", "master")
    assert not [pattern for pattern in library.asked[2] if pattern.endswith(".py")]
    assert library.asked[3] == {}
    assert "done hift/hift.pt: compared by ModelScope's library" in lines.lines


def test_modelscope_that_fails_or_lacks_a_part(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library({name: content for name, content in NEEDED.items() if "hift" not in name})
    monkeypatch.setitem(sys.modules, "modelscope", library)
    with pytest.raises(FetchError, match=r"\(ModelScope\) has no hift/hift\.pt"):
        fetched(tmp_path, hub, source="modelscope", revision="v2", endpoint="https://mirror.example")
    assert library.asked is not None
    assert library.asked[1] == "v2"
    assert library.asked[3] == {"endpoint": "https://mirror.example"}
    monkeypatch.setattr(library, "offered", None)
    with pytest.raises(FetchError, match=r"cannot be fetched from ModelScope \(AttributeError"):
        fetched(tmp_path, hub, source="modelscope")


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("llm/model.safetensors", True),
        ("llm/model-00001-of-00002.safetensors", True),
        ("llm/../model.safetensors", False),
        ("llm/deep/model.safetensors", False),
        ("/llm/model.safetensors", False),
        ("llm/modeling.py", False),
        ("LLM/model.safetensors", False),
    ],
)
def test_patterns_fit_whole_paths(path: str, fits: bool) -> None:
    assert matching([path], ["llm/model*.safetensors"]) == [path] * fits
