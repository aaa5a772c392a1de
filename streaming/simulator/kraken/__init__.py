"""Kraken's public protocol, spoken by the simulated exchange below /kraken.

What belongs here: WebSocket v2, the REST interface and its limit, written from Kraken's own documentation
(https://docs.kraken.com/api). What does not: the market (`streaming.simulator`) and the platform's Kraken
adapter, with which this shares no code.
"""
