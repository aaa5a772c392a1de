"""Reading SQL files and splitting them into statements."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowflake_sql import catalog


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    catalog.statements.cache_clear()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;\n\nSELECT 2;\n", ["SELECT 1", "SELECT 2"]),
        ("-- a; b\nSELECT 1; -- c;", ["SELECT 1"]),
        ("SELECT 'a;b', 'it''s -- not a comment';", ["SELECT 'a;b', 'it''s -- not a comment'"]),
        ("-- don't\nSELECT 1; SELECT 'x';", ["SELECT 1", "SELECT 'x'"]),
        ("-- only words\n", []),
    ],
)
def test_statements_end_at_semicolons_outside_strings_and_comments(text: str, expected: list[str]) -> None:
    assert catalog.split(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT :from_time", "SELECT %(from_time)s"),
        ("WHERE a>=:from_time AND b<:to_time", "WHERE a>=%(from_time)s AND b<%(to_time)s"),
        ("SELECT a::NUMBER(38, 0)", "SELECT a::NUMBER(38, 0)"),
        ("SELECT value:price::VARCHAR, $1:x", "SELECT value:price::VARCHAR, $1:x"),
        ("SELECT 5 % 2 LIKE 'a%'", "SELECT 5 %% 2 LIKE 'a%%'"),
    ],
)
def test_parameters_become_the_connectors_own_form(folder: Path, text: str, expected: str) -> None:
    (folder / "one.sql").write_text(text)
    assert catalog.statement("one") == expected


def test_a_file_with_two_statements_is_not_taken_for_one(folder: Path) -> None:
    (folder / "two.sql").write_text("SELECT 1; SELECT 2;")
    assert len(catalog.statements("two")) == 2
    with pytest.raises(ValueError, match="too many values"):
        catalog.statement("two")


def test_names_lists_a_folder_in_order(folder: Path) -> None:
    (folder / "checks").mkdir()
    for name in ("b.sql", "a.sql", "notes.md"):
        (folder / "checks" / name).write_text("SELECT 1")
    assert catalog.names("checks") == ["checks/a", "checks/b"]


def test_an_include_stands_for_the_fragment_without_its_header_and_with_its_replacements(
    folder: Path,
) -> None:
    (folder / "part.sql").write_text("-- Grain: none; a header\n\nSELECT A\nFROM RAW.T WHERE N = :n;\n")
    (folder / "whole.sql").write_text(
        "-- Own header\nWITH x AS (\n  -- include: part with RAW.T = RAW.U, :n = 5\n)\nSELECT 1;"
    )
    assert catalog.read("whole").endswith("WITH x AS (\n  SELECT A\n  FROM RAW.U WHERE N = 5\n)\nSELECT 1;")
    (folder / "alone.sql").write_text("-- include: part")
    assert catalog.read("alone") == "SELECT A\nFROM RAW.T WHERE N = :n;"


def test_an_include_that_replaces_what_is_not_there_is_refused(folder: Path) -> None:
    (folder / "part.sql").write_text("SELECT 1")
    (folder / "whole.sql").write_text("-- include: part with A = B")
    with pytest.raises(ValueError, match="part has no A"):
        catalog.read("whole")
