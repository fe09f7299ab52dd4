"""The official folder of GLM-TTS: what lies where, and reading it without running anything that is in it."""
