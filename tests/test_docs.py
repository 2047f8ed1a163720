"""What exists is documented, in both languages. The lists come from the code; none is kept here by hand.

A dialect has pages of its own under docs/, or, until somebody writes them, the README in its folder.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import typer

from anytill.bootstrap.nodes import NodeHolder
from anytill.bootstrap.routes import control_routes, operator_routes
from anytill.channels import load_channels
from anytill.channels.sandbox.control import SandboxControl
from anytill.channels.sandbox.outcomes import PAY_OUTCOMES, REFUND_OUTCOMES
from anytill.cli import app
from anytill.cli.terminal import Fault
from anytill.cli.window import Window
from anytill.config import SETTINGS, environment_name, read_settings
from anytill.core.errors import refusal_classes
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.notice import NoticeState
from anytill.core.payment import Method, Payment, Refund
from anytill.core.wallet import Wallet
from anytill.dialects import Dialect, load_dialects
from anytill.dialects.chaoying.calls import CALLS
from anytill.dialects.chaoying.words import Code, State, TradeState
from anytill.dialects.qfpay import framing, notices
from anytill.dialects.qfpay import messages as qfpay
from anytill.dialects.qfpay import terminal as qfpay_terminal
from anytill.dialects.qfpay import words as qfpay_words
from anytill.dialects.qfpay.codec import KeyBytes, Reply
from anytill.dialects.qfpay.trade import OPTION_NOTIFY_URL
from anytill.dialects.semoor import messages as semoor
from anytill.dialects.teegon import messages as teegon
from anytill.dialects.teegon import words as teegon_words
from anytill.dialects.yst import messages as yst
from anytill.transports.clock import MovableClock
from anytill.transports.watch import JsonWatch
from anytill.wire.addresses import MAX_URL_LENGTH

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SRC = ROOT / "src" / "anytill"
LANGUAGES = ("en", "zh")
READMES = {"en": ROOT / "README.md", "zh": ROOT / "README.zh.md"}
PAGES = sorted(path for path in (*DOCS.rglob("*.md"), *ROOT.glob("*.md")))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)

both_languages = pytest.mark.parametrize("language", LANGUAGES)
every_dialect = pytest.mark.parametrize("dialect", load_dialects().values(), ids=lambda dialect: str(dialect.name))


def page(language: str, name: str) -> str:
    return (DOCS / language / f"{name}.md").read_text(encoding="utf-8")


def has_page(dialect: Dialect) -> bool:
    """A dialect just made from the template has a README only. Whoever gives it a page adds it to the tables too."""
    return any((DOCS / language / f"{dialect.name}.md").exists() for language in LANGUAGES)


documented_dialects = pytest.mark.parametrize(
    "dialect", [each for each in load_dialects().values() if has_page(each)], ids=lambda dialect: str(dialect.name)
)


def missing(things: Iterator[str] | list[str] | set[str], text: str) -> list[str]:
    return sorted(thing for thing in things if thing not in text)


def first_cells(text: str) -> set[str]:
    """What stands in the first column of any table of a page, bold and code marks taken off."""
    rows = re.findall(r"^\| *([^|]*?) *\|", text, re.MULTILINE)
    return {cell.strip("*`") for cell in rows}


def words_of_a_dialect(dialect: Dialect, language: str) -> str:
    own = DOCS / language / f"{dialect.name}.md"
    return (own if own.exists() else SRC / "dialects" / dialect.name / "README.md").read_text(encoding="utf-8")


# Pages


def test_both_languages_have_the_same_pages() -> None:
    english, chinese = ({path.name for path in (DOCS / language).iterdir()} for language in LANGUAGES)
    assert english == chinese


@pytest.mark.parametrize("name", sorted(path.name for path in (DOCS / "en").iterdir()))
def test_both_languages_have_the_same_headings(name: str) -> None:
    def levels(language: str) -> list[int]:
        text = FENCE.sub("", (DOCS / language / name).read_text(encoding="utf-8"))
        return [len(line[0].split()[0]) for line in re.finditer(r"^#{1,6} .+$", text, re.MULTILINE)]

    assert levels("en") == levels("zh")


def test_both_readmes_have_the_same_headings() -> None:
    english, chinese = (FENCE.sub("", readme.read_text(encoding="utf-8")) for readme in READMES.values())
    assert len(HEADING.findall(english)) == len(HEADING.findall(chinese))


@both_languages
def test_every_page_is_in_the_index(language: str) -> None:
    names = [path.name for path in (DOCS / language).glob("*.md") if path.name != "index.md"]
    assert not missing([f"({name})" for name in names], page(language, "index"))


def test_every_decision_is_listed() -> None:
    records = [path.name for path in (DOCS / "decisions").glob("0*.md")]
    assert records
    assert not missing(
        [f"({name})" for name in records], (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    targets = [target for target in LINK.findall(text) if "://" not in target and not target.startswith("mailto:")]
    for target in targets:
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), target
        if anchor:
            headings = HEADING.findall(FENCE.sub("", found.read_text(encoding="utf-8")))
            assert anchor in {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}, (
                target
            )


# Life


@both_languages
def test_every_state_has_its_sentence_and_the_right_verdict(language: str) -> None:
    of_payments, of_refunds = re.split(r"^## (?:Refund|退款)$", page(language, "lifecycle"), flags=re.MULTILINE)
    for state in PaymentState:
        verdict = Payment("", "", "", Method.BARCODE, Wallet.WECHAT, state, 1).verdict
        assert re.search(rf"^\| {state} \| [^|]+ \| {verdict} \| [^|]+ \|$", of_payments, re.MULTILINE), state
    for refund_state in RefundState:
        assert re.search(rf"^\| {refund_state} \| [^|]+ \| [^|]+ \|$", of_refunds, re.MULTILINE), refund_state


def test_the_drawings_are_those_of_the_tables(tmp_path: Path) -> None:
    draw = [sys.executable, str(ROOT / "scripts" / "draw-lifecycle")]
    checked = subprocess.run([*draw, "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for language in LANGUAGES:
        (tmp_path / language).mkdir()
        shutil.copy(DOCS / language / "lifecycle.md", tmp_path / language)
    changed = tmp_path / "zh" / "lifecycle.md"
    whole = changed.read_text(encoding="utf-8")
    changed.write_text(whole.replace("SUBMITTED --> PAID", "SUBMITTED --> FAILED"), encoding="utf-8")
    assert subprocess.run([*draw, "--check", str(tmp_path)], capture_output=True, check=False).returncode == 1
    assert subprocess.run([*draw, str(tmp_path)], capture_output=True, check=False).returncode == 0
    assert changed.read_text(encoding="utf-8") == whole


@both_languages
def test_every_state_of_a_notice_is_explained(language: str) -> None:
    assert not missing(list(NoticeState), page(language, "notices"))


# Dialects


@both_languages
@every_dialect
def test_every_route_of_a_dialect_is_on_its_page(language: str, dialect: Dialect) -> None:
    assert not missing([route.path for route in dialect.routes], words_of_a_dialect(dialect, language))


@both_languages
@documented_dialects
def test_every_refusal_of_a_documented_dialect_is_on_its_page(language: str, dialect: Dialect) -> None:
    told = [str(getattr(refused, "msg", getattr(refused, "text", refused))) for refused in dialect.refusals.values()]
    assert not missing([f"| {text} |" for text in told], words_of_a_dialect(dialect, language))


@both_languages
def test_every_code_of_chaoying_is_explained(language: str) -> None:
    text = words_of_a_dialect(load_dialects()["chaoying"], language)
    assert not missing({code.value for code in Code}, " ".join(first_cells(text)))
    assert not missing([*State, *TradeState], text)
    # Methods are written as the vendor writes them, which here is in lower case too.
    assert not missing({f"`{method}`" for _, method in CALLS if method}, text)


@both_languages
def test_every_word_and_switch_of_teegon_is_explained(language: str) -> None:
    text = words_of_a_dialect(load_dialects()["teegon"], language)
    switches = {value for name, value in vars(teegon).items() if name.startswith("OPTION_")}
    assert switches
    fields = {field.name for field in (*teegon.CHARGE_FIELDS, *teegon.STATUS_FIELDS)}
    assert not missing([f"`{word}`" for word in teegon_words.STATUS_WORDS], text)
    assert not missing([f"`{name}`" for name in fields], text)
    assert not missing([f"`{switch} = " for switch in switches], text)
    assert not missing([f"`{prefix}`" for prefix in teegon_words.UNPAID_TEXTS.values()], text)


@both_languages
def test_every_code_and_text_of_qfpay_is_explained(language: str) -> None:
    text = words_of_a_dialect(load_dialects()["qfpay"], language)
    assert not missing({f"| {word.code} | {word.inner} | {word.text} |" for word in qfpay_words.TOLD}, text)
    assert set(qfpay_words.Code) <= first_cells(text)
    errors = (value for name, value in vars(framing).items() if name.endswith("_ERROR"))
    assert not missing({f"| 0x{code:02x} |" for code in errors}, text)


@both_languages
def test_every_function_channel_and_field_of_qfpay_is_explained(language: str) -> None:
    """The rows of functions name each field that the code writes for them, and no other."""
    text = words_of_a_dialect(load_dialects()["qfpay"], language)
    whole: tuple[qfpay.Request, ...] = (
        qfpay.Trade(1, qfpay_words.Channel.WX, "1", True, 1, 1, qfpay_words.ScanType.SCAN_PAY, True),
        qfpay.RefundRequest("1", 1, allow_modify=True, move_to_back=True),
        qfpay.PrintReceipt("1"),
        qfpay.PrintSummary(),
        qfpay.Inquiry("1", "1"),
        qfpay.CancelRequest(),
    )
    paths = {func_type: path for path, func_type in qfpay_words.PATHS.items()}
    for fields in map(qfpay.write, whole):
        func_type = str(fields.pop("func_type"))
        (row,) = re.findall(
            rf"^\| {func_type} \| `{paths[qfpay_words.FuncType(func_type)]}` \| .*$", text, re.MULTILINE
        )
        assert set(re.findall(r"[A-Za-z]+_?[A-Za-z_]*", row.split("|")[4])) - {"or"} == set(fields)
        assert set(fields) <= first_cells(text)
    for channel, kind in qfpay_words.CHANNELS.items():
        (row,) = re.findall(rf"^\| `{channel}` \|.*$", text, re.MULTILINE)
        assert set(re.findall(r"[0-9]{6}", row)) == set(kind.pay_types.values())


@both_languages
def test_everything_that_qfpay_tells_is_explained(language: str) -> None:
    text = words_of_a_dialect(load_dialects()["qfpay"], language)
    columns = {1: qfpay.TRADE_DATA, 2: qfpay.REFUND_DATA, 3: qfpay.INQUIRY_DATA}
    _, *rows = table_under(text, 7)
    for column, names in columns.items():
        # A mark stands for all names of its row; else the cell says which of them.
        cells = [row[0] if row[column] == "x" else row[column] for row in rows]
        assert set(re.findall(r"`(\w+)`", " ".join(cells))) == set(names), column


@both_languages
def test_everything_that_qfpays_notices_tell_is_explained(language: str) -> None:
    form, payment = notices.TerminalNotices(), Payment("", "1", "1", Method.CARD, Wallet.CARD, PaymentState.PAID, 1)
    refund = Refund("", "2", "", "1", "1", RefundState.DONE, 1, refunded_fen=1)
    _, *rows = table_under(words_of_a_dialect(load_dialects()["qfpay"], language), 8)
    absent = {"en": "not there", "zh": "没有"}[language]
    of_payment, of_refund = (
        {name for row in rows if row[column] != absent for name in re.findall(r"`(\w+)`", row[0])}
        for column in (1, 2)
    )  # fmt: skip
    assert of_payment == set(form.facts(payment))
    assert of_refund == {*form.refund_facts(payment, refund), "notify_type"}


@both_languages
def test_every_option_of_a_qfpay_terminal_is_told_with_its_values(language: str) -> None:
    text = words_of_a_dialect(load_dialects()["qfpay"], language)
    options = {value for name, value in vars(qfpay_terminal).items() if name.startswith("OPTION_")}
    values = {"key_bytes": {*KeyBytes}, "response": {"auto", *Reply}, "plain": {"on", "off"}, OPTION_NOTIFY_URL: set()}
    values[notices.OPTION_REFUND_NOTIFY_TYPE] = {*qfpay_words.RefundNotifyType}
    assert set(values) == options | {OPTION_NOTIFY_URL, notices.OPTION_REFUND_NOTIFY_TYPE}
    assert set(values) == set(load_dialects()["qfpay"].options)
    for option, possible in values.items():
        (row,) = re.findall(rf"^\| `{option}` \| .*$", text, re.MULTILINE)
        assert not missing({f"`{value}`" for value in possible}, row)


@both_languages
def test_the_samples_that_do_not_verify_are_listed_as_such(language: str) -> None:
    text = words_of_a_dialect(load_dialects()["qfpay"], language)
    vectors = json.loads((SRC / "dialects" / "qfpay" / "vectors.json").read_text(encoding="utf-8"))
    samples = vectors["samples_that_do_not_verify"]
    assert len(samples) >= 5
    assert not missing({f"| `{sample['digest']}` |" for sample in samples}, text)


@both_languages
def test_the_terminal_is_explained(language: str) -> None:
    text = page(language, "terminal")
    command = dict(commands_of(typer.main.get_command(app)))[" terminal"]
    cells = " ".join(first_cells(text))
    assert not missing([option for option in options_of(command) if option != "--help"], cells)
    assert {str(fault) for fault in Fault} <= first_cells(text)
    assert set(PAY_OUTCOMES) <= set(re.findall(r"\b[0-9]{2}\b", cells))
    names = {"escape": "Escape", "ctrl+q": "Ctrl-Q"}
    keys = {str(getattr(binding, "key", "")) for binding in Window.BINDINGS}
    assert {names.get(key, key.upper()) for key in keys} <= first_cells(text)


#: Of `by purpose`: the rows that are an operation of the client other than `pay`, whose rows bear its methods' names.
OPERATION_ROWS = ("query", "cancel", "refund", "query_refund")


def interfaces_of(dialect: Dialect) -> set[str]:
    """What the vendor calls each of its interfaces: the word in the request where one address serves several, else the
    address. A dialect without such words has an interface for each of its routes."""
    routes = {route.path for route in dialect.routes}
    match dialect.name:
        case "chaoying":
            spelled = {path.lower(): path for path in routes}
            return {method or spelled[path] for path, method in CALLS}
        case "semoor":
            return routes - {semoor.OP_PATH} | {*semoor.ACTIONS}
        case "yst":
            return {form.request_type for form in yst.FORMS}
    return routes


def table_under(text: str, heading: int) -> list[list[str]]:
    """The rows of the table in a page's section of this number, head left out, each as its cells."""
    section = re.split(r"^## .+$", text, flags=re.MULTILINE)[heading]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in (rows[0], *rows[2:])]


