"""Reads one record of tts.completed with nothing of streamer: a file of its bytes, and either the schema file or a
registry.

    python outsider.py record.bin schemas/speech_completed.avsc
    python outsider.py record.bin http://127.0.0.1:8081 tts.completed
"""

import json
import sys
from io import BytesIO
from pathlib import Path
from typing import Any


def with_the_schema_file(data: bytes, file: str) -> Any:
    """Avro single-object encoding: C3 01, the fingerprint of the schema, the record."""
    import fastavro

    schema = json.loads(Path(file).read_text(encoding="utf-8"))
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    if data[:10] != b"\xc3\x01" + fingerprint:
        sys.exit(f"written with another schema: {data[:10].hex()}; see schemas/history")
    return fastavro.schemaless_reader(BytesIO(data[10:]), schema, None)


def with_the_registry(data: bytes, url: str, topic: str) -> Any:
    """The Confluent wire format, by confluent-kafka's own deserializer."""
    from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
    from confluent_kafka.schema_registry.avro import AvroDeserializer
    from confluent_kafka.serialization import MessageField, SerializationContext

    with SchemaRegistryClient({"url": url, "timeout": 10}) as client:
        read = AvroDeserializer(client, conf={"subject.name.strategy": topic_subject_name_strategy})
        return read(data, SerializationContext(topic, MessageField.VALUE))


if __name__ == "__main__":
    record, *where = sys.argv[1:]
    read = with_the_registry if len(where) == 2 else with_the_schema_file
    print(json.dumps(read(Path(record).read_bytes(), *where), default=str, ensure_ascii=False))
    if "streamer" in sys.modules:
        sys.exit("this was to be read without streamer")
