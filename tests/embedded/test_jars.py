from __future__ import annotations

import threading
import zipfile
from pathlib import Path

import pytest

from streamer.embedded import jars
from streamer.errors import EmbeddedError


def _jar(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "x" * 10_000)
    return path


def test_a_jar_that_was_cut_short_is_named(tmp_path: Path) -> None:
    whole, cut = _jar(tmp_path / "jars" / "whole.jar"), _jar(tmp_path / "jars" / "cut.jar")
    jars.check([whole.parent])
    cut.write_bytes(cut.read_bytes()[:-30])
    with pytest.raises(EmbeddedError) as caught:
        jars.check([whole.parent])
    assert "cut.jar" in str(caught.value)
    assert "whole.jar" not in str(caught.value)


def test_no_jars_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="none is there"):
        jars.check([tmp_path / "jars"])


def test_whoever_comes_second_waits() -> None:
    """Two that resolve into one folder at once may start with a part of the jars."""
    entered = threading.Event()

    def enter() -> None:
        with jars._one_at_a_time():
            entered.set()

    second = threading.Thread(target=enter)
    with jars._one_at_a_time():
        second.start()
        assert not entered.wait(0.2)
    second.join(10)
    assert entered.is_set()


def test_downloads_are_told() -> None:
    lines: list[str] = []
    downloads = jars.Downloads(lines.append)
    for name in ("a.jar", "b.jar"):
        with downloads.progress(name, 6_000_000) as advance:
            advance(3_000_000)
            advance(3_000_000)
    assert len(lines) == 3
    assert "45 MB, once" in lines[0]
    assert "6 MB of about 45 MB" in lines[1]


def test_an_interrupted_download_leaves_nothing_that_passes_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "_cache", lambda: tmp_path)
    whole, cut = _jar(tmp_path / "g" / "whole.jar"), _jar(tmp_path / "g" / "cut.jar")
    downloads = jars.Downloads(lambda line: None)
    with downloads.progress("whole.jar", 10) as advance:
        advance(10)
    with pytest.raises(KeyboardInterrupt), downloads.progress("cut.jar", 10) as advance:
        raise KeyboardInterrupt
    downloads.discard()
    assert whole.exists()
    assert not cut.exists()


def test_without_a_network_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    jgo = pytest.importorskip("jgo")

    def build(*_arguments: object, **_options: object) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(jgo, "build", build)
    with pytest.raises(EmbeddedError) as caught:
        jars.classpath(lambda line: None)
    assert "Name or service not known" in str(caught.value)
    assert "needs the network once" in str(caught.value)
