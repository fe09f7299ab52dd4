"""From `[engine.glm]` to an engine that speaks: device, weights, stages."""

from __future__ import annotations

import os
from functools import lru_cache, partial
from pathlib import Path

import torch

from streamer.clock import SystemClock
from streamer.engines.base import Profile
from streamer.engines.glm.bounds import BOUNDS
from streamer.engines.glm.checkpoint.digest import checkpoint_digest
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.code import code_digest
from streamer.engines.glm.draws import CounterDraws, Draws, ReferenceDraws
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.gpus import Nvml
from streamer.engines.glm.joining import Joining
from streamer.engines.glm.llm.audio import columns_of
from streamer.engines.glm.llm.decoder import Decoder
from streamer.engines.glm.llm.llama import Llama
from streamer.engines.glm.llm.products import rounded_alike
from streamer.engines.glm.llm.sampling import SAMPLINGS
from streamer.engines.glm.memory_plan import Plan, gigabytes
from streamer.engines.glm.memory_room import admitted, sizes_of, tell
from streamer.engines.glm.precision import exact, has_bfloat16
from streamer.engines.glm.revision import revision
from streamer.engines.glm.scheduler import Scheduler
from streamer.engines.glm.stages.flow import FlowStage
from streamer.engines.glm.stages.llm import LlmStage
from streamer.engines.glm.stages.vocoder import VocoderStage
from streamer.engines.glm.stages.vocoders import HiftVocoder, Vocoder, VocosVocoder
from streamer.engines.glm.synthesizer import GlmSynthesizer, Parts
from streamer.engines.glm.text.frames import Opening
from streamer.engines.glm.text.orders import Texts
from streamer.engines.glm.text.process import TextProcess
from streamer.engines.glm.text.tokenizer import SpecialTokens, Tokenizer
from streamer.engines.glm.transfers import Side
from streamer.engines.glm.vocoder.hift import Hift
from streamer.engines.glm.vocoder.vocos import Vocos
from streamer.engines.glm.voice.encoder import VoiceEncoder
from streamer.errors import ConfigurationError
from streamer.observe.logs import Log, logger
from streamer.settings_engines import Glm

_TOKENS_A_ROW = 2_000
"""Estimated speech tokens that are taken in for each row: what it speaks, and what it speaks next."""
_DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


