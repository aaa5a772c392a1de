"""The daily clean-up of Dagster's own storage.

What belongs here: the job and its schedule. What does not: files and limits (`crypto_platform.housekeeping`).
"""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from crypto_platform import housekeeping
from crypto_platform.housekeeping import BATCH, KEPT_FAILURES, KEPT_RUNS, Reclaimed


class Retention(dg.Config):
    """How many days finished runs are kept."""

    days: float = KEPT_RUNS.total_seconds() / 86_400
    failure_days: float = KEPT_FAILURES.total_seconds() / 86_400


@dg.op(out=dg.Out(dg.Nothing))
def delete_old_runs(context: dg.OpExecutionContext, config: Retention) -> None:
    """Delete finished runs that are older than the limits, with their files, oldest first."""
    now = datetime.now(UTC).timestamp()
    limits = (
        ([dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED], config.days),
        ([dg.DagsterRunStatus.FAILURE], config.failure_days),
    )
    deleted, reclaimed = 0, Reclaimed(0, 0)
    for statuses, days in limits:
        before = datetime.fromtimestamp(now - days * 86_400, UTC)
        filters = dg.RunsFilter(statuses=statuses, updated_before=before)
        while found := context.instance.get_run_records(filters, limit=BATCH, ascending=True):
            for record in found:
                run_id = record.dagster_run.run_id
                context.instance.delete_run(run_id)
                reclaimed += housekeeping.remove_run_files(_storage_folder(context.instance), run_id)
                deleted += 1
    context.add_output_metadata(
        {"runs_deleted": deleted, "files_removed": reclaimed.files, "bytes_reclaimed": reclaimed.bytes}
    )
    context.log.info(f"Deleted {deleted} runs, {reclaimed.files} files, {reclaimed.bytes} bytes.")


def _storage_folder(instance: dg.DagsterInstance) -> Path:
    """The folder of the local storage; the instance's root when runs are in a database server."""
    return Path(instance.root_directory) / "storage"


@dg.job(
    description="Deletes old runs of Dagster's own storage and what they leave on disk.",
    executor_def=dg.in_process_executor,
    tags={"layer": "control"},
)
def clean_up_instance_job() -> None:
    delete_old_runs()


clean_up_instance_schedule = dg.ScheduleDefinition(
    name="clean_up_instance_schedule",
    job=clean_up_instance_job,
    cron_schedule="23 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Daily, when little trades.",
)
