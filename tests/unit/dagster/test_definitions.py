"""Rules that every definition keeps, over the resolved graph of the whole platform."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

import crypto_platform
from crypto_platform import catalog, column_lineage
from crypto_platform.definitions import defs
from crypto_platform.defs.rollups.jobs import back_fill_executor
from snowflake_sql.catalog import ROLLUPS
from streaming import topics

DEFS_FOLDER = Path(crypto_platform.__file__).parent / "defs"
SYSTEMS = {"okx", "kafka", "snowflake", "dagster", "dashboard"}


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


def test_the_lineage_leads_from_the_exchanges_to_the_dashboard(specs: list[dg.AssetSpec]) -> None:
    upstream = {spec.key: {dep.asset_key for dep in spec.deps} for spec in specs}
    groups = {spec.key: spec.group_name for spec in specs}
    reached = {catalog.DASHBOARD}
    while more := {key for one in reached for key in upstream[one]} - reached:
        reached |= more
    assert {groups[key] for key in reached} == {
        *("feeds", "topics", "stream", "warehouse", "bars", "rollups", "statistics", "dashboard", "control")
    }
    assert {*catalog.FEEDS_OF_TRADES, *catalog.FEEDS_OF_TICKERS} <= reached


def test_every_configured_exchange_has_its_feeds() -> None:
    code = (
        "from crypto_platform import catalog; from crypto_platform.defs.feeds.assets import feeds; "
        "print(sorted(spec.key.to_user_string() for spec in feeds))"
    )
    environment = os.environ | {"CRYPTO_SOURCE": "okx,kraken"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout.strip() == "['kraken/tickers', 'kraken/trades', 'okx/tickers', 'okx/trades']"


def test_every_rollup_of_the_catalogue_is_an_asset_with_columns_from_somewhere(
    definitions: dg.Definitions, specs: list[dg.AssetSpec]
) -> None:
    by_key = {spec.key: spec for spec in specs}
    columns_of = {
        spec.key: {column.name for column in spec.metadata["dagster/column_schema"].columns}
        for spec in specs
        if "dagster/column_schema" in spec.metadata
    }
    for rollup in ROLLUPS:
        spec = by_key[catalog.table_key(rollup.table)]
        assert isinstance(spec.partitions_def, dg.TimeWindowPartitionsDefinition)
        lineage = spec.metadata["dagster/column_lineage"]
        assert isinstance(lineage, dg.TableColumnLineage)
        sources = [dep for deps in lineage.deps_by_column.values() for dep in deps]
        assert sources, rollup.name
        for dep in sources:
            assert dep.column_name in columns_of[dep.asset_key], f"{rollup.name}: {dep}"
        assert set(lineage.deps_by_column) <= columns_of[spec.key]


def test_the_kept_column_lineage_is_that_of_the_sql() -> None:
    assert column_lineage.FILE.read_text(encoding="utf-8") == column_lineage.text()


def test_every_asset_leads_to_the_files_that_make_it(specs: list[dg.AssetSpec]) -> None:
    for spec in specs:
        references = spec.metadata.get("dagster/code_references")
        if spec.key == catalog.DASHBOARD:
            continue
        assert isinstance(references, dg.CodeReferencesMetadataValue), spec.key
        for reference in references.code_references:
            assert isinstance(reference, dg.LocalFileCodeReference)
            assert Path(reference.file_path).is_file(), reference.file_path


def test_every_dependency_is_declared_and_only_feeds_have_none(specs: list[dg.AssetSpec]) -> None:
    keys = {spec.key for spec in specs}
    for spec in specs:
        assert {dep.asset_key for dep in spec.deps} <= keys
        assert bool(spec.deps) != (spec.group_name == "feeds" or spec.key == catalog.CONTROL_PLANE)


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
        "bars_equal_official_candles",
        "prices_are_ordered",
        "values_are_in_range",
        "columns_are_as_declared",
        "rows_reconcile_with_offsets",
        "the_latest_closed_minute_has_its_bar",
        "no_gap_stays_open",
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
    assert len(sensors) >= 14
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
            assert re.fullmatch(
                r"(roll_up|recompute|check|start|stop|restart|repair|clean_up|back_fill)_\w+_job", job.name
            )


def test_the_back_fill_alone_has_a_container_for_each_step_and_only_where_an_engine_is() -> None:
    assert back_fill_executor("docker").name == "docker"
    assert back_fill_executor("auto").name == back_fill_executor("external").name == "in_process"


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


def test_the_definitions_load_within_a_few_seconds_and_without_the_heavy_libraries() -> None:
    code = (
        "import sys, time; from crypto_platform.definitions import defs; defs().get_repository_def(); "
        "print(time.process_time(), 'dagster_snowflake' in sys.modules, 'snowflake.connector' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    cpu_s, *heavy = found.stdout.split()
    assert heavy == ["False", "False"]
    assert float(cpu_s) < 8
