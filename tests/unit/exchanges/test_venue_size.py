"""A venue is one small folder and its fixtures.

What counts is a line with code on it: blank lines, comments and docstrings (also those below a constant) are
free, so that nobody saves on them. A statement over three lines is three.
"""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest

import streaming.exchanges
from streaming.exchanges.registry import VENUES

LINES_MAX = 400
MODULES = {"specification", "messages", "instruments", "rest", "session", "venue"}
EXCHANGES = Path(streaming.exchanges.__file__).parent
FIXTURES = Path(__file__).parent / "venues"
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(source: str) -> int:
    """How many lines of a module have code on them."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                docstrings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - docstrings)


def folders() -> list[Path]:
    """Every folder beside the shared modules."""
    return sorted(path.parent for path in EXCHANGES.glob("*/__init__.py"))


def test_blank_lines_comments_and_docstrings_do_not_count() -> None:
    source = '''"""What it is.

More."""

# Why.
LIMIT = 5  # a limit
"""What the limit is
about."""


def call(text: str) -> str:
    """Do it."""
    # how
    return text.replace(
        "a",
        """one
        string""",
    )
'''
    assert code_lines(source) == 7


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_a_venue_takes_under_400_lines_of_code(folder: Path) -> None:
    lines = {path.name: code_lines(path.read_text()) for path in sorted(folder.glob("**/*.py"))}

    assert sum(lines.values()) < LINES_MAX, (
        f"{folder.name} has {sum(lines.values())} lines of code: {lines}. What another venue may need too "
        "belongs beside the folders."
    )


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_a_venues_folder_has_its_modules_and_is_in_the_registry(folder: Path) -> None:
    assert {path.stem for path in folder.glob("*.py")} >= MODULES
    assert folder.name.upper() in VENUES


def test_every_venue_has_its_folder() -> None:
    assert {folder.name.upper() for folder in folders()} == set(VENUES)


@pytest.mark.parametrize("name", sorted(VENUES))
def test_every_venue_has_its_literal_frames(name: str) -> None:
    text = (FIXTURES / f"{name.lower()}.py").read_text()

    assert f"class {name.capitalize()}Frames" in text
    assert "FRAMES = " in text


@pytest.mark.parametrize("name", sorted(VENUES))
def test_every_venue_has_tests_of_its_own_rules(name: str) -> None:
    assert list(Path(__file__).parent.glob(f"test_{name.lower()}_*.py"))
