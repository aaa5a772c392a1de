"""What is wrong now, by Dagster's own records.

What belongs here: reading the instance. What does not: which of it is news (`alerting/rule.py`).

All three are levels, not events: the latest finished run of each job, the latest evaluation of each check,
the state of each freshness policy. So a condition clears by itself, and nothing is lost while the daemon is
down.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from crypto_platform.alerting.rule import Condition
from crypto_platform.defs.control.jobs import COMPONENT_TAG

FINISHED: Final = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
RUNS_WITHIN: Final = timedelta(hours=24)


def of_runs(instance: dg.DagsterInstance) -> list[Condition]:
    """Jobs, for the control jobs each component, whose latest finished run failed within a day."""
    since = datetime.now(UTC) - RUNS_WITHIN
    failed = instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since), limit=100
    )
    found: dict[str, Condition] = {}
    for record in failed:
        run = record.dagster_run
        component = run.tags.get(COMPONENT_TAG)
        subject = f"{run.job_name} {component}" if component else run.job_name
        if subject in found:
            continue
        tags = {COMPONENT_TAG: component} if component else {}
        (latest,) = instance.get_run_records(
            dg.RunsFilter(job_name=run.job_name, statuses=FINISHED, tags=tags), limit=1
        )
        if latest.dagster_run.status == dg.DagsterRunStatus.FAILURE:
            reason = run.tags.get("reason", "")
            summary = f"Run {latest.dagster_run.run_id} failed. {reason}".strip()
            found[subject] = Condition(f"run {subject}", "run", "error", subject, summary)
    return list(found.values())


def of_checks(instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]) -> list[Condition]:
    """Checks whose latest evaluation failed. One that could not be made is a failed run."""
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    found = []
    for key, record in records.items():
        subject = f"{key.asset_key.to_user_string()} {key.name}"
        if record.status == AssetCheckExecutionRecordStatus.FAILED:
            entry = record.event
            evaluation = (
                None
                if entry is None or entry.dagster_event is None
                else entry.dagster_event.asset_check_evaluation_data
            )
            warned = evaluation is not None and evaluation.severity == dg.AssetCheckSeverity.WARN
            summary = "" if evaluation is None else evaluation.description or ""
            found.append(
                Condition(f"check {subject}", "check", "warning" if warned else "error", subject, summary)
            )
    return found


def of_freshness(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey]) -> list[Condition]:
    """Assets that their freshness policy calls stale."""
    states = instance.get_freshness_state_records(list(keys))
    return [
        Condition(
            f"freshness {key.to_user_string()}",
            "freshness",
            "error",
            key.to_user_string(),
            "It has not advanced for longer than its freshness policy allows.",
        )
        for key, record in states.items()
        if record.freshness_state == FreshnessState.FAIL
    ]
