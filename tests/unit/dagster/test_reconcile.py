"""What follows from what should run and what does, look by look."""

import pytest

from crypto_platform.control import desired, reconcile, repair
from crypto_platform.control.backoff import attempts_due
from crypto_platform.control.desired import Change, Desired
from crypto_platform.control.reconcile import SETTLED_S, Known, Repair, decide
from crypto_platform.control.status import State, Status, combine

NOW_S = 1_000_000.0
WELL = Known("life-1")


def status(state: State = "running", incarnation: str = "life-1") -> Status:
    return Status("loader", state, incarnation if state == "running" else "", detail="It is so.")


@pytest.mark.parametrize(
    ("wish", "seen", "wedged", "known", "is_repaired"),
    [
        pytest.param("running", status(), "", WELL, False, id="it runs as before"),
        pytest.param("running", status(), "", Known(), False, id="it is seen for the first time"),
        pytest.param("running", status("failed"), "", WELL, True, id="it does not run"),
        pytest.param("running", status("failed"), "", Known(), True, id="it has never run"),
        pytest.param("running", status("starting"), "", WELL, False, id="it is starting"),
        pytest.param("running", status("unknown"), "", WELL, False, id="nobody knows"),
        pytest.param("running", status("stopped"), "", WELL, False, id="a person has stopped it"),
        pytest.param(
            "running", status(incarnation="life-2"), "", WELL, True, id="its supervisor restarted it"
        ),
        pytest.param("running", status(), "No checkpoint.", WELL, True, id="it runs and does not work"),
        pytest.param("stopped", status("stopped"), "", WELL, False, id="it is stopped as it should be"),
        pytest.param("stopped", status("failed"), "", WELL, False, id="it is dead and should be stopped"),
        pytest.param("stopped", status(), "", WELL, True, id="it runs and should be stopped"),
    ],
)
def test_a_component_is_repaired_when_it_is_not_as_it_should_be(
    wish: desired.Wish, seen: Status, wedged: str, known: Known, is_repaired: bool
) -> None:
    found, _ = decide(Desired(wish), seen, wedged, known, NOW_S)
    assert (found is not None) == is_repaired


def looks(states: list[Status], every_s: float = 30.0, known: Known = WELL) -> list[Repair]:
    found = []
    for number, seen in enumerate(states):
        one, known = decide(Desired(), seen, "", known, NOW_S + number * every_s)
        if one is not None:
            found.append(one)
    return found


def test_a_crash_that_the_supervisor_heals_is_one_repair_run() -> None:
    assert len(looks([status()] * 3 + [status(incarnation="life-2")] * 20)) == 1


def test_a_crash_that_is_seen_before_it_is_healed_is_one_repair_run() -> None:
    assert len(looks([status(), status("failed")] + [status(incarnation="life-2")] * 20)) == 1


def test_a_hundred_failing_looks_are_six_runs_with_growing_pauses() -> None:
    found = looks([status("failed")] * 100)
    assert len({one.key for one in found}) == len(found) == 6
    assert [one.attempt for one in found] == [1, 2, 3, 4, 5, 6]


def test_a_process_that_crashes_every_second_causes_no_storm() -> None:
    assert len(looks([status(incarnation=f"life-{number}") for number in range(100)])) == 6


def test_the_same_trouble_after_a_lost_memory_is_one_more_request_at_most() -> None:
    first = looks([status("failed")] * 2)
    again = looks([status("failed")] * 2, known=Known())
    assert len(first) == len(again) == 1


def test_trouble_that_comes_back_after_it_had_settled_is_a_new_episode() -> None:
    quiet = int(SETTLED_S / 30) + 2
    found = looks([status("failed")] + [status(incarnation="life-2")] * quiet + [status("failed")])
    assert len(found) == 2
    assert [one.attempt for one in found] == [1, 1]


def test_a_life_that_dagster_itself_brought_about_is_no_news() -> None:
    asked = Desired("running", (Change("restart done", NOW_S, "run", "", "life-2"),))
    found, known = decide(asked, status(incarnation="life-2"), "", WELL, NOW_S)
    assert found is None
    assert known.incarnation == "life-2"


def test_repairs_that_do_not_help_are_hopeless_after_a_while() -> None:
    known = WELL
    for number in range(40):
        _, known = decide(Desired(), status("failed"), "", known, NOW_S + 30 * number)
    assert reconcile.hopeless(known)
    _, known = decide(Desired(), status(incarnation="life-2"), "", known, NOW_S + 1300)
    assert not reconcile.hopeless(known)


@pytest.mark.parametrize("text", [None, "", "no json", '{"version": 99}', '{"components": 7}'])
def test_a_damaged_memory_is_a_fresh_start(text: str | None) -> None:
    assert reconcile.remember(text) == reconcile.Memory()


def test_the_memory_survives_as_a_cursor() -> None:
    _, known = decide(Desired(), status("failed"), "", WELL, NOW_S)
    memory = reconcile.Memory(components={"loader": known})
    assert reconcile.remember(reconcile.write_cursor(memory)) == memory


@pytest.mark.parametrize(
    ("elapsed_s", "attempts"),
    [(-5, 0), (0, 1), (59, 1), (60, 2), (179, 2), (180, 3), (900, 5), (1860, 6), (3660, 7)],
)
def test_attempts_come_at_once_and_then_ever_later(elapsed_s: float, attempts: int) -> None:
    assert attempts_due(elapsed_s) == attempts


@pytest.mark.parametrize(
    ("wish", "state", "recover", "action"),
    [
        ("running", "failed", False, "start"),
        ("running", "starting", False, "start"),
        ("running", "unknown", False, "none"),
        ("running", "running", False, "none"),
        ("running", "running", True, "recover"),
        ("running", "stopped", True, "none"),
        ("stopped", "running", False, "stop"),
        ("stopped", "failed", True, "none"),
    ],
)
def test_a_repair_looks_again_and_does_the_least_that_helps(
    wish: desired.Wish, state: State, recover: bool, action: str
) -> None:
    assert repair.choose(wish, status(state), recover=recover) == action


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["running", "running"], "running"),
        (["running", "failed"], "failed"),
        (["running", "stopped"], "stopped"),
        (["stopped", "failed"], "failed"),
        (["starting", "running"], "starting"),
        ([], "unknown"),
    ],
)
def test_the_worst_process_counts_for_a_component(states: list[State], expected: State) -> None:
    assert combine("producer", [Status("one", state) for state in states]).state == expected


def test_the_history_of_wishes_is_kept_and_bounded() -> None:
    values: dict[str, str] = {}

    class Storage:
        def get_cursor_values(self, keys: set[str]) -> dict[str, str]:
            return {key: values[key] for key in keys if key in values}

        def set_cursor_values(self, pairs: dict[str, str]) -> None:
            values.update(pairs)

    storage = Storage()
    assert desired.read(storage, "loader") == Desired()
    for number in range(desired.KEPT_CHANGES + 5):
        change = Change("stop", NOW_S + number, f"run-{number}", "by hand")
        desired.write(storage, "loader", desired.read(storage, "loader").changed("stopped", change))
    kept = desired.read(storage, "loader")
    assert kept.wish == "stopped"
    assert len(kept.history) == desired.KEPT_CHANGES
    assert kept.history[-1].run_id == f"run-{desired.KEPT_CHANGES + 4}"
    assert desired.read(storage, "producer").wish == "running"
