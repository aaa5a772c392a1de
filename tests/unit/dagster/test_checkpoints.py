"""Whether a Flink job makes progress."""

import pytest

from crypto_platform.watch.checkpoints import AGE_LIMIT_S, JobProgress, State, explain, verdict

NOW_S = 1_000_000.0
NOW_MS = int(NOW_S * 1000)


def job(
    age_s: float | None = 5.0,
    state: str = "RUNNING",
    failed_ago_s: float | None = None,
    running_s: float = 3600,
) -> JobProgress:
    def at(ago_s: float | None) -> int | None:
        return None if ago_s is None else NOW_MS - int(ago_s * 1000)

    return JobProgress(
        name="bars",
        state=state,
        started_at_ms=NOW_MS - int(running_s * 1000),
        completed=0 if age_s is None else 12,
        failed=0 if failed_ago_s is None else 1,
        last_completed_at_ms=at(age_s),
        last_failed_at_ms=at(failed_ago_s),
    )


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(job(), "ok", id="a checkpoint a moment ago"),
        pytest.param(job(age_s=AGE_LIMIT_S), "ok", id="at the limit"),
        pytest.param(job(age_s=AGE_LIMIT_S + 1), "stale", id="too long ago"),
        pytest.param(job(age_s=None, running_s=20), "ok", id="just started, none yet"),
        pytest.param(job(age_s=None, running_s=AGE_LIMIT_S + 1), "stale", id="none since it started"),
        pytest.param(job(failed_ago_s=2), "failing", id="the latest failed"),
        pytest.param(job(failed_ago_s=60), "ok", id="a failure was followed by a success"),
        pytest.param(job(age_s=AGE_LIMIT_S + 1, failed_ago_s=2), "stale", id="stale outranks failing"),
        pytest.param(job(state="RESTARTING"), "not_running", id="restarting"),
        pytest.param(JobProgress("bars"), "missing", id="unknown to Flink"),
    ],
)
def test_a_job_is_judged_by_its_checkpoints(one: JobProgress, expected: State) -> None:
    assert verdict(one, NOW_S) == expected


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (job(), ["bars", "5 s ago"]),
        (job(age_s=400), ["400 s ago", "limit", "back-pressure"]),
        (job(failed_ago_s=2), ["failed", "1 of its checkpoints"]),
        (job(state="FAILED"), ["FAILED", "exceptions"]),
        (JobProgress("bars"), ["no job bars", "Start"]),
    ],
)
def test_a_verdict_names_its_numbers_and_what_to_do(one: JobProgress, words: list[str]) -> None:
    sentence = explain(one, NOW_S)
    assert [word for word in words if word not in sentence] == []
