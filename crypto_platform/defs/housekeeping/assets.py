"""The control plane's own records.

What belongs here: external assets for what Dagster writes about itself. What does not: the data.
"""

from crypto_platform import catalog, table_schemas

instance = catalog.external(
    catalog.CONTROL_PLANE,
    "One row per run, event and tick in Dagster's own storage; its daemons' heartbeats are judged here.",
    layer="control",
    kinds={"dagster"},
    metadata=catalog.code("infra/local/dagster.py"),
)

alerts = catalog.external(
    catalog.table_key("OPS.ALERTS"),
    "One row per firing of an alert (fingerprint, time), with the time when it was over.",
    layer="control",
    kinds={"snowflake", "table"},
    deps=[catalog.CONTROL_PLANE],
    metadata={
        **table_schemas.table_metadata("OPS.ALERTS"),
        **catalog.code("crypto_platform/alerting/delivery.py", "snowflake_sql/schema.sql"),
    },
)
