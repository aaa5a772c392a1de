"""The simulated exchange: venues' protocols on loopback, over one market that can prove what it traded.

What belongs here: a market core that knows no venue (instruments, generator, recording, tape, candles,
faults), the sockets, and one folder a venue that speaks its protocol. What does not: anything of the
platform's own adapters (`streaming.exchanges`), producer or record formats; the simulator shares no code with
them, so that a misread rule of a venue cannot hide on both sides.
"""
