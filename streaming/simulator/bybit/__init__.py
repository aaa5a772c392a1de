"""Bybit's public spot protocol, spoken by the simulated exchange below /bybit.

What belongs here: version 5 of its WebSocket and REST interfaces, written from Bybit's own documentation
(https://bybit-exchange.github.io/docs/v5). What does not: the market (`streaming.simulator`) and the
platform's Bybit adapter, with which this shares no code.
"""
