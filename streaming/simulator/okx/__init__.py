"""OKX's v5 public protocol, spoken by the simulated exchange.

What belongs here: OKX's messages, REST interface, codes and limits, written from OKX's own documentation
(https://www.okx.com/docs-v5/en). What does not: the market (`streaming.simulator`) and the platform's OKX
adapter, with which this shares no code.
"""
