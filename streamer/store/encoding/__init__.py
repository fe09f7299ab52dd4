"""Samples to audio files: the same bytes at each writing."""

from streamer.formats import default_rate, media_type
from streamer.store.encoding.encoder import Encoded, encode, formats, version

__all__ = ["Encoded", "default_rate", "encode", "formats", "media_type", "version"]
