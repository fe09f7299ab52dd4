"""Records ↔ bytes."""
