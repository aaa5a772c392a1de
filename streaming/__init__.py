"""The data plane: exchange → Kafka → Flink → Snowflake, without Dagster.

What belongs here: everything a message passes through, and the typed contracts between those parts.
What does not: starting and supervising processes on one machine (`infra.local`), and anything that
imports Dagster or `crypto_platform` (a lint rule refuses it).
"""
