"""The two jobs: their names, SQL files in order, and Flink settings.

What belongs here: what a job is. What does not: how its SQL gets its values (`streaming.flink.rendering`),
how it reaches the cluster (`streaming.flink.submit`), whether it runs (`streaming.flink.watcher`).

Two jobs rather than one, so that the tick path never waits for the commits of the bars.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streaming.flink import rendering
from streaming.settings import Settings

SQL_FOLDER: Final = Path(__file__).with_name("sql")

FINGERPRINT: Final = "crypto.fingerprint"
"""The global job parameter that says which SQL and settings a running job was made from."""

PARALLELISM: Final = 1
"""One subtask an operator. It is enough for over 10,000 messages a second, and it is what keeps the trades
of a pair in order: de-duplication spreads a pair's trades over the subtasks by trade id."""


@dataclass(frozen=True, slots=True)
class Template:
    """An SQL file that runs several times in a job, with other values each time."""

    name: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One Flink job: its `name` on the cluster, its SQL files in the order they run, and how it works.

    Trades are fetched as soon as there are `fetch_min_bytes`, or after `fetch_max_wait_ms`. What is on its
    way between two tasks is sent after `buffer_timeout_ms` at the latest: each flush costs processor time
    whether there is much to send or little, so only the tick path hurries.

    `lenient_sources` says that the sources pass over what they cannot parse, and with it over the errors of
    the operators in their task (`streaming.flink.chaining`).

    `state_version` is raised with a change of the SQL that cannot take over the state of before: a job of
    another version keeps its checkpoints elsewhere, so it starts without state (docs/flink-upgrades.md).

    `reads_from` is the job whose output this one reads; it runs only while that one does
    (`streaming.flink.watcher`).

    `tickers_source` and `quote_bars_sink` name the tables at either end of the way on which many tickers
    become few quote bars: what passes there is published.
    """

    key: str
    name: str
    files: tuple[str | Template, ...]
    checkpoint_interval_ms: int
    exactly_once: bool
    state_ttl_s: int
    fetch_min_bytes: int
    fetch_max_wait_ms: int
    buffer_timeout_ms: int
    lenient_sources: bool = False
    state_version: int = 1
    reads_from: Job | None = None
    tickers_source: str | None = None
    quote_bars_sink: str | None = None


TICK: Final = Job(
    key="tick",
    name="crypto-tick",
    files=(
        "01_trades",
        "02_tickers",
        "03_messages",
        "11_trades_checked",
        "12_tickers_checked",
        "21_clean_trades",
        "22_clean_tickers",
        "23_unusable",
        "24_quotes",
        "25_priced_trades",
        "26_ticks",
        "27_activity",
        "28_usual",
        "29_usual_prices",
        "30_market",
        "31_clean_trades_sink",
        "32_clean_tickers_sink",
        "33_dead_letters_sink",
        "34_anomalies_sink",
        "41_crossed_quote",
        "42_wide_spread",
        "43_outside_quote",
        "44_price_spike",
        "45_trade_outlier",
        "46_volume_burst",
        "47_stale_feed",
        "48_venue_deviation",
        "49_anomalies",
        "50_tick_job",
    ),
    checkpoint_interval_ms=10_000,
    exactly_once=False,
    state_ttl_s=120,
    fetch_min_bytes=1,
    fetch_max_wait_ms=2_000,
    buffer_timeout_ms=5,
    lenient_sources=True,
    state_version=4,
    tickers_source="tickers",
)


def _longer(shorter: str, longer: str, interval: str, length_ms: int) -> Template:
    """Bars of `length_ms` made from shorter ones."""
    values = {"shorter": shorter, "longer": longer, "interval": interval, "length_ms": str(length_ms)}
    return Template("76_longer_bars", tuple(values.items()))


BARS: Final = Job(
    key="bars",
    name="crypto-bars",
    files=(
        "51_clean_messages",
        "52_bar_quotes",
        "53_trades_marked",
        "54_trades_on_time",
        "55_trade_blocks",
        "56_trades_in_minute",
        "57_trade_minutes",
        "61_quotes_by_ms",
        "62_quotes",
        "63_quote_steps",
        "64_quote_seconds",
        "65_quote_minutes",
        "71_minute_parts",
        "72_minutes",
        "73_minutes_in_line",
        "74_minutes_with_last",
        "75_bars_1m",
        _longer("bars_1m", "bars_5m", "'5' MINUTE", 300_000),
        _longer("bars_5m", "bars_15m", "'15' MINUTE", 900_000),
        _longer("bars_15m", "bars_1h", "'1' HOUR", 3_600_000),
        "77_bars",
        "81_bars_sink",
        "82_forming_bars_sink",
        "83_quote_bars_sink",
        "84_late_trades_sink",
        "91_bars_job",
    ),
    checkpoint_interval_ms=2_000,
    exactly_once=True,
    state_ttl_s=0,
    fetch_min_bytes=65_536,
    fetch_max_wait_ms=200,
    buffer_timeout_ms=100,
    state_version=5,
    reads_from=TICK,
    quote_bars_sink="quote_bars_sink",
)

JOBS: Final = {job.key: job for job in (TICK, BARS)}


def statements(job: Job, settings: Settings, partitions: int) -> list[str]:
    """The job's SQL statements with every placeholder filled, in the order they run."""
    values = rendering.values(settings, partitions) | {
        "group_id": job.name,
        "transactional_id_prefix": job.name,
        "fetch_min_bytes": str(job.fetch_min_bytes),
        "fetch_max_wait_ms": str(job.fetch_max_wait_ms),
    }
    found = []
    for file in job.files:
        template = Template(file, ()) if isinstance(file, str) else file
        text = (SQL_FOLDER / f"{template.name}.sql").read_text(encoding="utf-8")
        found.append(rendering.render(text, values | dict(template.values)))
    return found


