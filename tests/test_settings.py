from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamer.errors import ConfigurationError
from streamer.settings import Settings, load


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("STREAMER_")]:
        monkeypatch.delenv(name)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "streamer.toml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(config: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        load(config)
    assert raised.value.exit_code == 2
    return raised.value.problems


def test_the_defaults_stand_without_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(None)
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert settings.kafka.topics.requests == "tts.requests"
    assert settings.store.url == (tmp_path / ".streamer" / "store").as_uri()
    assert settings.audio.sample_rate == 24_000
    assert settings.voices.file.name == "voices.toml"
    assert settings.voices.file.is_file()


def test_the_file_changes_what_it_names(tmp_path: Path) -> None:
    settings = load(
        written(
            tmp_path,
            """
            [kafka]
            group = "other"
            [kafka.topics]
            failed = "dead"
            [kafka.properties]
            "security.protocol" = "SASL_SSL"
            "socket.keepalive.enable" = true
            [engine]
            name = "tone"
            [engine.tone]
            rows = 3
            """,
        )
    )
    assert settings.kafka.group == "other"
    assert (settings.kafka.topics.failed, settings.kafka.topics.completed) == ("dead", "tts.completed")
    assert settings.kafka.properties == {"security.protocol": "SASL_SSL", "socket.keepalive.enable": True}
    assert settings.engine.name == "tone"
    assert (settings.engine.tone.rows, settings.engine.tone.failure_rate) == (3, 0.0)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, '[store]\nurl = "memory:"\nthreads = 3\n[worker]\nprocesses = 2\n')
    monkeypatch.setenv("STREAMER_STORE__URL", "file:///elsewhere")
    monkeypatch.setenv("STREAMER_KAFKA__BOOTSTRAP_SERVERS", "a:1,b:2")
    settings = load(file)
    assert settings.store.url == "file:///elsewhere"
    assert settings.store.threads == 3
    assert settings.worker.processes == 2
    assert settings.kafka.bootstrap_servers == "a:1,b:2"


def test_one_variable_leaves_its_neighbours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, '[engine]\nname = "tone"\n[engine.tone]\nrows = 3\nfailure_rate = 0.5\n')
    monkeypatch.setenv("STREAMER_ENGINE__TONE__FAILURE_RATE", "0.25")
    monkeypatch.setenv("STREAMER_KAFKA__TOPICS__REQUESTS", "mine")
    settings = load(file)
    assert (settings.engine.tone.rows, settings.engine.tone.failure_rate) == (3, 0.25)
    assert settings.engine.name == "tone"
    assert (settings.kafka.topics.requests, settings.kafka.topics.completed) == ("mine", "tts.completed")
    assert settings.kafka.group == "streamer"


def test_librdkafka_properties_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_KAFKA__PROPERTIES", '{"sasl.username": "u", "linger.ms": 5}')
    assert load(None).kafka.properties == {"sasl.username": "u", "linger.ms": 5}


def test_folders_of_prompts_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_VOICES__PROMPT_FOLDERS", '["/srv/a", "/srv/b"]')
    voices = load(None).voices
    assert voices.prompt_folders == [Path("/srv/a"), Path("/srv/b")]
    assert voices.file.is_file()


