"""The pure figures of the pipeline page, and acknowledgements on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from crypto_platform.dashboard.acknowledgements import Acknowledgements
from crypto_platform.dashboard.pipeline import Samples, mean_ms, rates, slowest_bucket_ms, total
from streaming.errors import SettingsError

NAME = "age_seconds"


def histogram(table: str, counts: dict[str, float], seconds: float) -> Samples:
    cumulative, at = 0.0, {}
    for bound, count in counts.items():
        cumulative += count
        at[(f"{NAME}_bucket", (("le", bound), ("table", table)))] = cumulative
    labels = (("table", table),)
    return at | {(f"{NAME}_count", labels): cumulative, (f"{NAME}_sum", labels): seconds}


def test_the_slowest_bucket_is_the_highest_that_grew() -> None:
    before = histogram("A", {"0.1": 5, "0.5": 1, "+Inf": 0}, 1)
    after = histogram("A", {"0.1": 7, "0.5": 2, "+Inf": 0}, 1.5)
    assert slowest_bucket_ms(before, after, NAME) == 500
    assert mean_ms(before, after, NAME) == pytest.approx(1000 * 0.5 / 3)


def test_what_is_beyond_all_bounds_counts_as_the_last() -> None:
    assert slowest_bucket_ms({}, histogram("A", {"0.1": 0, "60": 0, "+Inf": 1}, 99), NAME) == 60_000


def test_a_histogram_that_did_not_grow_says_nothing() -> None:
    same = histogram("A", {"0.1": 5, "+Inf": 0}, 1)
    assert slowest_bucket_ms(same, same, NAME) is None
    assert mean_ms(same, same, NAME) is None
    assert slowest_bucket_ms({}, {}, NAME) is None


def test_all_labels_are_taken_together() -> None:
    after = histogram("A", {"0.1": 1, "0.5": 0, "+Inf": 0}, 0.1) | histogram(
        "B", {"0.1": 0, "0.5": 1, "+Inf": 0}, 0.4
    )
    assert slowest_bucket_ms({}, after, NAME) == 500
    assert total(after, f"{NAME}_count") == 2
    assert total(after, "absent") is None


def test_rates_are_records_a_second() -> None:
    topic = "CryptoCurrency_trades"
    assert rates({topic: 10}, {topic: 40, "other": 5}, 3.0) == {"trades": 10.0, "other": 1.7}
    assert rates({}, {topic: 1}, 0.0) == {}


def test_an_acknowledgement_survives_the_process(tmp_path: Path) -> None:
    Acknowledgements(tmp_path).add("a|b|c|1")
    assert Acknowledgements(tmp_path).ids() == {"a|b|c|1"}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"file.*CRYPTO_HOME"):
        Acknowledgements(tmp_path / "file")