def inserts(statement_set: str) -> list[str]:
    """The INSERT statements of a job's last file, `EXECUTE STATEMENT SET BEGIN … END`."""
    _, _, body = statement_set.partition("EXECUTE STATEMENT SET BEGIN\n")
    body, _, _ = body.rpartition("END")
    return [text.strip().removesuffix(";") for text in re.split(r";\n(?=INSERT INTO )", body)]


def checkpoint_folder(settings: Settings, job: Job) -> Path:
    """Where the job keeps its checkpoints, a folder for each life of it."""
    return settings.home.absolute() / "flink" / "checkpoints" / _state_name(job)


def savepoint_folder(settings: Settings, job: Job) -> Path:
    """Where the job leaves a savepoint when it is stopped."""
    return settings.home.absolute() / "flink" / "savepoints" / _state_name(job)


def _state_name(job: Job) -> str:
    return job.name if job.state_version == 1 else f"{job.name}-v{job.state_version}"


def configuration(job: Job, settings: Settings) -> dict[str, str]:
    """The job's Flink settings, without the place it restores from.

    A failed job restarts from its last checkpoint after 1 s, then with growing pauses up to 10 s, and never
    gives up: an outage of Kafka has no time limit.
    """
    return {
        "pipeline.name": job.name,
        "pipeline.object-reuse": "true",
        "parallelism.default": str(PARALLELISM),
        "execution.runtime-mode": "STREAMING",
        "execution.buffer-timeout.interval": f"{job.buffer_timeout_ms} ms",
        "execution.checkpointing.interval": f"{job.checkpoint_interval_ms} ms",
        "execution.checkpointing.min-pause": f"{job.checkpoint_interval_ms // 2} ms",
        "execution.checkpointing.timeout": "60 s",
        "execution.checkpointing.mode": "EXACTLY_ONCE" if job.exactly_once else "AT_LEAST_ONCE",
        "execution.checkpointing.tolerable-failed-checkpoints": "10",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": "2",
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.dir": checkpoint_folder(settings, job).as_uri(),
        "execution.checkpointing.savepoint-dir": savepoint_folder(settings, job).as_uri(),
        "state.backend.type": "hashmap",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        "restart-strategy.exponential-delay.backoff-multiplier": "2.0",
        "restart-strategy.exponential-delay.reset-backoff-threshold": "1 min",
        "table.local-time-zone": "UTC",
        "table.exec.state.ttl": f"{job.state_ttl_s} s",
        # A window holds each trade once when it is summed up, so adding up locally first would save nothing.
        "table.optimizer.agg-phase-strategy": "ONE_PHASE",
        # Views that several outputs share are computed once.
        "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
    }


def fingerprint(job: Job, settings: Settings, partitions: int) -> str:
    """Sixteen hexadecimal digits that change with the job's SQL, its values or its settings."""
    own = configuration(job, settings)
    lines = [*statements(job, settings, partitions), *(f"{key}={own[key]}" for key in sorted(own))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
