"""Replays: named runs that make the audio of a fixed range again, to compare it or to promote it."""
