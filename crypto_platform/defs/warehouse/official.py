"""Our bars against the exchange's own candles.

What belongs here: reading both sides of a settled span. What does not: the comparison (`watch/official.py`),
the exchange's requests (`streaming.exchanges.<venue>.candles`).
"""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg

from crypto_platform import catalog, warehouse_sql
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from crypto_platform.watch import official
from snowflake_sql import catalog as sql_files
from streaming import settings as platform_settings

SETTLED: Final = timedelta(minutes=3)
SHOWN: Final = 20


class Span(dg.Config):
    """How many minutes are compared, up to the newest settled one."""

    minutes: int = 30


@dg.asset_check(
    asset=catalog.table_key("MARKET.BARS_1M"),
    name="bars_equal_official_candles",
    description="Every settled one-minute bar without flagged trades has the prices and the volume of the "
    "exchange's own candle, asked for by REST. Exchanges whose candles are not read are left out, by name.",
    pool="warehouse",
)
def bars_equal_official_candles(
    context: dg.AssetCheckExecutionContext, config: Span, warehouse: SnowflakeResource
) -> dg.AssetCheckResult:
    """Compare each configured exchange that has candles."""
    from streaming.exchanges.candles import candles_of
    from streaming.producer import source as sources

    settings = platform_settings.load()
    compared, differences, left_out = 0, [], []
    with warehouse.connection(f"dagster: official candles run {context.run.run_id}") as connection:
        for source in sources.named(settings, ()):
            candles = candles_of(source.venue.name)
            if candles is None:
                left_out.append(source.exchange)
                continue
            newest = warehouse_sql.newest(connection, "MARKET.BARS_1M", "WINDOW_START")
            if newest is None:
                continue
            end = (newest - SETTLED).replace(second=0, microsecond=0)
            span = {"from_time": end - timedelta(minutes=config.minutes), "to_time": end}
            rows = _rows(connection, span | {"exchange": source.exchange})
            count, found = _compare(source, candles, rows, span)
            compared += count
            differences += found
    numbers: dict[str, Any] = {"minutes_compared": compared, "differences": len(differences)}
    if differences:
        numbers["first_differences"] = dg.MetadataValue.md(
            "\n".join(
                f"- {one.pair} {datetime.fromtimestamp(one.start_ms / 1000, UTC):%Y-%m-%d %H:%M} "
                f"{one.figure}: ours {one.ours}, official {one.official}"
                for one in differences[:SHOWN]
            )
        )
    if left_out:
        numbers["exchanges_left_out"] = ", ".join(left_out)
    return dg.AssetCheckResult(
        passed=not differences,
        description=f"{compared} minutes compared, {len(differences)} differences.",
        metadata=numbers,
    )


def _rows(connection: Any, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    from streaming import warehouse

    return warehouse.rows(connection, sql_files.statement("queries/minutes_to_compare"), parameters)


def _compare(
    source: Any, candles: Any, rows: list[tuple[Any, ...]], span: dict[str, datetime]
) -> tuple[int, list[official.Difference]]:
    """How many minutes of one exchange were compared, and in what they differ. From the first minute that we
    have of a pair: what was before it we did not read."""
    from streaming.backfill import candles as history
    from streaming.producer.rest_client import RestClient

    bars = [
        official.OurBar(pair, _ms(at), *prices)
        for pair, at, *prices, trades, flagged in rows
        if trades and not flagged
    ]
    # A minute that we hold for silent and the exchange does not is a difference.
    skipped = [(pair, _ms(at)) for pair, at, *_, flagged in rows if flagged]
    first_ms: dict[str, int] = {}
    for pair, at, *_ in rows:
        first_ms.setdefault(pair, _ms(at))
    client = RestClient(source.rest_url, threading.Event())
    try:
        # The first minute may have begun before we did.
        theirs = [
            candle
            for pair, start_ms in first_ms.items()
            for candle in history.read(
                client, candles, pair, start_ms + history.MINUTE_MS, _ms(span["to_time"])
            )
        ]
    finally:
        client.close()
    bars = [bar for bar in bars if bar.start_ms > first_ms[bar.pair]]
    return len(bars), official.compare(bars, theirs, skipped)


def _ms(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)
