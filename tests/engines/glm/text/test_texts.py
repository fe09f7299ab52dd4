"""The contract of `Texts`, in this process and in one of its own; and what becomes of texts when that process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import streamer.engines.glm.text as package
from streamer.clock import SystemClock
from streamer.engines.glm.code import code_digest
from streamer.engines.glm.text.desk import TextDesk
from streamer.engines.glm.text.frames import Opening
from streamer.engines.glm.text.front import TextFront
from streamer.engines.glm.text.orders import Answer, Cut, Order, Refused, Texts
from streamer.engines.glm.text.process import TextProcess
from streamer.errors import CheckpointError, ConfigurationError, EngineError, EngineGone
from tests.engines.glm.golden import TINY
from tests.faults.workers import state
from tests.worker.replay.rig import Heard

CODE = code_digest(Path(package.__file__).parent)
PROMPT = "这是参考音频的文本。"
TEXTS = ["Your order 42 has been paid.", "重庆很重要。", "🎉🎉", "", "On 3/4/2021 they paid $1,234.56 for 7 kg. " * 3]
Open = Callable[..., TextProcess]


def order(ticket: int, text: str, *, phoneme: bool = False, prompt: str = PROMPT) -> Order:
    return Order(ticket, text, phoneme, prompt)


def slow(count: int, year: int) -> str:
    """Sentences that take some hundredths of a second each, and none of which is known yet."""
    return "".join(f"On 3/4/{year} at 5:{minute % 60:02} p.m. they paid ${minute}.56. " for minute in range(count))


def answers(texts: Texts, count: int) -> dict[int, Answer]:
    """So many, in the order in which they came."""
    found: dict[int, Answer] = {}
    deadline = time.monotonic() + 60
    while len(found) < count:
        answer = texts.answer(0.1)
        if answer is not None:
            assert answer.ticket not in found
            found[answer.ticket] = answer
        assert time.monotonic() < deadline, f"{len(found)} of {count}"
    return found


def quiet(texts: Texts) -> bool:
    return all(texts.answer(0.02) is None for _ in range(20))


@pytest.fixture(scope="module")
def open_process(glm_cache: Path) -> Iterator[Open]:
    opened: list[TextProcess] = []

    def start(limit: float = 60.0, heard: Heard | None = None, **changes: str) -> TextProcess:
        opening = {"checkpoint": str(TINY.root), "dictionary": "", "cache": str(glm_cache), **changes}
        made = Opening(**{"code": CODE, **opening}, phoneme=False)
        opened.append(TextProcess(made, limit, SystemClock(), heard or Heard()))
        return opened[-1]

    yield start
    for process in opened:
        process.close()


@pytest.fixture(scope="module")
def process(open_process: Open) -> TextProcess:
    return open_process()


@pytest.fixture(params=["here", "a process"])
def texts(request: pytest.FixtureRequest, front: TextFront) -> Texts:
    if request.param == "here":
        return TextDesk(front)
    process: TextProcess = request.getfixturevalue("process")
    return process


@pytest.mark.parametrize("phoneme", [False, True])
def test_it_cuts_as_the_front_end_does(texts: Texts, front: TextFront, phoneme: bool) -> None:
    numbered = list(enumerate(TEXTS, 10 + 10 * phoneme))
    for ticket, text in numbered:
        texts.ask(order(ticket, text, phoneme=phoneme))
    found = answers(texts, len(TEXTS))
    for ticket, text in numbered:
        segments, prompt = front.segments(text, phoneme), front.prompt_ids(PROMPT)
        assert found[ticket] == Cut(ticket, segments, prompt, front.version, front.problems)
    assert (texts.version, texts.problems) == (front.version, front.problems)
    assert quiet(texts)


def test_a_long_text_does_not_hold_up_the_others(texts: Texts) -> None:
    for ticket, text in ((30, slow(40, 2030)), (31, "Paid."), (32, "Shipped.")):
        texts.ask(order(ticket, text))
    assert list(answers(texts, 3)) == [31, 32, 30]


def test_nothing_is_heard_of_what_was_dropped(texts: Texts) -> None:
    for ticket in (40, 41, 42):
        texts.ask(order(ticket, f"{slow(10, 2040)} {ticket}"))
    texts.answer(0.05)
    for ticket in (40, 42, 99):
        texts.drop(ticket)
    assert set(answers(texts, 1)) == {41}
    assert quiet(texts)


def test_a_prompt_that_says_nothing_has_no_ids(texts: Texts) -> None:
    texts.ask(order(50, "Paid.", prompt="🎉"))
    answer = answers(texts, 1)[50]
    assert isinstance(answer, Cut)
    assert answer.prompt == []


class Failing:
    """A front end in which a text may fail at either stage."""

    version, problems = "1", ()

    def prepare(self, text: str) -> Iterator[None]:
        if text == "early":
            raise ValueError(text)
        yield

    def segments(self, text: str, phoneme: bool) -> list[object]:
        if text == "late":
            raise MemoryError
        return []

    def prompt_ids(self, text: str) -> list[int]:
        return [1]


def test_what_goes_wrong_with_a_text_is_its_own_refusal() -> None:
    desk = TextDesk(Failing())  # type: ignore[arg-type]
    for ticket, text in enumerate(("early", "late", "fine")):
        desk.ask(order(ticket, text))
    found = answers(desk, 3)
    assert found[0] == Refused(0, "ValueError: early")
    assert found[1] == Refused(1, "MemoryError: ", out_of_memory=True)
    assert isinstance(found[2], Cut)


def test_a_corrected_dictionary_is_told_by_the_next_answer(open_process: Open, tmp_path: Path) -> None:
    path = tmp_path / "words.jsonl"
    path.write_text('{"重庆": "<|CH|><|ONG2|>"}\n', encoding="utf-8")
    texts = open_process(dictionary=str(path))
    before = texts.version
    path.write_text('{"重庆": "<|CH|><|ONG2|>"}\nnonsense\n', encoding="utf-8")
    texts.ask(order(1, "重庆", phoneme=True))
    answer = answers(texts, 1)[1]
    assert isinstance(answer, Cut)
    assert answer.version == texts.version != before
    assert len(texts.problems) == 1
    assert f"{path}:2" in texts.problems[0]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"dictionary": "/nowhere/words"}, ConfigurationError, "/nowhere/words: cannot be read"),
        ({"checkpoint": "/nowhere"}, CheckpointError, "/nowhere/.* is missing"),
        ({"cache": "/proc/nowhere"}, ConfigurationError, "engine.glm.cache name a folder that can be written"),
        ({"code": "other"}, EngineError, "installed anew .* start it again"),
    ],
)
def test_what_cannot_be_opened_is_raised_as_it_would_be_here(
    open_process: Open, changes: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        open_process(**changes)


def test_a_library_that_is_missing_is_told_by_its_name(
    open_process: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pypinyin.py").write_text("raise ModuleNotFoundError('No module named pypinyin', name='pypinyin')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ImportError, match="pypinyin") as caught:
        open_process()
    assert caught.value.name == "pypinyin"


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts dies of a library."""
    (tmp_path / "pypinyin.py").write_text("import os; os.kill(os.getpid(), 9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("deadly")
def test_a_process_that_dies_at_its_start_is_told(open_process: Open) -> None:
    with pytest.raises(EngineError, match="cannot start: its process ended with status -9"):
        open_process()


def at_work(texts: TextProcess, ticket: int) -> None:
    """Wait until it works on that text."""
    deadline = time.monotonic() + 30
    while texts.at != ticket:
        assert texts.answer(0.01) is None
        assert time.monotonic() < deadline


def test_who_kills_it_costs_one_text_and_no_other(open_process: Open) -> None:
    heard = Heard()
    texts = open_process(heard=heard)
    pid = texts.pid
    texts.ask(order(60, slow(200, 2060)))
    at_work(texts, 60)
    texts.ask(order(61, "Paid."))
    os.kill(pid, signal.SIGKILL)
    found = answers(texts, 2)
    assert isinstance(found[60], Refused)
    assert "ended with status -9" in found[60].message
    assert isinstance(found[61], Cut)
    assert texts.pid != pid
    ((_, fields),) = heard.warnings
    assert fields["ticket"] == 60


def test_an_idle_one_that_is_killed_costs_nothing(process: TextProcess) -> None:
    process.ask(order(70, "Paid."))
    answers(process, 1)
    os.kill(process.pid, signal.SIGKILL)
    process.ask(order(71, "Paid."))
    assert isinstance(answers(process, 1)[71], Cut)


def test_one_that_cannot_be_replaced_ends_the_engine_and_touches_nothing(
    open_process: Open, request: pytest.FixtureRequest
) -> None:
    texts = open_process()
    request.getfixturevalue("deadly")
    texts.ask(order(1, slow(200, 2001)))
    at_work(texts, 1)
    texts.ask(order(2, "Paid."))
    os.kill(texts.pid, signal.SIGKILL)
    with pytest.raises(EngineGone, match=r"cannot be started again.*status -9"):
        answers(texts, 2)
    texts.ask(order(3, "Paid."))
    texts.drop(2)
    texts.close()
    texts.close()


def test_one_that_hangs_is_replaced(open_process: Open) -> None:
    texts = open_process(limit=10.0)
    texts.ask(order(1, slow(200, 2001)))
    at_work(texts, 1)
    stopped = texts.pid
    os.kill(stopped, signal.SIGSTOP)
    answer = answers(texts, 1)[1]
    assert isinstance(answer, Refused)
    assert "said nothing for 10 s" in answer.message
    assert texts.pid != stopped
    with pytest.raises(ProcessLookupError):
        os.kill(stopped, 0)


_OWNER = """
import sys, time
from tests.engines.glm.speaking import settings
from streamer.engines.glm.opening import open_glm
from pathlib import Path
engine = open_glm(settings(Path(sys.argv[1])))
print(engine.parts.texts.pid, flush=True)
input()
engine.close()
print("closed", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("way", ["close", "die"])
def test_it_ends_with_its_engine(way: str, glm_cache: Path) -> None:
    command = [sys.executable, "-c", _OWNER, str(glm_cache)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        try:
            assert owner.stdin is not None
            assert owner.stdout is not None
            pid = int(owner.stdout.readline())
            assert Path(f"/proc/{pid}/cmdline").read_bytes().count(b"glm.text.child") == 1
            if way == "close":
                owner.stdin.write("\n")
                owner.stdin.flush()
                assert owner.stdout.readline() == "closed\n"
                assert not Path(f"/proc/{pid}").exists()
        finally:
            owner.kill()
    deadline = time.monotonic() + 30
    while state(pid) not in "Z-":  # a zombie, where nobody collects it
        assert time.monotonic() < deadline
        time.sleep(0.01)
