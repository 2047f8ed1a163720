"""`python -m fuzz`: send forged messages, print what became of them. Ends with 1 when one was believed or broke
something.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fuzz.campaign import Finding, Score, Tries, keep, served, try_again
from fuzz.frames import FRAMES, rows, run_block, run_frames
from fuzz.judges import Kind, Verdict
from fuzz.processes import run_parts

FOUND: Final = Path(__file__).parent / "found"
_MOST_TOLD: Final = 8
_MOST_LETTERS: Final = 1_500


def main() -> int:
    """Run what the arguments ask for."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    if options.replay:
        fate = try_again(json.loads(options.replay.read_text(encoding="utf-8")))
        console.print(escape(fate), soft_wrap=True)
        return 1 if fate.startswith("WRONG") else 0
    kinds = options.kind or [*Kind, FRAMES]
    if options.only is not None:
        return _only_frames(options, console) if kinds == [FRAMES] else _only(options, console)
    wrong = _frames(options, console) if FRAMES in kinds and not options.dialect else 0
    for dialect in (options.dialect or served()) if kinds != [FRAMES] else ():
        scores = {Kind(kind): _campaign(dialect, Kind(kind), options) for kind in kinds if kind != FRAMES}
        console.print(_table(dialect, scores))
        for score in scores.values():
            wrong += score.wrong
            _tell(score.findings, console)
    return 1 if wrong else 0


def _frames(options: argparse.Namespace, console: Console) -> int:
    """A bad serial line: how many things went wrong."""
    fates = run_frames(options.seed, options.n, options.jobs)
    table = Table(FRAMES, "")
    table.columns[1].justify = "right"
    for row in rows(fates):
        table.add_row(*row)
    console.print(table)
    for finding in fates.findings[:_MOST_TOLD]:
        console.print(f"[red]WRONG[/] {escape(finding)}", soft_wrap=True)
    return len(fates.findings)


def _only_frames(options: argparse.Namespace, console: Console) -> int:
    """One block of a bad line."""
    fates = run_block(options.seed, options.only)
    for finding in fates.findings:
        console.print(f"[red]WRONG[/] {escape(finding)}", soft_wrap=True)
    console.print(dict(fates.counted))
    return 1 if fates.findings else 0


def _campaign(dialect: str, kind: Kind, options: argparse.Namespace) -> Score:
    score = run_parts(dialect, kind, options.seed, options.n, options.jobs)
    for _ in keep(score.findings, options.out):
        pass
    return score


def _table(dialect: str, scores: Mapping[Kind, Score]) -> Table:
    """What became of the messages, a column for each kind."""
    table = Table(dialect, *scores)
    for column in table.columns[1:]:
        column.justify = "right"
    tried = {kind: max(score.tried, 1) for kind, score in scores.items()}
    table.add_row("messages", *(f"{score.tried:,}" for score in scores.values()))
    table.add_row("a second and core", *(f"{s.tried / s.cpu_s:,.0f}" if s.cpu_s else "" for s in scores.values()))
    for verdict in Verdict:
        shares = [f"{100 * score.verdicts[verdict] / tried[kind]:.3f} %" for kind, score in scores.items()]
        table.add_row(
            verdict,
            *(share if score.verdicts[verdict] else "" for share, score in zip(shares, scores.values(), strict=True)),
        )
    table.add_row("[bold]wrong[/]", *(f"{score.wrong:,}" for score in scores.values()))
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Forged messages for every dialect.")
    parser.add_argument("--dialect", action="append", choices=served(), help="only this one")
    kinds = [*(kind.value for kind in Kind), FRAMES]
    parser.add_argument(
        "--kind", action="append", choices=kinds, help="only messages of this kind; frames: serial lines"
    )
    parser.add_argument("-n", type=int, default=1_000_000, help="how many messages of each kind for each dialect")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other messages")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--only", type=int, help="show the message of this number and try it alone")
    parser.add_argument("--replay", type=Path, help="try the message in a finding's file again")
    parser.add_argument("--out", type=Path, default=FOUND, help="where findings are kept")
    return parser.parse_args()


def _only(options: argparse.Namespace, console: Console) -> int:
    """One message of one campaign."""
    if len(options.dialect or ()) != 1 or len(options.kind or ()) != 1:
        console.print("--only needs --dialect and --kind")
        return 2
    tries = Tries(options.dialect[0], Kind(options.kind[0]), options.seed)
    message, parents = tries.forge(options.only)
    for parent in parents:
        console.print(escape(f"from {tries.judge.seeds[parent].what}: {tries.judge.seeds[parent].message}"))
    console.print(escape(f"made {message}"), soft_wrap=True)
    result = tries.attempt(options.only)
    if isinstance(result, Verdict):
        console.print(result.value)
        return 0
    _tell([result], console)
    return 1


def _tell(findings: Sequence[Finding], console: Console) -> None:
    for finding in findings[:_MOST_TOLD]:
        console.print(f"[red]WRONG[/] {escape(finding.fault[:_MOST_LETTERS])}", soft_wrap=True)
        console.print(escape(f"  made from {'; '.join(finding.origins)}"), soft_wrap=True)
        console.print(escape(f"  again: {finding.command}"), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
