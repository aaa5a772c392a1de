"""Rules that every definition keeps, over the resolved graph of the whole platform."""

import ast
import re
from pathlib import Path

import dagster as dg
import pytest

import crypto_platform
from crypto_platform import catalog
from crypto_platform.definitions import defs
from streaming import topics

DEFS_FOLDER = Path(crypto_platform.__file__).parent / "defs"
SYSTEMS = {"okx", "kafka", "snowflake"}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return defs()


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    return list(definitions.resolve_all_asset_specs())


def test_the_definitions_hold_together(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_every_asset_says_what_it_is_whose_it_is_and_where_it_stands(specs: list[dg.AssetSpec]) -> None:
    for spec in specs:
        name = spec.key.to_user_string()
        assert spec.owners == [catalog.OWNER], name
        assert re.match(r"One (row|message) per ", spec.description or ""), f"{name} does not state its grain"
        assert spec.group_name == spec.tags["layer"], name
        assert 1 <= len(spec.kinds) <= 3, name


def test_every_key_begins_with_the_system_that_holds_the_asset(specs: list[dg.AssetSpec]) -> None:
    for spec in specs:
        system, *rest = spec.key.path
        assert system in SYSTEMS
        if system == "snowflake":
            assert [part.upper() for part in rest] == rest
            assert len(rest) == 2


def test_every_table_shows_its_name_and_its_columns(specs: list[dg.AssetSpec]) -> None:
    tables = [spec for spec in specs if spec.key.path[0] == "snowflake"]
    assert len(tables) >= 6
    for spec in tables:
        assert spec.metadata["dagster/table_name"] == ".".join(["CRYPTO", *spec.key.path[1:]])
        schema = spec.metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        assert all(column.description for column in schema.columns)


def test_the_lineage_leads_from_the_exchange_to_the_rollup(specs: list[dg.AssetSpec]) -> None:
    upstream = {spec.key: {dep.asset_key for dep in spec.deps} for spec in specs}
    reached = {catalog.table_key("MARKET.BARS_1H")}
    while more := {key for one in reached for key in upstream[one]} - reached:
        reached |= more
    assert reached == {
        catalog.table_key("MARKET.BARS_1H"),
        catalog.table_key("RAW.TRADES"),
        catalog.topic_key(topics.BARS_1H),
        catalog.topic_key(topics.CLEAN_TRADES),
        catalog.topic_key(topics.CLEAN_TICKERS),
        catalog.topic_key(topics.TRADES),
        catalog.topic_key(topics.TICKERS),
        catalog.FEED_TRADES,
        catalog.FEED_TICKERS,
    }


def test_every_dependency_is_declared_and_only_feeds_have_none(specs: list[dg.AssetSpec]) -> None:
    keys = {spec.key for spec in specs}
    for spec in specs:
        assert {dep.asset_key for dep in spec.deps} <= keys
        assert bool(spec.deps) != (spec.group_name == "feeds")


def test_every_topic_that_something_writes_is_an_asset(specs: list[dg.AssetSpec]) -> None:
    declared = {spec.key.path[1] for spec in specs if spec.key.path[0] == "kafka"}
    assert declared == set(topics.ALL_TOPICS)


def test_what_never_rests_has_a_freshness_policy_and_the_rest_has_none(specs: list[dg.AssetSpec]) -> None:
    steady = {catalog.topic_key(topic) for topic in catalog.STEADY_TOPICS}
    steady |= {
        catalog.table_key(table)
        for topic, table in catalog.TABLE_OF_TOPIC.items()
        if topic in catalog.STEADY_TOPICS
    }
    assert {spec.key for spec in specs if spec.freshness_policy is not None} == steady


def test_every_check_belongs_to_a_declared_asset_and_reads_as_a_sentence(
    definitions: dg.Definitions, specs: list[dg.AssetSpec]
) -> None:
    keys = {spec.key for spec in specs}
    checks = definitions.resolve_asset_graph().asset_check_keys
    assert {check.name for check in checks} >= {
        "bars_equal_raw_trades",
        "no_trade_stands_twice",
        "trade_ids_are_contiguous",
        catalog.LOADER_KEEPS_UP,
        catalog.CHECKPOINTS_ARE_RECENT,
    }
    for check in checks:
        assert check.asset_key in keys
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", check.name)


def test_every_table_the_loader_fills_and_every_flink_output_is_watched(definitions: dg.Definitions) -> None:
    checks = definitions.resolve_asset_graph().asset_check_keys
    lag = {check.asset_key for check in checks if check.name == catalog.LOADER_KEEPS_UP}
    assert lag == {catalog.table_key(table) for table in catalog.TABLE_OF_TOPIC.values()}
    checkpoints = {check.asset_key for check in checks if check.name == catalog.CHECKPOINTS_ARE_RECENT}
    assert checkpoints == {
        catalog.topic_key(topic) for topic in (topics.CLEAN_TRADES, topics.CLEAN_TICKERS, topics.BARS_1M)
    }


def test_sensors_and_schedules_run_without_a_click(definitions: dg.Definitions) -> None:
    sensors, schedules = list(definitions.sensors or ()), list(definitions.schedules or ())
    assert len(sensors) >= 2
    assert len(schedules) >= 3
    for sensor in sensors:
        assert isinstance(sensor, dg.SensorDefinition)
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING, sensor.name
        assert sensor.name.endswith("_sensor")
        assert sensor.description
        assert sensor.minimum_interval_seconds is not None
        assert sensor.minimum_interval_seconds >= 30
    for schedule in schedules:
        assert isinstance(schedule, dg.ScheduleDefinition)
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING, schedule.name
        assert schedule.name.endswith("_schedule")
        assert schedule.execution_timezone == "UTC"


def test_jobs_begin_with_a_verb_and_run_in_their_own_process(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    for job in repository.get_all_jobs():
        assert job.executor_def.name == "in_process", job.name
        if not job.name.startswith("__"):
            assert job.description, job.name
            assert re.fullmatch(r"(roll_up|recompute|check)_\w+_job", job.name)


def test_no_secret_is_part_of_the_definitions(
    definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNOWFLAKE_ACCOUNT", "acme")
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "a-secret-word")
    fresh = defs()
    assert "a-secret-word" not in repr(fresh.resources)


def test_a_module_keeps_heavy_imports_inside_functions() -> None:
    heavy = {"confluent_kafka", "snowflake", "dagster_snowflake", "pandas", "pyflink", "httpx"}
    for path in DEFS_FOLDER.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & heavy, path


def test_the_entry_point_stays_short() -> None:
    entry = Path(crypto_platform.__file__).parent / "definitions.py"
    assert len(entry.read_text(encoding="utf-8").splitlines()) < 25


def test_the_schedule_asks_for_the_hour_that_has_begun_and_the_one_before(
    definitions: dg.Definitions,
) -> None:
    from datetime import UTC, datetime

    from crypto_platform.defs.rollups.jobs import RANGE_END, RANGE_START, roll_up_bars_1h_schedule

    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 3, 1, 0, 3, tzinfo=UTC))
    request = roll_up_bars_1h_schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == ("2026-02-28-23:00", "2026-03-01-00:00")
