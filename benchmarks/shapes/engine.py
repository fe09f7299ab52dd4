"""The whole engine on the tiny checkpoint: texts spoken together in all rows, and one after the other in one row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.shapes.comparison import Comparison
from benchmarks.shapes.llm import ROWS
from streamer.engines.base import Failure, Utterance
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.opening import open_glm
from streamer.engines.glm.synthesizer import GlmSynthesizer
from streamer.settings_engines import Glm
from streamer.voices import Voice, Voices

_TEXTS = (
    "好。",
    "Your order 42 has been paid.",
    "您好，您的包裹已经发出，预计星期五送到。",
    "Thank you!",
    "第3课 Good morning 的作业，全部做对了。",
    "第一份报告写好了，请您有空的时候打开看一看，谢谢您的耐心等待。好的。",
    "Your parcel has shipped and will arrive on Friday, between nine and eleven in the morning.",
    "会议改到明天下午三点，地点不变。",
)


class Spoken:
    """One engine, and how much it spoke last."""

    def __init__(self, layout: Layout, cache: Path, rows: int) -> None:
        settings = Glm(checkpoint=str(layout.root), cache=str(cache), device="cpu", threads=1, rows=rows)
        self._engine: GlmSynthesizer = open_glm(settings)
        self._voice = _voice(layout)
        self.seconds = 0.0

    def together(self) -> None:
        self.seconds = self._speak(_TEXTS)

    def one_by_one(self) -> None:
        self.seconds = sum(self._speak([text]) for text in _TEXTS)

    def _speak(self, texts: Sequence[str]) -> float:
        for text in texts:
            self._engine.submit(Utterance(text=text, voice=self._voice, seed=0, phoneme=None))
        samples, left = 0, len(texts)
        while left:
            for report in self._engine.step():
                if isinstance(report, Failure):
                    raise SystemExit(report.message)
                samples += len(report.samples)
                left -= 1
        return samples / self._engine.profile.sample_rate


def comparison(alone: Spoken, shared: Spoken) -> Comparison:
    """`alone`: of one row."""
    count = len(_TEXTS)
    return Comparison(
        f"engine, {count} texts",
        "tiny",
        "1 row, one by one",
        f"{ROWS} rows, together",
        alone.one_by_one,
        shared.together,
    )


def _voice(layout: Layout) -> Voice:
    voice = Voices.load(layout.root / "example" / "voices.toml").get(None)
    if voice is None:
        raise SystemExit("the example has no default voice")
    return voice
