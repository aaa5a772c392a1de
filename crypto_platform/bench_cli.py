"""`crypto-platform bench`: a part of the platform measured on this machine, with the real parts.

What belongs here: arguments, exit codes, and which measurement answers. What does not: measuring
(`streaming.bench`), and how results look (`crypto_platform.bench_view`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated

import typer

from crypto_platform.interrupts import terminate_as_interrupt
from streaming import settings as settings_module

app = typer.Typer(help="Measure a part of the platform on this machine, with the real parts.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@app.command(name="ingest")
def ingest_command(
    rate: Annotated[
        float | None,
        typer.Option(min=1, help="Trades a second over all pairs; default: as fast as they are taken."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="Length of the measured window.")] = 30.0,
    warmup: Annotated[float, typer.Option(min=0, help="Seconds before it; Java compiles meanwhile.")] = 30.0,
    sample: Annotated[float, typer.Option(min=0.5, help="Seconds between samples of rate and memory.")] = 5.0,
    max_growth: Annotated[
        float | None, typer.Option(help="Exit 1 if the producer's memory grows faster, in MiB a minute.")
    ] = None,
    as_json: Json = False,
) -> None:
    """WebSocket to Kafka: rate, latency, memory, and the proof that each trade arrived once.

    It brings its own feed, producer and three brokers and leaves nothing. With KAFKA_BOOTSTRAP_SERVERS it
    uses that cluster, which must hold no trades. Exit 1 if a trade is lost, twice or out of order.
    """
    from crypto_platform import bench_view, terminal
    from infra.local.scratch import kafka_for_a_while
    from streaming.bench import ingest, processes

    load = processes.load_average()
    if processes.is_busy(load):
        terminal.err.print(f"The machine is busy (load average {load:.1f}): the figures will be too low.")
    say: Callable[[str], None] = (lambda text: None) if as_json else terminal.out.print
    options = ingest.Options(rate, seconds, warmup, sample)
    with terminate_as_interrupt():
        say("Starting three brokers …")
        with kafka_for_a_while(settings_module.load()) as brokers:
            result = ingest.run(
                brokers.settings, options, broker_pids=brokers.broker_pids, load_before=load, say=say
            )
    if as_json:
        typer.echo(json.dumps(result.to_json(), indent=2, default=str))
    else:
        bench_view.show_ingest(result)
    grows = max_growth is not None and result.rss_growth_mb_per_minute > max_growth
    if grows:
        terminal.err.print(
            f"The producer's memory grows by {result.rss_growth_mb_per_minute:g} MiB a minute, "
            f"more than {max_growth:g}."
        )
    if grows or not result.exact:
        raise typer.Exit(1)


@app.command(name="flink")
def flink_command(
    seconds: Annotated[float, typer.Option(min=5, help="Length of each steady rate.")] = 30.0,
    as_json: Json = False,
) -> None:
    """Kafka to Flink to Kafka: records per core-second, latency at two rates, memory.

    It brings its own brokers, Flink and jobs and leaves nothing.
    """
    from crypto_platform import bench_view, terminal
    from infra.local.scratch_flink import flink_for_a_while
    from streaming.bench import flink_line, processes

    load = processes.load_average()
    if processes.is_busy(load):
        terminal.err.print(f"The machine is busy (load average {load:.1f}): the figures will be too low.")
    say: Callable[[str], None] = (lambda text: None) if as_json else terminal.out.print
    with terminate_as_interrupt():
        say("Starting three brokers and Flink …")
        with flink_for_a_while(settings_module.load()) as scratch:
            result = flink_line.run(scratch.settings, scratch.pids, seconds, say)
    if as_json:
        typer.echo(json.dumps({"load_before": round(load, 2), **result.to_json()}, indent=2, default=str))
    else:
        bench_view.show_flink_bench(result)


@app.command(name="load")
def load_command(
    seconds: Annotated[float, typer.Option(min=1, help="Length of each of the two phases.")] = 20.0,
    rate: Annotated[int, typer.Option(min=5, help="Rows a second of the micro-batches.")] = 1_000,
    max_growth: Annotated[
        float | None, typer.Option(help="Exit 1 if the memory grows faster, in MiB a minute.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Messages to committed rows: rows a second in large batches, latency of micro-batches, memory.

    It brings its own emulator and leaves nothing. Exit 1 if a row is lost or twice.
    """
    from crypto_platform import bench_view, terminal
    from infra.local.scratch_emulator import emulator_for_a_while
    from streaming.bench import load, processes

    busy = processes.load_average()
    if processes.is_busy(busy):
        terminal.err.print(f"The machine is busy (load average {busy:.1f}): the figures will be too low.")
    say: Callable[[str], None] = (lambda text: None) if as_json else terminal.out.print
    with terminate_as_interrupt():
        say("Starting an emulator …")
        with emulator_for_a_while(settings_module.load()) as scratch:
            result = load.run(scratch.settings, scratch.pid, load.Options(seconds, rate), say)
    if as_json:
        typer.echo(json.dumps(result.to_json(), indent=2))
    else:
        bench_view.show_load(result)
    grows = max_growth is not None and result.rss_growth_mb_per_minute > max_growth
    if grows:
        terminal.err.print(
            f"The loader's memory grows by {result.rss_growth_mb_per_minute:g} MiB a minute, "
            f"more than {max_growth:g}."
        )
    if grows or not result.exact:
        raise typer.Exit(1)
