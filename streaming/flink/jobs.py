"""The two jobs: their names, SQL files in order, and Flink settings.

What belongs here: what a job is. What does not: how its SQL gets its values (`streaming.flink.rendering`),
how it reaches the cluster (`streaming.flink.submit`), whether it runs (`streaming.flink.watcher`).

Two jobs rather than one, so that the tick path never waits for the commits of the bars.
"""

from __future__ import annotations

import hashlib
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
class Job:
    """One Flink job: its `name` on the cluster, its SQL files in the order they run, and how it works.

    Trades are fetched as soon as there are `fetch_min_bytes`, or after `fetch_max_wait_ms`.
    """

    key: str
    name: str
    files: tuple[str, ...]
    checkpoint_interval_ms: int
    exactly_once: bool
    state_ttl_s: int
    fetch_min_bytes: int
    fetch_max_wait_ms: int


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
        "31_clean_trades_sink",
        "32_clean_tickers_sink",
        "33_dead_letters_sink",
        "34_anomalies_sink",
        "35_quotes",
        "36_market",
        "37_crossed_quote",
        "38_wide_spread",
        "41_outside_quote",
        "42_trailing_trades",
        "43_price_spike",
        "44_trade_outlier",
        "45_activity",
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
)

BARS: Final = Job(
    key="bars",
    name="crypto-bars",
    files=(
        "01_trades",
        "11_trades_checked",
        "13_usable_trades",
        "24_trades_in_window",
        "34_bars_1m_sink",
        "42_bars_job",
    ),
    checkpoint_interval_ms=2_000,
    exactly_once=True,
    state_ttl_s=0,
    fetch_min_bytes=65_536,
    fetch_max_wait_ms=200,
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
    texts = ((SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8") for name in job.files)
    return [rendering.render(text, values) for text in texts]


def checkpoint_folder(settings: Settings, job: Job) -> Path:
    """Where the job keeps its checkpoints, a folder for each life of it."""
    return settings.home.absolute() / "flink" / "checkpoints" / job.name


def savepoint_folder(settings: Settings, job: Job) -> Path:
    """Where the job leaves a savepoint when it is stopped."""
    return settings.home.absolute() / "flink" / "savepoints" / job.name


def configuration(job: Job, settings: Settings) -> dict[str, str]:
    """The job's Flink settings, without the place it restores from.

    A buffer is sent after 5 ms at the latest; a trade passes four on its way. A failed job restarts from its
    last checkpoint after 1 s, then with growing pauses up to 10 s, and never gives up: an outage of Kafka has
    no time limit.
    """
    return {
        "pipeline.name": job.name,
        "pipeline.object-reuse": "true",
        "parallelism.default": str(PARALLELISM),
        "execution.runtime-mode": "STREAMING",
        "execution.buffer-timeout.interval": "5 ms",
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
