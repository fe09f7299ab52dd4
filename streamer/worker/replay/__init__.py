"""Replays: named runs that make the audio of a fixed range again, to compare it or to put it in the place of the old."""
