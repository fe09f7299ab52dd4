"""What the engine makes of its stages, which are played here: who fails of what, and who goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch

from streamer.engines.base import Failure, Profile, Speech, Ticket
from streamer.engines.glm.draws import CounterDraws
from streamer.engines.glm.joining import Joining
from streamer.engines.glm.pieces import Piece
from streamer.engines.glm.synthesizer import GlmSynthesizer, Parts
from streamer.engines.glm.text.desk import TextDesk
from streamer.engines.glm.text.segment import Segment
from streamer.engines.glm.voice.encoder import EncodedVoice
from streamer.errors import EngineGone, VoiceUnusable
from streamer.voices import PromptSound, Voice
from tests.engines.glm.speaking import utterance
from tests.worker.replay.rig import Heard

MEMORY: list[Exception] = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory: you tried to allocate"),
    MemoryError(),
]


class Front:
    """A segment a sentence; its ids are its letters."""

    version = "1"
    problems: tuple[str, ...] = ()

    def prepare(self, text: str) -> Iterator[None]:
        return iter([None] * text.count("!"))

    def segments(self, text: str, phoneme: bool) -> list[Segment]:
        return [Segment(part, list(map(ord, part))) for part in text.split(".") if part]

    def prompt_ids(self, text: str) -> list[int]:
        return [1]


class VoicesOf:
    def encode(self, sound: bytes) -> EncodedVoice:
        if sound == b"bad":
            raise VoiceUnusable("a prompt of 2.0 s; give 3 to 10 s")
        return EncodedVoice(np.arange(3), np.zeros(192, np.float32), np.zeros((6, 80), np.float32))


class Played:
    """A stage whose pieces are done together, after so many steps."""

    def __init__(self, steps: int = 1, done: Callable[[Piece], None] = lambda piece: None) -> None:
        self.pieces: list[Piece] = []
        self.trouble: list[Exception] = []
        self.squeezed = 0
        self._steps, self._done, self._step = steps, done, 0

    @property
    def working(self) -> Sequence[Piece]:
        return sorted(self.pieces, key=lambda piece: piece.place)

    @property
    def busy(self) -> bool:
        return bool(self.pieces)

    def add(self, piece: Piece) -> None:
        self.pieces.append(piece)

    def step(self) -> Sequence[Piece]:
        if self.trouble and self.pieces:
            raise self.trouble.pop()
        self._step += 1
        if self._step % self._steps:
            return ()
        done, self.pieces = self.pieces, []
        for piece in done:
            self._done(piece)
        return done

    def drop(self, ticket: Ticket) -> None:
        self.pieces = [piece for piece in self.pieces if piece.job.ticket != ticket]

    def squeeze(self) -> None:
        self.squeezed += 1


def _profile(version: str) -> Profile:
    return Profile(name="glm", revision=f"r{version}", sample_rate=24_000, capacity=1, step_limit=1.0)


class Stages:
    def __init__(self) -> None:
        self.llm, self.flow, self.vocoder = Played(8), Played(3), Played(1, self._wave)
        self.front, self.log = Front(), Heard()
        self.engine = GlmSynthesizer(
            Parts(
                texts=TextDesk(cast(Any, self.front)),
                voices=cast(Any, VoicesOf()),
                llm=self.llm,
                flow=self.flow,
                vocoder=self.vocoder,
                joining=Joining(sample_rate=24_000),
                draws=CounterDraws,
                phoneme=False,
                use_cache=True,
                profile=lambda version: Profile(
                    name="glm", revision=f"r{version}", sample_rate=24_000, capacity=1, step_limit=1.0
                ),
                log=self.log,
            )
        )

    def _wave(self, piece: Piece) -> None:
        piece.job.waves[piece.index] = np.full(10, (piece.index + 1) / 10, np.float32)

    def submit(self, *texts: str) -> list[Ticket]:
        return [self.engine.submit(utterance(text)) for text in texts]

    def together(self, count: int) -> list[Ticket]:
        """Utterances that are all in the LLM, and will leave it together."""
        tickets = self.submit(*["one"] * count)
        for _ in range(count):
            assert self.engine.step() == []
        return tickets

    def run(self, steps: int = 60) -> dict[Ticket, Speech | Failure]:
        return {report.ticket: report for _ in range(steps) for report in self.engine.step()}


@pytest.fixture
def stages() -> Stages:
    return Stages()


def test_pieces_are_joined_in_order(stages: Stages) -> None:
    (ticket,) = stages.submit("one.two.three")
    report = stages.run()[ticket]
    assert isinstance(report, Speech)
    assert report.revision == "r1"
    assert np.array_equal(np.unique(report.samples), [3277, 6553, 9830])
    assert np.array_equal(report.samples, np.sort(report.samples))


def test_a_text_that_is_long_in_preparation_lets_others_speak(stages: Stages) -> None:
    (spoken,) = stages.submit("one")
    stages.engine.step()
    stages.submit("!!!!!!!!!!!!!!!!!!!!two")
    reports = stages.run(20)
    assert set(reports) == {spoken}
    assert len(stages.run(60)) == 1


def test_a_piece_that_ended_in_trouble_is_its_utterances_failure(stages: Stages) -> None:
    ticket, other = stages.together(2)
    stages.llm.pieces[0].trouble = "the LLM's logits are no numbers"
    reports = stages.run()
    assert reports[ticket] == Failure(ticket, "the LLM's logits are no numbers")
    assert isinstance(reports[other], Speech)


def test_the_last_two_pieces_of_one_may_come_together(stages: Stages) -> None:
    stages.flow._steps = 40
    (ticket,) = stages.submit("one.two")
    assert isinstance(stages.run(100)[ticket], Speech)
    (after,) = stages.submit("three")
    assert isinstance(stages.run(100)[after], Speech)


def test_what_goes_wrong_with_a_text_or_its_sound_is_its_own_failure(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def segments(text: str, phoneme: bool) -> list[Segment]:
        if text == "two":
            raise MemoryError
        return Front.segments(stages.front, text, phoneme)

    monkeypatch.setattr(stages.front, "segments", segments)
    one, two, three = stages.submit("one", "two", "three")
    stages.vocoder._done = lambda piece: piece.job.waves.update(
        {0: np.full(10, np.nan if piece.job.ticket == three else 0.1, np.float32)}
    )
    reports = stages.run()
    assert isinstance(reports[one], Speech)
    assert cast(Failure, reports[two]).out_of_memory
    assert "finite" in cast(Failure, reports[three]).message


def test_a_segment_waits_for_the_one_before_it_and_is_prompted_by_it(stages: Stages) -> None:
    stages.submit("ab.cd")
    stages.engine.step()
    (first,) = stages.llm.pieces
    first.tokens = [7, 8]
    while first in stages.llm.pieces:
        stages.engine.step()
    (second,) = stages.llm.pieces
    assert (first.index, second.index) == (0, 1)
    assert second.job.history is not None
    assert second.job.history.prompt(1) == ([1, ord("a"), ord("b")], [0, 1, 2, 7, 8])


def test_each_bad_line_of_the_dictionary_is_told_once_while_it_stands(stages: Stages) -> None:
    for problems in [("words:1: no",), ("words:1: no", "words:2: nor this"), (), ("words:1: no",)]:
        stages.front.problems = problems
        stages.submit("one", "two")
        stages.run(4)
    told = [fields["problem"] for _, fields in stages.log.warnings]
    assert told == ["words:1: no", "words:2: nor this", "words:1: no"]


def test_what_cannot_be_spoken_fails_at_once_and_says_why(stages: Stages) -> None:
    (empty,) = stages.submit("...")
    bad = stages.engine.submit(utterance("one", voice=Voice(name="v", prompt=PromptSound.of(b"bad", "text"))))
    none = stages.engine.submit(utterance("one", voice=Voice(name="v")))
    (good,) = stages.submit("one")
    reports = stages.run()
    assert isinstance(reports[good], Speech)
    assert cast(Failure, reports[empty]).mute
    assert cast(Failure, reports[bad]).voice
    assert "3 to 10 s" in cast(Failure, reports[bad]).message
    assert cast(Failure, reports[none]).voice
    assert "prompt_audio" in cast(Failure, reports[none]).message


@pytest.mark.parametrize("error", MEMORY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("stage", ["llm", "flow", "vocoder"])
def test_the_younger_half_makes_room_where_memory_is_short(stages: Stages, stage: str, error: Exception) -> None:
    tickets = stages.together(4)
    played: Played = getattr(stages, stage)
    played.trouble.append(error)
    reports = stages.run()
    assert played.squeezed == 1
    assert [ticket for ticket in tickets if isinstance(reports[ticket], Failure)] == tickets[2:]
    assert all(cast(Failure, reports[ticket]).out_of_memory for ticket in tickets[2:])


@pytest.mark.parametrize("stage", ["llm", "flow", "vocoder"])
def test_alone_an_error_is_ones_own(stages: Stages, stage: str) -> None:
    (ticket,) = stages.submit("one")
    getattr(stages, stage).trouble.append(ValueError("no such thing"))
    report = stages.run()[ticket]
    assert isinstance(report, Failure)
    assert (report.message, report.out_of_memory) == ("ValueError: no such thing", False)
    (after,) = stages.submit("two")
    assert isinstance(stages.run()[after], Speech)


@pytest.mark.parametrize("stage", ["llm", "flow", "vocoder"])
def test_in_company_nobody_knows_whose_it_is(stages: Stages, stage: str) -> None:
    tickets = stages.together(2)
    getattr(stages, stage).trouble.append(ValueError("no such thing"))
    with pytest.raises(ValueError, match="no such thing"):
        stages.run()
    for ticket in tickets:
        stages.engine.cancel(ticket)
    (after,) = stages.submit("two")
    assert isinstance(stages.run()[after], Speech)


@pytest.mark.parametrize("steps", range(0, 24, 2))
def test_cancelled_at_any_step_nothing_is_heard_or_kept(stages: Stages, steps: int) -> None:
    gone, kept = stages.submit("one.two", "three.four")
    early = [report for _ in range(steps) for report in stages.engine.step()]
    stages.engine.cancel(gone)
    reports = stages.run() | {report.ticket: report for report in early}
    assert isinstance(reports[kept], Speech)
    assert gone not in stages.run()
    for stage in (stages.llm, stages.flow, stages.vocoder):
        assert not stage.pieces


def test_a_text_that_cannot_be_prepared_fails_alone(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Front, "prepare", lambda _, text: _prepare(text))
    ticket, other = stages.submit("spoiled", "two")
    reports = stages.run()
    assert reports[ticket] == Failure(ticket, "ValueError: spoiled")
    assert isinstance(reports[other], Speech)


def _prepare(text: str) -> Iterator[None]:
    if text == "spoiled":
        raise ValueError(text)
    yield


def test_where_no_text_is_cut_any_more_it_says_so_and_forgets_all(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spoken,) = stages.together(1)
    (new,) = stages.submit("two")
    with monkeypatch.context() as patch:
        patch.setattr(TextDesk, "answer", _gone)
        with pytest.raises(EngineGone):
            stages.engine.step()
    assert stages.run() == {}
    for ticket in (spoken, new):
        stages.engine.cancel(ticket)
    stages.engine.close()


def _gone(desk: TextDesk, wait: float) -> None:
    raise EngineGone("the text front end cannot be started again")


def test_an_error_is_not_laid_to_who_was_cancelled(stages: Stages) -> None:
    """One of two in the batch was cancelled: the other fails alone, and who is elsewhere goes on."""
    cancelled, ticket = stages.together(2)
    stages.engine.parts.llm.drop = lambda ticket: None  # type: ignore[method-assign]
    stages.engine.cancel(cancelled)
    stages.llm.trouble.append(ValueError("broken"))
    reports = stages.run(1)
    assert reports == {ticket: Failure(ticket, "ValueError: broken")}
