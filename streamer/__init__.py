"""streamer: business events become speech files through Kafka, each exactly once."""

__version__ = "0.1.0"
