"""A person at Dagster's web page, by GraphQL: launches jobs and looks at runs.

What belongs here: requests and waiting. What does not: assertions about the platform.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

LOCATION: Final = {"repositoryName": "__repository__", "repositoryLocationName": "crypto_platform"}
FINISHED: Final = frozenset({"SUCCESS", "FAILURE", "CANCELED"})

_LAUNCH = """
mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
_RUNS = """
query ($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 500) {
  ... on Runs { results { runId jobName status startTime tags { key value } } } } }
"""
_SENSOR = """
query ($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) {
  ... on Sensor { sensorState { ticks(limit: 50) {
    timestamp status cursor skipReason error { message } } } } } }
"""


@dataclass(frozen=True)
class Run:
    """One run of the list."""

    id: str
    job: str
    status: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Dagster:
    """The web interface at `url`."""

    url: str

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of one query; an error of GraphQL fails the test."""
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.url}/graphql", json=body, timeout=30, trust_env=False).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def runs(self, **filters: Any) -> list[Run]:
        """Runs, the youngest first; `filters` as GraphQL's RunsFilter has them."""
        found = self.ask(_RUNS, filter=filters)["runsOrError"]["results"]
        return [
            Run(one["runId"], one["jobName"], one["status"], {t["key"]: t["value"] for t in one["tags"]})
            for one in found
        ]

    def launch(self, job: str, *, config: Mapping[str, Any] | None = None, **tags: str) -> str:
        """Start a job and return its run's id."""
        params = {
            "selector": LOCATION | {"pipelineName": job},
            "runConfigData": config or {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        launched = self.ask(_LAUNCH, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def wait_for(self, run_id: str, timeout_s: float = 120) -> str:
        """The status with which a run ends."""
        deadline = time.monotonic() + timeout_s
        while (run := self.runs(runIds=[run_id])[0]).status not in FINISHED:
            assert time.monotonic() < deadline, f"{run.job} is {run.status} after {timeout_s} s"
            time.sleep(1)
        return run.status

    def ticks(self, sensor: str) -> list[dict[str, Any]]:
        """The latest ticks of a sensor, the youngest first."""
        found = self.ask(_SENSOR, selector=LOCATION | {"sensorName": sensor})
        ticks: list[dict[str, Any]] = found["sensorOrError"]["sensorState"]["ticks"]
        return ticks
