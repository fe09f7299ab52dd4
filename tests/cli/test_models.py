from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from streamer.cli import main, models
from streamer.cli.models_output import Progress
from streamer.engines.base import Failure, Profile, Speech, Ticket, Utterance
from streamer.engines.glm.checkpoint.tiny.example import PROMPT_TEXT
from streamer.engines.tone import ToneSynthesizer
from streamer.errors import ConfigurationError, EngineError, FetchError
from streamer.settings import EngineChoice, Settings, Tone
from tests.cli.processes import run, started
from tests.engines.glm.checkpoint.hub_server import FLOW, NEEDED, ONNX, HubServer, files

LARGE = FLOW * 20
NOBODY = {"NO_PROXY": "127.0.0.1,localhost", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}


def invoked(*arguments: str) -> Result:
    return CliRunner().invoke(main.cli, ["models", *arguments], standalone_mode=False)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer({**NEEDED, "flow/flow.pt": LARGE}, ONNX).running() as server:
        yield server


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    result = invoked("make-tiny", str(folder), "--seed", "7")
    assert result.return_value == 0, result.output
    return folder


def speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "speak", lambda settings, folder: "glm spoke")


def test_help_is_there_without_any_library() -> None:
    program = (
        "import sys; from streamer.cli.main import cli; cli.main(['models', '--help'], standalone_mode=False);"
        "heavy = {'torch', 'huggingface_hub', 'httpx2', 'numpy', 'rich', 'pydantic', 'safetensors'};"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert all(name in output for name in ("pull", "check", "make-tiny"))
    assert output.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize(
    ("library", "arguments"),
    [("torch", ["make-tiny", "x"]), ("torch", ["check", "x"]), ("huggingface_hub", ["pull", "x"])],
)
def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path, library: str, arguments: list[str]) -> None:
    program = f"import sys; sys.modules[{library!r}] = None; from streamer.cli.main import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", program, "models", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "pip install 'streamer[glm]'" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_tiny_checkpoint_says_how_to_try_it(tiny: Path) -> None:
    assert (tiny / "example" / "voices.toml").is_file()
    assert b'"seed": 7' in (tiny / "streamer-tiny.json").read_bytes()


