"""The commands over merchants, devices and keys, beside a gateway that serves: what they change counts within five
seconds, what they print once is nowhere else, and what they refuse is told in a sentence."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import Serve, clean_environment, command, lasting_port, running, until
from tests.acceptance.semoor_till import SemoorTill, activate
from tests.acceptance.tills import ChaoyingTill, TeegonTill, Told, Word
from tests.acceptance.yst_till import YstTill

#: A change is obeyed after five seconds at most; the rest is for a slow machine.
OBEYED_WITHIN_S = 20
NOBODY = "http://127.0.0.1:65535/nobody"
YST_URL = "http://gateway/ystpay/service/unitive.api"


@dataclass
class Keeper:
    """Somebody at the keyboard of a gateway's machine."""

    gateway: Serve
    _orders: Iterator[int] = field(default_factory=lambda: count(1))

    def run(self, *arguments: str) -> Any:
        """What a command that must succeed prints as JSON."""
        done = self.asked(*arguments, "--json")
        assert done[0] == 0, done
        return json.loads(done[1])

    def asked(self, *arguments: str) -> tuple[int, str, str]:
        """The exit code of a command, and what it printed on each stream."""
        where = ("--config", str(self.gateway.config), "--store", self.gateway.store)
        done = command(*arguments, *where, environment=self.gateway.secrets)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    def issued(self, *arguments: str) -> dict[str, str]:
        """What a command prints once; none of its secrets may be printed by anybody else."""
        told: dict[str, str] = self.run(*arguments)
        hidden = ("key", "private_key", "client_secret", "password", "activation_code")
        self.gateway.canaries |= {told[name] for name in hidden if name in told}
        return told

    def pays(self, till: YstTill | SemoorTill | TeegonTill | ChaoyingTill) -> Told:
        """A new order with a payer who pays at once."""
        number = next(self._orders)
        return till.pay(f"REG{number:05d}", 1, f"13{number:014d}00")

    def yst(self, told: Mapping[str, str]) -> YstTill:
        return YstTill(self.gateway.line(), YST_URL, told["account"], told["password"], told["private_key"])

    def history(self, *arguments: str) -> list[str]:
        return [act["what"] for act in self.run("history", *arguments)]


@pytest.fixture(params=["sqlite", "postgres"])
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keeper]:
    """A gateway that serves on each store in turn, and somebody beside it."""
    sqlite = f"sqlite:///{tmp_path / 'shop.db'}"
    store = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_dsn")
    serve = Serve(tmp_path, store=store)
    with running(serve):
        yield Keeper(serve)


def refused(keeper: Keeper, till: YstTill | TeegonTill | SemoorTill) -> bool:
    return keeper.pays(till).word is Word.REFUSED


def test_a_shop_from_nothing_to_its_first_payments_while_the_gateway_serves(keeper: Keeper) -> None:
    agent = keeper.issued("agent", "add", "chaoying", "7700000000009001", "Tea Agents")
    assert set(agent) == {"dialect", "agent_id", "key"}
    keeper.run("merchant", "add", "tea", "Tea House", "--agent", "7700000000009001", "--mobile", "13911112222")
    keeper.run("merchant", "join", "tea", "7700000000009001", "77009001")
    keeper.run("shop", "add", "tea", "s1", "一号店")
    keeper.run("operator", "add", "tea", "007", "Wang", "--shop", "s1")
    shared = keeper.issued("merchant", "key", "add", "tea", "teegon")
    typed_in = keeper.issued("device", "add", "yst", "tea", "--name", "desk 1", "--shop", "s1")
    fetching = keeper.issued("device", "add", "semoor", "tea")
    assert "key" not in fetching

    line = keeper.gateway.line()
    fetched = activate(line, fetching["activation_code"])
    assert fetched["device_id"] == fetching["device_id"]
    keeper.gateway.canaries.add(fetched["secretkey"])
    tills = (
        ChaoyingTill(line, agent["agent_id"], agent["key"], "77009001"),
        TeegonTill(line, shared["client_id"], shared["client_secret"], NOBODY),
        keeper.yst(typed_in),
        SemoorTill(line, fetched["device_id"], fetched["secretkey"]),
    )
    for till in tills:
        assert keeper.pays(till).word is Word.YES, till

    shown = keeper.run("merchant", "show", "tea")
    assert [shop["name"] for shop in shown["shops"]] == ["一号店"]
    assert [person["shop_id"] for person in shown["operators"]] == ["s1"]
    assert {device["dialect"] for device in shown["devices"]} == {"semoor", "yst"}
    assert {key["dialect"] for key in shown["keys"]} == {"chaoying", "semoor", "teegon", "yst"}
    until(lambda: all(each["seen_from"] == "127.0.0.1" for each in keeper.run("device", "list", "--merchant", "tea")),
          "the devices were seen")  # fmt: skip
    assert keeper.run("device", "show", "semoor", fetched["device_id"])["activated_at"]
    assert {"device.activate", "device.code", "device.add", "key.add", "operator.add", "shop.add", "merchant.join",
            "merchant.add"} == set(keeper.history("--merchant", "tea"))  # fmt: skip
    assert "agent.add" in keeper.history()


