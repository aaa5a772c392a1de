"""Where the platform runs: the one-machine stack, containers, monitoring.

What belongs here: starting, configuring and watching processes. What does not: what those processes do
(`streaming`), and anything that imports Dagster.
"""
