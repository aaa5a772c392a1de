"""Binance Spot's public protocol, spoken by the simulated exchange below /binance.

What belongs here: Binance's messages, REST interface and limits, written from Binance's own documentation
(https://github.com/binance/binance-spot-api-docs). What does not: the market (`streaming.simulator`) and the
platform's Binance adapter, with which this shares no code.
"""
