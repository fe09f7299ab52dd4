"""Kafka behind an interface: confluent-kafka, and an in-memory twin. Nothing else imports confluent_kafka but wire/."""
