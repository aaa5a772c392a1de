"""Which exchanges of a planned job are left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streaming import settings as settings_module
from streaming.flink import jobs
from streaming.flink.chaining import FORWARD, HASH, WINDOW, Edge, may_be_chained

TO_A_WINDOW = Edge(partitioner=HASH, inputs=1, operator=WINDOW)


def test_an_exchange_to_an_operator_that_keeps_nothing_of_its_input_is_left_out() -> None:
    assert may_be_chained(TO_A_WINDOW, lenient_sources=False)


@pytest.mark.parametrize(
    "edge",
    [
        replace(TO_A_WINDOW, partitioner=FORWARD),
        replace(TO_A_WINDOW, inputs=2),
        replace(TO_A_WINDOW, operator="KeyedProcessOperator"),
        replace(TO_A_WINDOW, operator="SinkWriterOperatorFactory"),
    ],
    ids=["no exchange", "several inputs", "may keep rows", "a sink"],
)
def test_every_other_edge_stays(edge: Edge) -> None:
    assert not may_be_chained(edge, lenient_sources=False)


def test_nothing_is_chained_to_a_source_that_passes_over_errors() -> None:
    behind = replace(TO_A_WINDOW, in_source_task=True)
    assert may_be_chained(behind, lenient_sources=False)
    assert not may_be_chained(behind, lenient_sources=True)
    assert may_be_chained(TO_A_WINDOW, lenient_sources=True)


@pytest.mark.parametrize("job", jobs.JOBS.values(), ids=jobs.JOBS)
def test_a_job_is_as_lenient_as_its_sources(job: jobs.Job) -> None:
    texts = jobs.statements(job, settings_module.load({}), 5)
    assert job.lenient_sources == any("'json.ignore-parse-errors' = 'true'" in text for text in texts)


@pytest.mark.parametrize("job", jobs.JOBS.values(), ids=jobs.JOBS)
def test_a_statement_set_is_taken_apart_without_losing_a_word(job: jobs.Job) -> None:
    last = jobs.statements(job, settings_module.load({}), 5)[-1]
    found = jobs.inserts(last)
    assert [text.split()[:2] for text in found] == [["INSERT", "INTO"]] * last.count("INSERT INTO")
    body = last.partition("BEGIN\n")[2].rpartition("END")[0]
    assert ";\n".join(found).split() == body.replace(";\nEND", "").strip().removesuffix(";").split()
