"""Runs cryptofeed as its README shows, with OKX's addresses moved to a local feed.

Executed by the interpreter of cryptofeed's own environment, so nothing of ours may be imported here.
Arguments: WebSocket base, REST base, Kafka brokers, then the pairs.
"""

import dataclasses
import sys

from cryptofeed import FeedHandler
from cryptofeed.backends.kafka import TradeKafka
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import OKX


def main() -> None:
    """Read `trades` of the pairs into Kafka until SIGTERM."""
    ws_url, rest_url, brokers, *pairs = sys.argv[1:]
    for endpoints, host in ((OKX.websocket_endpoints, ws_url), (OKX.rest_endpoints, rest_url)):
        endpoints[:] = [
            dataclasses.replace(endpoint, address=host + _path(endpoint.address)) for endpoint in endpoints
        ]
    sink = TradeKafka(bootstrap_servers=brokers, client_id="cryptofeed", acks=1)
    handler = FeedHandler()
    handler.add_feed(OKX(symbols=pairs, channels=[TRADES], callbacks={TRADES: sink}))
    handler.run()


def _path(address: str) -> str:
    _, _, rest = address.partition("://")
    _, slash, path = rest.partition("/")
    return slash + path


if __name__ == "__main__":
    main()
