"""What every engine must do. tests/engines/test_contract.py runs it on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice

import msgspec
import numpy as np
import pytest

from streamer.engines.base import Failure, Samples, Speech, Synthesizer, Ticket, Utterance
from streamer.voices import Voice

_PATIENCE = 120.0

VOICE = Voice(name="plain")
OTHER = Voice(name="other", rate=300, pitch=80)

TEXTS = [
    "Your order has been paid.",
    "您的订单已付款。",
    "Hello, 王先生, your parcel 42 has arrived.",
    "A",
    "好",
    "A somewhat longer text, so that it is still being spoken when its shorter neighbours are done. " * 3,
]


def utterance(text: str, voice: Voice = VOICE, seed: int = 0) -> Utterance:
    return Utterance(text=text, voice=voice, seed=seed)


def finish(engine: Synthesizer, count: int) -> dict[Ticket, Speech | Failure]:
    """Step until so many are reported; each of them once."""
    reported: dict[Ticket, Speech | Failure] = {}
    deadline = time.monotonic() + _PATIENCE
    while len(reported) < count:
        for report in engine.step():
            assert report.ticket not in reported
            reported[report.ticket] = report
        assert time.monotonic() < deadline, f"{len(reported)} of {count} reported"
    return reported


def quiet(engine: Synthesizer) -> None:
    """Nothing more is reported."""
    for _ in range(20):
        assert engine.step() == []


def samples(report: Speech | Failure) -> Samples:
    assert isinstance(report, Speech), report
    return report.samples


def speak(engine: Synthesizer, *utterances: Utterance) -> list[Samples]:
    tickets = [engine.submit(one) for one in utterances]
    reported = finish(engine, len(tickets))
    return [samples(reported[ticket]) for ticket in tickets]


class EngineContract:
    """Subclasses give `open_engine`, and a text that the engine cannot speak."""

    unspeakable: str
    texts: Sequence[str] = TEXTS
    """The last one is still being spoken when the others are done."""
    seeds: Sequence[int] = (0, 1)
    """Of each text in each voice, where bytes are compared."""
    many = 100
    """Utterances at once."""
    long = 20_000
    """Characters of a long text."""

    def test_the_profile_is_sane(self, engine: Synthesizer) -> None:
        profile = engine.profile
        assert profile.name
        assert profile.revision
        assert 8_000 <= profile.sample_rate <= 48_000
        assert profile.capacity > 0
        assert profile.step_limit > 0
        assert engine.profile == profile

    def test_speech_is_mono_int16_and_not_silent(self, engine: Synthesizer) -> None:
        for sound in speak(engine, *map(utterance, self.texts)):
            assert sound.dtype == np.int16
            assert sound.ndim == 1
            assert sound.any()

    def test_a_step_with_nothing_to_do_returns_nothing(self, engine: Synthesizer) -> None:
        quiet(engine)
        speak(engine, utterance("Hello"))
        quiet(engine)

    def test_many_are_each_reported_once(self, engine: Synthesizer) -> None:
        tickets = [engine.submit(utterance(f"Order {number}", seed=number)) for number in range(self.many)]
        assert len(set(tickets)) == self.many
        assert set(finish(engine, self.many)) == set(tickets)
        quiet(engine)

    def test_tickets_are_never_reused(self, engine: Synthesizer) -> None:
        first = engine.submit(utterance("Hello"))
        finish(engine, 1)
        second = engine.submit(utterance("Hello"))
        engine.cancel(second)
        third = engine.submit(utterance("Hello"))
        assert len({first, second, third}) == 3
        assert set(finish(engine, 1)) == {third}

    def test_utterances_join_while_others_are_spoken(self, engine: Synthesizer) -> None:
        first = engine.submit(utterance(self.texts[-1]))
        reported = {report.ticket for report in engine.step()}
        second = engine.submit(utterance("Hello"))
        assert reported | set(finish(engine, 2 - len(reported))) == {first, second}

    def test_the_bytes_depend_on_the_utterance_alone(self, engine: Synthesizer) -> None:
        utterances = [
            utterance(text, voice, seed) for text in self.texts for voice in (VOICE, OTHER) for seed in self.seeds
        ]
        alone = [speak(engine, one)[0].tobytes() for one in utterances]
        together = [sound.tobytes() for sound in speak(engine, *utterances)]
        backwards = [sound.tobytes() for sound in speak(engine, *reversed(utterances))]
        assert together == alone
        assert backwards == alone[::-1]

    def test_whose_an_utterance_is_changes_no_byte(self, engine: Synthesizer) -> None:
        whose = [msgspec.structs.replace(utterance("Hello"), source=source) for source in ("", "shop", "school")]
        assert len({sound.tobytes() for sound in speak(engine, *whose)}) == 1

    def test_two_engines_speak_alike(self, engine: Synthesizer, open_engine: Callable[[], Synthesizer]) -> None:
        other = open_engine()
        try:
            ours = [sound.tobytes() for sound in speak(engine, *map(utterance, self.texts))]
            theirs = [sound.tobytes() for sound in speak(other, *map(utterance, reversed(self.texts)))]
            assert ours == theirs[::-1]
            assert engine.profile == other.profile
        finally:
            other.close()

    def test_another_text_or_voice_sounds_different(self, engine: Synthesizer) -> None:
        sounds = speak(engine, utterance("Hello"), utterance("Goodbye"), utterance("Hello", OTHER))
        assert len({sound.tobytes() for sound in sounds}) == 3

    def test_a_failure_leaves_its_neighbours_unharmed(self, engine: Synthesizer) -> None:
        expected = [sound.tobytes() for sound in speak(engine, *map(utterance, self.texts))]
        tickets = []
        for text in self.texts:
            tickets += [engine.submit(utterance(text)), engine.submit(utterance(self.unspeakable))]
        reported = finish(engine, len(tickets))
        failures = [reported[ticket] for ticket in tickets[1::2]]
        assert all(isinstance(failure, Failure) and failure.message for failure in failures)
        assert [samples(reported[ticket]).tobytes() for ticket in tickets[::2]] == expected

    def test_what_is_cancelled_before_a_step_is_never_heard_of(self, engine: Synthesizer) -> None:
        tickets = [engine.submit(utterance(text)) for text in self.texts]
        for ticket in tickets[::2]:
            engine.cancel(ticket)
        assert set(finish(engine, len(tickets[1::2]))) == set(tickets[1::2])
        quiet(engine)

    def test_unknown_and_finished_tickets_are_cancelled_in_silence(self, engine: Synthesizer) -> None:
        engine.cancel(Ticket(10**9))
        ticket = engine.submit(utterance("Hello"))
        finish(engine, 1)
        engine.cancel(ticket)
        speak(engine, utterance("Hello"))

    @pytest.mark.parametrize(
        "text", ["a\0b", "a\x01b\x1b[0m", "<speak><break time='9s'/>a</speak>", "a\u200bb\U0010fffe"]
    )
    def test_odd_characters_break_nothing(self, engine: Synthesizer, text: str) -> None:
        ticket = engine.submit(utterance(text))
        assert set(finish(engine, 1)) == {ticket}
        speak(engine, utterance("Hello"))

    def test_a_long_text_is_spoken(self, engine: Synthesizer) -> None:
        words = "".join(islice((f"word {number}, " for number in range(10_000)), 2_000))[: self.long]
        short, long = speak(engine, utterance("word"), utterance(words))
        assert len(long) > self.long / 200 * len(short)

    def test_closing_twice_is_fine_and_with_work_under_way(self, open_engine: Callable[[], Synthesizer]) -> None:
        engine = open_engine()
        for text in self.texts:
            engine.submit(utterance(text))
        engine.step()
        engine.close()
        engine.close()


class SlicedEngineContract(EngineContract):
    """For engines to which a long text takes more than one step."""

    def test_what_is_cancelled_while_it_is_spoken_is_never_heard_of(self, engine: Synthesizer) -> None:
        long = engine.submit(utterance(self.texts[-1] * 20))
        assert engine.step() == []
        engine.cancel(long)
        after = engine.submit(utterance("Hello"))
        assert set(finish(engine, 1)) == {after}
        quiet(engine)
