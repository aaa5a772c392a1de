"""Prometheus rules and Grafana dashboards as files: well-formed, and about ports that exist.

That every metric they name is served is shown on the running platform: `tests/integration/test_whole_line.py`
and, for Flink's own, `test_flink_metrics.py` beside it.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

from streaming.settings import Ports
from tests import monitoring_names as monitoring


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("up == 0", {"up"}),
        ("time() - max by (pair) (a_total) > 15", {"a_total"}),
        ('sum(rate(a_bucket{le="b", c!~"d|e"}[5m])) / on (x) group_left (y) b', {"a_bucket", "b"}),
        ("histogram_quantile(0.95, sum by (le) (rate(a_bucket[1m]))) > 2 and b", {"a_bucket", "b"}),
        ("a{b='}'} offset 5m", {"a"}),
    ],
)
def test_the_metrics_of_an_expression_are_found(expression: str, names: set[str]) -> None:
    assert monitoring.names_in(expression.replace("'", '"')) == names


def test_every_expression_names_a_metric() -> None:
    found = monitoring.expressions()
    assert len(found) > 50
    assert [where for where, text in found.items() if not monitoring.names_in(text)] == []


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    for rule in monitoring.rules():
        assert set(rule["annotations"]) == {"summary", "remedy"}
        assert rule["labels"]["severity"] in ("page", "warn")
    alerts = [rule["alert"] for rule in monitoring.rules()]
    assert len(alerts) == len(set(alerts))


def test_every_port_is_one_of_the_platform() -> None:
    ports = Ports(0)
    known = {
        *ports.metrics_producers,
        *(ports.metrics_loader, ports.metrics_flink_jobs, ports.dashboard),
        *ports.metrics_flink,
        *ports.metrics_kafka,
    }
    assert {port for some in monitoring.targets(ports).values() for port in some} <= known


def test_a_dashboard_has_panels_that_do_not_overlap() -> None:
    for board in monitoring.dashboards().values():
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(places) == len(set(places))
        assert len({panel["id"] for panel in board["panels"]}) == len(places)


@pytest.mark.parametrize("command", [("check", "rules", "rules.yml"), ("check", "config", "prometheus.yml")])
def test_prometheus_accepts_the_files(command: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian's package prometheus has it)")
    result = subprocess.run(
        [promtool, *command], cwd=monitoring.FOLDER, capture_output=True, text=True, timeout=30, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