def test_every_error_is_listed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(
        tmp_path,
        """
        [kafka]
        protocoll = "classic"
        partitions = 0
        [worker]
        window = 20001
        [engine]
        name = "festival"
        [colour]
        """,
    )
    monkeypatch.setenv("STREAMER_AUDIO__SAMPLE_RATE", "many")
    monkeypatch.setenv("STREAMER_BRDIGE__PORT", "80")
    found = "\n".join(problems(file))
    for expected in (
        "kafka.protocoll (environment: STREAMER_KAFKA__PROTOCOLL): no such key",
        "kafka.partitions (environment: STREAMER_KAFKA__PARTITIONS)",
        "worker.window (environment: STREAMER_WORKER__WINDOW)",
        "engine.name (environment: STREAMER_ENGINE__NAME)",
        "colour (environment: STREAMER_COLOUR): no such key",
        "audio.sample_rate (environment: STREAMER_AUDIO__SAMPLE_RATE)",
        "environment variable STREAMER_BRDIGE__PORT: no section [brdige]",
    ):
        assert expected in found
    assert len(found.splitlines()) == 7


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("KAFKA__GROUP", "", "at least 1 character"),
        ("KAFKA__PROTOCOL", "modern", "'modern'"),
        ("KAFKA__SESSION_TIMEOUT", "0", "greater than 0"),
        ("KAFKA__MAX_FAILED_BYTES", "2000000", "at least twice max_request_bytes"),
        ("KAFKA__NONSENSE", "1", "no such key"),
        ("KAFKA__TOPICS__NONSENSE", "1", "no such key"),
        ("KAFKA__PROPERTIES", "{", "JSON object"),
        ("KAFKA__PROPERTIES", "sasl.username=u", "JSON object"),
        ("KAFKA__PROPERTIES", "[1]", "valid dictionary"),
        ("KAFKA", "{", "JSON object"),
        ("ENGINE__TONE", "rows=3", "JSON object"),
        ("VOICES__PROMPT_FOLDERS", "/srv/prompts", "JSON list"),
        ("VOICES__PROMPT_FOLDERS", '["/srv/a", "b"]', "'b' is not absolute"),
        ("STORE__THREADS", "0", "greater than or equal to 1"),
        ("AUDIO__FORMAT", "aac", "'wav'"),
        ("AUDIO__SAMPLE_RATE", "96000", "48000"),
        ("ENGINE__MAX_TEXT", "-1", "'-1'"),
        ("ENGINE__TONE__FAILURE_RATE", "1.5", "less than or equal to 1"),
        ("WORKER__RESUME_SHARE", "0", "greater than 0"),
        ("WORKER__COMMIT_INTERVAL", "0", "0.01"),
        ("BRIDGE__PORT", "70000", "65535"),
        ("BRIDGE__ACK_TIMEOUT", "2", "1.8"),
        ("LOG__LEVEL", "loud", "'loud'"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(f"STREAMER_{variable}", value)
    (problem,) = problems()
    assert reason in problem
    assert f"STREAMER_{variable}" in problem


@pytest.mark.parametrize("text", ["[kafka", "a = 1 = 2", 'x = "\\q"'])
def test_a_file_that_is_no_toml(tmp_path: Path, text: str) -> None:
    (problem,) = problems(written(tmp_path, text))
    assert "streamer.toml" in problem


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path / "missing.toml")
    assert "--config" in problem
    assert "missing.toml" in problem


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "binary.toml"
    file.write_bytes(b"\xff\xfe")
    (problem,) = problems(file)
    assert "binary.toml" in problem


def test_a_file_that_cannot_be_read_is_told_with_the_environments_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_NOWHERE__KEY", "1")
    found = problems(tmp_path / "missing.toml")
    assert len(found) == 2


def test_nothing_changes_once_loaded() -> None:
    settings = load(None)
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings, "kafka", Settings().kafka)  # noqa: B010
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings.kafka, "group", "other")  # noqa: B010


def test_a_variable_without_section_or_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_NOTHING", "1")
    (problem,) = problems()
    assert "STREAMER_NOTHING" in problem
    assert "bridge" in problem


def test_a_rate_that_the_format_is_not_written_at_is_named_with_those_it_is(tmp_path: Path) -> None:
    (found,) = problems(written(tmp_path, '[audio]\nformat = "opus"\nsample_rate = 44100'))
    assert "audio.sample_rate" in found
    assert "is 44100, and format opus is written at 8000, 12000, 16000, 24000, 48000 a second" in found


def test_telephony_does_not_mind_the_rate_of_the_others(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[audio]\nformat = "alaw"\nsample_rate = 44100'))
    assert settings.audio.format == "alaw"
