"""What the commands print, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from crypto_platform import terminal
from infra.local.stack import Progress
from streaming import settings as settings_module


def test_a_step_is_a_json_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.step_event(Progress("loader", 12.345, 3, 17))
    captured = capsys.readouterr()
    assert json.loads(captured.err) == {"step": "loader", "seconds": 12.3, "done": 3, "total": 17}
    assert captured.out == ""


def test_nothing_is_said_about_work_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.working("Looking …"):
        pass
    assert capsys.readouterr() == ("", "")


def test_the_end_card_names_every_page_and_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment = {"SNOWFLAKE_PASSWORD": "canary", "SNOWFLAKE_ACCOUNT": "a", "CRYPTO_SOURCE": "sim"}
    console = Console(record=True, width=200)
    monkeypatch.setattr(terminal, "out", console)
    terminal.end_card(settings_module.load(environment, port_offset=100), tmp_path, 1.0)
    text = console.export_text()
    for address in ("http://127.0.0.1:8100", "http://127.0.0.1:3100", "http://127.0.0.1:8181", "SIMULATED"):
        assert address in text
    assert "canary" not in text
