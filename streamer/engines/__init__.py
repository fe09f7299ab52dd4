"""Engines: text to samples. They know neither Kafka, nor the store, nor the worker."""
