"""Text and prompt → speech tokens: rows join and leave the one decoding batch at every step."""

from __future__ import annotations

from collections.abc import Sequence

from streamer.engines.base import Ticket
from streamer.engines.glm.flow.job import MOST_FRAMES
from streamer.engines.glm.llm.decoder import Decoder
from streamer.engines.glm.llm.job import DecoderJob
from streamer.engines.glm.pieces import Piece
from streamer.engines.glm.queues import Room
from streamer.engines.glm.scheduler import Scheduler
from streamer.engines.glm.text.tokenizer import SpecialTokens
from streamer.engines.glm.transfers import Side
from streamer.errors import EngineError

_LEAST_TOKENS, _MOST_TOKENS = 2, 20
"""Speech tokens for each text token of the segment (GLM_TTS: 0.08 to 0.8 seconds)."""


class LlmStage:
    def __init__(self, decoder: Decoder, special: SpecialTokens, scheduler: Scheduler, side: Side) -> None:
        """`side`: the stream that it decodes on."""
        self._decoder = decoder
        self._special = special
        self._scheduler = scheduler
        self._side = side
        self._room = Room(decoder.rows)
        self._rows: dict[int, Piece] = {}
        self._joining: Piece | None = None

    @property
    def working(self) -> Sequence[Piece]:
        if self._joining is not None:
            return [self._joining]
        rows = (row for row in self._decoder.at_work if row in self._rows)
        return sorted((self._rows[row] for row in rows), key=lambda piece: piece.place)

    @property
    def busy(self) -> bool:
        return bool(self._rows)

    def add(self, piece: Piece) -> None:
        self._scheduler.add(piece)

    def step(self) -> Sequence[Piece]:
        with self._side():
            return self._step()

    def _step(self) -> Sequence[Piece]:
        self._joining = None
        self._join()
        if not self._rows:
            return ()
        ended = self._decoder.step()
        for row, tokens in ended.items():
            piece = self._rows[row]
            if tokens is None:
                piece.trouble = "the LLM's logits are no numbers"
            else:
                piece.tokens = tokens
        if ended:
            self._room.went_well()
        done = [self._rows.pop(row) for row in ended]
        for piece in done:
            self._scheduler.leave(piece)
        return done

    def drop(self, ticket: Ticket) -> None:
        self._scheduler.drop(ticket)
        for row in [row for row, piece in self._rows.items() if piece.job.ticket == ticket]:
            del self._rows[row]
            with self._side():
                self._decoder.drop(row)

    def squeeze(self) -> None:
        self._room.squeeze(len(self._rows))

    def _join(self) -> None:
        """One piece a step: of as many inputs as that, a stretch is computed between two tokens of the others."""
        piece = self._scheduler.take(self._room.admitted) if self._decoder.free else None
        if piece is None:
            return
        self._joining = piece  # of an error in here, it alone is the reason
        self._rows[self._decoder.begin(self._job(piece))] = piece
        self._joining = None

    def _job(self, piece: Piece) -> DecoderJob:
        """Input: prompt text, text, begin of audio, prompt speech.

        Errors: EngineError where the segment has no room for the shortest speech it could be.
        """
        job = piece.job
        if job.history is None:
            raise EngineError("a piece without a voice")
        text = job.segments[piece.index].ids
        prompt = job.history.prompt(len(text))
        speech = (self._special.audio_first + token for token in prompt.speech)
        ids = [*prompt.text, *text, self._special.begin_of_audio, *speech]
        least = _LEAST_TOKENS * len(text)
        flowed = MOST_FRAMES // 2 - job.prompt_tokens
        most = min(_MOST_TOKENS * len(text), self._decoder.positions - len(ids), flowed)
        if most < least:
            raise EngineError(
                f"a segment of {len(text)} text tokens behind a prompt of {len(ids) - len(text)}, with what was spoken "
                f"before it, leaves room for {max(0, most)} of at least {least} speech tokens (engine.glm.positions is "
                f"{self._decoder.positions}, the flow takes {MOST_FRAMES} frames); raise engine.glm.positions, set "
                "use_cache = false, write the text with more marks, or shorten the voice's prompt"
            )
        return DecoderJob(ids=ids, minimum=least, maximum=most, draws=piece.draws)
