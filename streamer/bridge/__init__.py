"""HTTP → the request topic."""
