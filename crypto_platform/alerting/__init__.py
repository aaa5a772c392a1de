"""Alerts: which conditions hold, which of them are news, and who is told.

What belongs here: conditions, the rule of firing and clearing, channels, history. What does not: Dagster's
sensor that drives them (`defs/alerts`), and judging the platform (`watch`).
"""
