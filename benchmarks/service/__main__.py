"""`python -m benchmarks.service`: the engine glm behind Kafka, against its own rate in the same run.

    engine     the engine, all texts submitted at once, each file durable (benchmarks.engine)
    service    the same texts produced to tts.requests, an embedded Kafka, one `streamer worker` with the same settings,
               until a read_committed reader has all of tts.completed

By turns, several rounds; the medians and those of the ratios round by round are printed. Both begin with an engine that
has spoken before. Broker, worker and this process share the machine's cores, which the engine has for itself when it is
alone. Ends with 1 where a text is other bytes through Kafka.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.children import answer
from benchmarks.engine import folder
from benchmarks.engine.load import Text, texts
from benchmarks.engine.order import Figures, Order
from benchmarks.engine.plan import plan
from benchmarks.engine.profile import profile
from benchmarks.report import publish
from benchmarks.service.configuration import written
from benchmarks.service.worker import Heard, heard
from streamer.embedded.broker import EmbeddedKafka
from streamer.engines.glm.text.front import TextFront

_PATIENCE = 3600.0
_TARGET = 0.95


def main() -> None:
    arguments = _parser().parse_args()
    layout, cache = folder.prepared(arguments.folder, arguments.size), folder.cache(arguments.folder)
    front = TextFront.open(layout, None, cache)
    given = texts(arguments.utterances, lambda text: [len(one.ids) for one in front.segments(text, False)])
    settings = {
        "checkpoint": str(layout.root),
        "cache": str(cache),
        "device": arguments.device,
        "threads": plan(arguments.size, arguments.device).threads,
        **profile(arguments.profile, arguments.device).settings,
    }
    rounds: list[tuple[Figures, Heard]] = []
    with tempfile.TemporaryDirectory() as place, EmbeddedKafka(Path(place) / "kafka", 0) as kafka:
        configuration = written(Path(place), kafka.bootstrap_servers, settings)
        for number in range(arguments.rounds):
            engine = _engine(settings, given)
            service = heard(configuration, kafka.bootstrap_servers, f"round-{number}", given, _PATIENCE)
            rounds.append((engine, service))
            told = f"engine {engine.rate:.3g}, service {service.seconds / service.wall:.3g} audio-s/s"
            print(f"round {number + 1}: {told}", flush=True)
    _report(arguments, settings, rounds)
    if different := other_bytes(rounds):
        sys.exit(f"texts {different} are other bytes through Kafka")


def other_bytes(rounds: Sequence[tuple[Figures, Heard]]) -> list[int]:
    """Texts whose samples are not the engine's."""
    return sorted(
        {
            number
            for engine, service in rounds
            for number, completed in service.completed.items()
            if completed.audio.pcm_sha256 != engine.hashes[number]
        }
    )


def _engine(settings: Mapping[str, Any], given: Sequence[Text]) -> Figures:
    own = ("checkpoint", "cache", "device", "threads")
    order = Order(
        texts=list(given),
        concurrency=len(given),
        settings={key: value for key, value in settings.items() if key not in own},
        **{key: settings[key] for key in own},
    )
    command = [sys.executable, "-m", "benchmarks.engine.ours", msgspec.json.encode(order).decode()]
    return msgspec.json.decode(answer("the engine", command, _PATIENCE), type=Figures)


def _report(
    arguments: argparse.Namespace, settings: Mapping[str, Any], rounds: Sequence[tuple[Figures, Heard]]
) -> None:
    engine = [figures.rate for figures, _ in rounds]
    service = [found.seconds / found.wall for _, found in rounds]
    ratios = [ours / own for ours, own in zip(service, engine, strict=True)]
    publish(
        arguments.name,
        f"glm behind Kafka, weights of noise, {arguments.size}, {arguments.utterances} texts, median of {len(rounds)}",
        ("way", "audio-s/s", "of the engine", "target"),
        [
            ("engine", float(f"{statistics.median(engine):.4g}"), 1.0, ""),
            ("service", float(f"{statistics.median(service):.4g}"), round(statistics.median(ratios), 3), _TARGET),
        ],
        write=not arguments.dry,
        audio_seconds=sum(rounds[0][0].audio.values()),
        settings={key: value for key, value in settings.items() if key not in ("checkpoint", "cache")},
        rounds=[{"engine": own, "service": ours} for own, ours in zip(engine, service, strict=True)],
        same_bytes=not other_bytes(rounds),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--size", choices=("tiny", "full"), default="tiny")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--utterances", type=int, default=96, help="of fewer, the beginning and the end weigh more")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", nargs="+", default=["fp32"], metavar="WORD", help="as in benchmarks.engine")
    parser.add_argument("--folder", type=Path, default=folder.default(), help="keeps the weights: 20 MB or 4 GB")
    parser.add_argument("--name", default="service", help="of the file of results")
    parser.add_argument("--dry", action="store_true", help="nothing is written to the results")
    return parser


if __name__ == "__main__":
    main()