def test_a_folder_that_is_not_empty_is_left_alone(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    result = invoked("make-tiny", str(tmp_path))
    assert isinstance(result.exception, ConfigurationError)
    assert "--force" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    result = invoked("make-tiny", str(tmp_path), "--seed", "7", "--force")
    assert result.return_value == 0
    assert f"cd {tmp_path / 'example'} && streamer synth requests.jsonl --config streamer.toml" in result.output
    assert (tmp_path / "mine").read_text() == "mine"
    made = {name: content for name, content in files(tmp_path).items() if name != "mine"}
    assert made == files(tiny)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = invoked("make-tiny", str(tmp_path / "file" / "tiny"))
    assert isinstance(result.exception, EngineError)
    assert "Not a directory" in str(result.exception)


def test_check_says_a_line_of_each_part(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speaks(monkeypatch)
    result = invoked("check", str(tiny))
    assert result.return_value == 0
    lines = result.output.splitlines()
    parts = ["tokenizer", "llm", "speech_tokenizer", "flow", "hift", "vocos", "speaker", "together", "speech"]
    assert [line.split()[:2] for line in lines] == [["ok", part] for part in parts]
    assert lines[-1] == "ok speech glm spoke"


def test_check_of_a_wrong_folder_exits_1_and_does_not_speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speaks(monkeypatch)
    result = invoked("check", str(tmp_path))
    assert result.return_value == 1
    lines = result.output.splitlines()
    assert lines[0].startswith(f"failed tokenizer: {tmp_path}")
    assert "streamer models pull" in lines[0]
    assert lines[-1] == "failed speech: not tried, for a part is wrong"


def test_check_that_cannot_speak_exits_1(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mute(settings: Settings, folder: Path) -> str:
        raise EngineError("out of breath")

    monkeypatch.setattr(models, "speak", mute)
    result = invoked("check", str(tiny))
    assert result.return_value == 1
    assert result.output.splitlines()[-1] == "failed speech: out of breath"


class Cloning:
    """In place of the glm engine: notes what it is asked for."""

    def __init__(self, choice: EngineChoice) -> None:
        self.choice, self.asked, self.closed = choice, list[Utterance](), False
        self._tone = ToneSynthesizer(Tone(), lambda seconds: None)
        self.answer: str = "speak"

    @property
    def profile(self) -> Profile:
        return self._tone.profile

    def submit(self, utterance: Utterance) -> Ticket:
        self.asked.append(utterance)
        return self._tone.submit(utterance)

    def step(self) -> list[Speech | Failure]:
        if self.answer == "fail":
            return [Failure(Ticket(0), "no weights")]
        return self._tone.step()

    def cancel(self, ticket: Ticket) -> None:
        self._tone.cancel(ticket)

    def close(self) -> None:
        self.closed = True


def test_speech_is_by_the_engine_on_that_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Cloning] = []

    def opening(choice: EngineChoice, clock: object) -> Cloning:
        opened.append(Cloning(choice))
        opened[-1].answer = "speak" if len(opened) == 1 else "fail"
        return opened[-1]

    monkeypatch.setattr("streamer.engines.opening.open_engine", opening)
    assert "spoke '你好，这是一次检查。'" in models.speak(Settings(), Path("/somewhere"))
    (engine,) = opened
    assert engine.closed
    assert engine.choice.name == "glm"
    assert engine.choice.glm.checkpoint == "/somewhere"
    prompt = engine.asked[0].voice.prompt
    assert prompt is not None
    assert prompt.text == PROMPT_TEXT
    assert prompt.audio.startswith(b"RIFF")
    with pytest.raises(EngineError, match="no weights"):
        models.speak(Settings(), Path("/somewhere"))


def test_pull_tells_lines_where_nobody_watches(hub: HubServer, tmp_path: Path) -> None:
    folder = tmp_path / "ckpt"
    result = run("models", "pull", str(folder), "--endpoint", f"{hub.url}/", "--campplus-url", hub.campplus_url)
    assert result.returncode == 0, result.stderr
    assert result.stderr == b""
    lines = result.stdout.decode().splitlines()
    assert "flow/flow.pt: 6,144,000 bytes" in lines
    assert "flow/flow.pt: 50 %" in lines
    assert lines[-1] == f"{folder} is complete; look it over with: streamer models check {folder}"
    assert files(folder).keys() == {*NEEDED, "frontend/campplus.onnx"}


def test_pull_killed_in_the_middle_goes_on(hub: HubServer, tmp_path: Path) -> None:
    folder = tmp_path / "ckpt"
    arguments = ("models", "pull", str(folder), "--endpoint", hub.url, "--campplus-url", hub.campplus_url)
    hub.faults.stall_after["flow/flow.pt"] = len(LARGE) // 2
    with started(*arguments) as process:
        assert hub.stalled.wait(60)
        part = folder / "flow"
        while not any(path.stat().st_size >= len(LARGE) // 4 for path in part.glob("*.part")):
            assert process.poll() is None
        process.kill()
        process.wait()
    assert not (folder / "flow/flow.pt").exists()
    hub.requests.clear()
    result = run(*arguments)
    assert result.returncode == 0, result.stderr
    assert (folder / "flow/flow.pt").read_bytes() == LARGE
    ranges = {request.range for request in hub.fetched("flow/flow.pt")}
    assert len(ranges) == 1
    asked = ranges.pop()
    assert asked is not None
    assert int(asked.removeprefix("bytes=").removesuffix("-")) >= len(LARGE) // 4
    assert f"{len(LARGE):,} bytes, " in result.stdout.decode()
    assert not list(folder.rglob("*.part"))


def test_pull_without_a_network_lists_what_to_place(tmp_path: Path) -> None:
    folder = tmp_path / "ckpt"
    result = run("models", "pull", str(folder), "--endpoint", "http://127.0.0.1:9")
    assert result.returncode == 1
    message = result.stderr.decode()
    assert message.startswith("streamer: http://127.0.0.1:9 cannot be asked for zai-org/GLM-TTS")
    assert f"place these in {folder}" in message
    for name in ("flow/flow.pt", "hift/hift.pt", "llm/model*.safetensors", "frontend/campplus.onnx"):
        assert name in message
    assert files(folder) == {}


@pytest.mark.parametrize(
    "arguments", [("--endpoint", "ftp://x"), ("--campplus-url", "campplus.onnx"), ("--from", "somewhere")]
)
def test_pull_used_wrongly_exits_2(tmp_path: Path, arguments: tuple[str, str]) -> None:
    result = run("models", "pull", str(tmp_path / "ckpt"), *arguments)
    assert result.returncode == 2
    assert arguments[0].encode() in result.stderr
    assert not (tmp_path / "ckpt").exists()


def test_pull_from_modelscope_without_its_library(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "modelscope", None)
    result = invoked("pull", str(tmp_path), "--from", "modelscope")
    assert isinstance(result.exception, FetchError)
    assert "pip install modelscope" in str(result.exception)


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    with (tmp_path / "terminal").open("w+") as file:
        console = Console(file=file, force_terminal=True, width=120)
        with Progress(console) as progress:
            progress.note("revision main")
            progress.begin("flow/flow.pt", 1000, 200)
            progress.advance(300)
            progress.done("flow/flow.pt", "sha256 abc")
            progress.begin("frontend/campplus.onnx", None, 0)
            progress.advance(10)
            progress.done("frontend/campplus.onnx", "10 bytes")
        file.seek(0, os.SEEK_SET)
        shown = file.read()
    assert "revision main" in shown
    assert "flow/flow.pt: sha256 abc" in shown
    assert "frontend/campplus.onnx: 10 bytes" in shown
    assert "\x1b[" in shown


def test_lines_count_in_tenths(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(Console(force_terminal=False)) as progress:
        progress.begin("a", 100, 25)
        for _ in range(15):
            progress.advance(5)
        progress.done("a", "sha256 x")
        progress.begin("b", None, 0)
        progress.advance(500)
        progress.done("b", "500 bytes")
    assert capsys.readouterr().out.splitlines() == [
        "a: 100 bytes, 25 of them from before",
        *(f"a: {tenths} %" for tenths in range(30, 100, 10)),
        "a: sha256 x",
        "b: of unknown size",
        "b: 500 bytes",
    ]
