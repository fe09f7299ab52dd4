"""The engine glm behind Kafka, against itself without."""
