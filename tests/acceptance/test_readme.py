"""The README, read by a newcomer: every `# walk` block of it and of the pages it leads to is pasted into one bash
session, in order, against a demo; the output of each block must hold what its `# ->` lines promise.

Needs bash, md5sum, sha1sum and openssl. Where curl is missing, a stand-in with the few options that the pages use
takes its place.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIALECT_PAGES = ("teegon.md", "chaoying.md", "semoor.md", "yst.md", "cross-protocol.md", "sandbox.md")
WALKS = {
    "en": ("README.md", *(f"docs/en/{page}" for page in DIALECT_PAGES)),
    "zh": ("README.zh.md", *(f"docs/zh/{page}" for page in DIALECT_PAGES)),
}
BLOCK = re.compile(r"^```bash\n# walk\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON_BLOCK = re.compile(r"^```python\n# walk\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMISE = re.compile(r"^# -> (.+)$", re.MULTILINE)
STARTED_WITHIN_S = 30

CURL = f"""#!{sys.executable}
import sys
from urllib.error import HTTPError
from urllib.parse import quote_plus
from urllib.request import Request, urlopen

arguments, parts, headers, address, method, in_query = sys.argv[1:], [], {{}}, "", None, False
while arguments:
    argument = arguments.pop(0)
    if argument == "-d":
        parts.append(arguments.pop(0))
    elif argument == "--data-urlencode":
        name, _, value = arguments.pop(0).partition("=")
        parts.append(name + "=" + quote_plus(value))
    elif argument == "-H":
        name, _, value = arguments.pop(0).partition(":")
        headers[name] = value.strip()
    elif argument == "-X":
        method = arguments.pop(0)
    elif argument == "-G":
        in_query = True
    elif argument not in ("-s", "-S", "-sS"):
        if argument.startswith("-") or address:
            sys.exit("this stand-in for curl does not know " + argument)
        address = argument
body = "&".join(parts)
if in_query and body:
    address, body = address + "?" + body, ""
try:
    answer = urlopen(Request(address, body.encode() or None, headers, method=method), timeout=30)
except HTTPError as refused:
    answer = refused
sys.stdout.buffer.write(answer.read())
"""


@dataclass(frozen=True)
class Step:
    """One block of a page."""

    page: str
    commands: str
    promises: tuple[str, ...]


def steps_of(language: str) -> list[Step]:
    return [
        Step(page, commands, tuple(PROMISE.findall(commands)))
        for page in WALKS[language]
        for commands in BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    ]


@pytest.fixture
def base_url(tmp_path: Path) -> Iterator[str]:
    """The address of a demo of one's own on a free port."""
    with (tmp_path / "demo.log").open("wb") as log:
        command = [sys.executable, "-m", "anytill", "demo", "--port", "0", "--data", str(tmp_path / "demo")]
        demo = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
    try:
        document = tmp_path / "demo" / "sandbox.json"
        give_up_at = time.monotonic() + STARTED_WITHIN_S
        while not document.exists():
            assert demo.poll() is None, (tmp_path / "demo.log").read_text(encoding="utf-8")
            assert time.monotonic() < give_up_at, "the demo does not start"
            time.sleep(0.05)
        found = re.search(r'"base_url": "([^"]+)"', document.read_text(encoding="utf-8"))
        assert found is not None
        yield found[1]
    finally:
        demo.terminate()
        assert demo.wait(STARTED_WITHIN_S) == 0


def walked(steps: list[Step], base_url: str, folder: Path) -> list[str]:
    """What each block prints, all of them in one session."""
    environment = {**os.environ, "BASE_URL": base_url, "no_proxy": "*"}
    if os.environ.get("ANYTILL_TEST_CURL") == "stand-in" or shutil.which("curl") is None:
        stand_in = folder / "bin" / "curl"
        stand_in.parent.mkdir()
        stand_in.write_text(CURL, encoding="utf-8")
        stand_in.chmod(0o755)
        environment["PATH"] = f"{stand_in.parent}{os.pathsep}{environment['PATH']}"
    mark = "=== next block ==="
    script = "".join(f"echo '{mark}'\n{step.commands}\n" for step in steps)
    done = subprocess.run(
        ["bash", "-u"], input=script, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.split(f"{mark}\n")[1:]


@pytest.mark.parametrize("language", sorted(WALKS))
def test_the_pages_do_what_they_say(language: str, base_url: str, tmp_path: Path) -> None:
    steps = steps_of(language)
    printed = walked(steps, base_url, tmp_path)
    assert len(printed) == len(steps)
    for step, output in zip(steps, printed, strict=True):
        for promise in step.promises:
            assert promise in output, f"{step.page}:\n{step.commands}\nprinted\n{output}"


def test_the_stand_in_for_curl_serves_the_readme(
    base_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYTILL_TEST_CURL", "stand-in")
    steps = [step for step in steps_of("zh") if step.page == "README.zh.md"]
    for step, output in zip(steps, walked(steps, base_url, tmp_path), strict=True):
        for promise in step.promises:
            assert promise in output, f"{step.commands}\nprinted\n{output}"


@pytest.mark.parametrize("language", sorted(WALKS))
def test_the_python_example_does_what_it_says(language: str, base_url: str, tmp_path: Path) -> None:
    (program,) = PYTHON_BLOCK.findall((ROOT / f"docs/{language}/clients.md").read_text(encoding="utf-8"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "BASE_URL": base_url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == PROMISE.findall(program)


@pytest.mark.parametrize("language", sorted(WALKS))
def test_every_page_promises_something(language: str) -> None:
    for page in WALKS[language]:
        assert any(step.promises for step in steps_of(language) if step.page == page), page


def test_both_readmes_walk_the_same_way() -> None:
    first, second = ([step.promises for step in steps_of(language)] for language in sorted(WALKS))
    assert first == second
