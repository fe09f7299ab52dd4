"""A process of the text front end: reads orders from standard input, writes answers to standard output.

The grammars hold Python's lock while they run, half a second for some texts. In the engine's own process the device
would wait for them.
"""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from streamer.engines.child.frames import Unpacker, write
from streamer.engines.child.tied import frames_output, tie_to_parent
from streamer.engines.glm.checkpoint.layout import Layout
from streamer.engines.glm.code import code_digest
from streamer.engines.glm.text.frames import TO_CHILD, At, Opening, Ready, Unfit
from streamer.engines.glm.text.orders import Drop, Order
from streamer.errors import CheckpointError, ConfigurationError, EngineError

if TYPE_CHECKING:
    from streamer.engines.glm.text.desk import TextDesk

_CHUNK = 1 << 16


def main() -> None:
    tie_to_parent(int(sys.argv[1]))
    output = frames_output()
    try:
        _serve(msgspec.json.decode(sys.argv[2], type=Opening), output)
    except ImportError as error:
        write(output, Unfit("import", (str(error),), error.name))
    except ConfigurationError as error:
        write(output, Unfit("configuration", error.problems))
    except CheckpointError as error:
        write(output, Unfit("checkpoint", (str(error),)))
    except EngineError as error:
        write(output, Unfit("engine", (str(error),)))


def _serve(opening: Opening, output: int) -> None:
    if code_digest(Path(__file__).parent) != opening.code:
        raise EngineError("streamer was installed anew since this worker started; start it again")
    # Here, so that a library which is not installed can be told.
    from streamer.engines.glm.text.desk import TextDesk
    from streamer.engines.glm.text.front import TextFront

    dictionary = Path(opening.dictionary) if opening.dictionary else None
    front = TextFront.open(Layout(Path(opening.checkpoint)), dictionary, Path(opening.cache))
    if opening.phoneme:
        front.segments("好", phoneme=True)  # its words take seconds to read, which no request should wait for
    write(output, Ready(front.version, front.problems))
    desk = TextDesk(front)
    unpacker = Unpacker(TO_CHILD)
    while True:
        if desk.next is None or _something_came():
            data = os.read(0, _CHUNK)
            if not data:
                return  # the engine closed it
            for frame in unpacker.feed(data):
                _take(desk, frame)
        if desk.next is not None:
            write(output, At(desk.next))
            answer = desk.answer()
            if answer is not None:
                write(output, answer)


def _something_came() -> bool:
    return bool(select.select([0], [], [], 0)[0])


def _take(desk: TextDesk, frame: Order | Drop) -> None:
    match frame:
        case Order():
            desk.ask(frame)
        case Drop():
            desk.drop(frame.ticket)


if __name__ == "__main__":
    main()
