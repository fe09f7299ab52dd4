from __future__ import annotations

import hashlib
import json
import wave
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import run

TONE = {"ENGINE__NAME": "tone"}


def synth(
    out: Path, *lines: dict[str, Any] | str, variables: dict[str, str] | None = None
) -> tuple[int, list[dict[str, Any]]]:
    """The exit status, and the results by line."""
    text = "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    result = run("synth", "-", "--out", str(out), variables=TONE | (variables or {}), stdin=text.encode())
    assert result.stderr == b""
    results = [json.loads(line) for line in result.stdout.splitlines()]
    return result.returncode, sorted(results, key=lambda one: one["line"])


def test_each_line_becomes_a_file_that_is_what_it_says(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    status, results = synth(
        out,
        {"text": "Your order is paid.", "id": "order-1"},
        {"text": "您好", "id": "order-2", "output_name": "问候 1", "sample_rate": 8000},
        "",
        {"text": "no name at all"},
        {"text": "with an extension", "output_name": "named.wav"},
    )
    assert status == 0
    assert [(one["line"], one["id"], Path(one["file"]).name) for one in results] == [
        (1, "order-1", "order-1.wav"),
        (2, "order-2", "问候 1.wav"),
        (4, "", "4.wav"),
        (5, "", "named.wav"),
    ]
    assert {file.name for file in out.iterdir()} == {Path(one["file"]).name for one in results}
    for one in results:
        assert hashlib.sha256(Path(one["file"]).read_bytes()).hexdigest() == one["sha256"]
        with wave.open(one["file"]) as file:
            assert file.getnframes() / file.getframerate() == one["duration"]
            assert file.getframerate() == (8000 if one["line"] == 2 else 24_000)


def test_the_same_request_makes_the_same_file_again(tmp_path: Path) -> None:
    requests = [{"text": f"order {number}", "id": f"{number}"} for number in range(200)]
    first = synth(tmp_path, *requests)
    assert first[0] == 0
    assert len(first[1]) == 200
    assert synth(tmp_path, *requests) == first


def test_each_line_may_choose_its_format(tmp_path: Path) -> None:
    lines = [{"text": "hello", "output_name": "named.mp3", "format": format} for format in ("mp3", "alaw", "opus")]
    status, results = synth(tmp_path, *lines, {"text": "hello", "format": "opus", "sample_rate": 44_100})
    assert status == 1
    names = [Path(one["file"]).name for one in results[:3]]
    assert names == ["named.mp3", "named.mp3.alaw", "named.mp3.opus"]
    assert (tmp_path / names[0]).stat().st_size > 0
    assert results[3]["error"]["code"] == "invalid_request"


def test_a_wrong_line_does_not_stop_the_others(tmp_path: Path) -> None:
    status, results = synth(
        tmp_path,
        {"text": "good", "id": "first"},
        "{nope",
        {"text": "good", "colour": "red"},
        {"text": "  "},
        {"text": "x" * 20_001},
        {"text": "good", "voice": "nobody"},
        {"text": "good", "output_name": "../escape"},
        {"text": "good", "id": "a/b"},
        {"text": "good", "id": ".."},
        {"text": "good", "id": "first"},
        {"text": "good", "output_name": "好" * 100},
        {"event": {"type": "order.paid", "data": {}}},
        {"text": "good", "prompt": {"prompt_audio": "a", "prompt_text": "b"}},
        {"text": "good", "sample_rate": 1},
        {"text": "good [[fail]]"},
        {"text": "x" * 1_000_001},
        {"text": "good", "id": "last"},
    )
    assert status == 1
    assert [one["line"] for one in results] == list(range(1, 18))
    found = {one["line"]: (one["error"]["code"], one["error"]["message"]) for one in results if "error" in one}
    expected = {
        2: ("invalid_request", "not JSON"),
        3: ("invalid_request", "colour"),
        4: ("text_empty", "text"),
        5: ("text_too_long", "engine.max_text"),
        6: ("voice_unknown", "known: support"),
        7: ("invalid_request", "output_name"),
        8: ("invalid_request", "id: is no file name; give"),
        9: ("invalid_request", "id: is no file name; give"),
        10: ("invalid_request", "same file as line 1"),
        11: ("invalid_request", "output_name: is no file name"),
        12: ("template_error", "order.paid"),
        13: ("voice_unknown", "prompt"),
        14: ("invalid_request", "sample_rate"),
        15: ("synthesis_failed", "[[fail]] (attempts: 3)"),
        16: ("invalid_request", "too long"),
    }
    assert set(found) == set(expected)
    for line, (code, message) in expected.items():
        assert found[line][0] == code
        assert message in found[line][1]
    assert {file.name for file in tmp_path.iterdir()} == {"first.wav", "last.wav"}


def test_failures_are_tried_again(tmp_path: Path) -> None:
    status, results = synth(tmp_path, {"text": "[[fail:2]]"}, {"text": "[[fail:3]]"})
    assert status == 1
    assert "file" in results[0]
    assert "attempt 3" in results[1]["error"]["message"]


@pytest.mark.parametrize("cost", ["0", "0.0001"])
def test_one_that_breaks_the_batch_or_the_memory_takes_nobody_with_it(tmp_path: Path, cost: str) -> None:
    status, results = synth(
        tmp_path,
        *[{"text": f"before {number}"} for number in range(10)],
        {"text": "[[raise]]"},
        {"text": "[[oom]] one"},
        {"text": "[[oom]] two"},
        *[{"text": f"after {number}"} for number in range(10)],
        variables={"ENGINE__TONE__COST_PER_CHARACTER": cost},
    )
    assert status == 1
    assert [one["line"] for one in results if "error" in one] == [11]
    assert len(results) == 23


def test_a_file_of_requests_spoken_by_espeak(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text('{"text": "Hello, 王先生", "id": "1", "voice": "vip"}\n{"text": "您好", "id": "2"}\n')
    result = run("synth", str(file), "--out", str(tmp_path / "out"), variables={"ENGINE__NAME": "espeak"})
    assert result.returncode == 0
    durations = [json.loads(line)["duration"] for line in result.stdout.splitlines()]
    assert len(durations) == 2
    assert all(0.3 < duration < 4 for duration in durations)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("synth", "-", "--out", str(tmp_path / "file" / "below"), variables=TONE)
    assert result.returncode == 1
    assert b"--out" in result.stderr


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = run("synth", str(tmp_path / "missing.jsonl"), "--out", str(tmp_path), variables=TONE)
    assert result.returncode == 2
    assert b"missing.jsonl" in result.stderr


def test_nothing_to_speak(tmp_path: Path) -> None:
    assert synth(tmp_path) == (0, [])


def test_a_file_that_cannot_be_written_stops_it(tmp_path: Path) -> None:
    (tmp_path / "taken.wav.part").mkdir()
    result = run("synth", "-", "--out", str(tmp_path), variables=TONE, stdin=b'{"text": "good", "id": "taken"}')
    assert result.returncode == 1
    assert b"cannot write" in result.stderr
    assert b"Traceback" not in result.stderr


def test_events_are_spoken_in_the_words_of_their_rules(tmp_path: Path) -> None:
    rules = tmp_path / "events.toml"
    rules.write_text('[events.paid]\ntemplate = "order {{ data.n }} is paid"\nwhen = "data.n > 0"\n')
    status, results = synth(
        tmp_path / "out",
        {"event": {"type": "paid", "data": {"n": 5}}},
        {"text": "order 5 is paid", "seed": 1},
        {"event": {"type": "paid", "data": {"n": -5}}},
        {"event": {"type": "paid", "data": {}}},
        variables={"EVENTS__FILE": str(rules)},
    )
    assert status == 1
    assert results[0]["duration"] == results[1]["duration"]
    assert [one["error"]["code"] for one in results[2:]] == ["not_wanted", "template_error"]
    assert "data.n" in results[3]["error"]["message"]


def test_a_file_of_rules_that_is_wrong_lists_everything(tmp_path: Path) -> None:
    rules = tmp_path / "events.toml"
    rules.write_text('[events.paid]\ntemplate = "{{"\n[events.sent]\ntemplate = "x"\nvoice = "nobody"\n')
    for command in (["synth", "-", "--out", str(tmp_path)], ["worker", "--process", "0", "--instance", "a"]):
        result = run(*command, variables=TONE | {"EVENTS__FILE": str(rules)})
        assert result.returncode == 2
        for word in (b"paid", b"sent", b"nobody"):
            assert word in result.stderr


def test_speech_that_is_rejected_is_made_once_more(tmp_path: Path) -> None:
    status, results = synth(
        tmp_path,
        {"text": "[[silent:5]]", "seed": 5},
        {"text": "[[silent]]", "seed": 5},
        {"text": "[[silent:5]]", "seed": 6, "output_name": "with the next seed"},
    )
    assert status == 1
    assert results[0]["sha256"] == results[2]["sha256"]
    assert results[1]["error"]["code"] == "speech_rejected"
    assert "least_rms of engine tone; seed 6, and the one before it" in results[1]["error"]["message"]
    assert not (tmp_path / "2.wav").exists()
