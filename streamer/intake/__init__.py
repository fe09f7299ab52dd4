"""Files → the request topic."""
