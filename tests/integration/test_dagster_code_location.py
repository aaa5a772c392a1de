"""The code location as Dagster's own commands see it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DEPRECATED = re.compile(r"DeprecationWarning: ((?:Function|Class|Property|Parameter|Argument|Method) \S+)")
"""How Dagster words its deprecations; other libraries' are not ours to judge."""

DAGSTERS_OWN = "Property `ScheduleDefinition.environment_vars`"
"""Dagster reads it itself whenever it describes any schedule."""

REPOSITORY = Path(__file__).parents[2]


def run(*command: str, home: Path) -> subprocess.CompletedProcess[str]:
    scripts = str(Path(sys.executable).parent)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("CRYPTO_", "DAGSTER_"))},
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": sys.prefix,
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    return subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=180, check=False
    )


@pytest.mark.stack
def test_the_workspace_validates_without_a_deprecation_warning(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").touch()
    result = run(
        *(sys.executable, "-W", "always::DeprecationWarning"),
        *("-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"),
        home=tmp_path,
    )
    printed = result.stdout + result.stderr
    assert result.returncode == 0, printed
    assert "All code locations passed validation" in printed
    assert set(DEPRECATED.findall(printed)) <= {DAGSTERS_OWN}


@pytest.mark.stack
def test_dg_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").touch()
    result = run("dg", "check", "defs", home=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "All definitions loaded successfully" in result.stdout
    assert "Deprecat" not in result.stdout + result.stderr
