"""The driver of the local stack on small services of the test's own: order, failure, signals, orphans."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.local import orphans
from infra.local.ports import PortTakenError, PortUse, is_open
from infra.local.services import Service, Step, Task
from infra.local.stack import Progress, Stack, StartError
from streaming import settings as settings_module

FAILING = "print('first line'); raise SystemExit('CRYPTO_X is wrong. Mend it.')"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server(name: str, port: int, after: tuple[str, ...] = ()) -> Service:
    """A service that listens on `port` and is ready when that is open."""
    return Service(
        name=name,
        command=(sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"),
        ready=lambda: is_open(port),
        after=after,
        ports=(PortUse(port, name),),
        ready_within_s=20,
    )


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    made: list[Stack] = []

    def make(*steps: Step) -> Stack:
        settings = settings_module.load({"CRYPTO_HOME": str(tmp_path / "home"), "CRYPTO_SOURCE": "sim"})
        made.append(Stack(settings, steps))
        return made[-1]

    yield make
    for stack in made:
        stack.down()


def await_that(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def test_services_start_in_order_and_none_survives_down(make_stack: Callable[..., Stack]) -> None:
    first, second = free_port(), free_port()
    seen: list[bool] = []
    stack = make_stack(
        server("second", second, after=("between",)),
        Task("between", lambda: seen.append(is_open(first) and not is_open(second)), after=("first",)),
        server("first", first),
    )
    order: list[Progress] = []
    stack.up(order.append)
    assert [step.name for step in order] == ["first", "between", "second"]
    assert seen == [True]
    assert all(state.running for state in stack.states().values())

    stopped: list[Progress] = []
    assert stack.down(stopped.append) == []
    assert [step.name for step in stopped] == ["second", "first"]
    assert not is_open(first)
    assert not is_open(second)
    assert orphans.find(stack.home) == []
    assert not stack.supervisor.socket_folder.exists()


def test_a_service_that_fails_shows_its_last_words_and_takes_the_rest_down(
    make_stack: Callable[..., Stack],
) -> None:
    port = free_port()
    failing = Service(
        name="failing",
        command=(
            sys.executable,
            "-c",
            "print('first line'); raise SystemExit('CRYPTO_X is wrong. Mend it.')",
        ),
        ready=lambda: False,
        after=("healthy",),
    )
    stack = make_stack(server("healthy", port), failing)
    with pytest.raises(StartError, match=r"failing did not start: CRYPTO_X is wrong\. Mend it\.") as caught:
        stack.up()
    assert "first line" in caught.value.tail
    assert not is_open(port)
    assert not stack.is_running()
    assert orphans.find(stack.home) == []


def test_a_task_that_fails_takes_the_rest_down(make_stack: Callable[..., Stack]) -> None:
    port = free_port()

    def refuse() -> None:
        raise StartError("topics", "no.", None, [])

    stack = make_stack(server("healthy", port), Task("topics", refuse, after=("healthy",)))
    with pytest.raises(StartError, match="topics"):
        stack.up()
    assert not is_open(port)


def test_a_taken_port_is_found_before_anything_starts(make_stack: Callable[..., Stack]) -> None:
    ran: list[str] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        stack = make_stack(
            Task("early", lambda: ran.append("early")), server("late", taken, after=("early",))
        )
        with pytest.raises(PortTakenError, match=str(taken)):
            stack.up()
    assert ran == []
    assert not stack.is_running()


@pytest.mark.parametrize("remedy", ["down", "up"])
def test_orphans_of_a_killed_supervisor_are_found_and_removed(
    make_stack: Callable[..., Stack], remedy: str
) -> None:
    port = free_port()
    stack = make_stack(server("survivor", port))
    stack.up()
    orphan = stack.states()["survivor"].pid
    supervisor = int((stack.supervisor.folder / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)
    assert psutil.pid_exists(orphan)
    assert not stack.is_running()

    if remedy == "down":
        assert stack.down() == [orphan]
        assert not is_open(port)
    else:
        stack.up()
        assert stack.states()["survivor"].pid != orphan
    await_that(
        lambda: not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE
    )


def test_a_killed_service_is_started_again_and_its_restart_is_counted(
    make_stack: Callable[..., Stack],
) -> None:
    port = free_port()
    stack = make_stack(server("service", port))
    stack.up()
    before = stack.states()["service"]
    os.kill(before.pid, signal.SIGKILL)
    await_that(lambda: stack.states()["service"].pid not in (0, before.pid) and is_open(port))
    assert (before.restarts, stack.states()["service"].restarts) == (0, 1)
