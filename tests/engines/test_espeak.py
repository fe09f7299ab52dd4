from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from streamer.clock import SystemClock
from streamer.engines.base import Failure, Samples
from streamer.engines.espeak import EspeakSynthesizer
from streamer.errors import EngineError
from streamer.settings import Espeak
from streamer.voices import Voice
from tests.engines.contract import finish, quiet, samples, speak, utterance

LONG = "It takes a while to speak all of this, which leaves time to disturb whoever speaks it. " * 200


@pytest.fixture
def engine() -> Iterator[EspeakSynthesizer]:
    engine = EspeakSynthesizer(Espeak(processes=2), SystemClock())
    yield engine
    engine.close()


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def state(pid: int) -> str:
    """R, S, T, Z …; empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def seconds(sound: Samples) -> float:
    return len(sound) / 22_050


def silence(sound: Samples) -> float:
    return float(np.mean(np.abs(sound) < 50))


@pytest.mark.parametrize(
    ("text", "shortest", "longest"),
    [
        ("Your order has been paid, thank you very much.", 1.5, 4.5),
        ("您的订单已付款，感谢您的支持。", 2, 5.5),
        ("您的订单 ORD-123 已付款，共12件 items.", 3, 8),
        ("1234", 1, 3.5),
    ],
)
def test_speech_has_the_length_of_speech(engine: EspeakSynthesizer, text: str, shortest: float, longest: float) -> None:
    (sound,) = speak(engine, utterance(text))
    assert engine.profile.sample_rate == 22_050
    assert shortest < seconds(sound) < longest
    assert silence(sound) < 0.5
    assert np.abs(sound.astype(np.int32)).max() > 3_000


def test_mixed_text_is_its_runs_joined(engine: EspeakSynthesizer) -> None:
    mixed, chinese, english = speak(
        engine,
        utterance("您的订单已付款 thank you very much"),
        utterance("您的订单已付款"),
        utterance("thank you very much"),
    )
    assert abs(seconds(mixed) - seconds(chinese) - seconds(english)) < 0.3


def test_digits_are_spoken_in_the_language_around_them(engine: EspeakSynthesizer) -> None:
    chinese, english, digits, spelled = speak(
        engine, utterance("共 88 件"), utterance("all 88 now"), utterance("88"), utterance("共八十八件")
    )
    assert chinese.tobytes() != english.tobytes()
    assert abs(seconds(chinese) - seconds(spelled)) < 0.35
    assert seconds(digits) > 0.4


@pytest.mark.parametrize("text", ["Your order has been paid.", "您的订单已经付款。"])
def test_rate_pitch_and_volume_of_the_voice(engine: EspeakSynthesizer, text: str) -> None:
    slow, fast, high, loud, quiet_ = speak(
        engine,
        utterance(text, Voice(name="slow", rate=100)),
        utterance(text, Voice(name="fast", rate=300)),
        utterance(text, Voice(name="high", rate=100, pitch=90)),
        utterance(text, Voice(name="loud", rate=100, volume=150)),
        utterance(text, Voice(name="quiet", rate=100, volume=30)),
    )
    assert len(slow) > 2 * len(fast)
    assert zero_crossings(high) != zero_crossings(slow)
    assert np.abs(loud.astype(np.int32)).mean() > 2 * np.abs(quiet_.astype(np.int32)).mean()


def zero_crossings(sound: Samples) -> int:
    return int(np.count_nonzero(np.diff(np.signbit(sound))))


def test_markup_and_commands_are_no_commands(engine: EspeakSynthesizer) -> None:
    pause, rate, phonemes = speak(
        engine,
        utterance("one <break time='60s'/> two"),
        utterance("\x01400S the quick brown fox"),
        utterance("[[h@l'oU]]"),
    )
    assert seconds(pause) < 15
    (plain,) = speak(engine, utterance("400S the quick brown fox"))
    assert abs(seconds(rate) - seconds(plain)) < 0.2
    (spelled,) = speak(engine, utterance("h@l'oU"))
    assert abs(seconds(phonemes) - seconds(spelled)) < 0.5


@pytest.mark.parametrize("text", ["", "   ", "，。", "...", "\0", "\u200b"])
def test_what_makes_no_sound_fails_and_says_why(engine: EspeakSynthesizer, text: str) -> None:
    ticket = engine.submit(utterance(text))
    report = finish(engine, 1)[ticket]
    assert isinstance(report, Failure)
    assert "no sound" in report.message
    assert report.mute


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("订单１２３已付款", "订单123已付款"),
        ("ＶＩＰ您好", "VIP您好"),
        ("气温２０℃", "气温20°C"),
        ("①您好", "1您好"),
        ("1" * 40, "1" * 20 + " " + "1" * 20),
    ],
)
def test_what_it_would_pass_over_is_spoken(engine: EspeakSynthesizer, text: str, like: str) -> None:
    first, second = speak(engine, utterance(text), utterance(like))
    assert np.array_equal(first, second)


def test_a_word_without_an_end_is_spoken_to_its_end(engine: EspeakSynthesizer) -> None:
    short, long = speak(engine, utterance("ha" * 100), utterance("ha" * 400))
    assert seconds(long) > 3.5 * seconds(short)


def test_a_killed_child_costs_one_utterance(engine: EspeakSynthesizer) -> None:
    victim, neighbour = engine.submit(utterance(LONG)), engine.submit(utterance(LONG))
    assert engine.step() == []
    (killed,) = [pid for pid, ticket in engine.speaking.items() if ticket == victim]
    os.kill(killed, signal.SIGKILL)
    after = [engine.submit(utterance("Hello")) for _ in range(4)]
    reported = finish(engine, 6)
    assert reported[victim] == Failure(victim, "espeak-ng ended with status -9 (a negative one is a signal)")
    expected = speak(engine, utterance(LONG), utterance("Hello"))
    assert samples(reported[neighbour]).tobytes() == expected[0].tobytes()
    assert {samples(reported[ticket]).tobytes() for ticket in after} == {expected[1].tobytes()}
    assert killed not in engine.pids
    assert len(engine.pids) == 2


def test_a_stopped_child_is_found_out_and_replaced() -> None:
    engine = EspeakSynthesizer(Espeak(processes=2, timeout=4), SystemClock())
    try:
        victim, neighbour = engine.submit(utterance(LONG)), engine.submit(utterance(LONG))
        assert engine.step() == []
        (stopped,) = [pid for pid, ticket in engine.speaking.items() if ticket == victim]
        os.kill(stopped, signal.SIGSTOP)
        reported = finish(engine, 2)
        assert reported[victim] == Failure(victim, "espeak-ng said nothing for 4 s")
        samples(reported[neighbour])
        assert stopped not in engine.pids
        assert state(stopped) == ""
        speak(engine, *[utterance("Hello")] * 4)
    finally:
        engine.close()


def test_a_cancelled_utterance_of_a_dying_child_stays_silent(engine: EspeakSynthesizer) -> None:
    victim = engine.submit(utterance(LONG))
    assert engine.step() == []
    (killed,) = engine.speaking
    engine.cancel(victim)
    os.kill(killed, signal.SIGKILL)
    speak(engine, *[utterance("Hello")] * 4)
    eventually(lambda: engine.step() == [] and killed not in engine.pids, "the dead child was not replaced")
    quiet(engine)


def test_a_child_that_dies_idle_costs_nothing(engine: EspeakSynthesizer) -> None:
    pids = engine.pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: all(state(pid) == "Z" for pid in pids), "still running")
    speak(engine, *[utterance("Hello")] * 4)


def test_signals_meant_for_the_worker_leave_the_children_alone(engine: EspeakSynthesizer) -> None:
    before = engine.pids
    ticket = engine.submit(utterance(LONG))
    engine.step()
    for pid in before:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    samples(finish(engine, 1)[ticket])
    assert engine.pids == before


def test_closing_ends_the_children_at_once(engine: EspeakSynthesizer) -> None:
    engine.submit(utterance(LONG))
    engine.step()
    pids = engine.pids
    engine.close()
    assert all(state(pid) == "" for pid in pids)


_OWNER = """
import time
from streamer.clock import SystemClock
from streamer.engines.base import Utterance
from streamer.engines.espeak import EspeakSynthesizer
from streamer.settings import Espeak
from streamer.voices import Voice

