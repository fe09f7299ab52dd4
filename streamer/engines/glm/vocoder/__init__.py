"""Mel → samples: HiFT at 24 kHz, or the checkpoint's own Vocos script at 32 kHz."""
