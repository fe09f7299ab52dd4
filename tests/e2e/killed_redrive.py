"""`streamer` with one difference: it kills itself (SIGKILL) once its publisher was handed COUNT messages, which are
then at the broker (`delivered`) or still in the client (`pending`).

    python killed_redrive.py COUNT delivered|pending redrive --all --yes
"""

from __future__ import annotations

import os
import signal
import sys

import streamer.kafka.confluent as confluent
from streamer.cli.main import main
from streamer.kafka.base import Delivered, Message
from streamer.kafka.confluent_producer import ConfluentPublisher

_COUNT, _STATE = int(sys.argv.pop(1)), sys.argv.pop(1)


class KillingPublisher(ConfluentPublisher):
    _taken = 0

    def publish(self, message: Message, delivered: Delivered) -> None:
        super().publish(message, delivered)
        self._taken += 1
        if self._taken == _COUNT:
            if _STATE == "delivered":
                self.flush(30.0)
            os.kill(os.getpid(), signal.SIGKILL)


confluent.ConfluentPublisher = KillingPublisher  # type: ignore[attr-defined]
main()
