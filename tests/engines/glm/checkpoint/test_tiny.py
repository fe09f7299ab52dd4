"""The tiny checkpoint: the same from the same seed, in the official layout, and fit to speak."""

from __future__ import annotations

import hashlib
import io
import json
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import soundfile
import torch

from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.checkpoint.parts import PARTS
from streamer.engines.glm.checkpoint.tiny import example
from streamer.engines.glm.checkpoint.tiny.folder import files, make_tiny
from streamer.engines.glm.checkpoint.tiny.noise import Noise
from streamer.engines.glm.flow.flow import Flow
from streamer.engines.glm.flow.job import FlowJob
from streamer.engines.glm.flow.run import FlowRun
from streamer.engines.glm.text.tokenizer import Tokenizer
from streamer.engines.glm.vocoder.hift import Hift
from streamer.engines.glm.vocoder.vocos import Vocos
from streamer.engines.glm.voice.encoder import VoiceEncoder
from streamer.voices import Voices
from tests.engines.glm.golden import document

CPU = torch.device("cpu")


def written(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_same_seed_makes_the_same_bytes(tiny: Layout) -> None:
    assert files(0) == written(tiny.root)


def test_another_seed_makes_other_weights(tiny: Layout) -> None:
    first, second = files(0), files(1)
    different = {name for name in first if first[name] != second[name]}
    assert different == {
        "llm/model.safetensors",
        "speech_tokenizer/model.safetensors",
        "flow/flow.pt",
        "hift/hift.pt",
        "vocos2d/generator_jit.ckpt",
        "frontend/campplus.onnx",
        "streamer-tiny.json",
    }


def test_every_part_is_there_and_all_of_it_small_and_marked(tiny: Layout) -> None:
    content = written(tiny.root)
    for part in PARTS:
        for pattern in part.patterns:
            assert any(Path(name).match(pattern) for name in content), pattern
    assert sum(map(len, content.values())) < 20_000_000
    assert tiny.tiny
    assert json.loads(content["streamer-tiny.json"])["seed"] == 0


def test_nothing_tells_where_it_was_made(tiny: Layout) -> None:
    here = str(Path(__file__).parents[4]).encode()
    assert not [name for name, content in written(tiny.root).items() if here in content]
    with zipfile.ZipFile(tiny.vocos) as archive:
        assert not [name for name in archive.namelist() if "debug" in name]


def test_writing_again_mends_a_file(tiny: Layout, tmp_path: Path) -> None:
    (tmp_path / "llm").mkdir()
    (tmp_path / "llm" / "config.json").write_bytes(b"spoiled")
    make_tiny(tmp_path)
    assert written(tmp_path) == written(tiny.root)


def test_tokens(tiny: Layout) -> None:
    tokenizer = Tokenizer.open(tiny)
    assert tokenizer.phonemes == {f"<|{name}|>" for name in document("front_end_tables")["phonemes"]}
    special = tokenizer.special
    # As far apart as in the official vocabulary.
    assert special.end_of_audio - special.endoftext == 7
    assert special.begin_of_audio - special.endoftext == 14
    assert len(tokenizer.encode("你好，世界。")) == 6
    assert len(tokenizer.encode("the parcel has shipped")) == 5
    assert tokenizer.encode("\U0001f600") == [0xF0, 0x9F, 0x98, 0x80]


def test_noise_depends_on_seed_and_name_only() -> None:
    first = Noise(3)("a", (2, 3), 1.0)
    Noise(3)("b", (5,), 1.0)
    assert np.array_equal(Noise(3)("a", (2, 3), 1.0), first)
    assert not np.array_equal(Noise(4)("a", (2, 3), 1.0), first)
    many = Noise(0)("c", (100_000,), 0.5, 2.0)
    assert many.dtype == np.float32
    assert abs(many.mean() - 2.0) < 0.01
    assert abs(many.std() - 0.5) < 0.01


def test_the_prompt_is_a_voice_of_four_seconds(tiny: Layout) -> None:
    samples, rate = soundfile.read(io.BytesIO(example.prompt()), dtype="float64")
    assert rate == 24_000
    assert samples.ndim == 1
    assert 3.5 < len(samples) / rate < 4.5
    assert abs(np.abs(samples).max() - 0.5) < 0.001
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    peaks = spectrum.reshape(-1)[: len(spectrum) // 2]
    assert peaks.max() > 1000 * np.median(peaks)  # harmonics, not noise
    voice = VoiceEncoder.open(tiny, 24_000, CPU, None).encode(example.prompt())
    assert len(voice.speech_tokens) == 101
    assert len(set(voice.speech_tokens.tolist())) > 10
    assert float(np.linalg.norm(voice.speaker)) > 1


def test_the_example_is_what_the_files_around_it_read(tiny: Layout) -> None:
    voices = Voices.load(tiny.root / "example/voices.toml")
    voice = voices.get(None)
    assert voice is not None
    assert voice.prompt is not None
    assert voice.prompt.audio == example.prompt()
    assert voice.prompt.text == example.PROMPT_TEXT
    configuration = tomllib.loads((tiny.root / "example/streamer.toml").read_text())
    assert configuration["engine"] == {"name": "glm", "glm": {"checkpoint": ".."}}
    requests = (tiny.root / "example/requests.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in requests] == ["hello", "paid", "mixed"]


def test_its_sound_is_neither_silent_nor_clipped(tiny: Layout) -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 32_768, (40,), generator=generator)
    prompt = -5 + torch.randn(40, 80, generator=generator)
    speaker, noise = torch.randn(192, generator=generator), torch.randn(80, 80, generator=generator)
    run = FlowRun(Flow.open(tiny, CPU), [FlowJob(tokens, prompt, speaker, noise)], 1, 80)
    while not run.advance():
        pass
    mel = run.mels()[0].reshape(1, 80, 40)
    assert 0.5 < float(mel.std()) < 4
    hift = Hift.open(tiny, CPU)
    with torch.inference_mode():
        wave = hift(mel, torch.tensor([40]), torch.rand(1, 9, generator=generator), torch.zeros(1, 19_200, 9))[0]
    assert float(wave.square().mean().sqrt()) > 0.005
    assert float((wave.abs() > 0.98).float().mean()) < 0.01


def test_its_vocoder_for_32_khz(tiny: Layout) -> None:
    digest = hashlib.sha256(tiny.vocos.read_bytes()).hexdigest()
    wave = Vocos.open(tiny, digest, CPU)(torch.randn(2, 80, 7))
    assert wave.shape == (2, 640 * 7)
    assert 0.01 < float(wave.std()) < 0.3
