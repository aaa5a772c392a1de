"""Checks that the control sensors feed.

What belongs here: their specs, so that they stand in the interface. What does not: verdicts
(`watch/growth.py`).
"""

from typing import Final

import dagster as dg

from crypto_platform import catalog
from crypto_platform.defs.topics.resources import KafkaClusterResource
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from crypto_platform.watch import lag
from streaming import topics

TRADES: Final = catalog.table_key("RAW.TRADES")
LAG_SHRINKS: Final = "a_growing_lag_shrinks_after_a_restart"


@dg.asset_check(
    asset=TRADES,
    name=LAG_SHRINKS,
    description="The loader's lag did not keep growing after it was restarted for it. Run by hand, it looks "
    "whether the lag is within its limit.",
)
def a_growing_lag_shrinks_after_a_restart(
    kafka: KafkaClusterResource, warehouse: SnowflakeResource
) -> dg.AssetCheckResult:
    """Without a history only the lag itself can be judged."""
    lags = lag.lag_by_topic(kafka.end_offsets([topics.CLEAN_TRADES]), warehouse.loaded_offsets())
    if not lags:
        return dg.AssetCheckResult(passed=True, description="The topic does not exist yet.")
    one = lags[topics.CLEAN_TRADES]
    return dg.AssetCheckResult(
        passed=one.state == "ok", description=lag.explain(one), metadata={"lag_messages": one.lag_messages}
    )
