"""The jobs follow when the topics grow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from streaming import settings as settings_module
from streaming.errors import ServiceUnavailableError
from streaming.flink import __main__ as service
from streaming.flink import jobs


@pytest.mark.parametrize(
    ("answers", "wanted_for"),
    [([5, 5], 5), ([5, 24], 24), ([ServiceUnavailableError("Kafka is away."), 24], 24), ([24, 30], 30)],
)
def test_jobs_are_wanted_for_as_many_partitions_as_there_are(
    monkeypatch: pytest.MonkeyPatch, answers: list[int | Exception], wanted_for: int
) -> None:
    settings = settings_module.load({})
    stop = threading.Event()
    left: Iterator[int | Exception] = iter(answers)

    def partitions(_: Any) -> int:
        answer = next(left)
        if answer is answers[-1]:
            stop.set()
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(service.submit, "topic_partitions", partitions)
    watcher: Any = SimpleNamespace(
        wanted={job: jobs.fingerprint(job, settings, 5) for job in jobs.JOBS.values()}
    )

    service.follow_partitions(settings, watcher, 5, stop, every_s=0.001)

    assert watcher.wanted == {job: jobs.fingerprint(job, settings, wanted_for) for job in jobs.JOBS.values()}
    assert (watcher.wanted[jobs.TICK] == jobs.fingerprint(jobs.TICK, settings, 5)) is (wanted_for == 5)
