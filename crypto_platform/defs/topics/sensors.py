"""Watches how far each topic has grown and how far the loader is behind it.

What belongs here: turning offsets into events. What does not: lag arithmetic (`watch/lag.py`), when an
event is due (`watch/reporting.py`), and judging on demand (`defs/warehouse/checks.py`).
"""

from collections.abc import Mapping
from time import time
from typing import Any, Final

import dagster as dg

from crypto_platform import catalog
from crypto_platform.defs.topics.resources import KafkaClusterResource
from crypto_platform.defs.warehouse.checks import lag_evaluation
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from crypto_platform.watch import lag, reporting

PACE: Final = reporting.Pace()
WATCHED_TOPICS: Final = tuple(dict.fromkeys([*catalog.STEADY_TOPICS, *catalog.TABLE_OF_TOPIC]))


@dg.sensor(
    name="loader_lag_exceeded_sensor",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Compares the end of each topic with what the loader has committed. Reports a lag when it "
    "crosses the limit or as a slow heartbeat, and progress of topics and tables every ten minutes.",
)
def loader_lag_exceeded_sensor(
    context: dg.SensorEvaluationContext, kafka: KafkaClusterResource, warehouse: SnowflakeResource
) -> dg.SensorResult:
    """One look: events for what changed, and the lag of every table in the tick's message."""
    ends = kafka.end_offsets(WATCHED_TOPICS)
    loaded = warehouse.loaded_offsets()
    now_s = time()
    lags = lag.lag_by_topic(
        {place: end for place, end in ends.items() if place[0] in catalog.TABLE_OF_TOPIC}, loaded
    )
    memory = reporting.remember(context.cursor)
    due, memory = reporting.states_due(memory, {name: one.state for name, one in lags.items()}, now_s, PACE)
    counters = progress(ends, lags)
    grown, memory = reporting.counters_grown(memory, counters, now_s, PACE)

    events: list[Any] = []
    for topic in sorted(due):
        verdict = lag_evaluation(lags[topic])
        events.append(dg.AssetCheckEvaluation(**verdict))
        # Dagster plots the numbers of observations, not those of checks.
        events.append(
            dg.AssetObservation(
                verdict["asset_key"], description=verdict["description"], metadata=verdict["metadata"]
            )
        )
    events += [
        dg.AssetMaterialization(dg.AssetKey.from_user_string(name), metadata={"offset": counters[name]})
        for name in sorted(grown)
    ]
    return dg.SensorResult(
        asset_events=events,
        cursor=reporting.write_cursor(memory),
        skip_reason=dg.SkipReason(summary(lags)),
    )


def progress(ends: Mapping[lag.TopicPartition, int], lags: Mapping[str, lag.TopicLag]) -> dict[str, int]:
    """How far each topic and each table has come, in messages, by asset key."""
    counters: dict[str, int] = {}
    for (topic, _), end in ends.items():
        name = catalog.topic_key(topic).to_user_string()
        counters[name] = counters.get(name, 0) + end
    for topic, one in lags.items():
        counters[catalog.table_key(catalog.TABLE_OF_TOPIC[topic]).to_user_string()] = one.loaded_offset
    return counters


def summary(lags: Mapping[str, lag.TopicLag]) -> str:
    """The lag of every table in one line."""
    if not lags:
        return "None of the topics exists yet."
    parts = [
        f"{catalog.TABLE_OF_TOPIC[topic]} {one.lag_messages}{'' if one.state == 'ok' else f' ({one.state})'}"
        for topic, one in sorted(lags.items())
    ]
    return f"Messages behind (limit {lag.LIMIT_MESSAGES}): {', '.join(parts)}."
