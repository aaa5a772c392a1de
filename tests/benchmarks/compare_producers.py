"""`python -m tests.benchmarks.compare_producers [--rate N ...] [--rounds N] [--seconds S]`: CPU seconds per
1,000 trades of this platform's producer, cryptofeed 3 and bbo-tap, on the same feed and the same brokers.

What belongs here: rounds, table, verdict. What does not: the ground (`compare.arena`) and the three producers
(`compare.contestants`).

For each rate every contestant runs alone, in an order that changes from round to round, and then all of them
at once on the very same trades. Exit code 1 when this platform's median is not the lowest everywhere, 2 when
it could not be measured.
"""

from __future__ import annotations

import argparse
import os
import platform as machine
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
import msgspec
from confluent_kafka import KafkaException

from streaming import settings
from streaming.errors import PlatformError
from tests.benchmarks.compare import contestants as entries
from tests.benchmarks.compare.arena import Arena, Measurement, open_arena
from tests.benchmarks.compare.contestants import OURS, Contestant
from tests.integration.platform_process import prepare

OFFSET = 3600
RATES = (1000, 5000)
WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Table:
    """All measurements at one rate, alone or together."""

    rate: int
    mode: str
    rows: dict[str, list[Measurement]] = field(default_factory=dict)

    def add(self, measurements: Sequence[Measurement]) -> None:
        for measurement in measurements:
            self.rows.setdefault(measurement.name, []).append(measurement)

    def median(self, name: str) -> float:
        return statistics.median(m.cpu_s_per_thousand for m in self.rows[name])

    def ours_is_lowest(self) -> bool:
        return all(self.median(OURS) < self.median(name) for name in self.rows if name != OURS)

    def lines(self) -> list[str]:
        found = [
            f"{self.rate} trades/s, {self.mode}: CPU seconds per 1,000 trades",
            f"  {'producer':<14}{'median':>9}{'min':>9}{'max':>9}{'ratio':>8}{'trades':>10}{'lost':>8}"
            f"{'twice':>8}{'RSS MiB':>9}",
        ]
        for name, rows in self.rows.items():
            costs = [m.cpu_s_per_thousand for m in rows]
            found.append(
                f"  {name:<14}{self.median(name):>9.4f}{min(costs):>9.4f}{max(costs):>9.4f}"
                f"{self.median(name) / self.median(OURS):>8.2f}{sum(m.trades for m in rows):>10}"
                f"{sum(m.lost for m in rows):>8}{sum(m.repeated for m in rows):>8}"
                f"{max(m.rss_mib for m in rows):>9.0f}"
            )
        return found


def compare(
    arena: Arena, chosen: Sequence[Contestant], rate: int, options: argparse.Namespace
) -> list[Table]:
    """Measure at one rate: alone in turn, then together."""
    arena.control("rate", trades_per_second=rate)
    alone, together = Table(rate, "one at a time"), Table(rate, "all at once")
    for number in range(options.rounds):
        first = number % len(chosen)
        for contestant in (*chosen[first:], *chosen[:first]):
            with arena.running([contestant]) as running:
                arena.trade_for(WARM_UP_S)
                arena.settle(running)
                alone.add(arena.measure(running, options.seconds))
        _say(f"  {rate}/s alone, round {number + 1}: {_short(alone)}")
    with arena.running(chosen) as running:
        arena.trade_for(WARM_UP_S)
        arena.settle(running)
        for number in range(options.rounds):
            together.add(arena.measure(running, options.seconds))
            _say(f"  {rate}/s together, round {number + 1}: {_short(together)}")
    return [alone, together]


def _short(table: Table) -> str:
    return ", ".join(f"{name} {rows[-1].cpu_s_per_thousand:.4f}" for name, rows in table.rows.items())


def _version(interpreter: str | Path) -> str:
    command = [str(interpreter), "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run(options: argparse.Namespace) -> int:
    """Install, measure, print; return the exit code. Raises PlatformError."""
    folder: Path = (options.folder or settings.load().home / "benchmarks").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    interpreters = {name: entries.install(folder, name, options.python) for name in entries.REQUIREMENTS}
    with tempfile.TemporaryDirectory(prefix="compare-") as temporary:
        platform = prepare(Path(temporary) / "home", options.port_offset)
        with open_arena(platform) as arena:
            config = platform.settings
            chosen = [
                entries.ours(platform, arena.ws_url, arena.rest_url),
                entries.cryptofeed(config, interpreters[entries.CRYPTOFEED], arena.ws_url, arena.rest_url),
                entries.bbo_tap(config, interpreters[entries.BBO_TAP], arena.ws_url, platform.home),
            ]
            arena.create_topics(chosen)
            _say(f"{os.cpu_count()} cores, {machine.machine()}, {machine.system()} {machine.release()}")
            _say("one simulated exchange on loopback (TLS, one trade a frame), three local brokers")
            for contestant in chosen:
                requirement = entries.REQUIREMENTS.get(contestant.name, contestant.name)
                _say(f"{requirement}, Python {_version(contestant.command[0])}: {contestant.how}")
            tables = [table for rate in options.rate for table in compare(arena, chosen, rate, options)]
    for table in tables:
        _say("\n" + "\n".join(table.lines()))
    if options.json is not None:
        options.json.write_bytes(
            msgspec.json.format(msgspec.json.encode([asdict(table) for table in tables]))
        )
    losers = [f"{table.rate}/s {table.mode}" for table in tables if not table.ours_is_lowest()]
    _say(f"\nNot the lowest at: {', '.join(losers)}." if losers else f"\n{OURS} is the lowest everywhere.")
    return 1 if losers else 0


def main() -> int:
    """Parse arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.compare_producers")
    parser.add_argument(
        "--rate", type=int, nargs="+", default=list(RATES), help="trades a second over all pairs"
    )
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each producer in each mode")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of one measurement")
    parser.add_argument("--folder", type=Path, help="where cryptofeed and bbo-tap are installed")
    parser.add_argument(
        "--python", default=entries.NEEDED_PYTHON, help="interpreter or version for those two"
    )
    parser.add_argument(
        "--port-offset", type=int, default=OFFSET, help="moves all ports of the brokers and the feed"
    )
    parser.add_argument("--json", type=Path, help="write every measurement to this file")
    try:
        return run(parser.parse_args())
    except (PlatformError, KafkaException, httpx.HTTPError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
