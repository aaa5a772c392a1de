"""`crypto-platform logs`: what the services have written, filtered by service, time and words.

What belongs here: arguments, choosing lines, following. What does not: writing logs (`streaming.logs`),
rotation (the supervisor).
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from crypto_platform.completion import complete_log
from crypto_platform.interrupts import terminate_as_interrupt
from streaming import settings as settings_module
from streaming.errors import SettingsError

FOLLOW_S: Final = 0.3
LINE_MAX: Final = 1 << 20
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?)(Z|[+-]\d\d:?\d\d)?")
"""How our services, Kafka and Flink all write their times somewhere in a line."""
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_since(text: str, now: datetime) -> datetime:
    """A moment: `10m`, `2h`, `1d`, or a UTC time as 2026-01-31T12:00:00.

    Raises:
        SettingsError: it is neither.
    """
    span = _SPAN.fullmatch(text.strip())
    if span:
        return now - timedelta(seconds=float(span.group(1)) * _UNITS[span.group(2)])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"--since is {text!r}.",
            "Write a span such as 10m, 2h or 1d, or a UTC time such as 2026-01-31T12:00:00.",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def time_of(line: str) -> datetime | None:
    """The time that a line carries, None if it has none."""
    found = _TIME.search(line)
    if found is None:
        return None
    stamp, zone = found.groups()
    moment = datetime.fromisoformat(stamp.replace(",", ".")[:26])
    offset = zone if zone and zone != "Z" else "+00:00"
    return datetime.fromisoformat(f"{moment.isoformat()}{offset}")


@dataclass
class Filter:
    """Which lines are shown. A line without a time, as of a traceback, goes with the line before it."""

    since: datetime | None = None
    words: re.Pattern[str] | None = None
    _inside: bool = False

    def takes(self, line: str) -> bool:
        if self.since is not None:
            moment = time_of(line)
            if moment is not None:
                self._inside = moment >= self.since
            if not self._inside:
                return False
        return self.words is None or self.words.search(line) is not None


def whole_lines(path: Path) -> int:
    """How many bytes of a file are lines that are written to their end."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LINE_MAX))
        return size - len(file.read().rpartition(b"\n")[2])


def last_lines(path: Path, chosen: Filter, count: int, end: int) -> list[str]:
    """The last `count` lines within the first `end` bytes of a file that the filter takes."""
    with path.open("rb") as file:
        lines = (line.decode("utf-8", "replace").rstrip("\n") for line in _lines_until(file, end))
        return list(deque(filter(chosen.takes, lines), maxlen=count))


def _lines_until(file: BinaryIO, end: int) -> Iterator[bytes]:
    while file.tell() < end and (line := file.readline()):
        yield line


def added_lines(places: dict[Path, int], filters: dict[Path, Filter]) -> Iterator[tuple[Path, str]]:
    """What is added to the files after the given bytes of each, for ever; a rotated one begins anew."""
    while True:
        quiet = True
        for path in places:
            size = path.stat().st_size if path.exists() else 0
            if size < places[path]:
                places[path] = 0
            if size == places[path]:
                continue
            with path.open("rb") as file:
                file.seek(places[path])
                text = file.read(size - places[path])
            whole = text.rfind(b"\n") + 1
            places[path] += whole
            for line in text[:whole].decode("utf-8", "replace").splitlines():
                if filters[path].takes(line):
                    quiet = False
                    yield path, line
        if quiet:
            time.sleep(FOLLOW_S)


def logs(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Services; without one, all.", autocompletion=complete_log),
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep printing what is added.")] = False,
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=0, help="How many lines of each to begin with.")
    ] = 50,
    since: Annotated[
        str | None, typer.Option(help="Only lines from then on: 10m, 2h, or a UTC time.")
    ] = None,
    grep: Annotated[str | None, typer.Option(help="Only lines that this regular expression matches.")] = None,
) -> None:
    """Print the logs of some services, or of all.

    Examples: `crypto-platform logs producer -f`, `crypto-platform logs --since 10m --grep 'error|warning'`.
    """
    settings = settings_module.load()
    known = {path.stem: path for path in sorted(settings.log_folder.glob("*.log"))}
    for name in names or ():
        if name not in known:
            raise SettingsError(
                f"There is no log {settings.log_folder}/{name}.log.",
                f"There are {', '.join(known)}." if known else "Nothing has run here yet.",
            )
    if not known:
        raise SettingsError(
            f"There is no log {settings.log_folder}/*.log.", "`crypto-platform up` starts the services."
        )
    begin = parse_since(since, datetime.now(UTC)) if since else None
    try:
        words = re.compile(grep) if grep else None
    except re.error as error:
        raise SettingsError(f"--grep is {grep!r}, which is no regular expression ({error}).") from None
    paths = [known[name] for name in dict.fromkeys(names or known)]
    filters = {path: Filter(begin, words) for path in paths}
    mark = len(paths) > 1

    def show(path: Path, line: str) -> None:
        typer.echo(f"{path.stem} | {line}" if mark else line)

    with terminate_as_interrupt():
        try:
            places = {path: whole_lines(path) for path in paths}
            for path in paths:
                for line in last_lines(path, filters[path], lines, places[path]):
                    show(path, line)
            if follow:
                for path, line in added_lines(places, filters):
                    show(path, line)
        except KeyboardInterrupt:
            return
        except BrokenPipeError:
            return
