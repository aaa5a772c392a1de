"""What the sensors decide, as pure functions: measurements and memory in, reports and new memory out.

Nothing here imports dagster or talks to a network, so every rule is a row in a table of a test.
"""
