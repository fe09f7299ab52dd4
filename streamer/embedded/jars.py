"""The jars of Apache Kafka: resolved by jgo into the user's Maven cache, downloaded once."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from streamer.embedded.java import bundled
from streamer.errors import EmbeddedError
from streamer.locks import held

# Pinned. 4.3.0 and 4.4.0 carry KAFKA-20734: after the broker was killed, its transaction coordinator may skip the
# markers of a committed transaction, and read_committed readers see duplicates.
KAFKA = "4.2.0"
# The `!` keeps each artifact's own versions: without it an older kafka-clients is resolved in silence.
_ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA}+org.apache.logging.log4j:log4j-slf4j-impl:2.25.5!@kafka.Kafka"
_ABOUT = "about 45 MB"

_REMEDY = (
    f"It needs the network once ({_ABOUT}, from Maven Central or the mirror set in ~/.jgorc); or point "
    "kafka.bootstrap_servers to a Kafka that runs"
)

Say = Callable[[str], None]


def classpath(say: Say | None = None) -> str:
    """The class path of Kafka. `say` gets a line about each download; by default it goes to standard error.

    Errors: EmbeddedError where the jars are neither there nor to be had.
    """
    try:
        import jgo
        from jgo.maven import PythonResolver
    except ImportError as error:
        raise EmbeddedError(
            f"the embedded Kafka needs the package jgo ({error}); install the extra: pip install 'streamer[embedded]'"
        ) from error
    downloads = Downloads(say or _to_stderr)
    try:
        with _one_at_a_time(), _java_home(bundled()):
            environment = jgo.build(_ENDPOINT, resolver=PythonResolver(progress_callback=downloads.progress))
    except OSError as error:  # the errors of requests are OSErrors too
        downloads.discard()
        raise EmbeddedError(f"Apache Kafka {KAFKA} could not be downloaded: {error}. {_REMEDY}") from error
    except (RuntimeError, ValueError) as error:
        downloads.discard()
        raise EmbeddedError(f"the jars of Apache Kafka {KAFKA} could not be resolved: {error}. {_REMEDY}") from error
    except BaseException:
        downloads.discard()
        raise
    # jgo's own class path names two of the jars only.
    folders = [environment.path / "jars", environment.path / "modules"]
    check(folders)
    return ":".join(f"{folder}/*" for folder in folders)


def _one_at_a_time() -> AbstractContextManager[None]:
    """Of this user's processes: two that find nothing yet would lay out the same folder, and one of them start with a
    part of the jars."""
    return held(Path(tempfile.gettempdir()) / f"streamer-jars-{os.getuid()}.lock")


@contextmanager
def _java_home(java: Path | None) -> Iterator[None]:
    """Name a runtime to jgo, which without one downloads a whole JDK to sort jars by whether they are modules.

    It then misses the JDK's tool for that and says so; we take both its folders alike.
    """
    logger = logging.getLogger("jgo")
    before, level = os.environ.get("JAVA_HOME"), logger.level
    if java is not None:
        os.environ["JAVA_HOME"] = str(java.parent.parent)
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        if before is not None:
            os.environ["JAVA_HOME"] = before
        elif java is not None:
            del os.environ["JAVA_HOME"]


def check(folders: list[Path]) -> None:
    """Errors: EmbeddedError that names the jars which are cut short (a machine that died while downloading)."""
    jars = sorted(jar for folder in folders if folder.is_dir() for jar in folder.glob("*.jar"))
    broken = [jar for jar in jars if not zipfile.is_zipfile(jar)]
    if broken or not jars:
        names = ", ".join(str(jar.resolve()) for jar in broken) or "none is there"
        raise EmbeddedError(
            f"jars of Apache Kafka are damaged ({names}); delete them, also under ~/.m2/repository, and "
            f"{folders[0].parent}, and start again"
        )


class Downloads:
    """Says what is downloaded, and removes what was not finished: jgo would take it for whole the next time."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._bytes = 0
        self._shown = 0
        self._unfinished: set[str] = set()

    @contextmanager
    def progress(self, name: str, size: int) -> Iterator[Callable[[int], None]]:
        if not self._bytes:
            self._say(f"downloading Apache Kafka {KAFKA}, {_ABOUT}, once")
        self._unfinished.add(name)
        yield self._advance
        self._unfinished.discard(name)

    def _advance(self, count: int) -> None:
        self._bytes += count
        if self._bytes - self._shown >= 5_000_000:
            self._shown = self._bytes
            self._say(f"downloading Apache Kafka {KAFKA}: {self._bytes / 1e6:.0f} MB of {_ABOUT}")

    def discard(self) -> None:
        cache = _cache() if self._unfinished else None
        if cache is not None:
            for name in self._unfinished:
                for path in cache.rglob(name):
                    path.unlink(missing_ok=True)


def _cache() -> Path | None:
    from jgo.config import GlobalSettings

    settings: Any = GlobalSettings.load()
    return Path(settings.repo_cache) if settings.repo_cache else None


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"streamer: {line}\n")
    sys.stderr.flush()