@both_languages
@documented_dialects
def test_every_interface_has_its_place_beside_the_others(language: str, dialect: Dialect) -> None:
    head, *rows = table_under(page(language, "interfaces"), 1)
    cells = {row[0]: set(re.findall(r"`([^`]+)`", row[head.index(dialect.name)])) for row in rows}
    assert set().union(*cells.values()) == interfaces_of(dialect)
    assert {method for method in Method if cells[method]} == dialect.methods
    assert {name for name in OPERATION_ROWS if cells[name]} == dialect.operations - {"pay"}


@both_languages
def test_every_address_is_told_once_with_its_methods(language: str) -> None:
    head, *rows = table_under(page(language, "interfaces"), 2)
    assert len(head) == 3
    known = [
        [dialect.name, ", ".join(sorted(route.methods)), f"`{route.path}`"]
        for dialect in filter(has_page, load_dialects().values())
        for route in dialect.routes
    ]
    assert sorted(rows) == sorted(known)
    notices = {row[0]: row[2] for row in table_under(page(language, "interfaces"), 3)[1:]}
    assert {name: bool(form) for name, form in notices.items()} == {
        dialect.name: dialect.form is not None for dialect in filter(has_page, load_dialects().values())
    }


@both_languages
@documented_dialects
def test_every_schedule_of_notices_is_told(language: str, dialect: Dialect) -> None:
    rows = re.findall(rf"^\| {dialect.name} \|.*$", page(language, "notices"), re.MULTILINE)
    if dialect.form is None:
        assert not rows
        return
    delays = " ".join(short(delay_ms) for delay_ms in dialect.form.delays_ms)
    (row,) = rows
    assert f"`{delays}`" in row
    assert re.search(rf"\b{dialect.form.timeout_ms // 1_000} (s|秒)", row)


