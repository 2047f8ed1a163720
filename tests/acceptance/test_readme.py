"""The README, read by a newcomer: every `# walk` block of it and of the pages it leads to is pasted into one bash
session, in order, against a demo whose books are judged afterwards; what is printed between two promises of a block
must hold what the `# ->` lines after it promise.

A `# window` block is for a window of its own. It stays open behind the others, and the terminal that it starts has a
customer who acts by himself in the place of somebody at the keys.

Needs bash, md5sum, sha1sum and openssl. Where curl is missing, a stand-in with the few options that the pages use
takes its place.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.harness import HANGS_AFTER_S, Demo, clean_environment, lasting_port
from tests.acceptance.terminals import left_of_the_day_s

ROOT = Path(__file__).parents[2]
DIALECT_PAGES = (
    "teegon.md",
    "chaoying.md",
    "semoor.md",
    "yst.md",
    "cross-protocol.md",
    "sandbox.md",
    "qfpay.md",
    "terminal.md",
)
WALKS = {
    "en": ("README.md", *(f"docs/en/{page}" for page in DIALECT_PAGES)),
    "zh": ("README.zh.md", *(f"docs/zh/{page}" for page in DIALECT_PAGES)),
}
BLOCK = re.compile(r"^```bash\n# (walk|window)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON_BLOCK = re.compile(r"^```python\n# walk\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMISE = re.compile(r"^# -> (.+)$", re.MULTILINE)
PROMISES = re.compile(r"(?:^# -> .+\n)+", re.MULTILINE)
WALKED_WITHIN_S = 900
#: The ports that the READMEs name; others are taken in their place, as these may be somebody's.
PORTS = re.compile(r"\b910[12]\b")
NEXT = "=== next block ==="
ANSWERED = "=== up to this promise ==="
#: A window beside the session, and what is waited for before the session goes on.
WINDOW = """( {} ) > window.log 2>&1 &
until grep -qs stop: window.log || ! kill -0 $!; do sleep 0.1; done
"""

pytestmark = pytest.mark.timeout(WALKED_WITHIN_S + 2 * HANGS_AFTER_S)

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
    window: bool = False


def steps_of(language: str) -> list[Step]:
    return [
        Step(page, commands, tuple(PROMISE.findall(commands)), window=kind == "window")
        for page in WALKS[language]
        for kind, commands in BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    ]


def walked(steps: list[Step], demo: Demo, folder: Path) -> list[list[str]]:
    """What each block prints up to each of its promises, all of them in one session."""
    terminal = demo.access["qfpay"]
    environment = {
        **clean_environment(),
        "LC_ALL": "C.UTF-8",  # of a locale that is not there bash would complain
        "BASE_URL": demo.url,
        "QFPAY_URL": terminal["http_url"],
        "QFPAY_TCP": f"{terminal['tcp_host']}/{terminal['tcp_port']}",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "no_proxy": "*",
    }
    if os.environ.get("ANYTILL_TEST_CURL") == "stand-in" or shutil.which("curl") is None:
        stand_in = folder / "bin" / "curl"
        stand_in.parent.mkdir()
        stand_in.write_text(CURL, encoding="utf-8")
        stand_in.chmod(0o755)
        environment["PATH"] = f"{stand_in.parent}{os.pathsep}{environment['PATH']}"
    ports = {name: str(lasting_port()) for name in ("9101", "9102")}
    script = "".join(typed(step, ports) for step in steps)
    (folder / "scripts").symlink_to(ROOT / "scripts")
    session = subprocess.Popen(
        ["bash", "-u"],
        env=environment,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        stdout, stderr = session.communicate(script, timeout=WALKED_WITHIN_S)
    finally:
        # The windows are closed, and whatever did not come to its end.
        with suppress(ProcessLookupError):
            os.killpg(session.pid, signal.SIGTERM)
    assert stderr == ""
    assert session.returncode == 0
    return [block.split(f"{ANSWERED}\n") for block in stdout.split(f"{NEXT}\n")[1:]]


def typed(step: Step, ports: Mapping[str, str]) -> str:
    """What goes into the session for a block."""
    commands = PORTS.sub(lambda named: ports[named[0]], step.commands)
    if step.window:
        commands = WINDOW.format(commands.replace("anytill terminal", "anytill terminal --auto"))
    return f"echo '{NEXT}'\n" + PROMISES.sub(f"echo '{ANSWERED}'\n", commands) + "\n"


def check_promises(step: Step, printed: list[str]) -> None:
    promised = [PROMISE.findall(together) for together in PROMISES.findall(step.commands)]
    for promises, answer in zip(promised, printed[:-1], strict=True):
        for promise in promises:
            assert promise in answer, f"{step.page}:\n{step.commands}\nprinted\n{answer}"


@pytest.mark.parametrize("language", sorted(WALKS))
def test_the_pages_do_what_they_say(language: str, own_demo: Demo, tmp_path: Path) -> None:
    # A card's payment goes back whole on its day: the walk stays within one, of the demo's own clock.
    left_s = left_of_the_day_s(own_demo.now_ms() // 1_000)
    if left_s < 2 * WALKED_WITHIN_S:
        own_demo.advance(int(left_s))
    steps = steps_of(language)
    printed = walked(steps, own_demo, tmp_path)
    assert len(printed) == len(steps)
    for step, output in zip(steps, printed, strict=True):
        check_promises(step, output)


def test_the_stand_in_for_curl_serves_the_readme(
    own_demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYTILL_TEST_CURL", "stand-in")
    steps = [step for step in steps_of("zh") if step.page == "README.zh.md"]
    for step, output in zip(steps, walked(steps, own_demo, tmp_path), strict=True):
        check_promises(step, output)


@pytest.mark.parametrize("language", sorted(WALKS))
def test_the_python_example_does_what_it_says(language: str, own_demo: Demo, tmp_path: Path) -> None:
    (program,) = PYTHON_BLOCK.findall((ROOT / f"docs/{language}/clients.md").read_text(encoding="utf-8"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=clean_environment() | {"BASE_URL": own_demo.url},
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
