"""The house rules that no linter knows: sizes, names, what each dialect folder holds, no floats near money.

Strategy: every rule is a function from the root of a tree to its faults, each a line `file:line: what is wrong`. Each
is run on this repository, where it must find nothing, and on a small bad tree, where it must find just what is there.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULE_LINES = 600
FUNCTION_LINES = 60
DIALECT_FILES = ("__init__.py", "messages.py", "codec.py", "server.py", "client.py", "vectors.json", "README.md")
# The parts of a compound name count: a class PaymentManager is a Manager, a module form_utils holds utils.
NAMES_THAT_SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "manager", "base"}
MONEY_PLACES = ("core", "gateway", "dialects", "wire/amounts.py")
STATES_MOVE_IN = ("src/anytill/core/lifecycle.py", "src/anytill/core/settle.py")
MOVERS = {"next_state", "next_refund_state", "PAYMENT_MOVES", "REFUND_MOVES"}
# Who writes records, and how a record is copied with a change. Dialects and channels make values of their own.
WRITERS = ("gateway", "storage")
COPIERS = {"changed", "replace"}
# Written so that this file does not find itself.
TO_DO, FIX_ME, THREE_X = (mark.replace("-", "") for mark in ("TO-DO", "FIX-ME", "XX-X"))
UNFINISHED = re.compile(rf"\b(?:{TO_DO}|{FIX_ME}|{THREE_X})\b")
HOME_DIRECTORY = re.compile(r"(?<![\w.])/(?:root|home/\w+|Users/\w+)/")
NEWEST_VERSION = re.compile(r"^## \[(\d[^\]]*)\]", re.MULTILINE)

Rule = Callable[[Path], Iterator[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(root: Path, *places: str) -> Iterator[Path]:
    """The modules below the given files and folders of a tree, in a fixed order; a missing place holds none."""
    for place in places:
        path = root / place
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def at(root: Path, path: Path, line: int, fault: str) -> str:
    return f"{path.relative_to(root)}:{line}: {fault}"


def tracked_files(root: Path) -> list[Path]:
    """What git tracks; in a tree that is not a repository, everything."""
    if not (root / ".git").exists():
        return sorted(path for path in root.rglob("*") if path.is_file())
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    return [root / name for name in listed.split("\0") if name and (root / name).is_file()]


def modules_are_short(root: Path) -> Iterator[str]:
    for path in python_files(root, "src", "tests", "bench", "fuzz"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MODULE_LINES:
            yield at(root, path, MODULE_LINES + 1, f"the module has {lines} lines; at most {MODULE_LINES}")


def functions_are_short(root: Path) -> Iterator[str]:
    for path in python_files(root, "src", "tests", "bench", "fuzz"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, Function):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    yield at(root, path, node.lineno, f"{node.name} has {lines} lines; at most {FUNCTION_LINES}")


def modules_say_what_they_are_for(root: Path) -> Iterator[str]:
    for path in python_files(root, "src", "bench", "fuzz"):
        if not ast.get_docstring(parsed(path)):
            yield at(root, path, 1, "the module has no docstring")


def names_say_something(root: Path) -> Iterator[str]:
    for path in python_files(root, "src", "tests", "bench", "fuzz"):
        for part in path.relative_to(root).with_suffix("").parts:
            if NAMES_THAT_SAY_NOTHING & set(part.lower().split("_")):
                yield at(root, path, 1, f"the name {part} says nothing")
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                words = {word.lower() for word in re.findall(r"[A-Z][a-z0-9]*", node.name)}
                if NAMES_THAT_SAY_NOTHING & words:
                    yield at(root, path, node.lineno, f"the name {node.name} says nothing")


def money_is_never_a_float(root: Path) -> Iterator[str]:
    for path in python_files(root, *(f"src/anytill/{place}" for place in MONEY_PLACES)):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"float", "round"}:
                yield at(root, path, node.lineno, f"{node.func.id}() where amounts pass; money is integer fen")


def states_move_in_one_place(root: Path) -> Iterator[str]:
    for path in python_files(root, "src", "bench", "fuzz"):
        if path.relative_to(root).as_posix() in STATES_MOVE_IN:
            continue
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.Attribute | ast.ImportFrom):
                continue
            names = {node.attr} if isinstance(node, ast.Attribute) else {alias.name for alias in node.names}
            for name in sorted(names & MOVERS):
                yield at(root, path, node.lineno, f"{name} outside core/settle.py, where alone states move")
    for path in python_files(root, *(f"src/anytill/{place}" for place in WRITERS)):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in COPIERS:
                for keyword in node.keywords:
                    if keyword.arg == "state" and not ast.unparse(keyword.value).startswith("NoticeState."):
                        yield at(root, path, node.lineno, "a state is set outside core/settle.py")


def nothing_is_left_unfinished(root: Path) -> Iterator[str]:
    for path in python_files(root, "src", "tests", "bench", "fuzz", "scripts"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if found := UNFINISHED.search(line):
                yield at(root, path, number, f"{found[0]}: finish it")


def dialect_folders_are_complete(root: Path) -> Iterator[str]:
    dialects = root / "src" / "anytill" / "dialects"
    for folder in sorted({path.parent for path in dialects.glob("*/*.py")}):
        for name in DIALECT_FILES:
            if not (folder / name).is_file():
                yield at(root, folder / name, 1, "the dialect has no such file")


def no_home_directory_is_named(root: Path) -> Iterator[str]:
    for path in tracked_files(root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if found := HOME_DIRECTORY.search(line):
                yield at(root, path, number, f"{found[0]} is a directory of one machine")


def changelog_and_version_agree(root: Path) -> Iterator[str]:
    package = root / "src" / "anytill" / "__init__.py"
    values = {
        target.id: node.value.value
        for node in parsed(package).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    newest = NEWEST_VERSION.search(text)
    told = newest[1] if newest else "no version"
    if told != values.get("__version__"):
        line = text.count("\n", 0, newest.start()) + 1 if newest else 1
        yield at(root, changelog, line, f"tells of {told}, while __version__ is {values.get('__version__')}")


RULES: tuple[Rule, ...] = (
    modules_are_short,
    functions_are_short,
    modules_say_what_they_are_for,
    names_say_something,
    money_is_never_a_float,
    states_move_in_one_place,
    nothing_is_left_unfinished,
    dialect_folders_are_complete,
    no_home_directory_is_named,
    changelog_and_version_agree,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_this_repository_keeps_the_rule(rule: Rule) -> None:
    assert list(rule(ROOT)) == []


@dataclass(frozen=True, slots=True)
class Bad:
    """A small tree, the rule it breaks, and exactly what the rule must say of it."""

    rule: Rule
    files: dict[str, str]
    faults: list[str]


A = "src/anytill"
SOMEBODYS, ROOTS = (path.replace("-", "/") for path in ("/home-ann/", "/root-"))
LONG_FUNCTION = "\n\ndef long():\n" + "    x = 1\n" * FUNCTION_LINES
BAD = (
    Bad(
        modules_are_short,
        {f"{A}/a.py": "x = 1\n" * 601, f"{A}/b.py": "x = 1\n" * 600, "tests/test_a.py": "x = 1\n" * 602},
        [
            f"{A}/a.py:601: the module has 601 lines; at most 600",
            "tests/test_a.py:601: the module has 602 lines; at most 600",
        ],
    ),
    Bad(
        functions_are_short,
        {f"{A}/a.py": LONG_FUNCTION, f"{A}/b.py": "class C:\n    async def f(self):\n" + "        x = 1\n" * 59},
        [f"{A}/a.py:3: long has 61 lines; at most 60"],
    ),
    Bad(
        modules_say_what_they_are_for,
        {f"{A}/a.py": '"""What it is for."""\n', f"{A}/b.py": "# a comment\n", f"{A}/c/__init__.py": ""},
        [f"{A}/b.py:1: the module has no docstring", f"{A}/c/__init__.py:1: the module has no docstring"],
    ),
    Bad(
        names_say_something,
        {
            f"{A}/utils.py": "",
            f"{A}/form_helpers.py": "",
            f"{A}/common/a.py": "",
            f"{A}/database.py": "\nclass BaseChannel: ...\nclass Base64Text: ...\nclass PaymentManager: ...\n",
        },
        [
            f"{A}/common/a.py:1: the name common says nothing",
            f"{A}/database.py:2: the name BaseChannel says nothing",
            f"{A}/database.py:4: the name PaymentManager says nothing",
            f"{A}/form_helpers.py:1: the name form_helpers says nothing",
            f"{A}/utils.py:1: the name utils says nothing",
        ],
    ),
    Bad(
        money_is_never_a_float,
        {
            f"{A}/core/money.py": "timeout_s: float\ny = float('1')\n",
            f"{A}/dialects/till/codec.py": "y = round(1)\n",
            f"{A}/wire/amounts.py": "y = 1 + float(1)\n",
            f"{A}/transports/tcp.py": "y = float('1')\n",
        },
        [
            f"{A}/core/money.py:2: float() where amounts pass; money is integer fen",
            f"{A}/dialects/till/codec.py:1: round() where amounts pass; money is integer fen",
            f"{A}/wire/amounts.py:1: float() where amounts pass; money is integer fen",
        ],
    ),
    Bad(
        states_move_in_one_place,
        {
            f"{A}/core/lifecycle.py": "PAYMENT_MOVES = {}\ndef next_state(): ...\n",
            f"{A}/core/settle.py": "from anytill.core.lifecycle import next_refund_state, next_state\n",
            f"{A}/gateway/payments.py": "from anytill.core.lifecycle import OPEN_STATES, next_state\n",
            f"{A}/gateway/notices.py": "changed(notice, state=NoticeState.DELIVERED)\n",
            f"{A}/gateway/recovery.py": "changed(refund, reason='', state=RefundState.DONE)\n",
            f"{A}/gateway/refunds.py": "from anytill.core import lifecycle\nlifecycle.next_refund_state(1, 2)\n",
            f"{A}/channels/lab/book.py": "from anytill.core.lifecycle import PAYMENT_MOVES as MOVES\n",
        },
        [
            f"{A}/channels/lab/book.py:1: PAYMENT_MOVES outside core/settle.py, where alone states move",
            f"{A}/gateway/payments.py:1: next_state outside core/settle.py, where alone states move",
            f"{A}/gateway/refunds.py:2: next_refund_state outside core/settle.py, where alone states move",
            f"{A}/gateway/recovery.py:1: a state is set outside core/settle.py",
        ],
    ),
    Bad(
        nothing_is_left_unfinished,
        {
            f"{A}/a.py": f"x = 1\n# {TO_DO} later\n",
            "tests/a.py": f"x = '{FIX_ME}'\n",
            "scripts/b.py": f"{THREE_X}X = 1\n",
        },
        [f"{A}/a.py:2: {TO_DO}: finish it", f"tests/a.py:1: {FIX_ME}: finish it"],
    ),
    Bad(
        dialect_folders_are_complete,
        {f"{A}/dialects/__init__.py": "", **{f"{A}/dialects/till/{name}": "" for name in DIALECT_FILES[:-2]}},
        [
            f"{A}/dialects/till/vectors.json:1: the dialect has no such file",
            f"{A}/dialects/till/README.md:1: the dialect has no such file",
        ],
    ),
    Bad(
        no_home_directory_is_named,
        {
            "docs/a.md": f"fine\nsee {SOMEBODYS}notes\n",
            "b.cfg": f"path={ROOTS}x\n",
            "docs/c.md": f"https://example.org{ROOTS}x and .{SOMEBODYS}\n",
        },
        [
            f"b.cfg:1: {ROOTS} is a directory of one machine",
            f"docs/a.md:2: {SOMEBODYS} is a directory of one machine",
        ],
    ),
    Bad(
        changelog_and_version_agree,
        {f"{A}/__init__.py": '__version__ = "0.2.0"\n', "CHANGELOG.md": "# Changes\n\n## [Unreleased]\n\n## [0.1.0]\n"},
        ["CHANGELOG.md:5: tells of 0.1.0, while __version__ is 0.2.0"],
    ),
    Bad(
        changelog_and_version_agree,
        {f"{A}/__init__.py": '__version__ = "0.2.0"\n', "CHANGELOG.md": "# Changes\n"},
        ["CHANGELOG.md:1: tells of no version, while __version__ is 0.2.0"],
    ),
)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.rule.__name__)
def test_the_rule_finds_what_breaks_it(bad: Bad, tmp_path: Path) -> None:
    for name, text in bad.files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert list(bad.rule(tmp_path)) == bad.faults


def test_every_rule_is_shown_to_fail() -> None:
    assert {bad.rule for bad in BAD} == set(RULES)
