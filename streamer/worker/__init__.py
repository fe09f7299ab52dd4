"""The worker: records in, audio durable, results and offsets committed together.

Read it in this order: loop (Kafka's side of a turn), pipeline (a record's way), judge (what a record meets),
ledger and metadata (out of order, still exactly once), tenure, transaction, start.
"""
