"""The folder of weights, from where it is published."""
