"""The sound of a prompt, out of the bytes of a file that anyone may have sent.

Only four kinds of files reach a decoder, and only after their header was judged. However long a file says it is, or
turns out to be, no more samples are decoded than the longest prompt has.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from streamer.engines.glm.voice import mp3
from streamer.errors import VoiceUnusable

SHORTEST = 3.0
LONGEST = 10.0
"""Seconds; the model was trained on prompts between them."""
LOWEST_RATE = 8_000
HIGHEST_RATE = 192_000
LARGEST = 16 * 2**20
"""Bytes: the longest prompt at the highest rate, stereo, as 32-bit samples."""
LOUDEST = 16.0
"""Full scale is 1. Floats a little above it are common, and compressed sound overshoots; far above are no floats."""
SOFTEST = 0.001
"""Peak, -60 dB."""

Wave = NDArray[np.float32]

_KINDS = "a WAV, FLAC, MP3 or OGG file"
_WAV_SUBTYPES = frozenset({"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"})
_SUBTYPES = {
    "WAV": _WAV_SUBTYPES,
    "WAVEX": _WAV_SUBTYPES,
    "FLAC": frozenset({"PCM_S8", "PCM_16", "PCM_24"}),
    "MP3": frozenset({"MPEG_LAYER_III"}),
    "OGG": frozenset({"VORBIS", "OPUS"}),
}


class Sound(NamedTuple):
    """One or two channels of a prompt."""

    channels: Wave
    """Shape (channels, samples), full scale is 1."""
    rate: int
    """Hz."""

    @property
    def seconds(self) -> float:
        return len(self.first) / self.rate

    @property
    def first(self) -> Wave:
        """Shape (samples,): the channel that the speech tokens are made of."""
        return np.ascontiguousarray(self.channels[0])

    @property
    def mean(self) -> Wave:
        """Shape (samples,): what the speaker vector and the mel are made of."""
        mean: Wave = self.channels.mean(axis=0, dtype=np.float32)
        return mean


def decode(sound: bytes, shortest: float = SHORTEST, longest: float = LONGEST) -> Sound:
    """The samples of a file that is `shortest` to `longest` seconds long. Errors: VoiceUnusable."""
    _judge_magic(sound)
    try:
        with _File(_Bytes(sound)) as file:
            _judge_header(file)
            samples = _read(file, _stated(file, sound, longest), longest)
            rate = int(file.samplerate)
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        reason = str(error).rsplit(": ", 1)[-1]
        raise VoiceUnusable(f"the prompt's sound cannot be decoded: {reason}; it takes {_KINDS}") from error
    _judge_length(len(samples) / rate, shortest, longest)
    heard = Sound(np.ascontiguousarray(samples.T), rate)
    _judge_level(heard)
    return heard


def library() -> str:
    """What decodes: its version changes samples."""
    return f"soundfile {soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}"


class _File(soundfile.SoundFile):  # type: ignore[misc]
    """Read from its beginning to its end, which needs no seeking: soundfile does after each read where it can, and
    libsndfile cannot at the end of a FLAC stream that leaves its length open."""

    def seekable(self) -> bool:
        return False


class _Bytes(io.BytesIO):
    """libsndfile seeks where spoiled headers point. Outside of the file it stays where it is, which libsndfile sees;
    an exception could not leave its callback."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


def _judge_magic(sound: bytes) -> None:
    if len(sound) > LARGEST:
        raise VoiceUnusable(
            f"the prompt's sound has {len(sound):,} bytes, at most {LARGEST:,} are taken; {LONGEST:g} s are enough"
        )
    wav = sound[:4] == b"RIFF" and sound[8:12] == b"WAVE"
    mp3 = sound[:3] == b"ID3" or (sound[:1] == b"\xff" and sound[1:2] >= b"\xe0")
    if not (wav or mp3 or sound[:4] in (b"fLaC", b"OggS")):
        raise VoiceUnusable(
            f"the prompt's sound is empty, expected is {_KINDS}"
            if not sound
            else f"the prompt's sound begins with {sound[:12]!r}, as no WAV, FLAC, MP3 or OGG file does"
        )


def _judge_header(file: soundfile.SoundFile) -> None:
    if file.subtype not in _SUBTYPES.get(file.format, ()):
        raise VoiceUnusable(
            f"the prompt's sound is {file.format} with {file.subtype}; save it as WAV (PCM), FLAC, MP3 or OGG"
        )
    if file.channels not in (1, 2):
        raise VoiceUnusable(f"the prompt's sound has {file.channels} channels, 1 or 2 are taken; mix it down to one")
    if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
        raise VoiceUnusable(
            f"the prompt's sound has {file.samplerate:,} samples a second, {LOWEST_RATE:,} to {HIGHEST_RATE:,} are "
            "taken; resample it, 24,000 do"
        )


_UNKNOWN_LENGTH = 2**62
"""Samples. libsndfile says 0 or its largest number where a stream's header leaves the length open."""


def _stated(file: soundfile.SoundFile, sound: bytes, longest: float) -> int:
    """The least number of samples that the file has to have, without decoding any. 0: unknown."""
    if file.format == "MP3":
        counted = mp3.count(sound, longest)
        return max(0, counted.samples - counted.slack)
    return file.frames if 0 < file.frames < _UNKNOWN_LENGTH else 0


def _read(file: soundfile.SoundFile, stated: int, longest: float) -> Wave:
    """Shape (samples, channels). At most one sample more than the longest prompt has is ever decoded."""
    most = int(longest * file.samplerate)
    if stated > most:
        raise _too_long(f"is {stated / file.samplerate:,.2f} s long", longest)
    samples: Wave = np.empty((most + 1, file.channels), np.float32)
    samples = file.read(out=samples)
    if len(samples) > most:
        raise _too_long("is longer", longest)
    if len(samples) < stated:
        raise VoiceUnusable(
            f"the prompt's sound can be decoded for {len(samples) / file.samplerate:.2f} s only, of "
            f"{stated / file.samplerate:.2f} s: it was cut off or is spoiled; save and send it again"
        )
    return samples


def _judge_length(seconds: float, shortest: float, longest: float) -> None:
    if seconds == 0.0:
        raise VoiceUnusable("the prompt's sound has no samples")
    if seconds < shortest:
        raise VoiceUnusable(
            f"the prompt's sound is {seconds:.2f} s long, {shortest:g} to {longest:g} s are needed; record more"
        )


def _too_long(what: str, longest: float) -> VoiceUnusable:
    return VoiceUnusable(
        f"the prompt's sound {what}, at most {longest:g} s are taken; cut it, and its text, to a sentence or two"
    )


def _judge_level(sound: Sound) -> None:
    """Both of what is listened to: channels can cancel each other out, and the first can be the empty one."""
    if not np.isfinite(sound.channels).all():
        raise VoiceUnusable("the prompt's sound has samples that are no numbers (NaN or infinite); export it again")
    peak = float(np.abs(sound.channels).max())
    if peak > LOUDEST:
        raise VoiceUnusable(
            f"the prompt's sound has a peak of {peak:g}, full scale is 1: are these integers in a file of floats?"
        )
    for wave, which in ((sound.first, "first channel"), (sound.mean, "mean of its channels")):
        softest = float(np.ptp(wave)) / 2
        if softest < SOFTEST:
            raise VoiceUnusable(
                f"the prompt's sound is silent: the {which} has a peak of {softest:.2g}, at least {SOFTEST:g} of full "
                "scale is needed; raise its level, or mix it down to one channel"
            )
