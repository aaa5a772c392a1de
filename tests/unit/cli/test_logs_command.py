"""`crypto-platform logs`: which lines of which files are shown."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crypto_platform.cli import app
from crypto_platform.completion import complete_log, complete_service
from crypto_platform.logs_cli import Filter, added_lines, last_lines, parse_since, time_of, whole_lines
from streaming.errors import SettingsError

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
RUN = CliRunner()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRYPTO_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "producer.log").write_text(
        '{"event": "old", "time": "2026-01-31T10:00:00Z"}\n'
        '{"event": "trouble", "time": "2026-01-31T11:59:00Z"}\n'
        "Traceback of that trouble\n"
    )
    (tmp_path / "logs" / "kafka-1.log").write_text("2026-01-31T11:58:00.123+00:00 INFO started\n")
    return tmp_path


def shown(*arguments: str) -> list[str]:
    result = RUN.invoke(app, ["logs", *arguments])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_one_service_is_printed_as_it_is_and_several_with_their_names(home: Path) -> None:
    assert shown("kafka-1") == ["2026-01-31T11:58:00.123+00:00 INFO started"]
    assert {line.split(" | ")[0] for line in shown()} == {"kafka-1", "producer"}
    assert len(shown("producer", "kafka-1")) == 4


def test_only_lines_since_then_are_shown_with_what_belongs_to_them(home: Path) -> None:
    assert shown("producer", "--since", "2026-01-31T11:00:00") == [
        '{"event": "trouble", "time": "2026-01-31T11:59:00Z"}',
        "Traceback of that trouble",
    ]


def test_only_matching_lines_are_shown(home: Path) -> None:
    assert shown("--grep", "start|Trace") == [
        "kafka-1 | 2026-01-31T11:58:00.123+00:00 INFO started",
        "producer | Traceback of that trouble",
    ]
    assert shown("producer", "-n", "1") == ["Traceback of that trouble"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["loader"], "no log .*loader.log.*kafka-1, producer"),
        (["--since", "yesterday"], "--since is 'yesterday'"),
        (["--grep", "("], "no regular expression"),
    ],
)
def test_a_wrong_argument_is_named(home: Path, arguments: list[str], words: str) -> None:
    result = RUN.invoke(app, ["logs", *arguments])
    assert isinstance(result.exception, SettingsError)
    with pytest.raises(SettingsError, match=words):
        raise result.exception


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10m", NOW - timedelta(minutes=10)),
        ("1.5h", NOW - timedelta(minutes=90)),
        ("1d", NOW - timedelta(days=1)),
        ("2026-01-30T01:02:03", datetime(2026, 1, 30, 1, 2, 3, tzinfo=UTC)),
        ("2026-01-30T01:02:03+01:00", datetime(2026, 1, 30, 0, 2, 3, tzinfo=UTC)),
    ],
)
def test_since_is_a_span_or_a_moment(text: str, moment: datetime) -> None:
    assert parse_since(text, NOW) == moment


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "x", "time": "2026-01-31T12:00:00.000000Z"}',
        "2026-01-31T12:00:00.000+00:00 INFO kafka",
        "[2026-01-31 12:00:00,000] supervisor",
        "2026-01-31T13:00:00+0100 offset",
    ],
)
def test_a_time_is_found_however_it_is_written(line: str) -> None:
    assert time_of(line) == NOW


def test_a_line_without_a_time_has_none() -> None:
    assert time_of("  File 'x.py', line 3") is None


def test_what_is_added_is_followed_also_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("before\n")
    seen: list[str] = []
    done = threading.Event()

    places = {path: whole_lines(path)}

    def follow() -> None:
        for _, line in added_lines(places, {path: Filter()}):
            seen.append(line)
            done.set()
            if len(seen) == 2:
                return

    reader = threading.Thread(target=follow)
    reader.start()
    with path.open("a") as file:
        file.write("half ")
        file.flush()
        file.write("a line\n")
    assert done.wait(5)
    path.write_text("new\n")
    reader.join(5)
    assert seen == ["half a line", "new"]


def test_the_last_lines_are_those_that_match(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(f"{n}\n" for n in range(100)))
    assert last_lines(path, Filter(), 3, whole_lines(path)) == ["97", "98", "99"]


def test_half_a_line_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("one\nhalf")
    assert whole_lines(path) == 4
    assert last_lines(path, Filter(), 3, 4) == ["one"]


def test_tab_offers_what_is_there(home: Path) -> None:
    (home / "logs" / "migrations.log").touch()
    assert complete_log("") == ["kafka-1", "migrations", "producer"]
    assert complete_log("pro") == ["producer"]
    assert complete_service("") == ["kafka-1", "producer"]


def test_tab_offers_nothing_where_the_settings_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTO_PORT_OFFSET", "many")
    assert complete_log("") == []
