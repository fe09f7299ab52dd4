"""The embedded engine: espeak-ng, Mandarin and English by the text, in child processes.

An utterance's seed and phoneme option change nothing: espeak-ng draws no lots and reads a text in one way.
"""

from __future__ import annotations

import hashlib
import selectors
from importlib.metadata import version
from pathlib import Path

import espeakng_loader

from streamer.clock import Clock
from streamer.engines.base import Durations, Failure, Profile, Speech, SpeechBounds, Ticket, Utterance
from streamer.engines.espeak_frames import Hello
from streamer.engines.espeak_process import Child
from streamer.engines.espeak_text import SPLITTING
from streamer.errors import EngineError
from streamer.settings import Espeak

_NAP = 0.02
_TOKENS_A_PROCESS = 25_000
_STEP_LIMIT = 10.0
BOUNDS = SpeechBounds(
    least_rms=0.000_5,  # 0.068 to 0.17; a voice of volume 5: 0.0019
    most_clipped=0.005,  # 0.000_08 at volume 200
    longest_clipped=20,  # 1
    longest_silence=1.5,  # 0.47
    most_alike=None,  # it goes by rules and cannot loop; こんにちは, whose letters it names, reaches 0.96
    # 的: 0.16; eee…: 0.037; 10²³: 0.051
    shortest=Durations(ideograph=0.1, letter=0.02, digit=0.025, pause=0, named=0),
    # 了了了…: 0.27; WWW: 0.4; 777…: 0.81; Thai, letter by letter: 1.1
    longest=Durations(ideograph=0.5, letter=0.55, digit=1.1, pause=0.5, named=2.5, constant=1),
    words_per_minute=170,
)
"""Beside each what was measured, over tests/engines/corpus.py at rates from 80 to 450 words a minute."""
# What the two languages read. All 364 files would take 40 to 110 ms to hash, these take 3.
_DATA = ("phondata", "phonindex", "phontab", "intonations", "cmn_dict", "en_dict", "lang/sit/cmn", "lang/gmw/en-US")


class EspeakSynthesizer:
    """`settings.processes` children, each speaking one utterance at a time.

    A child that dies, or is silent for `settings.timeout` seconds, is replaced; only its utterance fails. The children
    die with the thread that opened the engine, however it ends. Errors of opening: EngineError.
    """

    def __init__(self, settings: Espeak, clock: Clock) -> None:
        self._timeout = settings.timeout
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._children: list[Child] = []
        self._waiting: dict[Ticket, Utterance] = {}
        self._last = 0
        try:
            for _ in range(settings.processes):
                self._start()
            hello = self._await_hello()
        except BaseException:
            self.close()
            raise
        self._profile = Profile(
            name="espeak",
            revision=_revision(hello.version),
            sample_rate=hello.sample_rate,
            capacity=_TOKENS_A_PROCESS * settings.processes,
            step_limit=_STEP_LIMIT,
            bounds=BOUNDS,
            seeded=False,
        )

    @property
    def profile(self) -> Profile:
        return self._profile

    @property
    def pids(self) -> tuple[int, ...]:
        """The child processes of now."""
        return tuple(child.pid for child in self._children)

    @property
    def speaking(self) -> dict[int, Ticket]:
        """Which child process is at which utterance."""
        return {child.pid: child.ticket for child in self._children if child.ticket is not None}

    def submit(self, utterance: Utterance) -> Ticket:
        self._last += 1
        ticket = Ticket(self._last)
        self._waiting[ticket] = utterance
        return ticket

    def step(self) -> list[Speech | Failure]:
        reports = self._collect(0)
        if not reports and any(child.busy for child in self._children):
            reports = self._collect(_NAP)
        return reports

    def cancel(self, ticket: Ticket) -> None:
        """A child that speaks it already goes on to its end, but nobody listens."""
        self._waiting.pop(ticket, None)
        for child in self._children:
            if child.ticket == ticket:
                child.ticket = None

    def close(self) -> None:
        for child in self._children:
            child.kill()
        self._children.clear()
        self._waiting.clear()
        self._selector.close()

    def _collect(self, wait: float) -> list[Speech | Failure]:
        """Read what the children say, replace those that died or hang, and give the idle ones work."""
        now = self._clock.monotonic()
        for key, _ in self._selector.select(wait):
            child: Child = key.data
            child.read()
            if child.busy:
                child.deadline = now + self._timeout
        reports: list[Speech | Failure] = []
        for child in tuple(self._children):
            report = child.report()
            if report is None and now > child.deadline:
                report = child.hung(self._timeout)
            if report is not None:
                reports.append(report)
            if child.ended:
                self._replace(child)
        self._hand_out()
        return reports

    def _hand_out(self) -> None:
        for child in self._children:
            if child.busy:
                child.send()
            elif self._waiting:
                ticket = next(iter(self._waiting))
                child.deadline = self._clock.monotonic() + self._timeout
                child.speak(ticket, self._waiting.pop(ticket))

    def _replace(self, child: Child) -> None:
        self._children.remove(child)
        self._selector.unregister(child.output)
        child.kill()
        self._start()

    def _start(self) -> None:
        child = Child()
        self._children.append(child)
        self._selector.register(child.output, selectors.EVENT_READ, child)

    def _await_hello(self) -> Hello:
        deadline = self._clock.monotonic() + self._timeout
        while True:
            hellos = [child.hello for child in self._children if child.hello is not None]
            if len(hellos) == len(self._children):
                return hellos[0]
            if self._clock.monotonic() > deadline:
                raise EngineError(f"espeak-ng did not start within {self._timeout:g} s (engine.espeak.timeout)")
            for key, _ in self._selector.select(_NAP):
                child: Child = key.data
                child.read()
                if child.ended:
                    raise EngineError(f"espeak-ng cannot start: {child.last_words()}")


def _revision(espeak: str) -> str:
    digest = hashlib.sha256(Path(espeakng_loader.get_library_path()).read_bytes())
    folder = Path(espeakng_loader.get_data_path())
    for name in _DATA:
        digest.update((folder / name).read_bytes())
    return f"{espeak}+loader.{version('espeakng-loader')}+data.{digest.hexdigest()[:12]}+splitting.{SPLITTING}"
