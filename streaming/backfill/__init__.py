"""History on request, from an exchange's REST interface.

What belongs here: reading candles to compare with, and writing past trades into Kafka, from where they take
the way of all trades. What does not: gaps of a running producer, which it fills itself
(`streaming.producer.filler`).
"""
