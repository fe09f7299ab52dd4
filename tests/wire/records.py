"""Records of every shape, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from streamer.records import (
    Audio,
    Engine,
    Event,
    Header,
    Original,
    Position,
    Prompt,
    SpeechCompleted,
    SpeechFailed,
    SpeechReplayed,
    SpeechRequest,
    Timings,
)

_text = st.text(max_size=20)
_int = st.integers(-(2**31), 2**31 - 1)
_long = st.integers(-(2**63), 2**63 - 1)
_double = st.floats(allow_nan=False)
_metadata = st.dictionaries(_text, _text, max_size=3)
_position = st.builds(Position, topic=_text, partition=_int, offset=_long)
_bytes = st.none() | st.binary(max_size=20)

REQUESTS = st.builds(
    SpeechRequest,
    source=_text,
    id=_text,
    text=st.none() | _text,
    event=st.none() | st.builds(Event, type=_text, data=_text),
    voice=st.none() | _text,
    prompt=st.none() | st.builds(Prompt, prompt_audio=_text, prompt_text=_text),
    format=st.none() | _text,
    sample_rate=st.none() | _int,
    seed=st.none() | _long,
    phoneme=st.none() | st.booleans(),
    output_name=st.none() | _text,
    metadata=_metadata,
    callback=st.none() | _text,
    expires_at=st.none() | _long,
    requested_at=_long,
)

_echo = {
    "source": _text,
    "id": _text,
    "generation": _int,
    "metadata": _metadata,
    "callback": st.none() | _text,
    "output_name": st.none() | _text,
    "requested_at": _long,
    "position": _position,
}

_audio = st.builds(
    Audio,
    uri=_text,
    format=_text,
    sample_rate=_int,
    frames=_long,
    duration=_double,
    bytes=_long,
    sha256=_text,
    pcm_sha256=_text,
)
_engine = st.builds(Engine, name=_text, revision=_text, seed=_long)

COMPLETED = st.builds(
    SpeechCompleted,
    **_echo,
    audio=_audio,
    text=_text,
    voice=_text,
    engine=_engine,
    timings=st.builds(Timings, queued=_double, synthesis=_double, durable=_double),
    completed_at=_long,
)

FAILED = st.builds(
    SpeechFailed,
    **_echo,
    code=_text,
    message=_text,
    retryable=st.booleans(),
    attempts=_int,
    original=st.builds(
        Original,
        key=_bytes,
        value=_bytes,
        headers=st.lists(st.builds(Header, name=_text, value=_bytes), max_size=3),
        truncated=st.booleans(),
        size=_long,
    ),
    failed_at=_long,
)

REPLAYED = st.builds(
    SpeechReplayed,
    **_echo,
    run=_text,
    outcome=_text,
    reasons=st.lists(_text, max_size=3),
    message=_text,
    code=st.none() | _text,
    audio=st.none() | _audio,
    previous=st.none() | _audio,
    text=st.none() | _text,
    voice=st.none() | _text,
    engine=st.none() | _engine,
    replayed_at=_long,
)
