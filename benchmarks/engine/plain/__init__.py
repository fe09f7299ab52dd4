"""GLM-TTS as it is written down, and nothing gained: one row, float32, whole vocabulary, whole loop.

Kept apart from streamer's own modules, so that what is measured against does not change with them. Where the public
reference is known to do more than it must (hidden states of all layers, a prompt encoded for each request), it is done
here only once or not at all: in its favour.
"""