def test_a_key_is_changed_without_a_till_falling_silent(keeper: Keeper) -> None:
    old = keeper.issued("device", "add", "yst", "shop", "--number", "desk7")
    assert keeper.pays(keeper.yst(old)).word is Word.YES
    new = keeper.issued("device", "rotate", "yst", "desk7", "--overlap", "2")
    assert new["private_key"] != old["private_key"]
    changed = {**old, "private_key": new["private_key"]}
    until(lambda: keeper.pays(keeper.yst(changed)).word is Word.YES, "the new key counts", OBEYED_WITHIN_S)
    assert keeper.pays(keeper.yst(old)).word is Word.YES
    (key,) = [each for each in keeper.run("key", "list", "--merchant", "shop") if each["login"] == "desk7"]
    assert key["previous_until"]
    assert keeper.run("key", "end", "yst", "desk7")["previous_until"] == ""
    until(lambda: refused(keeper, keeper.yst(old)), "the old key ends", OBEYED_WITHIN_S)
    assert keeper.pays(keeper.yst(changed)).word is Word.YES
    code, _, said = keeper.asked("key", "end", "yst", "desk7")
    assert (code, said) == (2, "refused: desk7 of yst has no old key that still counts\n")
    assert keeper.history("--merchant", "shop")[:2] == ["key.end", "key.rotate"]


def test_a_device_that_is_switched_off_is_refused_until_it_is_on_again(keeper: Keeper) -> None:
    told = keeper.issued("device", "add", "yst", "shop")
    till = keeper.yst(told)
    assert keeper.pays(till).word is Word.YES
    assert keeper.run("device", "off", "yst", told["account"])["active"] is False
    until(lambda: refused(keeper, till), "the device is off", OBEYED_WITHIN_S)
    keeper.run("device", "on", "yst", told["account"])
    assert keeper.pays(till).word is Word.YES
    keeper.run("key", "off", "teegon", "corner0shop0till0000001")
    until(lambda: refused(keeper, keeper.gateway.teegon()), "the key is off", OBEYED_WITHIN_S)
    keeper.run("key", "on", "teegon", "corner0shop0till0000001")
    assert keeper.pays(keeper.gateway.teegon()).word is Word.YES


def test_a_merchant_that_is_switched_off_takes_no_money(keeper: Keeper) -> None:
    till = keeper.gateway.teegon()
    assert keeper.pays(till).word is Word.YES
    for state, told in (("off", "OFF"), ("wait", "WAITING")):
        assert keeper.run("merchant", state, "shop")["state"] == told
        until(lambda: refused(keeper, till), f"the merchant is {told}", OBEYED_WITHIN_S)
        assert keeper.run("merchant", "on", "shop")["state"] == "ON"
        assert keeper.pays(till).word is Word.YES
    assert keeper.history("--merchant", "shop")[:4] == ["merchant.on", "merchant.wait", "merchant.on", "merchant.off"]


def test_a_second_code_does_not_push_out_the_key_that_the_device_has(keeper: Keeper) -> None:
    line = keeper.gateway.line()
    told = keeper.issued("device", "add", "semoor", "shop")
    key = activate(line, told["activation_code"])["secretkey"]
    codes = [keeper.issued("device", "code", "semoor", told["device_id"])["activation_code"] for _ in range(2)]
    assert keeper.pays(SemoorTill(line, told["device_id"], key)).word is Word.YES
    assert "secretkey" not in activate(line, codes[0]), "a new code voids the one before"
    new_key = activate(line, codes[1])["secretkey"]
    keeper.gateway.canaries |= {key, new_key}
    assert new_key != key
    for each in (key, new_key):
        assert keeper.pays(SemoorTill(line, told["device_id"], each)).word is Word.YES


