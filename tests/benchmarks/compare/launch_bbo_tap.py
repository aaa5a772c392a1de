"""Runs bbo-tap's own command with its OKX connector moved to a local feed and to the `trades` channel.

Executed by the interpreter of bbo-tap's own environment, so nothing of ours may be imported here.
Arguments: WebSocket address, then bbo-tap's own. bbo-tap copies frames without looking into them, so what one
costs does not depend on the channel; it has no setting for either.
"""

import json
import sys

import bbo_tap
from bbo_tap.exchanges import EXCHANGES, Okx


class Trades(Okx):
    """OKX's `trades` in place of `bbo-tbt`."""

    def subscribe_messages(self, symbols: list[str]) -> list[str]:
        arguments = [{"channel": "trades", "instId": symbol} for symbol in symbols]
        return [json.dumps({"op": "subscribe", "args": arguments})]


if __name__ == "__main__":
    Trades.url = sys.argv.pop(1)
    EXCHANGES[Trades.name] = Trades
    bbo_tap.main()
