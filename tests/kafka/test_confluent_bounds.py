"""What a question about a partition's bounds does while its leader changes: with a client that answers by a list."""

from __future__ import annotations

from typing import Any, cast

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streamer.errors import Retriable
from streamer.kafka.base import Partition
from streamer.kafka.confluent_consumer import bounds

PARTITION = Partition("tts.requests", 3)


class Client:
    """Answers one of `answers` a question, the last one from then on."""

    def __init__(self, *answers: tuple[int, int] | int | None) -> None:
        self._answers, self.asked = list(answers), 0

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int] | None:
        assert (partition.topic, partition.partition) == (PARTITION.topic, PARTITION.number)
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, int):
            raise KafkaException(KafkaError(answer))
        return answer


def ask(client: Client, timeout: float) -> tuple[int, int]:
    return bounds(cast(confluent_kafka.Consumer, cast(Any, client)), PARTITION, timeout)


@pytest.mark.parametrize("code", [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE])
def test_a_new_leader_is_asked_again(code: int) -> None:
    client = Client(code, code, (2, 9))
    assert ask(client, 10.0) == (2, 9)
    assert client.asked == 3


def test_a_partition_without_leader_is_given_up_in_time() -> None:
    client = Client(KafkaError.LEADER_NOT_AVAILABLE)
    with pytest.raises(Retriable, match="LEADER_NOT_AVAILABLE"):
        ask(client, 0.15)
    assert client.asked == 2


@pytest.mark.parametrize("answer", [KafkaError._TRANSPORT, None])
def test_a_broker_that_does_not_answer_had_its_time(answer: int | None) -> None:
    client = Client(answer)
    with pytest.raises(Retriable):
        ask(client, 10.0)
    assert client.asked == 1
