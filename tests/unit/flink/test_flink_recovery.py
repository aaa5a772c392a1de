"""Which checkpoint or savepoint a job is restored from, and which folders may go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streaming import settings as settings_module
from streaming.flink import jobs, recovery
from streaming.flink.jobs import BARS, TICK
from streaming.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_module.load({}, home=tmp_path)


def snapshot(folder: Path, age_s: int, *, complete: bool = True) -> Path:
    folder.mkdir(parents=True)
    if complete:
        (folder / "_metadata").write_bytes(b"")
        os.utime(folder / "_metadata", (2_000_000_000 - age_s,) * 2)
    return folder


def test_a_job_without_a_past_starts_afresh(settings: Settings) -> None:
    assert recovery.newest(settings, TICK) is None
    assert recovery.prune(settings, TICK, "a") == []


def test_the_youngest_complete_snapshot_wins_whatever_its_kind(settings: Settings) -> None:
    checkpoints, savepoints = (
        jobs.checkpoint_folder(settings, TICK),
        jobs.savepoint_folder(settings, TICK),
    )
    snapshot(checkpoints / "life-1" / "chk-9", 30)
    wanted = snapshot(savepoints / "savepoint-1", 20)
    snapshot(checkpoints / "life-2" / "chk-1", 10, complete=False)
    snapshot(jobs.checkpoint_folder(settings, BARS) / "life-3" / "chk-1", 0)
    found = recovery.newest(settings, TICK)
    assert found is not None
    assert found.path == wanted
    wanted = snapshot(checkpoints / "life-2" / "chk-2", 5)
    found = recovery.newest(settings, TICK)
    assert found is not None
    assert found.path == wanted


def test_nothing_goes_before_the_running_life_has_a_checkpoint(settings: Settings) -> None:
    checkpoints = jobs.checkpoint_folder(settings, TICK)
    old = snapshot(checkpoints / "old" / "chk-5", 10)
    snapshot(checkpoints / "new" / "chk-1", 5, complete=False)
    assert recovery.prune(settings, TICK, "new") == []
    assert old.exists()


def test_other_lives_and_all_but_two_savepoints_go(settings: Settings) -> None:
    checkpoints, savepoints = (
        jobs.checkpoint_folder(settings, TICK),
        jobs.savepoint_folder(settings, TICK),
    )
    old = snapshot(checkpoints / "old" / "chk-5", 10)
    own = snapshot(checkpoints / "new" / "chk-1", 5)
    kept = [snapshot(savepoints / name, age) for name, age in (("a", 20), ("b", 30))]
    gone = snapshot(savepoints / "c", 40)
    assert recovery.prune(settings, TICK, "new") == [old.parent, gone]
    assert not old.exists()
    assert not gone.exists()
    assert all(path.exists() for path in [own, *kept])
