"""The `crypto-platform` command.

What belongs here: arguments, exit codes, and which function answers. What does not: the work itself and how
results look (`crypto_platform.terminal`).

Exit codes: 0 done and healthy or clean; 1 degraded, not clean, or a part failed; 2 a setting, port, disk or
argument is wrong; 130 interrupted.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from crypto_platform import averages_cli, backfill_cli, bench_cli, logs_cli, warehouse_cli
from crypto_platform.completion import complete_service
from crypto_platform.interrupts import noted_interrupt, terminate_as_interrupt
from streaming import logs as logs_module
from streaming import settings as settings_module
from streaming.errors import PlatformError, SettingsError
from streaming.settings import Settings

app = typer.Typer(
    help="Run, watch and audit the real-time crypto market data platform.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.add_typer(bench_cli.app, name="bench", no_args_is_help=True)
warehouse_cli.register(app)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
ServiceName = Annotated[
    str, typer.Argument(help="A service, as `status` names it.", autocompletion=complete_service)
]


@app.callback()
def common(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also log what happens, as JSON lines on standard error.")
    ] = False,
) -> None:
    """Run, watch and audit the real-time crypto market data platform."""
    if verbose:
        logs_module.configure(settings_module.load(), "crypto-platform", verbose=True, stream=sys.stderr)


def main() -> None:
    """Entry point: a typed error becomes one line and its exit code."""
    logs_module.quiet()
    try:
        app()
    except PlatformError as error:
        from crypto_platform import terminal

        terminal.show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _state_file(settings: Settings) -> Path:
    return settings.home.absolute() / "run" / "stack.json"


def _running_settings() -> Settings:
    """The settings with the source that the running stack was started with."""
    settings = settings_module.load()
    path = _state_file(settings)
    if path.exists():
        state = json.loads(path.read_text(encoding="utf-8"))
        return settings.model_copy(update=state["settings"])
    return settings.model_copy(update={"source": "sim"}) if settings.source == "auto" else settings


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, default=str))


@app.command()
def up(
    source: Annotated[
        str | None,
        typer.Option(
            help="Where data comes from: auto, sim, or exchanges (okx,binance,coinbase,kraken,bybit); "
            "default CRYPTO_SOURCE."
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when all is ready; stop with `down`.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start everything, wait until it is healthy, and say where to look.

    Without --detach it stays in the foreground: Ctrl-C stops everything. A second `up` shows what runs.
    With --json standard error gets a JSON line for each service that is ready, standard output the whole.
    Examples: `crypto-platform up --detach`, `crypto-platform up --source okx`.
    """
    from crypto_platform import source as source_module
    from crypto_platform import status, terminal
    from infra.local import preflight
    from infra.local.stack import Stack
    from streaming.producer.preflight import probe

    say: Callable[[str], None] = (lambda text: None) if as_json else terminal.out.print
    chosen: dict[str, Any] = {"source": source} if source else {}
    settings = settings_module.load(**chosen)
    running = Stack(_running_settings())
    if running.is_running():
        if as_json:
            _print_json(status.read(running).to_json())
        else:
            terminal.end_card(running.settings, running.home, None)
        return
    preflight.require_writable(settings.home)
    settings = source_module.decide(settings, probe, lambda line: terminal.err.print(line))
    stack = Stack(settings)
    with terminate_as_interrupt():
        say(f"Starting the platform in {stack.home} …")
        quiet = as_json
        seconds = stack.up(
            terminal.step_event if quiet else terminal.show_progress,
            None if quiet else terminal.show_download,
        )
        _remember(settings)
        if as_json:
            _print_json({"seconds": round(seconds, 1), **status.read(stack).to_json()})
        else:
            terminal.end_card(settings, stack.home, seconds)
        if not detach:
            say("Ctrl-C stops everything.")
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                say("\nStopping …")
                _stop(stack, quiet)


def _remember(settings: Settings) -> None:
    path = _state_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(
            {
                "settings": {name: getattr(settings, name) for name in ("source", "sim_exchanges", "pairs")},
                "started_at": datetime.now(UTC).isoformat(),
            }
        ),
        encoding="utf-8",
    )


def _stop(stack: Any, quiet: bool) -> list[int]:
    from crypto_platform import terminal

    orphans: list[int] = stack.down((lambda p: None) if quiet else terminal.show_stopped)
    _state_file(stack.settings).unlink(missing_ok=True)
    return orphans


