"""The stages as the engine drives them: each holds the pieces that wait for it and advances by one small step."""