def open_glm(settings: Glm, log: Log | None = None, texts: Texts | None = None) -> GlmSynthesizer:
    """Read the checkpoint, all of it. `texts`: who cuts texts, and belongs to the engine from now on; None: a process
    of its own, which dies with the thread that calls this.

    Errors: CheckpointError, ConfigurationError (a device that is not there, or whose memory is too small), EngineError
    (others hold that memory), ImportError, OSError.
    """
    log = log or logger("warning")
    device = open_device(settings.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    settings = with_precision(settings, device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    exact()
    layout, cache = Layout(Path(settings.checkpoint)), cache_folder(settings.cache)
    special = Tokenizer.open(layout).special
    texts = texts or _text_process(settings, cache, log)
    try:
        engine = _open(settings, device, layout, special, texts, log)
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # weights and rooms are there before other streams read them
    except BaseException:
        texts.close()
        raise
    return engine


def _text_process(settings: Glm, cache: Path, log: Log) -> TextProcess:
    code = code_digest(Path(__file__).parent / "text")
    opening = Opening(settings.checkpoint, str(settings.dictionary or ""), str(cache), settings.phoneme, code)
    return TextProcess(opening, settings.step_limit, SystemClock(), log)


def _open(
    settings: Glm, device: torch.device, layout: Layout, special: SpecialTokens, texts: Texts, log: Log
) -> GlmSynthesizer:
    cache = cache_folder(settings.cache)
    taken = admitted(settings, sizes_of(layout, settings, len(columns_of(special).ids)), device, Nvml())
    voices = VoiceEncoder.open(layout, settings.sample_rate, device, cache, log)
    llama = Llama.open(layout, device, _DTYPES[settings.llm_precision], special)
    llama.pack(settings.rows)
    _same_in_every_row(llama, settings.rows)
    decoding, rendering = Side(device, urgent=True), Side(device)
    with decoding():
        decoder = Decoder(llama, settings.rows, settings.positions, SAMPLINGS[settings.sampling])
    flow = Flow.open(layout, device, _DTYPES[settings.flow_precision])
    fixed = {"weights": checkpoint_digest(layout, cache, settings.sample_rate), "voice": voices.revision}
    vocoder = VocoderStage(
        _vocoder(settings, layout, device),
        settings.vocoder_rows,
        rendering,
        tensor_float=settings.vocoder_precision == "tf32",
    )
    flowing = FlowStage(
        flow, settings.flow_rows, rendering, vocoder.has_room, tensor_float=settings.flow_precision == "tf32"
    )
    for stage in (flowing, vocoder):
        stage.prepare()
    tell(taken, device, log)
    return GlmSynthesizer(
        Parts(
            texts=texts,
            voices=voices,
            llm=LlmStage(decoder, special, Scheduler(settings.schedule, SystemClock(), log), decoding),
            flow=flowing,
            vocoder=vocoder,
            joining=Joining(sample_rate=settings.sample_rate, pause=settings.pause, cross_fade=settings.cross_fade),
            draws=_reference if settings.draws == "reference" else partial(CounterDraws, device=device),
            phoneme=settings.phoneme,
            use_cache=settings.use_cache,
            # The text's part changes while it runs: its dictionary is read again when somebody corrects it.
            profile=lru_cache(4)(partial(_profile, settings, device, layout.tiny, taken, fixed)),
            log=log,
        )
    )


def open_device(name: str) -> torch.device:
    """auto: a GPU where there is one. Errors: ConfigurationError."""
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    device = torch.device("cuda:0" if name == "cuda" else name)
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ConfigurationError(
            [f"engine.glm.device is {name}, but this machine has {count} CUDA devices; use cpu or auto"]
        )
    return device


def with_precision(settings: Glm, device: torch.device) -> Glm:
    """The same with `auto` decided."""
    if settings.llm_precision != "auto":
        return settings
    return settings.model_copy(update={"llm_precision": "bf16" if has_bfloat16(device) else "fp32"})


def _same_in_every_row(llama: Llama, rows: int) -> None:
    """Errors: ConfigurationError that names the numbers of rows that are."""
    if not rounded_alike(llama.products, rows):
        fit = ", ".join(str(other) for other in (1, 2, 4, 8, 12, 16, 24, 32) if rounded_alike(llama.products, other))
        raise ConfigurationError(
            [
                f"engine.glm.rows is {rows}: with {torch.get_num_threads()} threads this processor rounds a row of "
                f"such a batch by its place in it, so that speech would depend on its neighbours; use one of {fit}"
            ]
        )


def cache_folder(configured: str) -> Path:
    """Where encoded voices and built grammars are kept: as configured, or streamer's in the user's cache folder."""
    if configured:
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamer" / "glm"


def _vocoder(settings: Glm, layout: Layout, device: torch.device) -> Vocoder:
    if settings.sample_rate == Hift.sample_rate:
        return HiftVocoder(Hift.open(layout, device))
    return VocosVocoder(Vocos.open(layout, settings.vocos_sha256, device))


def _reference(seed: int, segment: int) -> Draws:
    """The public reference begins every segment with the same seed."""
    return ReferenceDraws(seed)


def _profile(settings: Glm, device: torch.device, tiny: bool, taken: Plan, fixed: dict[str, str], text: str) -> Profile:
    return Profile(
        name="glm",
        revision=revision(settings, device, {**fixed, "text": text}),
        sample_rate=settings.sample_rate,
        capacity=settings.schedule.largest_cost or _TOKENS_A_ROW * settings.rows,
        step_limit=settings.step_limit,
        bounds=None if tiny else BOUNDS,
        clones=True,
        about=f"{'tiny, ' if tiny else ''}{settings.checkpoint} on {device}, {settings.llm_precision}, "
        f"at most {gigabytes(taken.total)} of memory",
    )