@app.command()
def down(as_json: Json = False) -> None:
    """Stop everything and keep the data; also removes what a killed supervisor left behind."""
    from crypto_platform import terminal
    from infra.local.stack import Stack

    stack = Stack(_running_settings())
    was_running = stack.is_running()
    orphans = _stop(stack, as_json)
    if as_json:
        _print_json({"was_running": was_running, "orphans_removed": orphans})
    elif was_running or orphans:
        extra = f" {len(orphans)} orphaned processes were removed." if orphans else ""
        terminal.out.print(f"Stopped. The data is kept in {stack.home}.{extra}")
    else:
        terminal.out.print("Nothing was running.")


@app.command()
def purge(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop everything and delete all data of this stack (logs, Kafka, warehouse file, Dagster's history)."""
    from crypto_platform import terminal
    from infra.local.stack import Stack

    stack = Stack(_running_settings())
    if not yes:
        typer.confirm(f"Delete everything in {stack.home} except downloaded jars?", abort=True)
    with terminal.working("Stopping and deleting …"):
        _stop(stack, True)
        for path in stack.home.iterdir():
            if path.name not in ("jars", ".lock"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    typer.echo(f"Deleted the data in {stack.home}.")


@app.command()
def status(as_json: Json = False) -> None:
    """Show services, lag, checkpoints, gaps and the age of the last tick; exit 1 if anything is degraded."""
    from crypto_platform import status as status_module
    from crypto_platform import terminal
    from infra.local.stack import Stack

    with terminal.working("Asking every part …"):
        picture = status_module.read(Stack(_running_settings()))
    if as_json:
        _print_json(picture.to_json())
    else:
        terminal.show_status(picture)
    if picture.degraded:
        raise typer.Exit(1)


@app.command()
def restart(name: ServiceName) -> None:
    """Stop one service in an orderly way and start it again."""
    from crypto_platform import terminal

    supervisor, _ = _supervised(name)
    with terminal.working(f"Restarting {name} …"):
        supervisor.stop(name, timeout_s=60)
        supervisor.start(name)
    typer.echo(f"{name} was restarted.")


@app.command()
def stop(name: ServiceName) -> None:
    """Stop one service and leave it stopped until `restart`."""
    from crypto_platform import terminal

    supervisor, _ = _supervised(name)
    with terminal.working(f"Stopping {name} …"):
        supervisor.stop(name, timeout_s=60)
    typer.echo(f"{name} was stopped. `crypto-platform restart {name}` starts it again.")


def _supervised(name: str) -> tuple[Any, Settings]:
    from infra.local.supervision import Supervisor

    settings = _running_settings()
    supervisor = Supervisor(settings.home)
    names = sorted(supervisor.states())
    if name not in names:
        raise SettingsError(f"There is no service {name}.", f"There are: {', '.join(names)}.")
    return supervisor, settings


app.command(name="logs")(logs_cli.logs)


@app.command()
def audit(
    since: Annotated[
        datetime | None,
        typer.Option(help="Only trades from this UTC time on.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    ] = None,
    exchange: Annotated[bool, typer.Option(help="Also ask the simulated exchange what it traded.")] = True,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for what is still on its way.")] = 15.0,
    keep: Annotated[bool, typer.Option("--keep", help="Also write the verdicts to OPS.AUDITS.")] = False,
    as_json: Json = False,
) -> None:
    """Compare the exchange, Kafka and the warehouse trade by trade; exit 1 if anything is lost or twice."""
    from crypto_platform import terminal
    from streaming.audit import record, run

    begin = since.replace(tzinfo=UTC) if since else datetime.fromtimestamp(0, UTC)
    with terminal.working("Comparing exchange, Kafka and warehouse …"):
        audits = run.audit(_running_settings(), begin, ask_exchange=exchange, wait_s=wait)
    if keep:
        record.store(_running_settings(), audits, begin)
    clean = bool(audits) and all(a.clean for a in audits)
    if as_json:
        _print_json({"clean": clean, "pairs": [run.to_json(a) for a in audits]})
    else:
        terminal.show_audit(audits)
    if not clean:
        raise typer.Exit(1)


@app.command(name="settings")
def show_settings(as_json: Json = False) -> None:
    """List every setting with its value and meaning; secrets are masked."""
    settings = settings_module.load()
    names = settings_module.environment_names()
    values = settings.printable()
    if as_json:
        _print_json(values)
        return
    for field, info in Settings.model_fields.items():
        name = names[field]
        typer.echo(f"{name}={values.get(name, '')}\n    {info.description}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check what a start needs: settings, disk, ports, exchange, orphans; exit 1 with advice if not."""
    from crypto_platform import doctor as doctor_module
    from crypto_platform import terminal

    with terminal.working("Looking …"):
        findings = doctor_module.examine(_running_settings())
    if as_json:
        _print_json([finding.to_json() for finding in findings])
    else:
        for finding in findings:
            typer.echo(
                f"{'ok  ' if finding.ok else 'FAIL'} {finding.code} {finding.subject}: {finding.detail}"
            )
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _source_settings() -> Settings:
    """The settings with the source of the running stack; without one, as they are."""
    settings = settings_module.load()
    return _running_settings() if _state_file(settings).exists() else settings


@app.command()
def probe(
    venues: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VENUE]...", help="okx, binance, coinbase, kraken, bybit or sim."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All five exchanges.")] = False,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Take no longer than this.")] = 10.0,
    as_json: Json = False,
) -> None:
    """Check REST, clock, WebSocket and pairs of exchanges; exit 1 if one does not answer.

    Without a name it checks the exchanges that CRYPTO_SOURCE names. If CRYPTO_SOURCE is sim, the exchanges
    are those that the running simulated exchange plays.
    """
    from crypto_platform import capture_view, terminal
    from streaming.capture.probe import examine_all
    from streaming.producer import source as sources
    from streaming.settings import EXCHANGES

    if every and venues:
        raise SettingsError("--all and the name of an exchange exclude each other.", "Give one of them.")
    settings = _source_settings()
    chosen = sources.named(settings, EXCHANGES if every else venues or ())
    with terminal.working("Asking …"):
        reports = examine_all(chosen, settings.pair_choice, seconds)
    if as_json:
        _print_json(capture_view.probe_json(reports))
    else:
        capture_view.show_probe(reports)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


@app.command()
def record(
    venue: Annotated[
        str | None, typer.Option(help="okx, binance, coinbase, kraken, bybit or sim; default CRYPTO_SOURCE.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="End after this; 0: when Ctrl-C says so.")] = 60.0,
    megabytes: Annotated[
        float, typer.Option(min=0.1, help="End when the files have grown to this.")
    ] = 1024.0,
    output: Annotated[
        Path | None, typer.Option(help="A new folder; default recordings/<exchange>-<time>.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Record an exchange's raw WebSocket messages into compressed files; Ctrl-C ends it in good order."""
    from crypto_platform import capture_view, terminal
    from streaming.capture import recorder
    from streaming.producer import preflight
    from streaming.producer import source as sources

    settings = _source_settings()
    source, *others = sources.named(settings, [venue] if venue else ())
    if others:
        names = ", ".join(each.venue.name.lower() for each in (source, *others))
        raise SettingsError(f"A recording is of one exchange, not of {names}.", "Name it with --venue.")
    check = preflight.check(settings, source)
    preflight.refuse(list(check.unknown.values()), [check])
    pairs = check.pairs
    folder = output or Path("recordings") / f"{source.exchange.lower()}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    limits = recorder.Limits(seconds or None, int(megabytes * 1e6))
    limit = f"{seconds:g}" if seconds else "any number"
    with noted_interrupt() as stop, capture_view.RecordingStatus(terminal.err, limit) as status_line:
        result = recorder.record(source, pairs, folder, limits, stop, status_line.update)
    if as_json:
        _print_json(capture_view.recording_json(source.exchange, folder, result))
    else:
        capture_view.show_recording(source.exchange, folder, result)


@app.command()
def replay(
    path: Annotated[Path, typer.Argument(help="A recording's folder, or its first file.")],
    speed: Annotated[
        float, typer.Option(min=0, help="1 is the original pace; 0: as fast as possible.")
    ] = 0.0,
    parquet: Annotated[
        Path | None, typer.Option(help="Write trades and quotes here, for CRYPTO_SIM_RECORDING.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a recording through the exchange's protocol machine and count what comes out.

    Exit 1 if the machine decides otherwise than when it was recorded.
    """
    from crypto_platform import capture_view
    from streaming.capture import replay as replay_module
    from streaming.capture.export import Exporter
    from streaming.capture.reader import RecordingReader
    from streaming.exchanges.registry import venue

    reader = RecordingReader(path)
    if parquet is None:
        tally, exported = replay_module.replay(reader, speed=speed), None
    else:
        exporter = Exporter(parquet, contiguous=venue(reader.header.venue).id_contiguous)
        tally = replay_module.replay(reader, speed=speed, on_trade=exporter.trade, on_ticker=exporter.ticker)
        exported = exporter.finish()
    if as_json:
        _print_json(capture_view.replay_json(tally, exported))
    else:
        capture_view.show_replay(tally)
        if exported is not None and parquet is not None:
            capture_view.show_exported(exported, parquet)
    if tally.differences:
        raise typer.Exit(1)


backfill_cli.register(app, lambda: _running_settings())
app.command(name="moving-average")(averages_cli.moving_average)
