"""The back-end over a real supervisor, with small processes in the places of the platform's."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from crypto_platform.control import reconcile
from crypto_platform.control.backends import Supervised
from crypto_platform.control.desired import Desired
from crypto_platform.control.reconcile import Known
from crypto_platform.control.status import ControlError, Status
from infra.local.ports import is_open
from infra.local.services import Service
from infra.local.stack import Stack
from streaming import settings as settings_module

pytestmark = pytest.mark.stack


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server(name: str) -> Service:
    """A service that listens on a port of its own and is ready when that is open."""
    port = free_port()
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    return Service(name, command, ready=lambda: is_open(port), ready_within_s=30)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    home: Path = tmp_path_factory.mktemp("supervised")
    settings = settings_module.load({"CRYPTO_HOME": str(home / "home"), "CRYPTO_SOURCE": "sim"})
    loader, one, two = server("loader"), server("producer-okx"), server("producer-kraken")
    stack = Stack(settings, [loader, one, two])
    try:
        stack.up()
        yield Supervised(stack.supervisor, {"loader": [loader], "producer": [one, two]})
    finally:
        stack.down()


@pytest.fixture(autouse=True)
def all_run(backend: Supervised) -> None:
    for component in ("loader", "producer"):
        backend.start(component, 30)


def await_that(condition: Callable[[], bool], timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.1)


def test_what_runs_has_a_life_that_lasts(backend: Supervised) -> None:
    first = backend.status("producer")
    assert first.running
    assert "producer-okx:" in first.incarnation
    assert "producer-kraken:" in first.incarnation
    assert backend.status("producer").incarnation == first.incarnation


def test_a_stop_is_seen_as_somebodys_wish_and_a_start_gives_another_life(backend: Supervised) -> None:
    before = backend.status("loader")
    backend.stop("loader", 10)
    assert backend.status("loader").state == "stopped"
    repair, _ = reconcile.decide(Desired(), backend.status("loader"), "", Known(before.incarnation), 0)
    assert repair is None
    backend.start("loader", 30)
    after = backend.status("loader")
    assert after.running
    assert after.incarnation != before.incarnation


def test_a_killed_process_comes_back_in_another_life_that_asks_for_one_repair(backend: Supervised) -> None:
    known, now_s, repairs = Known(), 1000.0, []

    def look() -> Status:
        nonlocal known, now_s
        now_s += 5
        status = backend.status("producer")
        repair, known = reconcile.decide(Desired(), status, "", known, now_s)
        repairs.extend([repair] if repair else [])
        return status

    await_that(lambda: look().running and bool(known.incarnation))
    before = look()
    (victim,) = [name for name in before.incarnation.split() if name.startswith("producer-okx")]
    psutil.Process(int(victim.partition(":")[2].partition("@")[0])).kill()
    # One look for both: a second one may find it starting, which has no life and asks for nothing.
    await_that(lambda: look().incarnation not in ("", before.incarnation))
    for _ in range(10):
        look()
    assert len(repairs) == 1


def test_half_a_component_counts_as_what_is_wrong_with_it(backend: Supervised) -> None:
    backend.supervisor.stop("producer-okx")
    assert backend.status("producer").state == "stopped"
    backend.start("producer", 30)
    assert backend.status("producer").running


def test_a_start_that_does_not_become_ready_names_its_log(backend: Supervised) -> None:
    deaf = Service("loader", (), ready=lambda: False)
    broken = Supervised(backend.supervisor, {"loader": [deaf]})
    with pytest.raises(ControlError, match="loader is not ready after 1 s"):
        broken.start("loader", 1)


def test_a_supervisor_that_is_gone_is_not_known_about(tmp_path: Path) -> None:
    from infra.local.supervision import Supervisor

    gone = Supervised(Supervisor(tmp_path), {"loader": [server("loader")]})
    assert gone.status("loader").state == "unknown"
    assert reconcile.decide(Desired(), gone.status("loader"), "", Known("life"), 0)[0] is None
