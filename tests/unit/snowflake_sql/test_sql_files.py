"""Every SQL file as text: it parses, says what it is, and agrees with the files beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from snowflake_sql import catalog, flatten
from streaming.exchanges.registry import VENUES
from streaming.loader import tables
from streaming.records import SIMULATED_SUFFIX

EVERY_FILE = sorted(
    str(path.relative_to(catalog.ROOT).with_suffix("")) for path in catalog.ROOT.rglob("*.sql")
)
HEADED = [name for name in EVERY_FILE if "/" in name]
# sqlglot's grammar stops at these words; the statements are Snowflake's all the same.
BEYOND_THE_GRAMMAR = re.compile(
    r"(CREATE (OR REPLACE )?"
    r"(ROLE|RESOURCE MONITOR|STREAM|TASK|USER|NETWORK (RULE|POLICY)|SNOWFLAKE\.CORE\.BUDGET)"
    r"|ALTER (WAREHOUSE|SCHEMA|USER)|GRANT|CALL)\b"
)


def parsed(text: str) -> exp.Expression:
    statement = sqlglot.parse_one(text.replace("{{ database }}", "CRYPTO"), dialect="snowflake")
    assert isinstance(statement, exp.Expression)
    return statement


@pytest.mark.parametrize("name", EVERY_FILE)
def test_every_statement_parses_as_snowflake_sql(name: str) -> None:
    statements = catalog.split(catalog.read(name))
    assert statements
    for text in statements:
        if isinstance(parsed(text), exp.Command):
            assert BEYOND_THE_GRAMMAR.match(text), f"sqlglot does not understand: {text[:80]}"
        if re.match(r"CREATE (OR REPLACE )?TASK\b", text):
            body = parsed(text[text.index("\nAS\n") + 4 :])
            assert isinstance(body, exp.Insert | exp.Merge | exp.Delete)


@pytest.mark.parametrize("name", HEADED)
def test_every_file_says_its_grain_input_output_and_source(name: str) -> None:
    header = catalog.read(name)[:1500]
    for word in ("Grain:", "Input", "Output:", "Source:"):
        assert word in header, f"{name} has no {word}"


def test_the_flat_files_match_the_scripts() -> None:
    assert flatten.stale() == []


def test_a_changed_flat_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatten, "ROOT", tmp_path)
    for name, (folder, _) in flatten.FLAT.items():
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("something else")
    assert {str(path.relative_to(tmp_path)) for path in flatten.stale()} == set(flatten.FLAT)
    assert flatten.main(["--check"]) == 1
    assert flatten.main([]) == 0
    assert flatten.main(["--check"]) == 0


@pytest.mark.parametrize(
    "name",
    [
        "rollups/bars_1h",
        "rollups/bars_1m_recompute",
        "rollups/bars_5m_recompute",
        "rollups/bars_15m_recompute",
        "rollups/bars_1d",
        "checks/bars_equal_raw_trades",
    ],
)
def test_rollups_and_the_check_have_the_formulas_of_a_bar_from_one_file(name: str) -> None:
    def words(text: str) -> str:
        return " ".join(text.split())

    seconds = re.search(r"DATEADD\('SECOND', (\d+)", catalog.read(name))
    assert seconds is not None
    formula = _code("fragments/bars_of_trades").replace(":window_seconds", seconds.group(1))
    assert words(formula) in words(_code(name))
    assert "NEAREST" not in (catalog.ROOT / f"{name}.sql").read_text()


def created_tables() -> dict[str, exp.Create]:
    found: dict[str, exp.Create] = {}
    for text in catalog.split(catalog.read("schema")):
        statement = parsed(text)
        if isinstance(statement, exp.Create) and statement.kind == "TABLE":
            table = statement.find(exp.Table)
            assert table is not None
            found[f"{table.db}.{table.name}"] = statement
        elif isinstance(statement, exp.Alter):
            for action in statement.args["actions"]:
                if isinstance(action, exp.ColumnDef):
                    found[f"{statement.this.db}.{statement.this.name}"].this.append("expressions", action)
    return found


def columns_of(create: exp.Create) -> list[exp.ColumnDef]:
    return [column for column in create.this.expressions if isinstance(column, exp.ColumnDef)]


@pytest.mark.parametrize("table", tables.ALL, ids=lambda table: table.name)
def test_the_loader_knows_each_table_as_it_is_created(table: tables.Table) -> None:
    create = created_tables()[table.name]
    created = {column.name: column for column in columns_of(create)}
    assert set(created) == set(table.column_names)
    for name, kind in table.columns:
        column = created[name]
        assert column.kind is not None
        expected = parsed(f"SELECT CAST(x AS {kind})").find(exp.DataType)
        assert column.kind.sql("snowflake") == expected.sql("snowflake"), name  # type: ignore[union-attr]
    key = create.find(exp.PrimaryKey)
    assert [part.name for part in (key.expressions if key else [])] == list(table.identity)


@pytest.mark.parametrize("name", sorted(created_tables()))
def test_every_column_and_table_says_what_it_means(name: str) -> None:
    create = created_tables()[name]
    assert create.find(exp.SchemaCommentProperty) is not None
    for column in columns_of(create):
        assert column.find(exp.CommentColumnConstraint) is not None, column.name


def test_no_number_is_without_a_scale() -> None:
    """A bare NUMBER rounds to whole numbers in Snowflake."""
    for name in EVERY_FILE:
        assert not re.search(r"\b(NUMBER|DECIMAL|NUMERIC)\b(?!\s*\()", _code(name)), name


def test_raw_tables_are_transient_and_bars_are_not() -> None:
    for name, create in created_tables().items():
        transient = create.find(exp.TransientProperty) is not None
        assert transient == name.startswith("RAW."), name


def _code(name: str) -> str:
    return "\n".join(catalog.split(catalog.read(name)))


def test_contiguity_is_asked_of_every_venue_but_those_whose_ids_have_holes() -> None:
    text = catalog.read("checks/contiguous_trade_ids")
    for name, venue in VENUES.items():
        excluded = all(f"'{name}{suffix}'" in text for suffix in ("", SIMULATED_SUFFIX))
        assert excluded is not venue.id_contiguous, name


def test_every_rollup_is_registered_with_what_it_writes_and_reads() -> None:
    assert {rollup.name for rollup in catalog.ROLLUPS} == set(catalog.names("rollups"))
    for rollup in catalog.ROLLUPS:
        (merge,) = (parsed(text) for text in catalog.split(catalog.read(rollup.name)))
        assert isinstance(merge, exp.Merge), f"{rollup.name} is not one MERGE"
        assert f"{merge.this.db}.{merge.this.name}" == rollup.table
        read = {f"{table.db}.{table.name}" for table in merge.args["using"].find_all(exp.Table) if table.db}
        assert read == set(rollup.reads), rollup.name
        columns = {column.name for column in columns_of(created_tables()[rollup.table])}
        assert rollup.time_column in columns


def test_the_bars_of_every_length_have_the_same_columns() -> None:
    of_the_stream = {"KAFKA_PARTITION", "KAFKA_OFFSET"}
    minute, *others = (
        {column.name for column in columns_of(created_tables()[f"MARKET.BARS_{length}"])}
        for length in ("1M", "5M", "15M", "1H", "1D")
    )
    assert [other | of_the_stream for other in others] == [minute] * 4


def test_what_a_rollup_keeps_when_it_runs_again_is_told_by_its_merge() -> None:
    """A rollup that changed nothing but its times would look like a correction every time it runs."""
    for rollup in catalog.ROLLUPS:
        merge = parsed(catalog.split(catalog.read(rollup.name))[0])
        matched = next(when for when in merge.args["whens"].expressions if when.args["matched"])
        assert matched.args["condition"] is not None, rollup.name


def test_every_rollup_but_the_minutes_of_the_stream_has_a_task_that_the_last_one_waits_for() -> None:
    tasks = {
        match.group(1): text
        for text in catalog.split(catalog.read("tasks/streams_and_tasks"))
        if (match := re.match(r"CREATE OR REPLACE TASK (\S+)", text))
    }
    merged = {
        f"{merge.this.db}.{merge.this.name}": name
        for name, text in tasks.items()
        if isinstance(merge := parsed(text[text.index("\nAS\n") + 4 :]), exp.Merge)
    }
    assert set(merged) == {rollup.table for rollup in catalog.ROLLUPS} - {"MARKET.BARS_1M"}
    for name in merged.values():
        assert "AFTER OPS.NOTE_TOUCHED_SPANS" in tasks[name]
        assert name in tasks["OPS.FORGET_TOUCHED_SPANS"]
        assert "WAREHOUSE =" not in tasks[name]
    assert ":from_time" not in catalog.read("streams")


def test_the_statements_that_only_an_account_runs_are_exactly_these() -> None:
    """Whoever adds one must add its first line to the list beside this file."""
    listed = Path(__file__).with_name("skipped_by_the_emulator.txt").read_text(encoding="utf-8")
    found = [
        f"{name}: {text.splitlines()[0]}"
        for folder in ("account", "administration")
        for name in catalog.names(folder)
        for text in catalog.split(catalog.read(name))
    ]
    assert found == listed.splitlines()
