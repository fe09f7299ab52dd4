"""The embedded Kafka: one broker process on a data folder, with the same ports over restarts."""

from __future__ import annotations

import base64
import fcntl
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from streamer.embedded import jars, java, ports, properties
from streamer.errors import BrokerError, EmbeddedError
from streamer.kafka.confluent_admin import reach
from streamer.launch import dying_with_parent

DEFAULT_PORT = 9092
_LEAST_FREE = 64 * 1024 * 1024
_LOG_LIMIT = 64 * 1024 * 1024
_LOCK_PATIENCE = 5.0
_LOOK = 0.1
_HEAP_FORMAT = ["-Xmx96m"]
_HEAP_BROKER = ["-Xmx256m"]
_QUICK_START = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


class _Memory(msgspec.Struct):
    """What the data folder remembers."""

    cluster: str
    port: int = 0
    controller: int = 0
    formatted: bool = False


class EmbeddedKafka:
    """Apache Kafka on `data`, at 127.0.0.1:`port`.

    None is the port of the last time, or 9092; 0 the port of the last time where that is free, or any free one.
    Use `start`, `ready`, `stop`, or as a context manager. The broker runs in a session of its own, so that a Ctrl-C in
    the terminal does not reach it before `stop`, and dies (SIGKILL) with the thread that called `start`.
    """

    def __init__(
        self,
        data: Path,
        port: int | None = None,
        *,
        find_java: Callable[[], Path] = java.find,
        say: jars.Say | None = None,
    ) -> None:
        self.data = data.absolute()
        self.log = self.data / "broker.log"
        self._wanted, self._find_java, self._say = port, find_java, say
        self._memory = _Memory(cluster="")
        self._lock: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """0 before `start`."""
        return self._memory.port

    @property
    def bootstrap_servers(self) -> str:
        return f"{ports.HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Of the Java process; None when it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the process. Errors: EmbeddedError that names the remedy."""
        runtime = self._find_java()
        classpath = jars.classpath(self._say)
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._check_space()
            self._memory = self._remember()
            self._rotate_log()
            self._format(runtime, classpath)
            self._process = self._spawn([runtime, *_HEAP_BROKER, *_QUICK_START], classpath, "kafka.Kafka")
        except OSError as error:
            self._release_lock()
            raise EmbeddedError(f"the data folder {self.data} cannot be used: {error}{self._space_hint()}") from error
        except BaseException:
            self._release_lock()
            raise

    def ready(self, timeout: float = 60.0, watch: Callable[[], None] = lambda: None) -> None:
        """Wait until it answers. `watch` is called meanwhile, and may raise.

        Errors: EmbeddedError where it died, or took longer than `timeout` seconds.
        """
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            watch()
            self._check_alive()
            if not ports.accepts(self.port):
                time.sleep(0.05)
                continue
            try:
                reach(self.bootstrap_servers, 2.0)
            except BrokerError:
                continue
            return
        raise EmbeddedError(f"the embedded Kafka did not answer within {timeout:.0f} s; {self._telling()}")

    def wait(self, watch: Callable[[], None] = lambda: None) -> None:
        """Wait until it dies, or `watch` raises. Errors: EmbeddedError, always: nobody asked it to."""
        while True:
            watch()
            self._check_alive()
            time.sleep(_LOOK)

    def stop(self, timeout: float = 10.0) -> None:
        """Stop it in order, by force after `timeout` seconds. Nothing happens where it does not run."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._gone()

    def kill(self) -> None:
        """SIGKILL; for tests."""
        if self._process is not None:
            self._process.kill()
        self._gone()

    def __enter__(self) -> EmbeddedKafka:
        try:
            self.start()
            self.ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _gone(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None
        self._release_lock()

    # The data folder

    def _take_lock(self) -> None:
        """One broker a folder. The broker holds the lock too, so that it lasts until both are gone."""
        if self._lock is not None:
            raise EmbeddedError("it was started already")
        self._lock = (self.data / "lock").open("a+b")
        end = time.monotonic() + _LOCK_PATIENCE  # a broker whose parent was killed is about to die
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    raise EmbeddedError(
                        f"another embedded Kafka runs on {self.data}; stop it, or give this one another folder (--data)"
                    ) from None
                time.sleep(0.1)

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.data).free
        if free < _LEAST_FREE:
            raise EmbeddedError(
                f"the disk of {self.data} is full: {free // 1_000_000} MB are free, the embedded Kafka needs "
                f"{_LEAST_FREE // 1_000_000} MB; free some, or give it another folder (--data)"
            )

    def _remember(self) -> _Memory:
        path = self.data / "broker.json"
        try:
            memory = msgspec.json.decode(path.read_bytes(), type=_Memory)
        except FileNotFoundError:
            memory = _Memory(cluster=_cluster_id())
        except msgspec.DecodeError as error:
            raise EmbeddedError(f"{path} is damaged ({error}); delete {self.data} to start anew") from error
        memory.port = self._wanted or memory.port or (DEFAULT_PORT if self._wanted is None else ports.choose())
        if self._wanted == 0 and not ports.is_free(memory.port):
            memory.port = ports.choose()
        if not ports.is_free(memory.port):
            raise EmbeddedError(
                f"port {memory.port} of {ports.HOST} is in use; stop the program that listens there, or choose another "
                "port (--port N, or --port 0 for a free one)"
            )
        if memory.controller in (0, memory.port) or not ports.is_free(memory.controller):
            memory.controller = ports.choose()
        self._write(path, msgspec.json.encode(memory))
        return memory

    def _write(self, path: Path, content: bytes) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_bytes(content)
        fresh.replace(path)

    def _rotate_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))

    # The process

    def _format(self, runtime: Path, classpath: str) -> None:
        logs = self.data / "logs"
        server = properties.server(self._memory.port, self._memory.controller, logs)
        self._write(self.data / "server.properties", server.encode())
        self._write(self.data / "log4j2.properties", properties.LOGGING.encode())
        if self._memory.formatted:
            return
        arguments = ["format", "--cluster-id", self._memory.cluster, "--ignore-formatted", "--config"]
        process = self._spawn([runtime, *_HEAP_FORMAT, *_QUICK_START], classpath, "kafka.tools.StorageTool", *arguments)
        try:
            status = process.wait()
        finally:
            process.kill()
            process.wait()
        if status != 0:
            raise EmbeddedError(f"the data folder {self.data} could not be formatted; {self._telling()}")
        self._memory.formatted = True
        self._write(self.data / "broker.json", msgspec.json.encode(self._memory))

    def _spawn(self, command: list[Path | str], classpath: str, *arguments: str) -> subprocess.Popen[bytes]:
        if self._lock is None:
            raise EmbeddedError("the data folder is not locked")
        logging = f"-Dlog4j2.configurationFile={self.data / 'log4j2.properties'}"
        program = [*command, logging, "-cp", classpath, *arguments, self.data / "server.properties"]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                dying_with_parent([str(part) for part in program]),
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[self._lock.fileno()],
            )

    def _check_alive(self) -> None:
        if self._process is None:
            raise EmbeddedError("the embedded Kafka was not started")
        status = self._process.poll()
        if status is not None:
            self._gone()
            raise EmbeddedError(
                f"the embedded Kafka ended by itself (status {status}){self._space_hint()}; {self._telling()}"
            )

    def _space_hint(self) -> str:
        try:
            free = shutil.disk_usage(self.data).free
        except OSError:
            return ""
        return f"; the disk is full ({free // 1_000_000} MB are free)" if free < _LEAST_FREE else ""

    def _telling(self) -> str:
        return f"its log {self.log} says:\n" + "\n".join(f"  {line}" for line in telling(self.log))


_TELLING = (
    "ERROR",
    "FATAL",
    "Exception",
    "OutOfMemory",
    "No space left",
    "Address already in use",
    "Error:",
    "Caused by",
)


def telling(log: Path, most: int = 8) -> list[str]:
    """The last lines of a broker's log that say why it died; the last lines at all where none does."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return [str(error)]
    found = [line for line in lines if any(sign in line for sign in _TELLING)]
    return [line[:300] for line in (found or lines)[-most:]]


def _cluster_id() -> str:
    """16 random bytes as Kafka writes them: url-safe base64 without padding, not beginning with a dash."""
    while (text := base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")).startswith("-"):
        pass
    return text
