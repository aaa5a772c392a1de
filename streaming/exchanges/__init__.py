"""Exchanges, one folder a venue: the protocol of each, without any input or output.

What belongs here: what a venue says and means. What does not: sockets, threads, timers, back-off and Kafka
(`streaming.producer` owns them, the same for every venue).

How to add a venue
------------------
Make a folder with the venue's name and five small modules; `okx` is the model.

`specification`
    Addresses' paths, limits, intervals and error codes as constants, each with the page it comes from.
`messages`
    The wire types as msgspec structs, and pure functions from one wire row to a `TradeEvent` or
    `TickerEvent`. Prices and sizes stay the exchange's text and go through `streaming.records`; an empty
    value is None, never zero; `side` is the taker's; a time is the exchange's own, in microseconds. A row
    that breaks the contract raises `RecordError`.
`instruments`
    Pair ↔ symbol, and the list of instruments from the venue's answer.
`rest`
    A `TradeHistory` that pages through the venue's own history, and the small requests of the start-up
    check. What a covered walk has not brought ends as unrecoverable. Where ids have holes, the walk is a
    `SparseTradeHistory` and says from which id on it has seen everything.
`session`
    The protocol machine (`streaming.exchanges.session.Session`): frames and clock ticks in, events and
    commands out. No socket, no clock, no logging, no randomness, so that every rule can be replayed and
    fuzzed.

What venues have in common is written once, beside their folders: `watch` (acknowledgements, readiness,
watchdogs), `decoding` (what cannot be read), `replies` (what an HTTP status means), `rfc3339` (times).

Then a `venue` module ties them together (`streaming.exchanges.venue.Venue`), one line in `registry` names
it, and two settings hold its addresses. Write its literal frames, from the venue's pages, into
`tests/unit/exchanges/venues/<venue>.py`: the contract tests and the frame fuzzer pick them up, and the
venue's own rules are tested with them (`tests/unit/exchanges/test_<venue>_rules.py`).
"""
