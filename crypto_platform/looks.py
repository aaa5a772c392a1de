"""A look: one question about the platform, asked by a sensor every minute and by a check on demand.

What belongs here: how findings become Dagster's events, and the pair of sensor and check. What does not: any
question (`defs/<domain>/looks.py`) or verdict (`watch`).

The sensor reports a change at once and otherwise a slow heartbeat (`watch/reporting.py`). The check of the
same name stands in the interface and can be run by hand; the sensor feeds it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import time
from typing import Any, Final

import dagster as dg

from crypto_platform.watch import reporting
from crypto_platform.watch.findings import Finding

PACE: Final = reporting.Pace()

Context = dg.SensorEvaluationContext | dg.AssetCheckExecutionContext


@dataclass(frozen=True)
class Look:
    """One question.

    Args:
        name: of its sensor, without `_sensor`: the condition it watches for.
        check: of its check: the sentence that is true when all is well.
        meaning: what the check says, in a sentence.
        assets: which assets it judges.
        resources: what it asks.
        ask: asks, within a few seconds, and returns a finding for each asset that has one.
        interval_s: how often the sensor asks.
        severity: WARN for what is worth knowing and not worth an alert.
    """

    name: str
    check: str
    meaning: str
    assets: Sequence[dg.AssetKey]
    resources: frozenset[str]
    ask: Callable[[Context], list[Finding]]
    interval_s: int = 60
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR


def sensor_of(look: Look) -> dg.SensorDefinition:
    """The sensor that asks by itself."""

    @dg.sensor(
        name=f"{look.name}_sensor",
        minimum_interval_seconds=look.interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys=set(look.resources),
        description=f"{look.meaning} Reports a change at once and a heartbeat every half hour.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        findings = {finding.asset: finding for finding in look.ask(context)}
        now_s = time()
        states = {asset: finding.state for asset, finding in findings.items()}
        due, memory = reporting.states_due(reporting.remember(context.cursor), states, now_s, PACE)
        events: list[Any] = []
        for asset in sorted(due):
            finding = findings[asset]
            events.append(dg.AssetCheckEvaluation(**evaluation(look, finding)))
            # Dagster plots the numbers of observations, not those of checks.
            events.append(
                dg.AssetObservation(
                    dg.AssetKey.from_user_string(asset),
                    description=finding.sentence,
                    metadata=dict(finding.numbers),
                )
            )
        said = [finding.sentence for finding in findings.values() if not finding.ok]
        return dg.SensorResult(
            asset_events=events,
            cursor=reporting.write_cursor(memory),
            skip_reason=dg.SkipReason(" ".join(said) or f"All is well with {len(findings)} of them."),
        )

    return sensor


def check_of(look: Look) -> dg.AssetChecksDefinition:
    """The check that asks when somebody wants to know."""

    @dg.multi_asset_check(
        name=look.name,
        specs=[dg.AssetCheckSpec(look.check, asset=asset, description=look.meaning) for asset in look.assets],
        can_subset=True,
        required_resource_keys=set(look.resources),
    )
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        findings = {finding.asset: finding for finding in look.ask(context)}
        for key in context.selected_asset_check_keys:
            finding = findings.get(key.asset_key.to_user_string())
            if finding is None:
                yield dg.AssetCheckResult(
                    asset_key=key.asset_key,
                    check_name=key.name,
                    passed=True,
                    description="There is nothing to judge yet.",
                )
            else:
                yield dg.AssetCheckResult(**evaluation(look, finding))

    return check


def evaluation(look: Look, finding: Finding) -> dict[str, Any]:
    """The fields that a check's result and a sensor's evaluation have in common."""
    return {
        "asset_key": dg.AssetKey.from_user_string(finding.asset),
        "check_name": look.check,
        "passed": finding.ok,
        "severity": look.severity,
        "description": finding.sentence,
        "metadata": dict(finding.numbers),
    }
