"""The whole platform on one machine, without Docker and without an installed Java.

What belongs here: jars, command lines, configuration files, supervision, readiness. What does not: message
handling (`streaming`) and the command line a person types (`crypto_platform.cli`).
"""
