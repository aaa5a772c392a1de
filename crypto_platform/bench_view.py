"""How measurements look in a terminal.

What belongs here: formatting. What does not: measuring (`streaming.bench`), arguments
(`crypto_platform.bench_cli`).
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from crypto_platform.terminal import out
from streaming.bench.flink_line import FlinkResult
from streaming.bench.ingest import Ingest
from streaming.bench.load import LoadResult


def show_ingest(result: Ingest) -> None:
    """The figures of one measurement of the ingest path."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    exact = "each once, in order" if result.exact else "[bold red]NOT EXACT[/]"
    acked, received = result.receive_to_acked_ms, result.exchange_to_receive_ms
    for name, value in (
        (
            "Acknowledged",
            f"{result.rate:,.0f} trades/s over {result.seconds:g} s, slowest sample {result.rate_min:,.0f}/s",
        ),
        (
            "In Kafka",
            f"{exact}: sent {result.received:,}, lost {result.lost}, twice {result.duplicated}, "
            f"out of order {result.out_of_order}, gaps {result.gaps}",
        ),
        ("Receive to acked", _quantiles(acked)),
        ("Exchange to receive", _quantiles(received)),
        (
            "Producer's memory",
            f"{result.rss_mb['start']:g} → {result.rss_mb['middle']:g} → {result.rss_mb['end']:g} MiB, "
            f"{result.rss_growth_mb_per_minute:+g} MiB a minute",
        ),
        ("Processor seconds", ", ".join(f"{k} {v:g}" for k, v in result.cpu.items() if v is not None)),
        ("Parse and build", f"{result.parse_frames_per_core_second:,.0f} frames/s per core, in memory"),
        ("Frames", result.frame_shape),
        ("Load before", f"{result.load_average_before:g}" + (" (busy)" if result.machine_busy else "")),
    ):
        table.add_row(name, value)
    out.print(table)


def _quantiles(values: Mapping[str, float | None]) -> str:
    return (
        ", ".join(f"{name} {value:g} ms" for name, value in values.items() if value is not None) or "no data"
    )


def show_flink_bench(result: FlinkResult) -> None:
    """The figures of `bench flink`."""
    table = Table("figure", "value", title="Kafka to Flink to Kafka")
    table.add_row("records per core-second", f"{result.records_per_core_second:,}")
    table.add_row("records a second", f"{result.wall_rate:,}")
    table.add_row("trades in the state", f"{result.keys:,}")
    for latency in result.latencies:
        table.add_row(
            f"latency at {latency.rate:,} a second",
            f"p50 {latency.p50} ms, p95 {latency.p95} ms, p99 {latency.p99} ms",
        )
    table.add_row("memory of both TaskManagers", f"{result.taskmanagers_mb:,.0f} MiB")
    out.print(table)


def show_load(result: LoadResult) -> None:
    """The figures of `bench load`."""
    table = Table("figure", "value", title="Messages to committed rows")
    table.add_row("rows a second, large batches", f"{result.rate:,.0f} ({result.rows:,} rows)")
    table.add_row(
        "processor seconds", f"loader {result.cpu_seconds:g}, emulator {result.emulator_cpu_seconds:g}"
    )
    table.add_row(
        "memory",
        f"{result.rss_mb['start']:g} → {result.rss_mb['middle']:g} → {result.rss_mb['end']:g} MiB, "
        f"{result.rss_growth_mb_per_minute:+g} MiB a minute",
    )
    table.add_row("micro-batches", f"{result.micro_batches:,} at {result.micro_rate:,.0f} rows/s")
    table.add_row("COMMIT to visible", _quantiles(result.commit_to_visible_ms))
    table.add_row("batch to visible", _quantiles(result.batch_to_visible_ms))
    table.add_row("rows", "each once" if result.exact else "[bold red]NOT EXACT[/]")
    out.print(table)
