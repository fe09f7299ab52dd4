from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from streamer.errors import ConfigurationError, StoreError, StoreRejected, StoreUnavailable
from streamer.store.disk import DiskStore
from streamer.store.keys import LEFTOVER


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    store = DiskStore(tmp_path / "store")
    yield store
    store.close()


class Calls:
    """Notes the calls of `os` that make an object durable, by what they are about, and lets them happen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.made: list[str] = []
        self._root = root
        for name in ("fdatasync", "fsync", "link", "mkdir", "rename", "unlink", "write"):
            monkeypatch.setattr(os, name, self._noting(name, getattr(os, name)))

    def _noting(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            result = real(*arguments, **keywords)
            self.made.append(f"{name} {self._subject(name, arguments, keywords)}")
            return result

        return call

    def _subject(self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> str:
        if name == "link":
            return self._path(_opened(keywords["dst_dir_fd"]) / arguments[1])
        if name == "rename":
            return f"to {self._path(_opened(keywords['dst_dir_fd']) / arguments[1])}"
        if name == "unlink":
            return self._path(_opened(keywords["dir_fd"]) / arguments[0])
        if name == "mkdir":
            return self._path(_opened(keywords["dir_fd"]) / arguments[0] if "dir_fd" in keywords else arguments[0])
        path = _opened(arguments[0])
        return self._path(path) if path.exists() else "data"

    def _path(self, path: Path) -> str:
        return os.path.relpath(path, self._root)


def _opened(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_data_then_name_then_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DiskStore(tmp_path)
    calls = Calls(monkeypatch, tmp_path)
    store.put("a/b/name", b"bytes")
    assert calls.made == [
        "mkdir a",
        "fsync .",
        "mkdir a/b",
        "fsync a",
        "write data",
        "fdatasync data",
        "link a/b/name",
        "fsync a/b",
    ]
    calls.made.clear()
    store.put("a/b/other", b"")
    assert calls.made == ["fdatasync data", "link a/b/other", "fsync a/b"]
    store.close()


def test_what_is_replaced_is_as_durable(store: DiskStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("a/other", b"")
    calls = Calls(monkeypatch, tmp_path / "store")
    store.replace("a/name", b"new")
    assert calls.made == ["write data", "fdatasync data", "link a/name", "fsync a"], "no more than a put costs"
    calls.made.clear()
    store.replace("a/name", b"newer")
    passing = calls.made[2].removeprefix("link ")
    assert passing.startswith(f"a/{LEFTOVER}")
    assert calls.made == ["write data", "fdatasync data", f"link {passing}", "rename to a/name", "fsync a"]
    calls.made.clear()
    assert store.get("a/name") == b"newer"
    assert calls.made == []


def test_what_is_deleted_is_so_durably_also_the_second_time(
    store: DiskStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a/name", b"")
    calls = Calls(monkeypatch, tmp_path / "store")
    store.delete("a/name")
    assert calls.made == ["unlink a/name", "fsync a"]
    calls.made.clear()
    store.delete("a/name")
    assert calls.made == ["fsync a"], "whoever deleted it may have died before this"
    calls.made.clear()
    store.delete("b/name")
    assert calls.made == []


def test_an_object_that_another_process_replaced_is_durable_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name was flushed once, for another file."""
    store, other = DiskStore(tmp_path), DiskStore(tmp_path)
    store.put("a/b", b"ours")
    other.replace("a/b", b"theirs")
    other.delete("a/b")
    other.put("a/b", b"again")
    calls = Calls(monkeypatch, tmp_path)
    for _ in range(2):
        assert store.get("a/b") == b"again"
    assert calls.made == ["fsync a"]
    store.close()
    other.close()


