"""The compose file as the tests read it: parsed, anchors merged, `${NAME:-default}` replaced by the default.

What belongs here: reading. What does not: what must hold of it (`tests/unit/docker`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
COMPOSE = REPOSITORY / "infra" / "docker" / "compose.yaml"
PLATFORM_IMAGE = "crypto-platform:"
INTERPOLATED = re.compile(r"\$\{(\w+):-([^}]*)\}")


def read(path: Path = COMPOSE) -> dict[str, Any]:
    """The file, with the defaults of what it takes from the environment."""
    found: dict[str, Any] = yaml.safe_load(INTERPOLATED.sub(r"\2", path.read_text(encoding="utf-8")))
    return found


def services() -> dict[str, dict[str, Any]]:
    """Every service by its name."""
    found: dict[str, dict[str, Any]] = read()["services"]
    return found


def environment(service: dict[str, Any]) -> dict[str, str]:
    """What a service is given, as text."""
    given = service.get("environment", {})
    return {name: "" if value is None else str(value) for name, value in given.items()}


def is_ours(service: dict[str, Any]) -> bool:
    """Whether it runs the platform's own image."""
    return str(service["image"]).startswith(PLATFORM_IMAGE)


def published() -> dict[int, str]:
    """Each published port and its service. Fails on a port that is not of the form 127.0.0.1:port:port."""
    ports: dict[int, str] = {}
    for name, service in services().items():
        for entry in service.get("ports", ()):
            address, outside, inside = str(entry).split(":")
            assert (address, outside) == ("127.0.0.1", inside), f"{name} publishes {entry}"
            assert int(outside) not in ports, f"{name} and {ports[int(outside)]} publish {outside}"
            ports[int(outside)] = name
    return ports
