"""How results look in a terminal: progress lines, the end card, the status and audit tables.

What belongs here: formatting. What does not: where the values come from. Colour and boxes are rich's; they
vanish when the output is not a terminal or NO_COLOR is set.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from streaming.errors import PlatformError
from streaming.records import SIMULATED_SUFFIX
from streaming.settings import LOOPBACK, Settings

if TYPE_CHECKING:  # these modules bring the whole stack with them, seconds of it
    from crypto_platform.status import Status
    from infra.local.stack import Progress
    from streaming.audit.verdict import PairAudit

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say what is being done while it takes its time; nothing where the output is no terminal."""
    if not err.is_terminal:
        yield
        return
    with err.status(what):
        yield


def show_error(error: PlatformError) -> None:
    """One line: what is wrong and what to do about it; then a failed service's last log lines, if any."""
    err.print(
        f"[bold red]error:[/] {_plain(error.what)}" + (f" {_plain(error.remedy)}" if error.remedy else "")
    )
    for line in getattr(error, "tail", []):
        err.print(f"  | {_plain(line)}")


def show_progress(progress: Progress) -> None:
    """A line for each service that has become ready."""
    count = f"{progress.done:>2}/{progress.total}"
    out.print(f"  {count}  {progress.name:<22} [green]ready[/] after {progress.seconds:5.1f} s")


def step_event(progress: Progress) -> None:
    """The same for a program: a JSON line on standard error."""
    event = {
        "step": progress.name,
        "seconds": round(progress.seconds, 1),
        "done": progress.done,
        "total": progress.total,
    }
    sys.stderr.write(json.dumps(event) + "\n")
    sys.stderr.flush()


def show_stopped(progress: Progress) -> None:
    """A line for each service that has stopped."""
    out.print(
        f"  {progress.done:>2}/{progress.total}  {progress.name:<22} stopped after {progress.seconds:5.1f} s"
    )


def show_download(done: int, total: int, name: str) -> None:
    """A line for each Java archive that has arrived."""
    out.print(f"  {done:>2}/{total}  {name}")


def end_card(settings: Settings, home: Path, seconds: float | None) -> None:
    """What runs now and where to look: the card at the end of a start."""
    ports = settings.ports
    names = [name.upper() for name in settings.exchanges]
    if settings.source == "sim":
        labels = ", ".join(name + SIMULATED_SUFFIX for name in names)
        source = f"SIMULATED exchange (labelled {labels}), http://{LOOPBACK}:{ports.simulator}"
    else:
        source = ", ".join(names)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    table.add_row("Data source", source)
    choice = settings.pair_choice
    table.add_row("Pairs", ", ".join([*choice.named, *(f"every {quote} pair" for quote in choice.quotes)]))
    table.add_row("Dashboard", f"http://{LOOPBACK}:{ports.dashboard}")
    table.add_row("Dagster", f"http://{LOOPBACK}:{ports.dagster}")
    table.add_row("Flink", settings.flink_url)
    table.add_row("Kafka", settings.bootstrap_servers)
    warehouse = (
        f"emulator on {LOOPBACK}:{ports.emulator}" if settings.uses_emulator else settings.snowflake_account
    )
    table.add_row("Snowflake", f"{warehouse}, database {settings.snowflake_database}")
    table.add_row("Data and logs", f"{home}, {home / 'logs'}")
    table.add_row("Next", "crypto-platform status · audit · logs producer -f · down")
    title = (
        f"All services are ready after {seconds:.1f} s."
        if seconds is not None
        else "The platform is running."
    )
    out.print(f"\n[bold green]{title}[/]")
    out.print(table)


def show_status(status: Status) -> None:
    """The status as two tables and the list of problems."""
    services = Table(
        "service", "state", "pid", "restarts", "memory MB", "CPU %", "uptime s", box=None, header_style="bold"
    )
    for s in status.services:
        colour = "green" if s.state == "RUNNING" else "red"
        services.add_row(
            s.name,
            f"[{colour}]{s.state}[/]",
            str(s.pid or "-"),
            str(s.restarts),
            f"{s.rss_mb:.0f}",
            f"{s.cpu_percent:.1f}",
            f"{s.uptime_s:.0f}",
        )
    out.print(services)
    pairs = Table("pair", "last tick, s ago", box=None, header_style="bold")
    for pair, age in status.last_tick_age_s.items():
        pairs.add_row(pair, "never" if age is None else f"{age:.1f}")
    out.print(pairs)
    lag = "unknown" if status.loader_lag_records is None else str(sum(status.loader_lag_records.values()))
    age_text = "unknown" if status.last_checkpoint_age_s is None else f"{status.last_checkpoint_age_s:.1f} s"
    total = sum(s.rss_mb for s in status.services)
    out.print(
        f"source {status.source} · loader lag {lag} records · last checkpoint {age_text} ago · "
        f"open gaps {'unknown' if status.open_gaps is None else status.open_gaps} · memory {total:.0f} MB"
    )
    for problem in status.problems:
        out.print(f"[red]![/] {_plain(problem)}")
    out.print("[bold red]DEGRADED[/]" if status.degraded else "[bold green]HEALTHY[/]")


def show_audit(audits: Sequence[PairAudit]) -> None:
    """The audit as a table, then every lost range and mismatched bar."""
    table = Table(
        "exchange",
        "pair",
        "expected",
        "lost",
        "pending",
        "duplicated",
        "late",
        "mismatched bars",
        box=None,
        header_style="bold",
    )
    for a in audits:
        numbers = (a.expected, a.lost, a.pending, a.duplicated, a.late, a.mismatched_bars)
        table.add_row(a.exchange, a.pair, *(f"{number:,}" for number in numbers))
    out.print(table)
    for a in audits:
        for first, last in a.lost_ranges[:20]:
            out.print(f"[red]lost[/] {a.exchange} {a.pair} ids {first}..{last}")
        for window in a.mismatched_windows[:20]:
            out.print(f"[red]bar differs[/] {a.exchange} {a.pair} {window}")
    clean = bool(audits) and all(a.clean for a in audits)
    out.print("[bold green]CLEAN[/]" if clean else "[bold red]NOT CLEAN[/]")


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
