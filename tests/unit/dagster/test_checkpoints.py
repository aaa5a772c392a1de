"""Whether a Flink job makes progress."""

import pytest

from crypto_platform.watch.checkpoints import AGE_LIMIT_S, JobProgress, State, explain, fingerprint, verdict

NOW_S = 1_000_000.0
NOW_MS = int(NOW_S * 1000)


def job(
    age_s: float | None = 5.0,
    state: str = "RUNNING",
    running_s: float = 3600,
    failed: int = 0,
    restarts: int = 0,
) -> JobProgress:
    return JobProgress(
        name="bars",
        state=state,
        started_at_ms=NOW_MS - int(running_s * 1000),
        completed=0 if age_s is None else 12,
        failed=failed,
        restarts=restarts,
        last_completed_at_ms=None if age_s is None else NOW_MS - int(age_s * 1000),
    )


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(job(), "ok", id="a checkpoint a moment ago"),
        pytest.param(job(age_s=-3), "ok", id="a clock that is ahead of ours"),
        pytest.param(job(age_s=AGE_LIMIT_S), "ok", id="at the limit"),
        pytest.param(job(age_s=AGE_LIMIT_S + 1), "stale", id="too long ago"),
        pytest.param(job(age_s=None, running_s=20), "ok", id="just started, none yet"),
        pytest.param(job(age_s=None, running_s=AGE_LIMIT_S + 1), "stale", id="none since it started"),
        pytest.param(job(failed=3), "ok", id="single failures are tolerated"),
        pytest.param(job(state="RESTARTING"), "not_running", id="restarting"),
        pytest.param(JobProgress("bars"), "missing", id="unknown to Flink"),
    ],
)
def test_a_job_is_judged_by_its_checkpoints(one: JobProgress, expected: State) -> None:
    assert verdict(one, NOW_S) == expected


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (job(failed=2), ["bars", "5 s ago", "2 failed", "0 restarts"]),
        (job(age_s=400), ["400 s ago", "limit", "back-pressure"]),
        (job(state="FAILED"), ["FAILED", "exceptions"]),
        (JobProgress("bars"), ["no job bars", "Start"]),
    ],
)
def test_a_verdict_names_its_numbers_and_what_to_do(one: JobProgress, words: list[str]) -> None:
    sentence = explain(one, NOW_S)
    assert [word for word in words if word not in sentence] == []


@pytest.mark.parametrize("news", [job(failed=1), job(restarts=1), job(age_s=500), job(state="FAILING")])
def test_a_failure_a_restart_and_a_new_verdict_are_news(news: JobProgress) -> None:
    assert fingerprint(news, NOW_S) != fingerprint(job(), NOW_S)


def test_the_mere_passing_of_time_is_not_news() -> None:
    assert fingerprint(job(age_s=1), NOW_S) == fingerprint(job(age_s=9), NOW_S)
