"""The audit: is every trade of the exchange in the warehouse, exactly once, and does every bar add up?

What belongs here: reading each hop (Kafka, warehouse, the simulated exchange's truth) and comparing them.
What does not: repairing what it finds (the producer's back-fill, the rollups), printing.
"""
