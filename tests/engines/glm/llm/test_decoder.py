"""Decoding against the public reference, and rows that join and leave."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from streamer.engines.glm.draws import CounterDraws, Draws, ReferenceDraws
from streamer.engines.glm.llm.choices import Choices
from streamer.engines.glm.llm.decoder import Decoder
from streamer.engines.glm.llm.job import DecoderJob
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.sampling import SAMPLINGS, Situation, ras
from streamer.errors import EngineError
from tests.engines.glm.golden import arrays
from tests.engines.glm.llm.models import AUDIO_0, BEGIN_OF_AUDIO, FP32, SIZES, SMALL, golden, seeded, some_ids

_POSITIONS = 1280
_GREEDY_MOST = 400
_GAP = 1e-4
"""Below it (in log-probability, of the best over the second) rounding may decide."""


def _greedy(logits: Tensor, situation: Situation, choices: Choices) -> Tensor:
    logits = logits.clone()
    logits[:, situation.end].masked_fill_(situation.early, -torch.inf)
    return logits.argmax(1)


def _golden_job(case: str, draws: Draws, most: int | None = None) -> DecoderJob:
    names = "prompt_text_ids", "text_ids", "prompt_speech_token"
    prompt, text, speech = (arrays("llm_sampled")[f"{case}.{name}"].tolist() for name in names)
    ids = [*prompt, *text, BEGIN_OF_AUDIO, *(AUDIO_0 + token for token in speech)]
    return DecoderJob(ids, int(2 * len(text)), most or int(20 * len(text)), draws)


def _all(decoder: Decoder, jobs: dict[str, DecoderJob]) -> dict[str, list[int]]:
    """What each speaks, all of them together as far as there are rows."""
    waiting, rows, spoken = list(jobs), dict[int, str](), dict[str, list[int]]()
    while waiting or rows:
        while waiting and decoder.free:
            name = waiting.pop(0)
            rows[decoder.begin(jobs[name])] = name
        spoken |= {rows.pop(row): tokens for row, tokens in decoder.step().items() if tokens is not None}
    return spoken


def _cases(sampling: str) -> dict[str, DecoderJob]:
    seeds = (0, 1, 1234) if sampling == "ras" else (0,)
    return {
        f"{case}.{sampling}.seed{seed}": _golden_job(case, ReferenceDraws(seed)) for case in "012" for seed in seeds
    }


@pytest.mark.parametrize("sampling", ["ras", "topk"])
def test_sequences_are_the_references(sampling: str) -> None:
    """All of every case, here; elsewhere a step at which two are nearly equal may part them."""
    spoken = _all(Decoder(golden(), 5, _POSITIONS, SAMPLINGS[sampling]), _cases(sampling))
    assert spoken == {name: arrays("llm_sampled")[name].tolist() for name in spoken}


def test_greedy_sequences_are_the_references_up_to_rounding() -> None:
    jobs = {f"{case}.greedy": _golden_job(case, ReferenceDraws(0), _GREEDY_MOST) for case in "012"}
    for name, tokens in _all(Decoder(golden(), 3, _POSITIONS, _greedy), jobs).items():
        expected, gaps = arrays("llm_sampled")[name].tolist(), arrays("llm_sampled")[f"{name}_gap"]
        parted = next(
            (step for step, pair in enumerate(zip(tokens, expected, strict=False)) if len(set(pair)) > 1), None
        )
        if parted is None:
            assert tokens == expected
        else:
            print(f"{name}: parts at step {parted}, where the gap is {gaps[parted]}")
            assert gaps[parted] < _GAP


@pytest.fixture(scope="module")
def model() -> Llama:
    return seeded(SIZES, FP32)


@pytest.fixture
def decoder(model: Llama) -> Decoder:
    return Decoder(model, 3, 300, ras)


def _job(seed: int = 0, *, length: int = 10, minimum: int = 3, maximum: int = 6) -> DecoderJob:
    return DecoderJob(some_ids(length, seed), minimum, maximum, CounterDraws(seed, 0))


def _run(decoder: Decoder, job: DecoderJob) -> list[int]:
    row = decoder.begin(job)
    while row not in (ended := decoder.step()):
        pass
    return ended[row] or []


def _always(column: int) -> Decoder:
    """A decoder that draws this column whenever it may."""

    def draw(logits: Tensor, situation: Situation, choices: Choices) -> Tensor:
        return torch.where(situation.early, 1, column).expand(len(logits))

    return Decoder(seeded(SIZES, FP32), 2, 300, draw)


def test_the_end_token_ends_and_is_not_kept(model: Llama) -> None:
    assert _run(_always(model.columns.end), _job(minimum=4, maximum=20)) == [0, 0, 0, 0]


def test_it_just_ends_at_the_maximum() -> None:
    assert _run(_always(5), _job(maximum=7)) == [0, 0, 0, 4, 4, 4, 4]


def test_a_maximum_of_nothing(decoder: Decoder) -> None:
    other = decoder.begin(_job(1))
    row = decoder.begin(_job(minimum=0, maximum=0))
    assert decoder.free == 1
    assert [decoder.step() for _ in range(2)] == [{}, {row: []}]
    assert decoder.free == 2
    decoder.drop(other)
    assert decoder.step() == {}


def test_only_speech_is_drawn(decoder: Decoder) -> None:
    tokens = _run(decoder, _job(maximum=200, minimum=200))
    assert len(tokens) == 200
    assert 0 <= min(tokens) <= max(tokens) <= SMALL.audio_last - SMALL.audio_first


def test_rows_are_free_again_when_they_ended_or_were_dropped(decoder: Decoder) -> None:
    rows = [decoder.begin(_job(seed, minimum=6 + seed, maximum=6 + seed)) for seed in range(3)]
    assert (rows, decoder.free) == ([0, 1, 2], 0)
    with pytest.raises(EngineError, match="all 3 rows"):
        decoder.begin(_job())
    decoder.drop(1)
    assert decoder.free == 1
    with pytest.raises(EngineError, match="row 1 of the decoder is empty"):
        decoder.drop(1)
    assert decoder.begin(_job(minimum=30, maximum=30)) == 1
    ended = [sorted(decoder.step()) for _ in range(9)]
    assert ended == [[]] * 5 + [[0], [], [], [2]], "the inputs of 0, 2 and 1 are computed one after the other"
    assert decoder.free == 2


def test_an_input_of_one_id(decoder: Decoder) -> None:
    assert len(_run(decoder, _job(length=1, minimum=6))) == 6


def test_the_last_position(decoder: Decoder) -> None:
    assert len(_run(decoder, _job(length=290, minimum=10, maximum=10))) == 10


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (_job(length=291, maximum=10), "291 ids and 10 tokens to speak do not fit a row of 300 positions"),
        (_job(length=0), "a job of 0 ids"),
        (_job(minimum=-1), "for -1 to 6 tokens"),
        (_job(maximum=-1), "to -1 tokens"),
        (_job()._replace(ids=[1, 300]), "ids lie between 1 and 300; the LLM knows 300"),
        (_job()._replace(ids=[-1, 3]), "between -1 and 3"),
    ],
)
def test_a_job_that_cannot_be_touches_nothing(decoder: Decoder, job: DecoderJob, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        decoder.begin(job)
    assert decoder.free == 3
    assert decoder.step() == {}


def test_more_positions_than_the_model_knows(model: Llama) -> None:
    with pytest.raises(EngineError, match="more than the 2048"):
        Decoder(model, 1, 2049, ras)


def test_an_error_in_a_step_leaves_the_rows_as_they_were(model: Llama) -> None:
    """Out of memory, say: the same step can be made again."""
    fails = [False, False, True, False, True, True]

    def draw(logits: Tensor, situation: Situation, choices: Choices) -> Tensor:
        if fails and fails.pop(0):
            raise MemoryError
        return ras(logits, situation, choices)

    expected = _run(Decoder(model, 3, 300, ras), _job(minimum=6))
    decoder, spoken = Decoder(model, 3, 300, draw), dict[int, list[int] | None]()
    row = decoder.begin(_job(minimum=6))
    while not spoken:
        try:
            spoken = decoder.step()
        except MemoryError:
            assert decoder.free == 2
    assert spoken == {row: expected}


def test_numbers_that_are_none_end_their_row_alone_and_leave_nothing_behind() -> None:
    model = seeded(SIZES, FP32)
    decoder, spoiled = Decoder(model, 2, 300, ras), 250
    expected = [_run(decoder, _job(seed, minimum=6)) for seed in range(2)]
    model.embedding[spoiled] = torch.nan
    ids = [id_ for id_ in some_ids(40, 9) if id_ != spoiled]
    healthy = decoder.begin(_job(1, minimum=6)._replace(ids=[id_ for id_ in some_ids(10, 1) if id_ != spoiled]))
    bad = decoder.begin(_job()._replace(ids=[*ids, spoiled, *ids]))
    steps = [decoder.step() for _ in range(6)]
    assert {row: step for step in steps for row in step} == {bad: {bad: None}, healthy: steps[-1]}
    assert len(steps[-1][healthy] or []) == 6
    model.embedding[spoiled] = seeded(SIZES, FP32).embedding[spoiled]
    for _ in range(2):
        rows = [decoder.begin(_job(seed, minimum=6)) for seed in range(2)]
        ended = dict[int, list[int] | None]()
        while len(ended) < 2:
            ended |= decoder.step()
        assert [ended[row] for row in rows] == expected


@pytest.mark.parametrize("steps", [1, 2])
def test_who_is_dropped_leaves_no_such_numbers_either(steps: int) -> None:
    model = seeded(SIZES, FP32)
    decoder, spoiled = Decoder(model, 1, 1024, ras), 250
    expected = _run(decoder, _job(minimum=6))
    model.embedding[spoiled] = torch.nan
    row = decoder.begin(_job()._replace(ids=[spoiled] * 600))
    for _ in range(steps):
        assert decoder.step() == {}
    decoder.drop(row)
    model.embedding[spoiled] = seeded(SIZES, FP32).embedding[spoiled]
    assert _run(decoder, _job(minimum=6)) == expected


def test_an_input_is_computed_by_stretches_while_others_speak(decoder: Decoder) -> None:
    speaks = decoder.begin(_job(minimum=2, maximum=2))
    long = decoder.begin(_job(1, length=290, minimum=3, maximum=3))
    assert [sorted(decoder.step()) for _ in range(5)] == [[], [speaks], [], [], [long]]


def test_a_host_that_is_a_step_behind_hears_the_same(model: Llama, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: rows that ended or were dropped are launched once more, for nobody, and taken again meanwhile."""

    def run(behind: int) -> dict[int, list[int] | None]:
        decoder = Decoder(model, 3, 300, ras)
        decoder._behind = behind
        waiting, rows, spoken = list(range(12)), dict[int, int](), dict[int, list[int] | None]()
        while waiting or rows:
            while waiting and decoder.free:
                seed = waiting.pop(0)
                rows[decoder.begin(_job(seed, length=5 + 40 * seed % 277, minimum=2, maximum=3 + seed % 5))] = seed
            if (dropped := next((row for row, seed in rows.items() if seed % 4 == 3), None)) is not None:
                decoder.drop(dropped)
                del rows[dropped]
            spoken |= {rows.pop(row): tokens for row, tokens in decoder.step().items()}
        assert decoder.free == 3
        return spoken

    assert run(1) == run(0)
    assert len(run(1)) == 9


