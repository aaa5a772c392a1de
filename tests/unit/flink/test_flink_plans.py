"""When a kept plan fits, and that it is kept whole, alone and for this user only."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streaming import settings as settings_module
from streaming.flink import jobs, plans
from streaming.flink.jobs import BARS, TICK
from streaming.settings import Settings

CONNECTORS = [Path("/jars/flink-sql-connector-kafka-5.0.0.jar")]
TOLD = {"rest.address": "127.0.0.1", "rest.port": "8081"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_module.load({"CRYPTO_HOME": str(tmp_path)})


def path_of(settings: Settings, **changed: Any) -> Path:
    given = {"job": TICK, "partitions": 5, "told": TOLD, "connectors": CONNECTORS} | changed
    return plans.path_of(settings, **given)


def test_the_same_job_has_the_same_plan(settings: Settings) -> None:
    assert path_of(settings) == path_of(settings)


@pytest.mark.parametrize(
    "changed",
    [
        {"job": BARS},
        {"partitions": 6},
        {"told": TOLD | {"rest.port": "8082"}},
        {"connectors": [Path("/jars/flink-sql-connector-kafka-5.0.1.jar")]},
    ],
)
def test_another_job_cluster_or_connector_has_another_plan(
    settings: Settings, changed: dict[str, Any]
) -> None:
    assert path_of(settings, **changed) != path_of(settings)


def another_value(settings: Settings, patch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"anomaly_stale_min_s": 1.5})


def another_statement(settings: Settings, patch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    changed = shutil.copytree(jobs.SQL_FOLDER, tmp_path / "sql")
    with (changed / "21_clean_trades.sql").open("a") as file:
        file.write("-- another comment\n")
    patch.setattr(jobs, "SQL_FOLDER", changed)
    return settings


def another_rule(settings: Settings, patch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    other = tmp_path / "chaining.py"
    other.write_text("# another rule")
    patch.setattr(plans, "PLANNING_CODE", (other, *plans.PLANNING_CODE[1:]))
    return settings


def another_flink(settings: Settings, patch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    patch.setattr(plans.metadata, "version", lambda _: "9.9.9")
    return settings


@pytest.mark.parametrize("change", [another_value, another_statement, another_rule, another_flink])
def test_a_plan_made_of_something_else_does_not_fit(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    change: Callable[[Settings, pytest.MonkeyPatch, Path], Settings],
) -> None:
    before = path_of(settings)
    assert path_of(change(settings, monkeypatch, tmp_path)) != before


def test_a_plan_takes_the_place_of_the_jobs_others(settings: Settings) -> None:
    old, new, of_bars = (
        path_of(settings, partitions=1),
        path_of(settings, partitions=2),
        path_of(settings, job=BARS),
    )
    for path in (old, of_bars, new):
        plans.keep(path, path.name.encode())
    assert sorted(plans.folder(settings).iterdir()) == sorted([new, of_bars])
    assert new.read_bytes() == new.name.encode()


def test_a_plan_is_for_this_user_alone(settings: Settings) -> None:
    plans.keep(path_of(settings), b"a plan")
    assert path_of(settings).stat().st_mode & 0o777 == 0o600
    assert plans.folder(settings).stat().st_mode & 0o777 == 0o700


def test_a_plan_with_a_password_in_it_is_not_kept(settings: Settings, tmp_path: Path) -> None:
    assert plans.may_be_kept(settings)
    secured = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": "reader",
        "KAFKA_SASL_PASSWORD": "not for the disk",
        "KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9092",
    }
    assert not plans.may_be_kept(settings_module.load({"CRYPTO_HOME": str(tmp_path)} | secured))
