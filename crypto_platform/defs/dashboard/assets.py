"""The pages that people look at, where all lineage ends.

What belongs here: one external asset for the dashboard. What does not: the pages themselves.
"""

from crypto_platform import catalog
from snowflake_sql.catalog import ROLLUPS
from streaming import settings as platform_settings
from streaming import topics
from streaming.settings import LOOPBACK

pages = catalog.external(
    catalog.DASHBOARD,
    "One row per pair on the live page: price, forming bar, anomalies, gaps, alerts; history from rollups.",
    layer="dashboard",
    kinds={"dashboard"},
    deps=[
        catalog.topic_key(topics.BARS_FORMING),
        catalog.topic_key(topics.CLEAN_TICKERS),
        catalog.topic_key(topics.ANOMALIES),
        catalog.table_key("OPS.GAPS"),
        catalog.table_key("OPS.ALERTS"),
        *(catalog.table_key(rollup.table) for rollup in ROLLUPS),
    ],
    metadata={"url": f"http://{LOOPBACK}:{platform_settings.load().ports.dashboard}"},
)
