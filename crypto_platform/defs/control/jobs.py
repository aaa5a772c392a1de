"""Starting, stopping, restarting and repairing the components.

What belongs here: the jobs. What does not: how a component is started (`control/backends.py`), when a repair
is requested (`defs/control/sensors.py`), what it does (`control/repair.py`).

A start or stop job writes down what should be, so that the reconciliation keeps it so: what a person has
stopped stays stopped. Its run is the audit trail, with the reason given in its configuration.
"""

from collections.abc import Callable
from time import time
from typing import Final

import dagster as dg

from crypto_platform.control import desired, repair
from crypto_platform.control.desired import Change, Wish
from crypto_platform.control.managed import ManagedResource
from crypto_platform.control.status import COMPONENTS, Status
from streaming.errors import PlatformError

COMPONENT_TAG: Final = "crypto_platform/component"
CONTROL_POOL: Final = "control"
"""Its limit is the instance's; that two runs do not change one component at once is the sensor's care."""


class Reason(dg.Config):
    """Why somebody asks for it; it is kept with the wish."""

    reason: str = ""


class RepairRequest(dg.Config):
    """What to repair and why. `recover`: it runs and is wedged, so that running is not enough."""

    component: str
    reason: str
    recover: bool = False


def _numbers(status: Status) -> dict[str, str]:
    shown = {"state": status.state, "incarnation": status.incarnation, "detail": status.detail}
    return {name: value for name, value in shown.items() if value}


def _failure(context: dg.OpExecutionContext, component: str, error: PlatformError) -> dg.Failure:
    return dg.Failure(f"{component}: {error}", metadata={"component": component}, allow_retries=False)


def _resource(context: dg.OpExecutionContext, component: str) -> ManagedResource:
    found = getattr(context.resources, component)
    assert isinstance(found, ManagedResource)
    return found


def _note(
    context: dg.OpExecutionContext, component: str, wish: Wish, action: str, reason: str, incarnation: str
) -> None:
    storage = context.instance.daemon_cursor_storage
    change = Change(action, time(), context.run.run_id, reason, incarnation)
    desired.write(storage, component, desired.read(storage, component).changed(wish, change))


def control_job(component: str, action: str, wish: Wish, meaning: str) -> dg.JobDefinition:
    """The job that does `action` to `component` and notes that it should be so."""

    @dg.op(
        name=f"{action}_{component}",
        required_resource_keys={component},
        pool=CONTROL_POOL,
        out=dg.Out(dg.Nothing),
    )
    def act(context: dg.OpExecutionContext, config: Reason) -> None:
        resource = _resource(context, component)
        steps: dict[str, Callable[[], Status]] = {
            "start": resource.start,
            "stop": resource.stop,
            "restart": resource.restart,
        }
        _note(context, component, wish, action, config.reason, "")
        try:
            status = steps[action]()
        except PlatformError as error:
            raise _failure(context, component, error) from error
        _note(context, component, wish, f"{action} done", config.reason, status.incarnation)
        context.log.info(f"{component} is {status.state}. {status.detail}".strip())
        context.add_output_metadata(_numbers(status))

    @dg.job(
        name=f"{action}_{component}_job",
        description=meaning,
        executor_def=dg.in_process_executor,
        tags={"layer": "control", COMPONENT_TAG: component},
    )
    def control() -> None:
        act()

    return control


MEANINGS: Final[tuple[tuple[str, Wish, str], ...]] = (
    ("start", "running", "Starts the {} and notes that it should run; one that runs is left alone."),
    ("stop", "stopped", "Stops the {} in good order and notes that it should stay stopped."),
    ("restart", "running", "Stops the {} in good order and starts it, and notes that it should run."),
)

control_jobs = [
    control_job(component, action, wish, meaning.format(component.replace("_", " ")))
    for component in COMPONENTS
    for action, wish, meaning in MEANINGS
]


@dg.op(required_resource_keys=set(COMPONENTS), pool=CONTROL_POOL, out=dg.Out(dg.Nothing))
def repair_component(context: dg.OpExecutionContext, config: RepairRequest) -> None:
    """Look again and do the least that helps; an episode that is over by itself is only recorded."""
    component = config.component
    storage = context.instance.daemon_cursor_storage
    wish = desired.read(storage, component).wish
    try:
        outcome = repair.carry_out(_resource(context, component), wish, recover=config.recover)
    except PlatformError as error:
        raise _failure(context, component, error) from error
    _note(context, component, wish, f"repair: {outcome.action}", config.reason, outcome.after.incarnation)
    context.log.info(f"{config.reason} Done: {outcome.action}; {component} is {outcome.after.state}.")
    context.add_output_metadata(
        {
            "action": outcome.action,
            "reason": config.reason,
            "before": outcome.before.state,
            **_numbers(outcome.after),
        }
    )
    if wish == "running" and outcome.after.state not in ("running", "stopped"):
        raise dg.Failure(
            f"{component} is still {outcome.after.state}: {outcome.after.detail}", allow_retries=False
        )


@dg.job(
    description="Brings one component to the state it should have. It looks again first: what has healed by "
    "itself is left alone.",
    executor_def=dg.in_process_executor,
    tags={"layer": "control"},
)
def repair_component_job() -> None:
    repair_component()
