"""Keeps what runs as it should be.

What belongs here: requesting repairs. What does not: the rule (`control/reconcile.py`, `watch/growth.py`),
the repair (`defs/control/jobs.py`).
"""

from time import time
from typing import Final

import dagster as dg

from crypto_platform.control import desired, reconcile
from crypto_platform.control.managed import (
    FlinkClusterResource,
    LoaderResource,
    ManagedResource,
    ProducerResource,
)
from crypto_platform.control.reconcile import Repair
from crypto_platform.control.status import COMPONENTS
from crypto_platform.defs.control.jobs import (
    COMPONENT_TAG,
    RepairRequest,
    repair_component,
    repair_component_job,
)
from crypto_platform.defs.flink.resources import FlinkJobResource
from crypto_platform.defs.topics.resources import KafkaClusterResource
from crypto_platform.defs.warehouse.resources import SnowflakeResource
from crypto_platform.watch import growth, lag
from streaming import topics
from streaming.errors import PlatformError

UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def in_progress(instance: dg.DagsterInstance, component: str) -> bool:
    """Whether a run is just now changing the component."""
    filters = dg.RunsFilter(tags={COMPONENT_TAG: component}, statuses=UNFINISHED)
    return bool(instance.get_run_records(filters, limit=1))


def request(repair: Repair, *, recover: bool) -> dg.RunRequest:
    """The run that a repair is."""
    config = RepairRequest(component=repair.component, reason=repair.reason, recover=recover)
    return dg.RunRequest(
        run_key=repair.key,
        run_config=dg.RunConfig({repair_component.name: config}),
        tags={COMPONENT_TAG: repair.component, "reason": repair.reason[:200], "attempt": str(repair.attempt)},
    )


@dg.sensor(
    name="components_reconcile_sensor",
    job=repair_component_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Compares what runs with what should run and requests a repair for each difference, with "
    "growing pauses. What somebody has stopped stays stopped.",
)
def components_reconcile_sensor(
    context: dg.SensorEvaluationContext,
    kafka: KafkaClusterResource,
    warehouse: SnowflakeResource,
    flink_cluster: FlinkClusterResource,
    flink_jobs: FlinkJobResource,
    loader: LoaderResource,
    producer: ProducerResource,
) -> dg.SensorResult:
    """One look at every component; a component that a run is changing is left alone."""
    resources: dict[str, ManagedResource] = dict(
        zip(COMPONENTS, (kafka, warehouse, flink_cluster, flink_jobs, loader, producer), strict=True)
    )
    now_s = time()
    memory = reconcile.remember(context.cursor)
    components, requests, states = dict(memory.components), [], []
    for component in COMPONENTS:
        resource = resources[component]
        if in_progress(context.instance, component):
            states.append(f"{component} is being changed")
            continue
        status = resource.status()
        wedged = _wedged(resource, now_s) if status.running else ""
        wish = desired.read(context.instance.daemon_cursor_storage, component)
        known = components.get(component, reconcile.Known())
        repair, components[component] = reconcile.decide(wish, status, wedged, known, now_s)
        if repair is not None:
            requests.append(request(repair, recover=bool(wedged)))
        states.append(f"{component} {status.state}{' (wedged)' if wedged else ''}")
    return dg.SensorResult(
        run_requests=requests,
        cursor=reconcile.write_cursor(reconcile.Memory(components=components)),
        skip_reason=None if requests else dg.SkipReason(", ".join(states)),
    )


def _wedged(resource: ManagedResource, now_s: float) -> str:
    try:
        return resource.wedged(now_s)
    except PlatformError:
        # Who cannot be asked is not judged here; its own sensor says so.
        return ""


@dg.sensor(
    name="loader_lag_growing_sensor",
    job=repair_component_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Follows the loader's lag over several looks. One that keeps growing restarts the loader "
    "once; if that does not help, the check on its trades fails and an alert follows.",
)
def loader_lag_growing_sensor(
    context: dg.SensorEvaluationContext, kafka: KafkaClusterResource, warehouse: SnowflakeResource
) -> dg.SensorResult:
    """One look at the clean trades, which are the bulk of what the loader reads."""
    ends = kafka.end_offsets([topics.CLEAN_TRADES])
    lags = lag.lag_by_topic(ends, warehouse.loaded_offsets())
    behind = lags[topics.CLEAN_TRADES].lag_messages if lags else 0
    now_s = time()
    verdict, trend = growth.judge(growth.remember(context.cursor), behind, now_s)
    repairs = []
    if verdict == "restart" and not in_progress(context.instance, "loader"):
        key = f"repair loader lag {trend.restarted_at_s:.0f}"
        repairs.append(request(Repair("loader", key, growth.explain(trend), 1), recover=True))
    return dg.SensorResult(
        run_requests=repairs,
        asset_events=growth_events(
            verdict, trend, changed=context.cursor is None or verdict in ("give_up", "calm_again")
        ),
        cursor=growth.write_cursor(trend),
        skip_reason=None if repairs else dg.SkipReason(growth.explain(trend)),
    )


def growth_events(
    verdict: growth.Verdict, trend: growth.Trend, *, changed: bool
) -> list[dg.AssetCheckEvaluation]:
    """The evaluation of the check that fails when a restart has not helped, on a change only."""
    from crypto_platform.defs.control.checks import LAG_SHRINKS, TRADES

    if not changed:
        return []
    return [
        dg.AssetCheckEvaluation(
            asset_key=TRADES,
            check_name=LAG_SHRINKS,
            passed=verdict != "give_up",
            description=growth.explain(trend),
            metadata={"lag_messages": trend.lags[-1]},
        )
    ]
