"""A small checkpoint of seeded noise in the official layout, to try and to test everything without the real weights."""
