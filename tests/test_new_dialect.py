"""A new dialect touches one folder: made from the template it runs, is found, and keeps the law and the house rules.

Everything happens in a copy of the repository, in processes of its own: what a contributor would see.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[1]
COPIED = (
    "src",
    "tests",
    "scripts",
    "docs",
    "pyproject.toml",
    ".importlinter",
    "CHANGELOG.md",
    "README.md",
    "README.zh.md",
)
NAME = "zebrapay"
FOLDER = f"src/anytill/dialects/{NAME}"
QUIET = ("-q", "-p", "no:cacheprovider")
DEBRIS = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis")

# Runs in the copy. A vector is proved both ways: the codec reads its bytes, and writes the same bytes again.
VECTORS_BOTH_WAYS = f"""
import json, sys
from anytill.core.secret import Secret
from anytill.dialects.{NAME} import codec
from anytill.wire.http import FORM, HttpRequest

vectors = json.load(sys.stdin)
app, key = vectors["app"], Secret(vectors["key"])
for vector in vectors["forms"]:
    request = HttpRequest("POST", "/", "", {{"content-type": FORM}}, vector["form"].encode(), "")
    envelope = codec.open_form(request)
    codec.signing_key(vector["what"], envelope, [key])
    assert json.loads(envelope.content) == vector["content"], vector["name"]
    assert codec.seal_form(vector["what"], app, vector["content"], key).decode() == vector["form"], vector["name"]
for vector in vectors["answers"]:
    envelope = codec.open_answer(vector["body"].encode(), app)
    codec.signing_key(vector["what"], envelope, [key])
    assert json.loads(envelope.content) == vector["content"], vector["name"]
    assert codec.seal_answer(vector["what"], app, vector["content"], key).decode() == vector["body"], vector["name"]
print(len(vectors["forms"]) + len(vectors["answers"]))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which scripts/new-dialect has been run."""
    root = tmp_path_factory.mktemp("new-dialect")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=DEBRIS)
        else:
            shutil.copy2(source, root / name)
    before = contents(root)
    run(root, sys.executable, "scripts/new-dialect", NAME)
    after = contents(root)
    assert {name: after[name] for name in before} == before, "the script changed a file"
    assert {Path(name).parent.as_posix() for name in after.keys() - before.keys()} == {FOLDER}
    return root


def contents(root: Path) -> Mapping[str, str]:
    """The digest of every file by its path."""
    passing = {"__pycache__", ".mypy_cache", ".hypothesis"}
    files = (path for path in root.rglob("*") if path.is_file() and passing.isdisjoint(path.parts))
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(root: Path, *command: str, stdin: str = "") -> str:
    """What the command prints in the copy; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    # What hypothesis keeps names the files of this machine, which may be in somebody's home.
    environment["HYPOTHESIS_STORAGE_DIRECTORY"] = str(root.with_name(f"{root.name}-hypothesis"))
    done = subprocess.run(command, cwd=root, env=environment, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def test_it_keeps_the_law_of_every_dialect(copy: Path) -> None:
    names = ("test_every_dialect", "test_across_dialects", "test_records")
    suites = (f"tests/dialects/{each}.py" for each in names)
    told = run(copy, sys.executable, "-m", "pytest", *suites, "-k", f"{NAME} and not postgres", *QUIET)
    assert " passed" in told
    assert "skipped" not in told


def test_it_keeps_the_import_contracts(copy: Path) -> None:
    assert "0 broken" in run(copy, program("lint-imports"), "--no-cache")


def test_it_keeps_the_house_rules(copy: Path) -> None:
    run(
        copy,
        sys.executable,
        "-m",
        "pytest",
        "tests/test_tidy.py",
        "-k",
        "this_repository",
        "-q",
        "-p",
        "no:cacheprovider",
    )
    run(copy, program("ruff"), "check", "--no-cache", FOLDER)
    run(copy, program("ruff"), "format", "--check", "--no-cache", FOLDER)


def test_its_readme_is_all_the_documentation_it_needs(copy: Path) -> None:
    told = run(copy, sys.executable, "-m", "pytest", "tests/test_docs.py", "-k", f"{NAME} or clients_page", *QUIET)
    assert " passed" in told


def test_its_types_are_right(copy: Path) -> None:
    run(copy, program("mypy"), "--cache-dir", str(copy / ".mypy_cache"), FOLDER)


def test_nothing_of_the_template_is_left_in_it(copy: Path) -> None:
    for path in (copy / FOLDER).iterdir():
        assert "template" not in path.read_text(encoding="utf-8").lower(), path.name


def test_its_vectors_hold_both_ways(copy: Path) -> None:
    vectors = (copy / FOLDER / "vectors.json").read_text(encoding="utf-8")
    assert int(run(copy, sys.executable, "-c", VECTORS_BOTH_WAYS, stdin=vectors)) >= 6


def test_its_vectors_are_signed_as_its_codec_says() -> None:
    """The signature worked out without the codec, from the sentence in its docstring."""
    vectors = json.loads((ROOT / "scripts/dialect_template/vectors.json").read_text(encoding="utf-8"))
    signed = [(vector, dict(parse_qsl(vector["form"]))) for vector in vectors["forms"]]
    signed += [(vector, {"app": vectors["app"], **json.loads(vector["body"])}) for vector in vectors["answers"]]
    for vector, sent in signed:
        text = f"{vector['what']}\n{sent['app']}\n{sent['content']}".encode()
        assert hmac.new(vectors["key"].encode(), text, hashlib.sha256).hexdigest() == sent["sign"], vector["name"]


@pytest.mark.parametrize("name", ["teegon", "class", "Zebra", "1bank", "x", "zebra-pay", "../zebra", ""])
def test_a_name_that_will_not_do_makes_nothing(copy: Path, name: str) -> None:
    before = contents(copy)
    done = subprocess.run(
        [sys.executable, "scripts/new-dialect", name], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("new-dialect: ")
    assert contents(copy) == before
