"""Exchanges, one folder a venue: the protocol of each, without any input or output.

What belongs here: what a venue says and means. What does not: sockets, threads, timers, back-off and Kafka
(`streaming.producer` owns them, the same for every venue).

How to add a venue
------------------
A venue is one folder and its fixtures, under 400 lines of code. A line counts when it has code on it: blank
lines, comments and docstrings, also those below a constant, do not
(`tests/unit/exchanges/test_venue_size.py` counts). So write down every source; and what another venue may
need too belongs beside the folders. `okx` is the model, `coinbase` the smallest. `<Venue>` stands for its
name.

1. `tests/unit/exchanges/venues/<venue>.py`: its literal frames, from the venue's pages, as an object
   `FRAMES` that satisfies `Frames`. Never build them with the adapter's code.

2. `<venue>/specification.py`: paths, limits, error codes and a `watch.Timing` as constants, each with the
   page it comes from, [O] for what we chose. `Timing` says when silence or age means something, and holds
   the ping.

3. `<venue>/messages.py`: the wire types as msgspec structs, and pure functions from one wire row to a
   `TradeEvent` (`decoding.fill`) or `TickerEvent`. Prices and sizes stay the exchange's text and go through
   `streaming.records`; an empty value is None, never zero; `side` is the taker's; a time is the exchange's
   own, in microseconds. A row that breaks the contract raises `RecordError`.

4. `<venue>/instruments.py`: pair ↔ symbol, and one market of the venue's list.

5. `<venue>/rest.py`: a class `<Venue>Rest` with the REST half of `venue.Venue`, and a `history.Walk` that
   pages through the venue's own history; a `history.BackwardWalk` where pages are asked for by trade id.
   What a covered walk has not brought ends as unrecoverable. Where ids have holes, the walk is a
   `SparseTradeHistory` and says from which id on it has seen everything. `replies` knows what a status
   means.

6. `<venue>/session.py`: a class `<Venue>Session(machine.Machine)` with two methods. `_requests` returns the
   texts that subscribe everything. `_message` answers one message: a push of good trades first and fast,
   everything else by clear rules. It tells its `watch.Watch` what was acknowledged (`acked`), what brought
   data (`data`), what announces an end (`notice`) and what ends it (`drop`, or `refuse` when the same
   request would fail again). No socket, no clock, no logging, no randomness, so that every rule can be
   replayed and fuzzed.

7. `<venue>/venue.py`: a class `<Venue>(<Venue>Rest)` with the name, the names of its two settings, the
   limit of connects, the plan of connections (`plans.spread`) and the session.

8. One line in `registry`. In `streaming.settings`: the name in `source`, two addresses, and their check. In
   `crypto_platform.cli`: the name in `--source`. In the README: the name in the table of settings.

9. `tests/unit/exchanges/test_<venue>_*.py`: its own rules, each with a literal frame. The contract
   (`test_venue_contract_*`), the size and the frame fuzzer (`python -m tests.benchmarks.fuzz_frames --venue
   <venue>`) pick the venue up by themselves.

Written once, beside the folders
--------------------------------
`machine` (the life of a connection, rows read one by one), `watch` (acknowledgements, readiness, watchdogs,
pings, age), `tail` (trades lost behind the end of the tape), `decoding` (what cannot be read; numbers,
times and trades), `rfc3339` (times as text), `plans` (pairs over connections), `replies` (what an answer
means), `history` (walks). `events`, `session` and `venue` are the interfaces to the engine.
"""
