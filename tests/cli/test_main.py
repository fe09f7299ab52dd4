from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from streamer import __version__, errors
from streamer.cli import main
from tests.cli.processes import environment, run

_COMMANDS = (
    "kafka",
    "topics",
    "bridge",
    "worker",
    "demo",
    "submit",
    "follow",
    "replay",
    "delete",
    "gc",
    "synth",
    "check",
)


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(main.cli, ["--help"])
    assert result.exit_code == 0
    for name in _COMMANDS:
        assert f"\n  {name} " in result.output


def test_help_stays_quick() -> None:
    """Quick by what it does not import; a stopwatch would test the machine."""
    program = (
        "import sys; from streamer.cli.main import cli; cli.main(['--help'], standalone_mode=False);"
        "heavy = {'confluent_kafka', 'pydantic', 'numpy', 'fastavro', 'starlette', 'structlog', 'rich', 'soxr'};"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "Commands:" in output
    assert output.splitlines()[-1] == "HEAVY []"


def test_the_version() -> None:
    assert run("--version").stdout.decode().strip().endswith(__version__)


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help_and_its_own_config(name: str) -> None:
    result = CliRunner().invoke(main.cli, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage: cli" in result.output
    assert "--config" in result.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["--nonsense"], "No such option"),
        (["synth"], "Missing"),
        (["synth", "-", "--out", "x", "--nonsense"], "No such option"),
    ],
)
def test_wrong_use_exits_2(arguments: list[str], expected: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert expected in result.stderr.decode()
    assert result.stdout == b""


def test_all_problems_of_the_configuration_are_printed_and_it_exits_2(tmp_path: Path) -> None:
    config = tmp_path / "streamer.toml"
    config.write_text('[kafka]\npartitions = 0\nunknown = 1\n[engine]\nname = "festival"\n')
    variables = {"BRIDGE__PORT": "http", "NOWHERE__KEY": "1"}
    result = run("--config", str(config), "synth", "-", "--out", str(tmp_path), variables=variables)
    assert result.returncode == 2
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 5
    assert all(line.startswith("streamer: ") for line in lines)
    for part in ("kafka.partitions", "kafka.unknown", "engine.name", "bridge.port", "STREAMER_NOWHERE__KEY"):
        assert any(part in line for line in lines)


@pytest.mark.parametrize("before", [True, False])
def test_config_may_stand_before_or_after_the_command(tmp_path: Path, before: bool) -> None:
    missing = ["--config", str(tmp_path / "missing.toml")]
    synth = ["synth", "-", "--out", str(tmp_path)]
    result = run(*missing, *synth) if before else run(*synth, *missing)
    assert result.returncode == 2
    assert "missing.toml" in result.stderr.decode()


def test_the_configuration_after_the_command_wins(tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_text('[engine]\nname = "tone"\n')
    bad = ["--config", str(tmp_path / "missing.toml")]
    synth = ["synth", "-", "--out", str(tmp_path), "--config", str(good)]
    assert run(*bad, *synth).returncode == 0


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (errors.ConfigurationError(["one", "two"]), 2, "streamer: one\nstreamer: two\n"),
        (errors.CommitsLost("lost"), 2, "streamer: lost\n"),
        (errors.DeadLetterLimit("limit"), 2, "streamer: limit\n"),
        (errors.Fenced("fenced"), 3, "streamer: fenced\n"),
        (errors.FatalClient("fatal"), 1, "streamer: fatal\n"),
        (errors.StoreUnavailable("down"), 1, "streamer: down\n"),
        (click.Abort(), 130, ""),
        (KeyboardInterrupt(), 130, ""),
        (click.UsageError("wrong"), 2, "Error: wrong\n"),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_exit_codes_of_errors(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    message: str,
) -> None:
    assert exits(monkeypatch, raising(error)) == status
    assert capsys.readouterr().err.endswith(message)


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1), (2, 2), (3, 3)])
def test_exit_codes_of_commands(monkeypatch: pytest.MonkeyPatch, returned: int | None, status: int) -> None:
    @click.command()
    def command() -> int | None:
        return returned

    assert exits(monkeypatch, command) == status


def raising(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


def exits(monkeypatch: pytest.MonkeyPatch, command: click.Command) -> int:
    monkeypatch.setattr(main, "cli", command)
    monkeypatch.setattr(sys, "argv", ["streamer"])
    with pytest.raises(SystemExit) as raised:
        main.main()
    assert isinstance(raised.value.code, int)
    return raised.value.code


def test_the_installed_script_runs() -> None:
    script = Path(sys.executable).with_name("streamer")
    result = subprocess.run([script, "--help"], capture_output=True, env=environment({}), check=False)
    assert result.returncode == 0
