"""One measurement of the ingest path: feed → WebSocket → the real producer process → Kafka, and its proof.

What belongs here: the course of a run and its figures. What does not: its processes (`children`), running
brokers (`infra.local.scratch`), how figures look (`crypto_platform.terminal`).

The course: feed, producer, warm-up, the measured window, the feed stops, all is acknowledged, the producer
ends, Kafka is read back. Rates and processor seconds are of the window alone, the proof is of the whole run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

from streaming.bench import children, parse, processes, proof
from streaming.bench.children import Child, Feed
from streaming.bench.growth import theil_sen
from streaming.bench.scrape import Scrape, between, quantile_ms, scrape
from streaming.settings import Settings

DRAIN_S: Final = 120.0
FEED_MARGIN_S: Final = 180.0
QUANTILES: Final = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure. `rate` in trades a second over all pairs, None for as fast as they are taken."""

    rate: float | None = None
    seconds: float = 30.0
    warmup_s: float = 15.0
    sample_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """At `at_s` seconds of the window: trades acknowledged so far, and the producer's memory."""

    at_s: float
    acked: int
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Ingest:
    """The figures of a run. Seconds of processor time and rates are those of the measured window.

    `rate` is trades acknowledged by Kafka a second, `rate_min` that of the slowest sample. `received` to
    `out_of_order` are of the whole run, `received` as the feed counts what it has sent. `rss_mb` (MiB) and
    `cpu_seconds` are the producer's; `cpu` has the brokers (all three) and the feed apart.
    """

    rate: float
    cpu_seconds: float
    wanted_rate: float | None
    rate_min: float
    seconds: float
    received: int
    acked: int
    lost: int
    duplicated: int
    unexpected: int
    out_of_order: int
    gaps: int
    exact: bool
    receive_to_acked_ms: dict[str, float | None]
    exchange_to_receive_ms: dict[str, float | None]
    rss_mb: dict[str, float]
    rss_growth_mb_per_minute: float
    cpu: dict[str, float | None]
    parse_frames_per_core_second: float
    load_average_before: float
    machine_busy: bool
    frame_shape: str
    overdue_max: int
    pairs: dict[str, proof.PairProof]
    samples: list[Sample]

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values."""
        return asdict(self)


def run(
    settings: Settings,
    options: Options,
    *,
    broker_pids: Sequence[int] = (),
    load_before: float | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Ingest:
    """Measure against the Kafka of `settings`, whose home takes the logs.

    Args:
        broker_pids: the brokers' processes, for their share of the processor; none if they are not ours.
        load_before: load average before anything of the run was started; default: now.

    Raises:
        BenchError: the feed or the producer failed.
        SettingsError: Kafka already has trades.
        ServiceUnavailableError: Kafka does not answer.
    """
    load = processes.load_average() if load_before is None else load_before
    pairs = list(settings.partitions)
    say("Parsing in memory …")
    parsed = parse.frames_per_core_second(pairs)
    proof.require_empty(settings)
    longest_s = options.warmup_s + options.seconds + FEED_MARGIN_S
    with (
        children.feed(settings, options.rate, longest_s) as feed,
        children.producer(settings, feed.url) as producer,
    ):
        say(f"Warming up for {options.warmup_s:g} s …")
        producer.sleep(options.warmup_s)
        say(f"Measuring for {options.seconds:g} s …")
        window = _window(settings, options, producer, feed, broker_pids)
        report = feed.stop()
        say("Waiting for the last acknowledgements …")
        end = _drain(settings, producer, int(report["frames"]))
        producer.end()
    say("Reading Kafka back …")
    ids = {pair: (first, following) for pair, (first, following) in report["ids"].items()}
    pairs_proved = proof.read(settings, ids)
    if not settings.uses_local_kafka:
        proof.delete_trades(settings)
    before, after, samples = window.before, window.after, window.samples
    seconds = samples[-1].at_s
    steps = list(pairwise(samples))
    totals = {
        name: sum(getattr(p, name) for p in pairs_proved.values())
        for name in ("lost", "duplicated", "unexpected", "out_of_order")
    }
    acks = between(before.receive_to_acked, after.receive_to_acked)
    arrivals = between(before.exchange_to_receive, after.exchange_to_receive)
    return Ingest(
        rate=round((after.acked - before.acked) / seconds, 1),
        cpu_seconds=window.cpu["producer"] or 0.0,
        wanted_rate=options.rate,
        rate_min=round(min((b.acked - a.acked) / (b.at_s - a.at_s) for a, b in steps), 1),
        seconds=round(seconds, 2),
        received=int(report["frames"]),
        acked=end.acked,
        **totals,
        gaps=end.gaps,
        exact=all(p.exact for p in pairs_proved.values()) and end.acked == int(report["frames"]),
        receive_to_acked_ms={f"p{q * 100:g}": _rounded(quantile_ms(acks, q)) for q in QUANTILES},
        exchange_to_receive_ms={f"p{q * 100:g}": _rounded(quantile_ms(arrivals, q)) for q in QUANTILES},
        rss_mb={
            "start": round(samples[0].rss_mb, 1),
            "middle": round(samples[len(samples) // 2].rss_mb, 1),
            "end": round(samples[-1].rss_mb, 1),
        },
        rss_growth_mb_per_minute=round(
            theil_sen([s.at_s / 60 for s in samples], [s.rss_mb for s in samples]), 3
        ),
        cpu=window.cpu,
        parse_frames_per_core_second=round(parsed),
        load_average_before=round(load, 2),
        machine_busy=processes.is_busy(load),
        frame_shape=str(report["frame_shape"]),
        overdue_max=int(report["overdue_max"]),
        pairs=pairs_proved,
        samples=samples,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


@dataclass(frozen=True, slots=True)
class _Window:
    before: Scrape
    after: Scrape
    samples: list[Sample]
    cpu: dict[str, float | None]


def _window(
    settings: Settings, options: Options, producer: Child, feed: Feed, broker_pids: Sequence[int]
) -> _Window:
    port = settings.ports.metrics_producers[0]
    groups = {"producer": (producer.pid,), "feed": (feed.child.pid,), "brokers": tuple(broker_pids)}
    used = {name: processes.cpu_seconds(pids) for name, pids in groups.items()}
    first = now = scrape(port)
    began_s = time.monotonic()
    samples = [Sample(0.0, first.acked, processes.rss_mb(producer.pid))]
    while (at_s := time.monotonic() - began_s) < options.seconds:
        producer.sleep(min(options.sample_s, options.seconds - at_s))
        now = scrape(port)
        samples.append(Sample(time.monotonic() - began_s, now.acked, processes.rss_mb(producer.pid)))
    cpu: dict[str, float | None] = {
        name: round(processes.cpu_seconds(pids) - used[name], 2) if pids else None
        for name, pids in groups.items()
    }
    return _Window(first, now, samples, cpu)


def _drain(settings: Settings, producer: Child, wanted: int) -> Scrape:
    """Wait until Kafka has acknowledged `wanted` trades, or it is pointless; return the last scrape."""
    port = settings.ports.metrics_producers[0]
    deadline_s = time.monotonic() + DRAIN_S
    while (now := scrape(port)).acked < wanted and time.monotonic() < deadline_s:
        producer.sleep(children.POLL_S)
    return now
