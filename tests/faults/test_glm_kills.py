"""GLM-TTS, tiny, on a real Kafka: workers killed in the middle of everything, and the same bytes once more."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.records import Prompt, SpeechRequest
from tests.engines.glm.golden import FOLDER, TINY
from tests.engines.glm.speaking import PROMPT_TEXT
from tests.faults.cluster import Deployment, until
from tests.faults.promise import check
from tests.faults.storm import Storm
from tests.faults.test_replay_kills import outcomes

pytestmark = pytest.mark.broker

Unique = Callable[[str], str]

_KILLS = 3
_PATIENCE = 400.0
_KINDS: list[tuple[int, str, bool | None, str | None]] = [
    (12, "您的订单{}已付款。", None, "plain"),
    (12, "Order {} has been paid.", None, "other"),
    (10, "您的 parcel {} 已发货。", True, "plain"),
    (5, "第{}份报告写好了，请您有空的时候打开看一看，谢谢您的耐心等待。我们明天上午再联系您。", None, "other"),
    (8, "Parcel {}, in a voice of its own.", False, None),
    (3, "🎉 {} 🎉", None, "plain"),
]
"""How many, text, phonemes, and a preset or None for a prompt of the request's own."""
_NOTHING = "🎉"


def requests_of(folder: Path) -> dict[str, SpeechRequest]:
    requests: dict[str, SpeechRequest] = {}
    for count, text, phoneme, voice in _KINDS:
        for number in range(count):
            id_ = f"glm-{len(requests)}"
            prompt = Prompt(prompt_audio=str(folder / "p24k.wav"), prompt_text=PROMPT_TEXT)
            requests[id_] = SpeechRequest(
                source="shop",
                id=id_,
                text=text.format("" if _NOTHING in text else number),
                phoneme=phoneme,
                voice=voice,
                prompt=None if voice else prompt,
            )
    return requests


def deployed(kafka: str, folder: Path, name: str, cache: Path) -> Deployment:
    for sound in ("p24k", "p22k"):
        shutil.copy(FOLDER / "wav" / f"{sound}.wav", folder)
    (folder / "voices.toml").write_text(
        'default = "plain"\n'
        f'[voices.plain]\nprompt_audio = "p24k.wav"\nprompt_text = "{PROMPT_TEXT}"\n'
        f'[voices.other]\nprompt_audio = "p22k.wav"\nprompt_text = "{PROMPT_TEXT}"\n',
        encoding="utf-8",
    )
    (folder / "events.toml").write_text('[events.paid]\ntemplate = "Paid."\n')  # the shipped one names other voices
    return Deployment(
        kafka,
        folder,
        f"{name}-",
        partitions=2,
        ENGINE__NAME="glm",
        ENGINE__GLM__CHECKPOINT=str(TINY.root),
        ENGINE__GLM__CACHE=str(cache),
        ENGINE__GLM__THREADS="1",
        ENGINE__GLM__ROWS="4",
        EVENTS__FILE=str(folder / "events.toml"),
        VOICES__FILE=str(folder / "voices.toml"),
        VOICES__PROMPT_FOLDERS=f'["{folder}"]',
        KAFKA__SESSION_TIMEOUT="3",
        WORKER__DRAIN_TIMEOUT="60",
    )


def test_each_once_through_kills_and_the_same_bytes_again(
    kafka: str, unique: Unique, tmp_path: Path, glm_cache: Path
) -> None:
    requests, began = requests_of(tmp_path), time.monotonic()
    assert len(requests) == 50
    mute = {id_ for id_, request in requests.items() if _NOTHING in (request.text or "")}
    with deployed(kafka, tmp_path, unique("glm")[-40:].strip("-"), glm_cache) as deployment:
        deployment.topics()
        deployment.publish([deployment.message(request) for request in requests.values()])
        storm = Storm(deployment, deployment.worker)
        for number in range(_KILLS):
            storm.progress(5)
            storm.kill("ab"[number % 2], tree=number == 1)
        storm.progress(2)
        storm.kill_helper("b", "streamer.engines.glm.text.child")
        until(deployment.finished, "everything is committed", _PATIENCE)
        for worker in storm.workers.values():
            worker.terminate()  # whose process may have died a moment ago
        assert check(deployment, requests, mute) == 50 - len(mute)
        assert {failure.code for failure in deployment.failed().values()} == {"text_empty"}

        command = [sys.executable, "-m", "streamer", "replay", "again", "--all", "--verify"]
        verified, log = deployment.process("replay", command)
        assert verified.wait(_PATIENCE) == 0, log.read_text()[-3000:]
        verdicts = Counter(result.outcome for result in outcomes(deployment, "again/1"))
        assert verdicts == {"identical": 50 - len(mute), "skipped": len(mute)}
    assert storm.kills == _KILLS
    print(f"{storm.kills} SIGKILLs, {time.monotonic() - began:.0f} s")