def test_a_replacement_that_fails_leaves_what_stood_and_nothing_else(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store.put("a/b", b"stands")
    for call in ("write", "fdatasync", "link", "rename"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            with pytest.raises(StoreUnavailable, match="a/b in"):
                store.replace("a/b", b"new")
        assert store.get("a/b") == b"stands"
        assert list(store.list("")) == ["a/b"]


def test_a_new_root_is_durable_up_to_the_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(monkeypatch, tmp_path)
    DiskStore(tmp_path / "new" / "root").close()
    flushed = [call for call in calls.made if call.startswith("fsync")]
    assert flushed[:3] == ["fsync new", "fsync .", "fsync .."]


def test_an_object_of_another_process_is_durable_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = DiskStore(tmp_path), DiskStore(tmp_path)
    other.put("a/put", b"theirs")
    other.put("b/got", b"theirs")
    calls = Calls(monkeypatch, tmp_path)
    assert store.put("a/put", b"ours") is False
    assert calls.made == ["fsync .", "fsync a"]
    calls.made.clear()
    assert store.get("b/got") == b"theirs"
    assert calls.made == ["fsync b"]
    calls.made.clear()
    assert store.get("b/got") == b"theirs"
    assert calls.made == []
    store.close()
    other.close()


def test_a_loser_of_the_race_waits_until_the_winner_is_durable(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = os.link

    def beaten(*arguments: Any, **keywords: Any) -> None:
        real(*arguments, **keywords)
        raise FileExistsError(errno.EEXIST, "")

    calls = Calls(monkeypatch, tmp_path / "store")
    monkeypatch.setattr(os, "link", beaten)
    assert store.put("a/b", b"x") is False
    assert calls.made[-1] == "fsync a"


def test_short_writes_are_continued(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:7]))
    store.put("a", bytes(range(100)))
    assert store.get("a") == bytes(range(100))


_DOWN = ["ENOSPC", "EDQUOT", "EIO", "ENODEV", "ESTALE", "EROFS", "EMFILE", "ENFILE", "ENOMEM"]


@pytest.mark.parametrize("call", ["open", "mkdir", "write", "fdatasync", "link", "fsync"])
@pytest.mark.parametrize("name", _DOWN)
def test_a_store_that_is_down_is_unavailable(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch, call: str, name: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(getattr(errno, name), os.strerror(getattr(errno, name)))

    before = _descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(StoreUnavailable, match="a/b in"):
            store.put("a/b", b"x")
    assert _descriptors() == before
    store.put("a/b", b"x")
    assert store.get("a/b") == b"x"


@pytest.mark.parametrize(("root_writable", "error"), [(True, StoreRejected), (False, StoreUnavailable)])
def test_permission_of_one_folder_or_of_the_root(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch, root_writable: bool, error: type[StoreError]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "")

    monkeypatch.setattr(os, "link", fail)
    monkeypatch.setattr(os, "access", lambda *_: root_writable)
    with pytest.raises(error):
        store.put("a/b", b"x")


def test_an_object_over_the_size_limit_is_rejected(store: DiskStore, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(StoreRejected, match="too large"):
            store.put("a/large", bytes(2 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "store" / "a").iterdir()) == []


def test_a_key_in_the_way_of_a_folder_is_rejected(store: DiskStore) -> None:
    store.put("a", b"")
    with pytest.raises(StoreRejected, match="a/b"):
        store.put("a/b", b"")
    store.put("c/d", b"")
    with pytest.raises(StoreRejected, match="directory"):
        store.put("c", b"")


def test_links_out_of_the_store_are_not_followed(store: DiskStore, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    (tmp_path / "store" / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "store" / "file").symlink_to(tmp_path / "outside" / "secret")
    with pytest.raises(StoreRejected):
        store.put("folder/new", b"")
    with pytest.raises(StoreRejected):
        store.get("file")
    assert store.get("folder/secret") is None
    assert list(store.list("")) == []


def test_a_root_that_vanished_is_not_made_again(store: DiskStore, tmp_path: Path) -> None:
    (tmp_path / "store").rmdir()
    with pytest.raises(StoreUnavailable):
        store.put("a/b", b"x")
    with pytest.raises(StoreUnavailable):
        store.put("a", b"x")
    assert store.get("a") is None
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EISDIR])
def test_a_file_system_without_nameless_files_is_said_at_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real = os.open

    def without(path: Any, flags: int, *arguments: Any, **keywords: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(number, os.strerror(number))
        return real(path, flags, *arguments, **keywords)

    before = _descriptors()
    monkeypatch.setattr(os, "open", without)
    with pytest.raises(ConfigurationError, match=r"store\.url.*O_TMPFILE.*choose"):
        DiskStore(tmp_path)
    assert _descriptors() == before


def test_a_store_that_cannot_be_written_is_said_at_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = _descriptors()
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreUnavailable, match="No space left"):
        DiskStore(tmp_path)
    assert _descriptors() == before
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_is_a_file_is_said_at_opening(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"store\.url.*must be a folder"):
        DiskStore(tmp_path / "file")
    with pytest.raises(ConfigurationError, match=r"store\.url.*must be a folder"):
        DiskStore(tmp_path / "file" / "below")


def test_opening_leaves_nothing(tmp_path: Path) -> None:
    DiskStore(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_objects_outlast_the_store(tmp_path: Path) -> None:
    first = DiskStore(tmp_path)
    first.put("a/b", b"kept")
    first.close()
    second = DiskStore(tmp_path)
    assert second.get("a/b") == b"kept"
    assert second.put("a/b", b"new") is False
    second.close()


def test_a_closed_store_says_so(store: DiskStore) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.get("a")


def test_uris_name_the_file(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "with space#1")
    store.put("语音/a b%.wav", b"sound")
    uri = urlsplit(store.uri("语音/a b%.wav"))
    assert (uri.scheme, uri.netloc, uri.query, uri.fragment) == ("file", "", "", "")
    assert Path(unquote(uri.path)).read_bytes() == b"sound"
    store.close()


def test_file_descriptors_do_not_leak(store: DiskStore, tmp_path: Path) -> None:
    def work(thread: int) -> None:
        for number in range(30):
            store.put(f"{number}/{thread}", b"x")
            store.put(f"{number}/{thread}", b"y")
            store.replace(f"{number}/{thread}", b"z")
            store.get(f"{number}/{thread}")
            next(iter(store.entries(f"{number}/")))
            store.put(f"{number}/{thread}-passing", b"")
            store.delete(f"{number}/{thread}-passing")
            store.delete(f"{number}/missing")
            store.get(f"{number}/missing")
            store.get(f"{number}")
            next(iter(store.list(f"{number}/")))
            with pytest.raises(StoreRejected):
                store.put(f"{number}", b"")

    before = _descriptors()
    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(store.list(""))) == 8 * 30
    assert _descriptors() == before


_WRITER = """
import itertools, sys
from pathlib import Path
from streamer.store.disk import DiskStore

store = DiskStore(Path(sys.argv[1]))
for number in itertools.count():
    key = f"{sys.argv[2]}-{number // 8}/{number}"
    store.put(key, key.encode() * 20_000)
    print(key, flush=True)
"""


def test_a_killed_writer_leaves_whole_objects_only(tmp_path: Path) -> None:
    said = []
    for attempt in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), str(attempt)], stdout=subprocess.PIPE, text=True
        )
        with process:
            if process.stdout is None:
                raise OSError("no pipe")
            said += [process.stdout.readline().strip() for _ in range(1 + attempt)]
            process.send_signal(signal.SIGKILL)
            said += [line.strip() for line in process.stdout if line.endswith("\n")]
    store = DiskStore(tmp_path)
    keys = set(store.list(""))
    assert set(said) <= keys
    assert all(store.get(key) == key.encode() * 20_000 for key in keys)
    assert len(keys) >= 20
    store.close()


_REPLACER = """
import itertools, sys
from pathlib import Path
from streamer.store.disk import DiskStore

store = DiskStore(Path(sys.argv[1]))
for number in itertools.count():
    store.replace("a/b", bytes([number % 250]) * 200_000)
    print(number, flush=True)
"""


def test_a_killed_replacer_leaves_a_whole_object_and_at_most_what_gc_takes(tmp_path: Path) -> None:
    for attempt in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", _REPLACER, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        with process:
            if process.stdout is None:
                raise OSError("no pipe")
            for _ in range(1 + attempt):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
    store = DiskStore(tmp_path)
    data = store.get("a/b")
    assert data is not None
    assert data == data[:1] * 200_000
    assert all(key == "a/b" or key.startswith(f"a/{LEFTOVER}") for key in store.list(""))
    store.close()
