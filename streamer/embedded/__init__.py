"""Apache Kafka on this machine, for demo and tests: no container engine, no installed Java."""
