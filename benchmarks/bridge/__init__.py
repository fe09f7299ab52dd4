"""HTTP → Kafka: the bridge against a bare producer, and against itself without Kafka."""

TOPIC = "tts.requests"