def test_what_commands_changed_stays_when_the_gateway_starts_again(keeper: Keeper) -> None:
    keeper.run("merchant", "set", "shop", "--short-name", "Corner", "--max-amount", "0.50")
    new = keeper.issued("key", "rotate", "teegon", "corner0shop0till0000001", "--overlap", "0")
    keeper.run("merchant", "add", "tea", "Tea House")
    keeper.run("merchant", "join", "tea", "7700000000000001", "77000002")
    assert keeper.gateway.terminate() == 0
    keeper.gateway.start()
    shop = keeper.run("merchant", "show", "shop")["merchant"][0]
    assert (shop["short_name"], shop["max_amount"], shop["currency"]) == ("Corner", "0.50", "CNY")
    # The file still has the key of before: the tills' new one counts all the same, and that is told.
    alarms = [json.loads(line) for line in keeper.gateway.printed().splitlines() if line.startswith("{")]
    assert [(each["event"], each["login"]) for each in alarms if each["event"] == "settings_key_ignored"] == [
        ("settings_key_ignored", "corner0shop0till0000001")
    ]
    line = keeper.gateway.line()
    assert keeper.pays(TeegonTill(line, "corner0shop0till0000001", new["client_secret"], NOBODY)).word is Word.YES
    assert refused(keeper, keeper.gateway.teegon())
    assert keeper.pays(
        ChaoyingTill(line, "7700000000000001", keeper.gateway.secrets["CHAOYING_KEY"], "77000002")
    ).word is (Word.YES)
    left = keeper.run("merchant", "leave", "7700000000000001", "77000002")
    assert left == {"agent_id": "7700000000000001", "number": "77000002", "merchant_id": "tea"}
    assert keeper.run("agent", "list")[0]["merchants"] == {"77000001": "shop"}
    # A key of the operator's own, the one that the settings name: the file is in charge again.
    keeper.run("key", "rotate", "teegon", "corner0shop0till0000001", "--overlap", "0", "--secret-env", "TEEGON_SECRET")
    until(lambda: keeper.pays(keeper.gateway.teegon()).word is Word.YES, "the key of the file", OBEYED_WITHIN_S)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Keeper:
    """A store with the harness's shop, and nobody serving."""
    folder = tmp_path_factory.mktemp("closed")
    serve = Serve(folder, store=f"sqlite:///{folder / 'shop.db'}")
    (folder / "short").write_text("secret")
    (folder / "published").write_text("sandbox0teegon0secret00000000001")
    with running(serve):
        pass
    return Keeper(serve)


