"""How topics are created."""

from __future__ import annotations

from streaming import topics


def test_forming_bars_are_kept_for_an_hour_and_other_records_for_a_week() -> None:
    specs = {spec.name: spec for spec in topics.topic_specs(5)}
    assert set(topics.ALL_TOPICS) <= set(specs)
    forming = specs[topics.BARS_FORMING].config
    assert int(forming["segment.ms"]) <= int(forming["retention.ms"]) == 3_600_000
    for name in set(topics.ALL_TOPICS) - {topics.BARS_FORMING}:
        assert specs[name].config["retention.ms"] == "604800000"
        assert "segment.ms" not in specs[name].config