engine = EspeakSynthesizer(Espeak(processes=2), SystemClock())
engine.submit(Utterance(text="and on " * 2_800, voice=Voice(name="a"), seed=0))
engine.step()
print(*engine.pids, flush=True)
time.sleep(600)
"""


def test_the_children_die_with_their_owner() -> None:
    with subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True) as owner:
        try:
            if owner.stdout is None:
                raise OSError("no pipe")
            pids = [int(pid) for pid in owner.stdout.readline().split()]
            assert len(pids) == 2
            assert all(state(pid) for pid in pids)
        finally:
            owner.kill()
    # A child whose parent is gone is collected by init, or stays a zombie where nobody plays init.
    eventually(lambda: all(state(pid) in "Z" for pid in pids), "a child outlived its owner")


def test_the_revision_names_all_that_makes_the_sound(engine: EspeakSynthesizer) -> None:
    espeak, loader, data, splitting = engine.profile.revision.split("+")
    assert espeak.startswith("1.")
    assert loader.startswith("loader.")
    assert len(data.removeprefix("data.")) == 12
    assert splitting.startswith("splitting.")


def test_an_engine_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "espeakng_loader.py").write_text(
        "def get_library_path(): return '/nowhere/libespeak-ng.so'\ndef get_data_path(): return '/nowhere'\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"cannot start.*/nowhere/libespeak-ng.so"):
        EspeakSynthesizer(Espeak(processes=1), SystemClock())