def test_a_step_names_the_rows_that_it_is_about(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder.begin(_job())
    decoder.step()
    assert decoder.at_work == [0]
    row = decoder.begin(_job(1))
    with monkeypatch.context() as patched:
        patched.setattr(Llama, "prefill", _no_memory)
        with pytest.raises(MemoryError):
            decoder.step()
    assert decoder.at_work == [row]
    decoder.step()
    assert decoder.at_work == [0, row]


def _no_memory(*_: object) -> None:
    raise MemoryError


def test_what_the_choice_is_told(model: Llama) -> None:
    """Again for the second occupant of a row."""
    told: list[Situation] = []

    def draw(logits: Tensor, situation: Situation, choices: Choices) -> Tensor:
        told.append(situation._replace(step=situation.step.clone(), window=situation.window.clone()))
        return torch.full((len(logits),), 3 + len(told) % 12)

    decoder = Decoder(model, 2, 300, draw)
    for _ in range(2):
        told.clear()
        _run(decoder, _job(minimum=5, maximum=13))
        assert [situation.window[0].tolist() for situation in told[:3]] == [
            [-1] * 10,
            [-1] * 9 + [4],
            [-1] * 8 + [4, 5],
        ]
        assert told[12].window[0].tolist() == [*range(6, 15), 3]
        assert [int(situation.step[0]) for situation in told] == list(range(13))
        assert [bool(situation.early[0]) for situation in told] == [True] * 5 + [False] * 8
        assert all(situation.live.tolist() == [True, False] for situation in told)
        assert told[0].end == model.columns.end
