"""The platform in containers: one image, and the small programs that only a container needs.

What belongs here: the image, compose, and entry points that stand between the two: health, secrets, topics,
one process of Flink. What does not: what the services do (`streaming`, `crypto_platform`), or starting and
stopping containers from Dagster (`crypto_platform.control.containers`).
"""
