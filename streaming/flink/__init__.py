"""Flink: the SQL of the two jobs, how it is rendered and submitted, and the service that keeps them running.

What belongs here: everything that speaks to a Flink cluster by SQL or REST, local or not. What does not:
running a cluster on this machine (`infra.local.flink`).
"""
