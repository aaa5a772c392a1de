"""Coinbase Exchange's public protocol, spoken by the simulated exchange at and below /coinbase.

What belongs here: its messages, REST interface and limits, written from its own documentation
(https://docs.cdp.coinbase.com/exchange). What does not: the market (`streaming.simulator`) and the platform's
Coinbase adapter, with which this shares no code.
"""
