"""Measuring the data plane: a feed that costs next to nothing, the real parts, the proof that all arrived.

What belongs here: load, sampling and verdicts for one part of the data plane at a time. What does not:
running brokers (`infra.local.scratch`), the simulated exchange with its market and faults
(`streaming.simulator`).
"""