def short(ms: int) -> str:
    """`15s`, `3m`, `1h`."""
    seconds, rest = divmod(ms, 1_000)
    assert rest == 0
    for unit, size in (("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


@both_languages
def test_what_every_dialect_can_is_in_the_clients_page(language: str) -> None:
    text = page(language, "clients")
    for dialect in load_dialects().values():
        if not (DOCS / language / f"{dialect.name}.md").exists():
            continue
        (row,) = re.findall(rf"^\| {dialect.name} \|.*$", text, re.MULTILINE)
        assert not missing([*dialect.operations, *dialect.methods, *(f"`{n}`" for n in dialect.client_settings)], row)


@both_languages
def test_every_refusal_class_says_what_to_do(language: str) -> None:
    assert not missing(
        {refusal.__name__ for refusal in refusal_classes()}, " ".join(first_cells(page(language, "clients")))
    )


@both_languages
def test_the_limits_of_notice_addresses_are_told(language: str) -> None:
    assert str(MAX_URL_LENGTH) in page(language, "notices")


# The sandbox


@both_languages
def test_every_outcome_is_told(language: str) -> None:
    cells = first_cells(page(language, "sandbox"))
    assert set(PAY_OUTCOMES) <= cells
    assert {str(ending) for ending in REFUND_OUTCOMES} <= cells
    readme = READMES[language].read_text(encoding="utf-8")
    assert not missing([f"| {ending} |" for ending in PAY_OUTCOMES], readme)


@both_languages
def test_every_control_call_is_told(language: str) -> None:
    routes = control_routes({}, MovableClock(), cast("NodeHolder", None))
    paths = {*SandboxControl.PATHS, *(route.path for route, _ in routes)}
    assert not missing(paths, page(language, "sandbox"))


# Operations


@both_languages
def test_every_setting_is_told_with_its_variable_and_default(language: str) -> None:
    text = page(language, "operations")
    for name, setting in SETTINGS.items():
        (row,) = re.findall(rf"^\| `{re.escape(name)}` \|.*$", text, re.MULTILINE)
        assert f"`{environment_name(name)}`" in row
        default = (
            {True: "on", False: "off"}.get(setting.default) if isinstance(setting.default, bool) else setting.default
        )
        assert default == "" or f"`{default}`" in row, name


@both_languages
def test_the_example_file_is_a_settings_file(language: str) -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```$", page(language, "operations"), re.MULTILINE | re.DOTALL)
    settings = read_settings(example, {})
    assert {channel.kind for channel in settings.channels} == set(load_channels())
    assert {credential.dialect for credential in settings.credentials} == {"teegon", "chaoying"}
    known = {channel.name for channel in settings.channels}
    assert {*(settings.merchants[0].channels or {}).values(), settings.text("channels.default")} <= known


@both_languages
def test_every_command_and_option_is_told(language: str) -> None:
    text = page(language, "operations")
    group = typer.main.get_command(app)
    commands = dict(commands_of(group))
    assert len(commands) > len(getattr(group, "commands", {})), "the groups' own commands count too"
    for name, command in commands.items():
        (row,) = re.findall(rf"^\| `anytill{name}\b.*$", text, re.MULTILINE)
        again = re.search(r"同上|the same", row) is not None
        options = options_of(command)
        assert not missing(options, text if again else row), name
    assert not missing(options_of(group), text)
    assert not missing(
        [f"anytill {name}" for name in ("pay", "query", "cancel", "refund")], READMES[language].read_text()
    )


def commands_of(command: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every command with its whole name; a group is its commands."""
    inside: dict[str, object] = getattr(command, "commands", {})
    if not inside:
        yield name, command
    for own_name, each in inside.items():
        yield from commands_of(each, f"{name} {own_name}")


def options_of(command: object) -> list[str]:
    parameters = getattr(command, "params", [])
    return [name for each in parameters for name in (*each.opts, *each.secondary_opts) if name.startswith("-")]


def watched(method: str) -> Iterator[ast.expr]:
    """The first argument of every call of `….note(…)` or `….alarm(…)` in the code."""
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
                yield node.args[0]


def test_every_event_is_found() -> None:
    """The next test would pass with nothing to look for."""
    assert len(list(watched("note"))) >= 5
    assert len(list(watched("alarm"))) >= 5


@both_languages
@pytest.mark.parametrize("method", ["note", "alarm"])
def test_every_event_is_told(language: str, method: str) -> None:
    text = page(language, "operations")
    names = set()
    for argument in watched(method):
        match argument:
            case ast.Constant(value=str(name)):
                names.add(f"`{name}`")
            case ast.JoinedStr(values=[ast.Constant(value=str(beginning)), *_]):
                states = {"payment_": PaymentState, "refund_": RefundState, "notice_": NoticeState}[beginning]
                names |= {f"`{beginning}{state.lower()}`" for state in states}
            case _:
                pytest.fail(f"an event without a fixed name: {ast.unparse(argument)}")
    assert not missing(names, text)


@both_languages
def test_how_every_number_is_written_is_told(language: str) -> None:
    """The words are the record's own in English, and as many rows in Chinese."""
    told = [
        (dialect.name, spelling.words)
        for dialect in filter(has_page, load_dialects().values())
        for spelling in (dialect.login, dialect.merchant_number, dialect.box)
        if spelling is not None
    ]
    _, *rows = table_under(page(language, "devices"), 3)
    assert [row[0] for row in rows] == [name for name, _ in told]
    if language == "en":
        assert [(row[0], row[2]) for row in rows] == told


ACT = re.compile(r"(?:agent|merchant|shop|operator|device|key)\.[a-z_]+")


def acts() -> set[str]:
    """Whatever stands in the code as the name of something that was done."""
    return {
        node.value
        for path in sorted(SRC.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ACT.fullmatch(node.value)
    }


@both_languages
def test_every_act_is_told_and_no_other(language: str) -> None:
    told = {cell for cell in first_cells(page(language, "devices")) if ACT.fullmatch(cell)}
    assert len(told) >= 20
    assert told == acts()


def branches(value: ast.expr | None) -> list[ast.expr]:
    """What an expression can be, when it is a choice."""
    if isinstance(value, ast.IfExp):
        return [*branches(value.body), *branches(value.orelse)]
    return [value] if value else []


@both_languages
def test_every_alarm_about_money_is_told(language: str) -> None:
    """The texts in core/settle.py, as far as they are fixed: what `_alarm` and `_refund_alarm` return, and what is
    passed as `alarm`; and what the gateway itself has to say."""
    tree = ast.parse((SRC / "core" / "settle.py").read_text(encoding="utf-8"))
    choosing = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.endswith("_alarm")]
    returned = [node.value for each in choosing for node in ast.walk(each) if isinstance(node, ast.Return)]
    values = [branch for value in returned for branch in branches(value)]
    passed = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "alarm"]
    values += [branch for value in passed for branch in branches(value)]
    for path in (SRC / "gateway").glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        values += [
            call.args[-1] for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "_alarm"
        ]
    firsts = [value.values[0] if isinstance(value, ast.JoinedStr) else value for value in values]
    texts = {f"`{str(first.value).strip()}" for first in firsts if isinstance(first, ast.Constant) and first.value}
    assert len(choosing) == 2
    assert len(texts) >= 10
    assert not missing(texts, page(language, "operations"))


@both_languages
def test_every_metric_and_probe_is_told(language: str) -> None:
    text = page(language, "operations")
    with (ROOT / "README.md").open(encoding="utf-8") as unused:
        metrics = re.findall(r"^# TYPE (\w+) (\w+)$", JsonWatch(unused).render().decode(), re.MULTILINE)
    # Prometheus' own word for a counter ends in _total; its birthday is no metric of ours.
    names = [name for name, _ in metrics if not name.endswith("_created")]
    assert len(names) >= 5
    assert not missing([f"`{name}`" for name in names], text)
    probes = [route.path for route, _ in operator_routes(*[object()] * 2)]  # type: ignore[arg-type]
    assert len(probes) >= 3
    assert not missing([f"GET {path}`" for path in probes], text)
