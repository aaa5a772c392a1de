"""Every SQL file through Flink's own planner; no cluster and no Kafka."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.local import jars
from streaming.flink import rendering
from streaming.flink.jobs import BARS, JOBS, TICK
from tests.integration.flink_cluster import REPOSITORY

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The plan of each job, from one planner that ends with its process."""
    home = tmp_path_factory.mktemp("planner")
    jars.fetch(REPOSITORY / ".local")
    (home / "jars").symlink_to(REPOSITORY / ".local" / "jars", target_is_directory=True)
    result = subprocess.run(
        [sys.executable, "-m", "streaming.flink.submit", "--explain", *JOBS],
        env=os.environ | {"CRYPTO_HOME": str(home)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not Path(home / "flink" / "checkpoints").exists()
    texts = result.stdout.split("== Abstract Syntax Tree ==")[1:]
    return dict(zip(JOBS, texts, strict=True))


def test_the_watermark_is_made_in_the_source_for_each_partition(plans: dict[str, str]) -> None:
    optimized = plans[BARS.key].partition("== Optimized Execution Plan ==")[2]
    assert "watermark=[" in optimized
    assert "idletimeout=[15000]" in optimized.replace(" ", "").lower()
    assert "WatermarkAssigner" not in optimized


def test_trades_are_counted_once_within_their_window(plans: dict[str, str]) -> None:
    optimized = plans[BARS.key].partition("== Optimized Execution Plan ==")[2]
    assert "WindowAggregate(groupBy=[exchange, pair, simulated, trade_block]" in optimized
    assert "LocalWindowAggregate" not in optimized


def test_the_trades_of_a_minute_are_taken_from_their_blocks_once_for_all_lengths(
    plans: dict[str, str],
) -> None:
    optimized = plans[BARS.key].partition("== Optimized Execution Plan ==")[2]
    assert optimized.count("Correlate(") == 1
    assert optimized.count("window=[TUMBLE(time_col=[row_time], size=[1 h])]") == 1


def test_the_first_copy_passes_at_once_and_is_never_taken_back(plans: dict[str, str]) -> None:
    optimized = plans[TICK.key].partition("== Optimized Execution Plan ==")[2]
    assert optimized.count("(w0$o15 = 1)") == 2
    assert "Deduplicate(" not in optimized
    assert "ChangelogNormalize" not in optimized


def test_what_several_outputs_share_is_computed_once(plans: dict[str, str]) -> None:
    optimized = plans[TICK.key].partition("== Optimized Execution Plan ==")[2]
    assert optimized.count("price is zero") == 1
    assert optimized.count("PERCENTILE(sampled_return") == 1
    assert optimized.count("LAST_VALUE(new_bid)") == 1


def test_rules_go_by_arrival_and_wait_for_no_watermark(plans: dict[str, str]) -> None:
    optimized = plans[TICK.key].partition("== Optimized Execution Plan ==")[2]
    assert "rowtime" not in optimized.lower()
    assert "time_col=[seen]" in optimized


def test_the_login_modules_that_the_sql_names_are_in_the_connector(plans: dict[str, str]) -> None:
    assert plans
    (jar,) = (REPOSITORY / ".local" / "jars" / "flink").glob("flink-sql-connector-kafka-*.jar")
    with zipfile.ZipFile(jar) as archive:
        inside = set(archive.namelist())
    for mechanism in ("PLAIN", "SCRAM-SHA-512"):
        config = {"sasl.mechanism": mechanism, "sasl.username": "u", "sasl.password": "p"}
        name = rendering.java_properties(config)["sasl.jaas.config"].partition(" ")[0]
        assert f"{name.replace('.', '/')}.class" in inside


def test_each_topic_is_parsed_once_by_the_tick_job(plans: dict[str, str]) -> None:
    optimized = plans[TICK.key].partition("== Optimized Execution Plan ==")[2]
    assert optimized.count("TableSourceScan") == 3
