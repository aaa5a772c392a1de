"""Which metrics the monitoring files name, and which a running platform serves.

What belongs here: reading expressions and scraping. What does not: assertions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from streaming.settings import LOOPBACK, Ports

FOLDER = Path(__file__).parents[1] / "infra" / "monitoring"
OF_PROMETHEUS_ITSELF = frozenset({"up"})

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_MATCHERS = re.compile(r"\{[^}]*\}")
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_DURATION = re.compile(r"\[[^\]]*\]")
_NAME_OR_CALL = re.compile(r"(?<![\w.])([a-zA-Z_:][a-zA-Z0-9_:]*)(\s*\()?")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset"})


def names_in(expression: str) -> set[str]:
    """The metrics that a PromQL expression names."""
    for noise in (_STRING, _MATCHERS, _GROUPING, _DURATION):
        expression = noise.sub(" ", expression)
    found = _NAME_OR_CALL.findall(expression)
    return {name for name, call in found if not call and name not in _WORDS}


def rules() -> list[dict[str, Any]]:
    """Every alert."""
    document = yaml.safe_load((FOLDER / "rules.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboards() -> dict[str, dict[str, Any]]:
    """Every Grafana dashboard, by its file's name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("grafana/*.json")}


def expressions() -> dict[str, str]:
    """Every expression by where it stands."""
    found = {f"rules.yml: {rule['alert']}": rule["expr"] for rule in rules()}
    for name, board in dashboards().items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                found[f"{name}.json: {panel['title']} {target['refId']}"] = target["expr"]
    return found


def targets(ports: Ports) -> dict[str, list[int]]:
    """The ports of each job of prometheus.yml, moved by the offset of `ports`."""
    document = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    return {
        job["job_name"]: [
            int(target.rpartition(":")[2]) + ports.offset
            for static in job["static_configs"]
            for target in static["targets"]
        ]
        for job in document["scrape_configs"]
    }


def scraped(ports: Ports, jobs: Iterable[str]) -> dict[str, set[str]]:
    """The names of the samples that the targets of each job serve."""
    served: dict[str, set[str]] = {}
    for job in jobs:
        for port in targets(ports)[job]:
            answer = httpx.get(f"http://{LOOPBACK}:{port}/metrics", timeout=10)
            assert answer.status_code == 200, (job, port)
            names = served.setdefault(job, set())
            for family in text_string_to_metric_families(answer.text):
                # One that counts what has not happened yet has labels but no sample.
                names.add(f"{family.name}_total" if family.type == "counter" else family.name)
                names.update(sample.name for sample in family.samples)
    return served
