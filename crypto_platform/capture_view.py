"""How `probe`, `record` and `replay` look: tables for a person, plain dictionaries for `--json`.

What belongs here: formatting. What does not: where the values come from (`streaming.capture`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from crypto_platform import terminal

if TYPE_CHECKING:
    from streaming.capture.export import Exported
    from streaming.capture.probe import VenueReport
    from streaming.capture.recorder import Progress
    from streaming.capture.replay import Tally

SHOWN_AFTER_S: Final = 2.0
PLAIN_WIDTH: Final = 160
_RANGES_SHOWN: Final = 5
_PAIRS_SHOWN: Final = 20


def probe_json(reports: Sequence[VenueReport]) -> dict[str, Any]:
    """All that `show_probe` shows, and more."""
    venues = [
        {"ok": report.ok, "problems": report.problems, **msgspec.to_builtins(report)} for report in reports
    ]
    return {"ok": all(report.ok for report in reports), "venues": venues}


def show_probe(reports: Sequence[VenueReport]) -> None:
    """REST and clock, connections, pairs with samples, and what is wrong."""
    rest = _table("exchange", "REST", "median ms", "min–max ms", "first ms", "clock offset ms")
    sockets = _table("exchange", "connection", "WebSocket", "handshake ms", "ack ms", "data ms", "ready ms")
    pairs = _table("exchange", "pair", "state", "a trade", "bid / ask")
    for report in reports:
        r = report.rest
        bounds = clock = "-"
        if r.latency_min_ms is not None:
            bounds = f"{r.latency_min_ms:.1f}–{r.latency_max_ms:.1f}"
        if r.clock_offset_ms is not None:
            clock = f"{r.clock_offset_ms:+.1f} ± {r.clock_uncertainty_ms:.1f}"
        rest.add_row(report.exchange, _verdict(r.ok), _ms(r.latency_ms), bounds, _ms(r.connect_ms), clock)
        for c in report.connections:
            times = (c.handshake_ms, c.first_ack_ms, c.first_data_ms, c.ready_ms)
            sockets.add_row(report.exchange, c.name, _verdict(c.ok), *map(_ms, times))
        for p in report.pairs[:_PAIRS_SHOWN]:
            trading = "-" if p.trading is None else _verdict(p.trading, p.state or "unknown")
            trade = quote = "-"
            if p.trade is not None:
                trade = f"{p.trade.side} {_short(p.trade.size)} at {_short(p.trade.price)}"
            if p.ticker is not None:
                quote = f"{_short(p.ticker.bid_price)} / {_short(p.ticker.ask_price)}"
            pairs.add_row(report.exchange, p.pair, trading, trade, quote)
        if len(report.pairs) > _PAIRS_SHOWN:
            pairs.add_row(report.exchange, f"and {len(report.pairs) - _PAIRS_SHOWN} more")
    for table in (rest, sockets, pairs):
        _print(table)
        terminal.out.print()
    for report in reports:
        for problem in report.problems:
            terminal.out.print(f"[red]![/] {escape(problem)}")
    good = all(report.ok for report in reports)
    terminal.out.print("[bold green]ALL ANSWER[/]" if good else "[bold red]NOT ALL ANSWER[/]")


class RecordingStatus:
    """One line that is kept up to date on a terminal, from two seconds on; nothing elsewhere."""

    def __init__(self, console: Console, limit: str) -> None:
        self._console = console
        self._limit = limit
        self._status: Status | None = None

    def __enter__(self) -> RecordingStatus:
        return self

    def update(self, progress: Progress) -> None:
        if not self._console.is_terminal or progress.seconds < SHOWN_AFTER_S:
            return
        states = ", ".join(f"{count.name} {count.state.value}" for count in progress.connections)
        text = (
            f"{progress.seconds:.0f} s of {self._limit}, {progress.messages:,} messages, "
            f"{_size(progress.compressed_bytes)} ({states}). Ctrl-C ends it."
        )
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._status.update(text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()


def recording_json(exchange: str, folder: Path, progress: Progress) -> dict[str, Any]:
    """What was recorded, and where."""
    connections = [
        {
            "name": c.name,
            "connections": c.lives,
            "messages": c.messages,
            "trades": c.trades,
            "tickers": c.tickers,
            "reconnects": dict(sorted(c.reconnects.items())),
        }
        for c in progress.connections
    ]
    return {
        "exchange": exchange,
        "folder": str(folder),
        "seconds": round(progress.seconds, 1),
        "files": progress.files,
        "compressed_bytes": progress.compressed_bytes,
        "messages": progress.messages,
        "connections": connections,
    }


def show_recording(exchange: str, folder: Path, progress: Progress) -> None:
    """What was recorded, where it is, and what to do with it."""
    table = _table("connection", "opened", "messages", "trades", "tickers", "reconnects")
    for c in progress.connections:
        table.add_row(
            c.name, str(c.lives), *_numbers(c.messages, c.trades, c.tickers), _reasons(c.reconnects)
        )
    _print(table)
    files = f"{progress.files} file{'s' if progress.files != 1 else ''}"
    terminal.out.print(
        f"Recorded {exchange} for {progress.seconds:.1f} s into {escape(str(folder))} "
        f"({files}, {_size(progress.compressed_bytes)}).\nNext: crypto-platform replay {escape(str(folder))}"
    )


def replay_json(tally: Tally, exported: Sequence[Exported] | None) -> dict[str, Any]:
    """All counts; the same recording gives the same text."""
    result: dict[str, Any] = {"trades": tally.trades, "tickers": tally.tickers, **msgspec.to_builtins(tally)}
    if exported is not None:
        result["parquet"] = [
            {**asdict(pair), "files": [str(path) for path in pair.files]} for pair in exported
        ]
    return result


def show_replay(tally: Tally) -> None:
    """Counts a pair, then what is remarkable."""
    table = _table("pair", "trades", "tickers", "twice", "late", "gaps", "missing", "first id", "last id")
    for pair, t in tally.pairs.items():
        missing = "?" if t.missing and not tally.ids_contiguous else f"{sum(map(len, t.missing)):,}"
        counts = (t.trades, t.tickers, t.duplicates + t.overlaps, t.late, t.gaps)
        table.add_row(pair, *_numbers(*counts), missing, *map(_or_dash, (t.first_id, t.last_id)))
    _print(table)
    say = terminal.out.print
    for pair, t in tally.pairs.items():
        for gap in t.missing[:_RANGES_SHOWN]:
            word = "missing" if tally.ids_contiguous else "perhaps missing"
            say(f"[red]{word}[/] {pair} ids {gap.first}..{gap.last}")
        if len(t.missing) > _RANGES_SHOWN:
            say(f"        {pair} and {len(t.missing) - _RANGES_SHOWN} more gaps")
    for title, texts, count in (
        ("bad frame", tally.bad_frame_examples, tally.bad_frames),
        ("unknown event", tally.unknown_examples, tally.unknown_events),
        ("differs", tally.difference_examples, tally.differences),
    ):
        for text in texts:
            say(f"[yellow]{title}[/] {escape(text)}")
        if count > len(texts):
            say(f"        and {count - len(texts)} more")
    for refusal in tally.refusals:
        say(f"[red]refused[/] {escape(refusal)}")
    say(
        f"{tally.exchange}: {tally.seconds:.1f} s, {tally.frames:,} frames, {tally.trades:,} trades, "
        f"{tally.tickers:,} tickers, {tally.bad_frames} bad frames, {tally.unknown_events} unknown events, "
        f"{tally.connections} connections, reconnects {_reasons(tally.reconnects)}, "
        f"{tally.connect_failures} failed connects"
    )
    if tally.torn is not None:
        say(f"[yellow]![/] {escape(tally.torn)}.")
    elif not tally.complete:
        say("[yellow]![/] The recorder was killed: the recording has no end.")
    if tally.differences:
        say(f"[bold red]DIFFERS[/] in {tally.differences} places from what was recorded")


def show_exported(exported: Sequence[Exported], folder: Path) -> None:
    """What became of each pair, and how to run the platform on it."""
    table = _table("pair", "trades written", "quotes", "left out", "remarks")
    for e in exported:
        remarks = [f"not written: {e.why}"] if e.why else []
        remarks += ["ids numbered anew"] if e.renumbered else []
        remarks += [f"{e.times_raised} times raised to the one before"] if e.times_raised else []
        remarks += ["only the longest run without a gap"] if e.left_out else []
        table.add_row(e.pair, *_numbers(e.trades, e.quotes, e.left_out), "; ".join(remarks))
    _print(table)
    if any(e.files for e in exported):
        terminal.out.print(
            f"Next: CRYPTO_SIM_MODE=replay CRYPTO_SIM_RECORDING={escape(str(folder.absolute()))} "
            "crypto-platform up --source sim"
        )


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, header_style="bold")


def _print(table: Table) -> None:
    """A table as wide as the terminal; where there is none, lines are not cut."""
    out = terminal.out if terminal.out.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)
    out.print(table)


def _verdict(ok: bool, words: str = "") -> str:
    return f"[green]{escape(words or 'ok')}[/]" if ok else f"[red]{escape(words or 'NO')}[/]"


def _short(decimal: str | None) -> str:
    """A decimal without the zeros at its end."""
    if decimal is None:
        return "-"
    return decimal.rstrip("0").rstrip(".") if "." in decimal else decimal


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _numbers(*values: int) -> tuple[str, ...]:
    return tuple(f"{value:,}" for value in values)


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def _reasons(reasons: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "0"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
