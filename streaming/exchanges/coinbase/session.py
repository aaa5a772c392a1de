"""The protocol machine of one Coinbase Exchange connection: frames and ticks in, events and commands out.

What belongs here: the rules below. What does not: reading the values of a row (`messages`), watchdogs and
readiness (`streaming.exchanges.watch`), sockets, clocks and back-off (`streaming.producer`).

1. One request subscribes everything; one answer lists everything that is subscribed.
2. The first push of `matches` is `last_match`, the last trade there was: a snapshot. So is the first ticker.
3. Heartbeats come every second and name the newest trade id. They prove that the wire lives, not the feed;
   two in a row ahead of the tape mean trades lost behind its end: the product is reported as stale, and the
   engine asks the exchange. An id of 0 says nothing.
4. An error that names something wrong in the request is fatal, any other is worth a new connection.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streaming.errors import RecordError
from streaming.exchanges.coinbase import messages
from streaming.exchanges.coinbase import specification as spec
from streaming.exchanges.decoding import UNREADABLE, bad_frame, unknown
from streaming.exchanges.events import Output
from streaming.exchanges.machine import Machine
from streaming.exchanges.tail import TailCheck
from streaming.exchanges.venue import ConnectionPlan
from streaming.exchanges.watch import Watch

_MATCH_PREFIX: Final = b'{"type":"match"'
_REMEDY: Final = "Check CRYPTO_PAIRS (Coinbase quotes most products in USD) and CRYPTO_COINBASE_WS_URL."


class CoinbaseSession(Machine):
    """See `streaming.exchanges.session.Session`."""

    def __init__(self, plan: ConnectionPlan) -> None:
        super().__init__(Watch(plan, (spec.MATCHES, spec.TICKER), spec.TIMING))
        self._plan = plan
        self._pairs = frozenset(plan.pairs)
        self._tail = TailCheck()

    def _requests(self) -> list[str]:
        request = {"type": "subscribe", "product_ids": self._plan.pairs, "channels": self._plan.channels}
        return [msgspec.json.encode(request).decode()]

    def _message(self, data: bytes, receive_time_ns: int) -> list[Output]:
        pair: str | None = None
        try:
            if data.startswith(_MATCH_PREFIX):
                kind = "match"
            else:
                envelope = messages.any_decoder.decode(data)
                kind = envelope.type
            match kind:
                case "match" | "last_match":
                    match_frame = messages.match_decoder.decode(data)
                    pair = self._known(match_frame.product_id)
                    return self._match(match_frame, receive_time_ns)
                case "ticker":
                    ticker_frame = messages.ticker_decoder.decode(data)
                    pair = self._known(ticker_frame.product_id)
                    return self._ticker(ticker_frame, receive_time_ns)
                case "heartbeat":
                    heartbeat_frame = messages.heartbeat_decoder.decode(data)
                    pair = self._known(heartbeat_frame.product_id)
                    if self._tail.short(pair, heartbeat_frame.last_trade_id):
                        self._watch.torn((spec.MATCHES, pair))
                    return []
                case "subscriptions":
                    return self._subscriptions(messages.subscriptions_decoder.decode(data), data)
                case "error":
                    return self._error(f"{envelope.message}: {envelope.reason}")
                case _:
                    return [unknown(data)]
        except (RecordError, *UNREADABLE) as error:
            return [bad_frame(data, str(error), pair, receive_time_ns)]

    def _known(self, product: str) -> str:
        if product not in self._pairs:
            raise RecordError(f"product {product[:80]!r} was never subscribed.")
        return product

    def _match(self, frame: messages.MatchFrame, receive_time_ns: int) -> list[Output]:
        pair = frame.product_id
        snapshot = frame.type == "last_match"
        output: list[Output] = [messages.trade_event(pair, frame, receive_time_ns, is_snapshot=snapshot)]
        self._tail.sent(pair, frame.trade_id)
        self._watch.data((spec.MATCHES, pair), output)
        return output

    def _ticker(self, frame: messages.TickerFrame, receive_time_ns: int) -> list[Output]:
        key = (spec.TICKER, frame.product_id)
        first = self._watch.unseen(key)
        output: list[Output] = [messages.ticker_event(frame, receive_time_ns, is_snapshot=first)]
        self._watch.data(key, output)
        return output

    def _subscriptions(self, frame: messages.SubscriptionsFrame, data: bytes) -> list[Output]:
        keys = [(channel.name, pair) for channel in frame.channels for pair in channel.product_ids]
        output = [event for key in keys for event in self._watch.acked(key)]
        return output or [unknown(data)]

    def _error(self, text: str) -> list[Output]:
        shown = text[:300]
        if any(word in text.lower() for word in spec.REFUSAL_WORDS):
            return self._watch.refuse("error", shown, _REMEDY)
        return self._watch.drop("error", shown)
