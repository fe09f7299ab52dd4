"""Results are read with nothing of ours: by a script in a process that cannot import streamer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamer.clock import SystemClock
from streamer.records import SpeechCompleted
from streamer.resources import folder
from streamer.settings import Kafka, SchemaRegistry, Settings, Topics
from streamer.wire import avro
from streamer.wire.opening import open_codecs
from tests.wire import outsider
from tests.wire.apicurio import Apicurio
from tests.wire.test_avro import RECORDS

# Blocks the import of streamer, then runs the script as it stands.
_ISOLATED = """
import runpy, sys
class Blocked:
    def find_spec(self, name, *_):
        if name.split(".")[0] in ("streamer", "tests"):
            raise ImportError(f"an outsider has no {name}")
sys.meta_path.insert(0, Blocked())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def record() -> SpeechCompleted:
    found = RECORDS["speech_completed"]
    assert isinstance(found, SpeechCompleted)
    return found


def run(place: Path, data: bytes, *where: str) -> subprocess.CompletedProcess[str]:
    """The script alone in a folder, with the record beside it."""
    shutil.copy(outsider.__file__, place / "outsider.py")
    (place / "record.bin").write_bytes(data)
    return subprocess.run(
        [sys.executable, "-I", "-c", _ISOLATED, "outsider.py", "record.bin", *where],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def check(done: subprocess.CompletedProcess[str], record: SpeechCompleted) -> None:
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    assert (read["source"], read["id"], read["text"]) == (record.source, record.id, record.text)
    assert read["audio"]["sha256"] == record.audio.sha256
    assert read["position"]["offset"] == record.position.offset
    assert read["completed_at"] == "2023-11-14 22:13:20+00:00"


def test_with_fastavro_and_the_schema_file(tmp_path: Path, record: SpeechCompleted) -> None:
    schema = shutil.copy(folder("schemas") / "speech_completed.avsc", tmp_path)
    check(run(tmp_path, avro.completed().encode(record), str(schema)), record)


def test_the_fingerprint_tells_a_record_of_another_schema(tmp_path: Path, record: SpeechCompleted) -> None:
    schema = shutil.copy(folder("schemas") / "speech_failed.avsc", tmp_path)
    done = run(tmp_path, avro.completed().encode(record), str(schema))
    assert done.returncode == 1
    assert "written with another schema" in done.stderr


def test_with_confluent_kafka_and_the_registry(
    tmp_path: Path, record: SpeechCompleted, apicurio: Apicurio, unique: Callable[[str], str]
) -> None:
    topics = Topics(completed=unique("completed"))
    settings = Settings(schema_registry=SchemaRegistry(url=apicurio.url), kafka=Kafka(topics=topics))
    data = open_codecs(settings, SystemClock(), "completed").completed.encode(record)
    check(run(tmp_path, data, apicurio.url, topics.completed), record)


def test_the_script_would_fail_if_it_used_streamer(tmp_path: Path) -> None:
    (tmp_path / "cheat.py").write_text("import streamer")
    done = subprocess.run(
        [sys.executable, "-I", "-c", _ISOLATED, str(tmp_path / "cheat.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "an outsider has no streamer" in done.stderr
