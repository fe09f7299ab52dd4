"""`python -m benchmarks.engine`: audio seconds a second, from text to durable file, of the engine glm.

    one at a time    as GLM-TTS is served elsewhere: float32, one row, one utterance after the other
    a profile        the engine, kept at so many utterances at once; with --profile several times, one after the other

Each is a process of its own, one at a time. Weights are noise, of a tiny size or of the official ones; text tokenizer,
speech tokenizer and speaker encoder are tiny in both, for a prompt is encoded once and kept. Texts force audio of 2.4
to 14.4 s, the prompt is one of 5 s, and only what is produced counts. "step ×": a decode step with every row live, as
a multiple of reading weights and live keys at the speed of a copy. "idle" and a GPU's shares come from a trace of a
window behind the run. Ends with 1 where an utterance is other bytes at another concurrency, or of another length than
forced.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.children import answer
from benchmarks.engine import folder, table
from benchmarks.engine.comparison import differing, wrong_lengths
from benchmarks.engine.load import PROMPT_SECONDS, Text, texts
from benchmarks.engine.order import Figures, Order
from benchmarks.engine.plan import Plan, plan
from benchmarks.engine.profile import Profile, profile
from benchmarks.engine.table import Way
from benchmarks.report import publish
from streamer.engines.glm.text.front import TextFront

_PATIENCE = 3600.0
_WINDOW = 1.0
"""Seconds that a GPU is looked at."""


class Run:
    """All ways of one size on one device."""

    def __init__(self, root: Path, size: folder.Size, device: str, planned: Plan) -> None:
        layout = folder.prepared(root, size)
        front = TextFront.open(layout, None, folder.cache(root))
        self.texts = texts(planned.utterances, lambda text: [len(one.ids) for one in front.segments(text, False)])
        self.problems: list[str] = []
        self._layout, self._cache, self._device, self._plan = layout, folder.cache(root), device, planned

    def alone(self) -> Way:
        return self._spoken("one at a time", "one_at_a_time", self._plan.one_by_one(self.texts))

    def together(self, given: Profile) -> list[Way]:
        ways = [
            self._spoken(
                given.name or "as configured",
                "ours",
                self._plan.together(self.texts, concurrency),
                concurrency=concurrency,
                settings=given.settings,
                trace=_WINDOW if self._device != "cpu" else 0.0,
            )
            for concurrency in self._plan.concurrency
        ]
        different = differing([way.figures for way in ways])
        if different:
            self.problems.append(f"{ways[0].name}: utterances {different} are other bytes at another concurrency")
        return ways

    def _spoken(self, name: str, module: str, spoken: Sequence[Text], **details: Any) -> Way:
        order = Order(
            checkpoint=str(self._layout.root),
            cache=str(self._cache),
            device=self._device,
            texts=list(spoken),
            whole_before=self._plan.whole_before,
            threads=self._plan.threads,
            **details,
        )
        command = [sys.executable, "-m", f"benchmarks.engine.{module}", msgspec.json.encode(order).decode()]
        figures = msgspec.json.decode(answer(name, command, _PATIENCE), type=Figures)
        self.problems += [f"{name}, {order.concurrency} at once: {each}" for each in wrong_lengths(figures, spoken)]
        print(f"{name}, {order.concurrency} at once: {figures.rate:.3g} audio-s/s", flush=True)
        return Way(name, order.concurrency, figures)


def main() -> None:
    arguments = _parser().parse_args()
    device = _device(arguments.device)
    planned = plan(arguments.size, device, arguments.concurrency, arguments.utterances, arguments.alone)
    try:
        profiles = [profile(words, device) for words in arguments.profile or [["fp32"]]]
    except ValueError as error:
        sys.exit(f"--profile: {error}")
    run = Run(arguments.folder, arguments.size, device, planned)
    alone = run.alone()
    ours = [way for given in profiles for way in run.together(given)]
    for note in planned.left_out:
        print(f"left out: {note}")
    publish(
        arguments.name or f"engine_{arguments.size}",
        f"glm from text to durable file, weights of noise, {arguments.size}, on {device}",
        table.COLUMNS,
        list(table.rows(alone, ours)),
        write=not arguments.dry,
        width=table.WIDTH,
        **details(run, planned, profiles, [alone, *ours]),
    )
    if run.problems:
        sys.exit("\n".join(run.problems))


def details(run: Run, planned: Plan, profiles: Sequence[Profile], ways: Sequence[Way]) -> dict[str, object]:
    """What is kept beside the table."""
    import torch

    kept = msgspec.to_builtins([way._asdict() | {"shares": way.figures.shares} for way in ways], str_keys=True)
    return {
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "prompt_seconds": PROMPT_SECONDS,
        "audio_seconds": {
            "least": min(text.seconds for text in run.texts),
            "most": max(text.seconds for text in run.texts),
            "mean": sum(text.seconds for text in run.texts) / len(run.texts),
        },
        "plan": msgspec.to_builtins(planned),
        "profiles": msgspec.to_builtins(profiles),
        "ways": kept,
        "problems": run.problems,
    }


def _device(name: str) -> str:
    """auto is decided here, for what is measured depends on it."""
    import torch

    if name != "auto":
        if name != "cpu" and not torch.cuda.is_available():
            sys.exit(f"--device {name}: this machine has no CUDA device")
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--size", choices=("tiny", "full"), default="tiny")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--concurrency", type=int, nargs="+", default=(), help="utterances at once")
    parser.add_argument("--utterances", type=int, help="different texts, of which low concurrencies speak fewer")
    parser.add_argument("--alone", type=int, help="texts of the way that speaks one at a time")
    parser.add_argument(
        "--profile",
        nargs="+",
        action="append",
        metavar="WORD",
        help="fp32, tf32, flow-bf16, bf16, KEY=VALUE or a .toml file; may be given several times",
    )
    parser.add_argument("--folder", type=Path, default=folder.default(), help="keeps the weights: 20 MB or 4 GB")
    parser.add_argument("--name", help="of the file of results")
    parser.add_argument("--dry", action="store_true", help="nothing is written to the results")
    return parser


if __name__ == "__main__":
    main()
