"""Moves records from Kafka to the warehouse: each one once, with its offset in the same transaction."""
