"""Loads a fixed tape into the warehouse of the environment: `python -m tests.integration.sink_driver [N]`.

What belongs here: the tape, and a connection that kills this very process (kill -9) right after its N-th
statement of a batch, so that a test can end a loader at every point of its transaction.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

from snowflake.connector import SnowflakeConnection

from streaming import settings as settings_module
from streaming import topics, warehouse
from streaming.errors import ServiceUnavailableError
from streaming.loader.batch import gather
from streaming.loader.rows import Message
from streaming.loader.sink import WarehouseSink
from streaming.settings import Settings

BATCHES = 4
BATCH_ROWS = 5
PLACE = (topics.CLEAN_TRADES, 0)
PATIENCE_S = 30


def trades(offset: int, count: int, ids: list[int] | None = None) -> list[Message]:
    """`count` trades from `offset` on; trade ids are the offsets plus one unless given."""
    numbers = ids if ids is not None else list(range(offset + 1, offset + count + 1))
    return [
        Message(
            *PLACE,
            offset + i,
            json.dumps(
                {
                    "v": 1,
                    "exchange": "OKX_SIM",
                    "pair": "BTC-USDT",
                    "first_id": number,
                    "trade_id": number,
                    "count": 1,
                    "price": "61234.1234567891",
                    "size": "0.00012345",
                    "side": "sell",
                    "exchange_time_us": 1_767_225_600_123_456,
                    "receive_time_ns": 1_767_225_600_223_456_789,
                    "producer_id": "p",
                    "producer_epoch": 1,
                    "seq": number,
                    "source": "ws",
                    "simulated": True,
                }
            ).encode(),
        )
        for i, number in enumerate(numbers[:count])
    ]


class Mortal:
    """A connection that ends its own process after some statements of a transaction."""

    def __init__(self, real: SnowflakeConnection) -> None:
        self.real = real
        self.left: int | None = None

    def cursor(self) -> Any:
        return _MortalCursor(self)

    def close(self, *arguments: Any, **options: Any) -> None:
        self.real.close(*arguments, **options)


class _MortalCursor:
    def __init__(self, connection: Mortal) -> None:
        self._connection = connection

    def execute(self, *arguments: Any) -> Any:
        result = self._connection.real.cursor().execute(*arguments)
        if self._connection.left is not None:
            self._connection.left -= 1
            if self._connection.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return result


def main() -> int:
    dies_after = int(sys.argv[1]) if len(sys.argv) > 1 else None
    made: list[Mortal] = []

    def connect(settings: Settings) -> Any:
        real = warehouse.open_connection(settings, paramstyle="qmark", autocommit=False, schema="RAW")
        made.append(Mortal(real))
        return made[-1]

    sink = WarehouseSink(settings_module.load(), connect)
    stored = sink.open()
    made[-1].left = dies_after
    deadline_s = time.monotonic() + PATIENCE_S
    while stored[PLACE] < BATCHES * BATCH_ROWS:
        try:
            sink.write(gather(trades(stored[PLACE], BATCH_ROWS), stored, stored))
        except ServiceUnavailableError:
            # The transaction of the loader that was killed still holds the offsets.
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.2)
        stored = sink.open() if dies_after is None else stored | {PLACE: stored[PLACE] + BATCH_ROWS}
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
