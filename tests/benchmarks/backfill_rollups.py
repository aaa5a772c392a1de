"""A day's back-fill of all rollups: `python -m tests.benchmarks.backfill_rollups [--trades N] [--limit-s S]`.

24 hourly partitions of every hourly asset in one run, then the day of every daily one in another, over trades
of five pairs in an emulator of its own. Prints seconds a run and a rollup; fails beyond the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.integration import emulator_process

PAIRS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "BNB-USDT", "XRP-USDT")
DAY = datetime(2026, 3, 1)  # noqa: DTZ001
FILL = """
INSERT INTO RAW.TRADES (EXCHANGE, PAIR, FIRST_ID, TRADE_ID, FILL_COUNT, PRICE, SIZE, SIDE, EXCHANGE_TIME,
  RECEIVE_TIME, SOURCE, IS_SIMULATED, PRODUCER_ID, PRODUCER_EPOCH, PRODUCER_SEQ, SCHEMA_VERSION,
  KAFKA_PARTITION, KAFKA_OFFSET, LOADED_AT)
SELECT 'OKX_SIM', %(pair)s, N + 1, N + 1, 1, 100 + MOD(N * 7919, 1000) / 100, 1 + MOD(N, 50) / 10,
  CASE WHEN MOD(N, 3) = 0 THEN 'buy' ELSE 'sell' END, MOMENT, MOMENT, 'ws', TRUE, 'bench', 1, N + 1, 1,
  %(place)s, N, MOMENT
FROM (
  SELECT N, DATEADD('MILLISECOND', FLOOR(N * 86400000 / %(count)s), CAST(%(day)s AS TIMESTAMP_NTZ)) AS MOMENT
  FROM (
    SELECT a.VALUE::INTEGER * 1000 + b.VALUE::INTEGER AS N
    FROM TABLE(FLATTEN(PARSE_JSON(%(thousands)s))) a, TABLE(FLATTEN(PARSE_JSON(%(units)s))) b
  )
)
"""


def fill(settings: Any, trades: int) -> int:
    """Put evenly spread trades of one day into RAW.TRADES; return how many there are."""
    from streaming import warehouse

    each = trades // len(PAIRS) // 1000
    with warehouse.connect(settings) as connection:
        for place, pair in enumerate(PAIRS):
            connection.cursor().execute(
                FILL,
                {
                    "pair": pair,
                    "place": place,
                    "count": each * 1000,
                    "day": DAY,
                    "thousands": json.dumps(list(range(each))),
                    "units": json.dumps(list(range(1000))),
                },
            )
        ((count,),) = warehouse.rows(connection, "SELECT COUNT(*) FROM RAW.TRADES")
    return int(count)


def measure() -> dict[str, Any]:
    """Back-fill the day; this process's settings lead to the emulator."""
    import dagster as dg

    from crypto_platform.defs.rollups import partitions
    from crypto_platform.defs.rollups.assets import rollups
    from crypto_platform.defs.warehouse.resources import SnowflakeResource
    from snowflake_sql.catalog import DAY as A_DAY
    from snowflake_sql.catalog import HOUR

    found: dict[str, Any] = {"runs": {}, "query_seconds": {}}
    with dg.DagsterInstance.ephemeral() as instance:
        for name, length in (("24 hours", HOUR), ("the day", A_DAY)):
            chosen = [one for one in rollups if one.partitions_def is partitions.partitions_of(length)]
            tags = partitions.range_tags(DAY, DAY + timedelta(days=1), length)
            began_s = time.monotonic()
            # Longer than a sensor may wait: one statement computes a whole day.
            resources = {"warehouse": SnowflakeResource(timeout_s=300)}
            result = dg.materialize(chosen, resources=resources, tags=tags, instance=instance)
            found["runs"][name] = round(time.monotonic() - began_s, 2)
            assert result.success
            for event in result.get_asset_materialization_events():
                shown = event.step_materialization_data.materialization
                seconds = shown.metadata["query_seconds"].value
                found["query_seconds"][shown.asset_key.path[-1]] = seconds
        assert len(instance.get_run_records()) == 2
    found["seconds"] = round(sum(found["runs"].values()), 2)
    return found


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trades", type=int, default=1_000_000)
    parser.add_argument("--limit-s", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, emulator_process.running(Path(folder)) as emulator:
        os.environ.update(emulator.environment)
        count = fill(emulator.settings, options.trades)
        found = {"trades": count, **measure()}
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0 if found["seconds"] < options.limit_s else 1


if __name__ == "__main__":
    sys.exit(main())
