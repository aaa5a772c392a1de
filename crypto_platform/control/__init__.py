"""Control of the streams: what runs, what should run, and what follows from the difference.

The streams are no runs: something else owns their processes (a `Backend`), and Dagster asks it. So the end
of a run, of a sensor or of Dagster itself never ends a stream.

What belongs here: components, back-ends, desired state, the rule of reconciliation. What does not: Dagster's
jobs and sensors (`defs/control`), and judging the data (`watch`).
"""
