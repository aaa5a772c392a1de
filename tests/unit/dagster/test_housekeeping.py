"""Old runs go, with what Dagster leaves of them on disk; young ones and failures stay longer."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from crypto_platform import housekeeping
from crypto_platform.defs.housekeeping.jobs import Retention, clean_up_instance_job
from infra.local import dagster as local_dagster
from streaming import settings


@dg.op(config_schema=bool)
def step(context: dg.OpExecutionContext) -> None:
    if context.op_config:
        raise dg.Failure("On purpose.", allow_retries=False)


@dg.job
def some_job() -> None:
    step()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    folder = local_dagster.write_instance(settings.load({}, home=tmp_path))
    with dg.DagsterInstance.from_config(os.fspath(folder)) as found:
        yield found


def run(instance: dg.DagsterInstance, *, fails: bool = False) -> str:
    config = {"ops": {"step": {"config": fails}}}
    return some_job.execute_in_process(config, instance=instance, raise_on_error=False).run_id


def clean_up(instance: dg.DagsterInstance, days: float, failure_days: float) -> dict[str, object]:
    config = dg.RunConfig({"delete_old_runs": Retention(days=days, failure_days=failure_days)})
    result = clean_up_instance_job.execute_in_process(config, instance=instance)
    (output,) = [event for event in result.all_events if event.is_successful_output]
    metadata = output.step_output_data.metadata
    return {name: value.value for name, value in metadata.items()}


def files_of(folder: Path, run_id: str) -> list[Path]:
    return [path for path in folder.rglob("*") if run_id in path.name]


def test_an_old_run_goes_with_its_files(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = run(instance)
    assert files_of(tmp_path, run_id)
    said = clean_up(instance, days=0, failure_days=0)
    assert instance.get_run_by_id(run_id) is None
    assert files_of(tmp_path, run_id) == []
    assert said["runs_deleted"] == 1
    assert isinstance(said["bytes_reclaimed"], int)
    assert said["bytes_reclaimed"] > 50_000


def test_a_young_run_and_a_failure_stay(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    good, bad = run(instance), run(instance, fails=True)
    assert clean_up(instance, days=1, failure_days=0)["runs_deleted"] == 1
    assert instance.get_run_by_id(good) is not None
    assert instance.get_run_by_id(bad) is None
    assert files_of(tmp_path, good)


def test_the_run_that_cleans_up_does_not_delete_itself(instance: dg.DagsterInstance) -> None:
    clean_up(instance, days=0, failure_days=0)
    (left,) = instance.get_runs()
    assert left.job_name == "clean_up_instance_job"


def test_a_folder_of_a_run_is_counted_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "storage" / "some-run"
    folder.mkdir(parents=True)
    (folder / "log").write_bytes(b"x" * 1000)
    (tmp_path / "storage" / "other-run").mkdir()
    assert housekeeping.remove_run_files(tmp_path, "some-run") == housekeeping.Reclaimed(1, 1000)
    assert not folder.exists()
    assert (tmp_path / "storage" / "other-run").exists()
    assert housekeeping.remove_run_files(tmp_path, "some-run") == housekeeping.Reclaimed(0, 0)
