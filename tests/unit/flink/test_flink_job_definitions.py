"""What makes two jobs different, and what makes one outdated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streaming import settings as settings_module
from streaming.flink import jobs
from streaming.flink.jobs import BARS, TICK


def test_the_fingerprint_stays_when_nothing_changes() -> None:
    first, second = (jobs.fingerprint(TICK, settings_module.load({}), 5) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("environment", "partitions", "interval_ms"),
    [
        ({"KAFKA_BOOTSTRAP_SERVERS": "other:9092"}, 5, 10_000),
        ({}, 6, 10_000),
        ({}, 5, 5_000),
    ],
    ids=["brokers", "partitions", "checkpoints"],
)
def test_the_fingerprint_changes_with(environment: dict[str, str], partitions: int, interval_ms: int) -> None:
    before = jobs.fingerprint(TICK, settings_module.load({}), 5)
    changed = replace(TICK, checkpoint_interval_ms=interval_ms)
    assert jobs.fingerprint(changed, settings_module.load(environment), partitions) != before


def test_the_jobs_share_neither_state_nor_transactions(tmp_path: Path) -> None:
    settings = settings_module.load({}, home=tmp_path)
    assert jobs.checkpoint_folder(settings, TICK) != jobs.checkpoint_folder(settings, BARS)
    assert jobs.savepoint_folder(settings, TICK) != jobs.savepoint_folder(settings, BARS)
    assert TICK.name != BARS.name


def test_another_version_of_the_state_is_kept_elsewhere(tmp_path: Path) -> None:
    settings = settings_module.load({}, home=tmp_path)
    next_version = replace(BARS, state_version=BARS.state_version + 1)
    assert jobs.checkpoint_folder(settings, next_version) != jobs.checkpoint_folder(settings, BARS)
    assert jobs.savepoint_folder(settings, next_version) != jobs.savepoint_folder(settings, BARS)


def test_only_the_bars_pay_for_exactly_once() -> None:
    settings = settings_module.load({})
    modes = [jobs.configuration(job, settings)["execution.checkpointing.mode"] for job in (TICK, BARS)]
    assert modes == ["AT_LEAST_ONCE", "EXACTLY_ONCE"]


def test_only_sources_of_what_others_wrote_pass_over_what_they_cannot_parse(tmp_path: Path) -> None:
    """Such a source passes over the errors of its task's operators too: only checks may follow it."""
    settings = settings_module.load({"CRYPTO_HOME": str(tmp_path)})
    lenient = {
        (job.key, text.partition("TABLE ")[2].partition(" ")[0])
        for job in jobs.JOBS.values()
        for text in jobs.statements(job, settings, 5)
        if "ignore-parse-errors" in text.partition("CREATE ")[2]
    }
    assert lenient == {("tick", "trades"), ("tick", "tickers")}