def rows(closed: Keeper) -> list[str]:
    """All that is in the store, as statements."""
    with sqlite3.connect(closed.gateway.folder / "shop.db") as connection:
        dump = list(connection.iterdump())
    connection.close()
    assert any("7700000000000001" in line for line in dump)
    return dump


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            "agent add teegon 77 Tea",
            "keys of this dialect are of the kind merchant; the dialect must be one of chaoying",
        ),
        ("agent add morse 77 Tea", "anytill: morse: the dialect must be one of chaoying"),
        ("agent add chaoying 16850000000000017 Tea", "this is a sandbox credential, and everybody knows it"),
        ("agent add chaoying 7700000000000001 Tea", "there is a login 7700000000000001 of chaoying already"),
        ("agent add chaoying 77000 Tea --secret-file {folder}/short", "a secret has at least 16 characters"),
        ("agent add chaoying 77000 Tea --secret-file {folder}/published", "everybody knows it"),
        ("agent add chaoying 77000 Tea --secret-file {folder}/nothing", "No such file"),
        ("agent add chaoying 77000 Tea --secret-env NOTHING", "the environment variable NOTHING is not set"),
        ("agent add chaoying 77000 Tea --secret-env A --secret-file B", "one of --secret-env and --secret-file"),
        ("merchant add shop Tea", "refused: there is a merchant shop already"),
        ("merchant add tea/1 Tea", "1 to 64 letters"),
        ("merchant add tea Tea --agent nobody", "refused: there is no agent nobody"),
        ("merchant add tea Tea --max-amount 1e3", "amount"),
        ("merchant add tea Tea --currency USD", "CNY, HKD"),
        ("merchant add tea Tea --mobile 139-1", "a mobile has 5 to 20 digits"),
        ("merchant add tea Tea --channel WECHAT=walet", "--channel: there is no channel walet; there is wallet"),
        ("merchant add tea Tea --channel GOLD=wallet", "--channel: there is no wallet GOLD"),
        ("merchant add tea Tea --password-file {folder}/short", "a password has at least 8 characters"),
        ("merchant show tea", "refused: there is no merchant tea"),
        ("merchant off tea", "refused: there is no merchant tea"),
        ("merchant key add shop chaoying", "must be one of teegon"),
        ("merchant key add tea teegon", "refused: there is no merchant tea"),
        ("merchant join shop nobody 1", "refused: there is no agent nobody"),
        ("merchant join shop 7700000000000001 77000001", "has a merchant 77000001 already"),
        ("merchant leave 7700000000000001 1", "has no merchant 1"),
        ("shop add tea s1 Tea", "refused: there is no merchant tea"),
        ("operator add shop 007 Wang --shop s9", "refused: there is no shop s9 of shop"),
        ("operator off shop 007", "refused: there is no operator 007 of shop"),
        (
            "device add yst shop --number SHOP0001",
            "cannot be a login of yst: it has 4 to 20 characters, letters in lower",
        ),
        ("device add yst shop --number abc", "--number: 'abc' cannot be a login of yst: it has 4 to 20 characters"),
        (
            "device add semoor shop --number till.1",
            "of semoor: it has 1 to 32 letters, digits, hyphens and underscores",
        ),
        ("device add chaoying shop --number box.1", "'box.1' cannot be a pay box of chaoying: it has 1 to 64 letters"),
        (
            "device add teegon shop --number till1",
            "teegon has no devices, its tills share their merchant's key: `anytill",
        ),
        ("device rotate yst abc", "DEVICE_ID: 'abc' cannot be a login of yst"),
        ("key rotate teegon till-1", "LOGIN: 'till-1' cannot be a login of teegon: it has 1 to 24 letters and digits"),
        ("merchant key add shop teegon --login till-1", "--login: 'till-1' cannot be a login of teegon"),
        ("agent add chaoying agent7 Tea", "AGENT_ID: 'agent7' cannot be a login of chaoying: it has 1 to 32 digits"),
        ("merchant join shop 7700000000000001 a-b", "'a-b' cannot be a merchant's number of chaoying: it has 1 to 32"),
        ("device add yst shop --number shop0001", "refused: there is a device or a login shop0001 of yst already"),
        ("device add yst shop --number demo0001", "everybody knows it"),
        ("device add chaoying shop", "--number"),
        ("device add chaoying shop --number box9 --option foo=bar", "of its own, and options belong to a key"),
        ("device add yst shop --option notfy_url=http://a.b", "yst has no option notfy_url; it has notify_url"),
        ("device add semoor shop --option receipt=no", "--option: option receipt is on or off, not 'no'"),
        ("merchant key add shop teegon --option drop_emty=on", "--option: teegon has no option drop_emty"),
        ("device code yst shop0001", "has no activation code"),
        ("device rotate semoor 770001", "`anytill device code semoor 770001`"),
        ("device rotate teegon 770001", "of the kind merchant"),
        ("device show yst desk9", "refused: there is no device desk9 of yst"),
        ("key rotate semoor 770001", "`anytill device code semoor 770001`"),
        ("key rotate morse 770001", "the dialect must be one of"),
        ("key rotate yst desk9", "refused: there is no login desk9 of yst"),
        ("key rotate yst shop0001 --overlap 1000", "less than or equal to 720"),
        ("key off yst desk9", "refused: there is no login desk9 of yst"),
    ],
)
def test_what_is_refused_changes_nothing_and_is_told(closed: Keeper, arguments: str, sentence: str) -> None:
    folder = closed.gateway.folder
    before = rows(closed)
    code, printed, said = closed.asked(*(word.format(folder=folder) for word in arguments.split()))
    # Typer draws a frame round what is wrong with an option.
    assert sentence in re.sub(r"[\s│]+", " ", said)
    assert (code, printed) == (2, "")
    assert rows(closed) == before


def test_an_agent_knows_a_mobile_and_a_user_name_once(closed: Keeper) -> None:
    closed.run("merchant", "add", "tea1", "Tea", "--mobile", "13900000001", "--username", "tea")
    code, _, said = closed.asked("merchant", "add", "tea2", "Tea", "--mobile", "13900000001")
    assert (code, said) == (2, "refused: tea1 of the same agent has this mobile already\n")
    closed.run("merchant", "add", "tea2", "Tea")
    code, _, said = closed.asked("merchant", "set", "tea2", "--username", "tea")
    assert (code, said) == (2, "refused: tea1 of the same agent has this user name already\n")
    closed.run("merchant", "set", "tea1", "--username", "")
    assert closed.run("merchant", "set", "tea2", "--username", "tea")["username"] == "tea"


