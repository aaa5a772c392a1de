"""The lag sensor, tick by tick on a real instance, with the cursor handed on."""

from collections.abc import Iterator, Mapping

import dagster as dg
import pytest

from crypto_platform import catalog
from crypto_platform.defs.topics import sensors
from crypto_platform.defs.topics.resources import KafkaClusterResource
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from crypto_platform.watch.lag import LIMIT_MESSAGES
from streaming import topics
from streaming.errors import ServiceUnavailableError

TRADES_TABLE = catalog.table_key("RAW.TRADES")
TRADES_TOPIC = catalog.topic_key(topics.CLEAN_TRADES)
RAW_TOPIC = catalog.topic_key(topics.TRADES)
KEEPS_UP = dg.AssetCheckKey(TRADES_TABLE, catalog.LOADER_KEEPS_UP)

ends: dict[tuple[str, int], int] = {}
loaded: dict[tuple[str, int], int] = {}


class Kafka(KafkaClusterResource):
    def end_offsets(self, topics: object) -> dict[tuple[str, int], int]:
        if not ends:
            raise ServiceUnavailableError("Kafka at nowhere does not answer.")
        return dict(ends)


class Warehouse(SnowflakeResource):
    def loaded_offsets(self) -> dict[tuple[str, int], int]:
        return dict(loaded)


class Ticks:
    """The daemon's part: calls the sensor, keeps its cursor and stores its events."""

    def __init__(self, instance: dg.DagsterInstance, clock: list[float]) -> None:
        self.instance, self.clock, self.cursor = instance, clock, None

    def tick(self, at_s: float) -> list[str]:
        self.clock[0] = at_s
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources={"kafka": Kafka(), "warehouse": Warehouse()},
        ) as context:
            result = sensors.loader_lag_exceeded_sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        self.message = result.skip_reason.skip_message if result.skip_reason else ""
        return [f"{type(event).__name__} {event.asset_key.path[-1]}" for event in result.asset_events]


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ticks]:
    clock = [0.0]
    monkeypatch.setattr(sensors, "time", lambda: clock[0])
    ends.clear()
    loaded.clear()
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticks(instance, clock)


def offsets(values: Mapping[str, int]) -> dict[tuple[str, int], int]:
    return {(topic, 0): offset for topic, offset in values.items()}


def test_the_first_look_reports_state_and_progress(ticks: Ticks) -> None:
    ends.update(offsets({topics.TRADES: 12, topics.CLEAN_TRADES: 10}))
    loaded.update(offsets({topics.CLEAN_TRADES: 8}))
    assert sorted(ticks.tick(1000)) == [
        "AssetCheckEvaluation TRADES",
        "AssetMaterialization CryptoCurrency_clean_trades",
        "AssetMaterialization CryptoCurrency_trades",
        "AssetMaterialization TRADES",
        "AssetObservation TRADES",
    ]
    assert ticks.message == f"Messages behind (limit {LIMIT_MESSAGES}): RAW.TRADES 2."


def test_a_stream_that_runs_well_costs_nothing_between_reports(ticks: Ticks) -> None:
    ends.update(offsets({topics.CLEAN_TRADES: 10}))
    loaded.update(offsets({topics.CLEAN_TRADES: 10}))
    ticks.tick(1000)
    for minute in range(1, 10):
        ends.update(offsets({topics.CLEAN_TRADES: 10 + minute}))
        loaded.update(offsets({topics.CLEAN_TRADES: 10 + minute}))
        assert ticks.tick(1000 + 60 * minute) == []
    assert ticks.tick(1600) == [
        "AssetMaterialization CryptoCurrency_clean_trades",
        "AssetMaterialization TRADES",
    ]


def test_nothing_is_materialized_while_nothing_arrives(ticks: Ticks) -> None:
    ends.update(offsets({topics.TRADES: 10, topics.CLEAN_TRADES: 10}))
    loaded.update(offsets({topics.CLEAN_TRADES: 10}))
    ticks.tick(1000)
    later = [event for minute in range(1, 300) for event in ticks.tick(1000 + 60 * minute)]
    assert {event for event in later if event.startswith("AssetMaterialization")} == set()
    assert later.count("AssetCheckEvaluation TRADES") == 9


def test_a_lag_is_reported_when_it_begins_and_when_it_ends(ticks: Ticks) -> None:
    ends.update(offsets({topics.CLEAN_TRADES: 10}))
    loaded.update(offsets({topics.CLEAN_TRADES: 10}))
    ticks.tick(1000)
    ends.update(offsets({topics.CLEAN_TRADES: 10 + LIMIT_MESSAGES + 1}))
    assert ticks.tick(1060) == ["AssetCheckEvaluation TRADES", "AssetObservation TRADES"]
    assert "(exceeded)" in ticks.message
    assert ticks.tick(1120) == []
    loaded.update(ends)
    assert ticks.tick(1180) == ["AssetCheckEvaluation TRADES", "AssetObservation TRADES"]

    (latest,) = ticks.instance.fetch_observations(TRADES_TABLE, limit=1).records
    assert latest.asset_observation is not None
    assert latest.asset_observation.metadata["lag_messages"].value == 0


def test_a_failed_verdict_reaches_the_check(ticks: Ticks) -> None:
    ends.update(offsets({topics.CLEAN_TRADES: LIMIT_MESSAGES + 1}))
    ticks.tick(1000)
    records = ticks.instance.event_log_storage.get_asset_check_execution_history(KEEPS_UP, limit=5)
    assert [record.status.value for record in records] == ["FAILED"]


def test_a_recreated_topic_is_told_apart_from_a_lag(ticks: Ticks) -> None:
    ends.update(offsets({topics.CLEAN_TRADES: 3}))
    loaded.update(offsets({topics.CLEAN_TRADES: 500}))
    ticks.tick(1000)
    assert "RAW.TRADES 0 (ahead)" in ticks.message


def test_a_dead_broker_fails_the_tick_and_keeps_the_memory(ticks: Ticks) -> None:
    ends.update(offsets({topics.CLEAN_TRADES: 10}))
    loaded.update(offsets({topics.CLEAN_TRADES: 10}))
    ticks.tick(1000)
    before = ticks.cursor
    ends.clear()
    with pytest.raises(ServiceUnavailableError, match="does not answer"):
        ticks.tick(1060)
    assert ticks.cursor == before


def test_topics_that_do_not_exist_yet_are_no_error(ticks: Ticks) -> None:
    ends.update(offsets({topics.TRADES: 0}))
    assert ticks.tick(1000) == []
    assert ticks.message == "None of the topics exists yet."


def test_a_raw_topic_grows_without_a_table_of_its_own(ticks: Ticks) -> None:
    ends.update(offsets({topics.TRADES: 4}))
    assert ticks.tick(1000) == ["AssetMaterialization CryptoCurrency_trades"]
    assert ticks.instance.fetch_materializations(RAW_TOPIC, limit=5).records