def test_a_password_is_kept_as_a_hash_and_told_to_nobody(closed: Keeper) -> None:
    file = closed.gateway.folder / "password"
    file.write_text("open sesame\n")
    set_ = closed.asked("merchant", "set", "shop", "--password-file", str(file), "--json")
    assert set_[0] == 0
    assert json.loads(set_[1])["password"] == "set"
    (act,) = closed.run("history", "--merchant", "shop", "--limit", "1")
    assert act["about.changed"] == "password_hash"
    assert act["actor"].startswith("cli:")
    assert b"open sesame" not in (closed.gateway.folder / "shop.db").read_bytes()


def test_a_store_that_is_not_there_is_made_by_adding_a_merchant_alone(tmp_path: Path) -> None:
    keeper = Keeper(Serve(tmp_path, store=f"sqlite:///{tmp_path / 'new.db'}"))
    for arguments in (("merchant", "list"), ("shop", "add", "tea", "s1", "Tea"), ("history",)):
        code, printed, said = keeper.asked(*arguments)
        assert (code, printed) == (2, "")
        assert said == "anytill: store.url: there is no store yet; `anytill merchant add` makes one\n"
    assert keeper.asked("merchant", "add", "tea", "Tea", "--mobile", "139-1")[0] == 2
    assert not (tmp_path / "new.db").exists(), "what is written wrong is refused before anything is made"
    keeper.run("merchant", "add", "tea", "Tea House")
    assert [each["merchant_id"] for each in keeper.run("merchant", "list")] == ["tea"]


def test_an_empty_postgres_database_is_made_a_store_too(tmp_path: Path, postgres_dsn: str) -> None:
    keeper = Keeper(Serve(tmp_path, store=postgres_dsn))
    assert "there is no store yet" in keeper.asked("merchant", "list")[2]
    keeper.run("merchant", "add", "tea", "Tea House")
    assert [each["merchant_id"] for each in keeper.run("merchant", "list")] == ["tea"]


def test_another_master_key_is_found_out_before_anything_is_sealed_with_it(closed: Keeper) -> None:
    environment = {"ANYTILL_KEYS__MASTER": "00" * 32}
    done = command("device", "add", "yst", "shop", "--store", closed.gateway.store, environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "anytill: keys.master or keys.master_file: the store's secrets are of another key\n"


def test_what_is_told_to_a_till_can_be_given_to_the_clients(closed: Keeper) -> None:
    told = closed.run("device", "add", "yst", "shop", "--number", "desk5", "--url", "http://127.0.0.1:1")
    assert told["base_url"] == "http://127.0.0.1:1"
    assert told["url"] == "http://127.0.0.1:1/ystpay/service/unitive.api"
    file = closed.gateway.folder / "till.json"
    file.write_text(json.dumps(told))
    done = command("query", "T1", "-d", "yst", "--settings", str(file))
    assert done.returncode == 3, "the settings are whole; nobody listens there"


def test_a_pay_box_is_a_device_without_a_key(closed: Keeper) -> None:
    assert closed.run("device", "add", "chaoying", "shop", "--number", "box7") == {
        "dialect": "chaoying",
        "device_id": "box7",
    }
    assert closed.run("device", "off", "chaoying", "box7")["active"] is False
    assert "box7" not in {each["login"] for each in closed.run("key", "list")}


WALK = re.compile(r"^```bash\n# walk\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WALKED_WITHIN_S = 300
PROMISE = re.compile(r"^# -> (.+)$", re.MULTILINE)


@pytest.mark.timeout(WALKED_WITHIN_S + 100)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_leads_from_nothing_to_the_first_payment(language: str, tmp_path: Path) -> None:
    port = lasting_port()
    page = (Path(__file__).parents[2] / "docs" / language / "devices.md").read_text(encoding="utf-8")
    blocks = [block.replace("8000", str(port)) for block in WALK.findall(page)]
    mark = "=== next block ==="
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eu"],
        input="trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
        + "".join(f"echo '{mark}'\n{each}" for each in blocks),
        env={**clean_environment(), "PATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=WALKED_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split(f"{mark}\n")[1:]
    assert len(printed) == len(blocks) == 3
    for block, output in zip(blocks, printed, strict=True):
        for promise in PROMISE.findall(block):
            assert promise in output, f"{block}\nprinted\n{output}"
