"""The management calls on both stores: what each does, what it writes down, and what it keeps from other agents."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anytill.bootstrap.demo import DEMO_MOBILE, DEMO_PASSWORD, DEMO_USERNAME
from anytill.core.errors import ForeignMerchant, MerchantInactive
from anytill.core.merchant import Merchant, MerchantState
from anytill.core.records import changed
from anytill.core.retry import DAY, MINUTE
from anytill.dialects.chaoying import words
from anytill.dialects.chaoying.sandbox import SANDBOX
from anytill.dialects.chaoying.words import Management
from anytill.gateway import Gateway
from anytill.gateway.directory import REMEMBERED_MS
from anytill.gateway.enrolment import SAID
from tests.conftest import STORES
from tests.dialects.chaoying.agents import OTHER, OTHER_KEY, OTHER_NUMBER, OTHER_SHOP, other_agent
from tests.dialects.chaoying.desk import COMMON, GATEWAY, Desk, signed
from tests.world import World

pytestmark = pytest.mark.anyio

REG, SMS, MCH_ID = "/UnifiedPay/Mch_Reg", "/Mch/GetMchSMSValid", "/Mch/GetMchId"
PARTNERS, INFO, SESSION = "/Open/GetPartnerId", "/Open/GetMchInfo", "/Open/WXA_Code2Session"
WX_CONFIG = "/open/wx_addsubdevconfig"
DONE = {"state": "SUCCESS", "code": "10000", "msg": "SUCCESS"}
SHOP = {"FullName": "老王面馆（总店）", "ShortName": "老王面馆", "Mobile": "13900000001"}


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'world.db'}"
    dsn: str = request.getfixturevalue("postgres_dsn")
    return dsn


def refusal(answer: dict[str, Any]) -> words.Refused:
    return words.Refused(words.Code(answer["code"]), answer["msg"], words.State(answer["state"]))


async def merchant_of(world: World, number: str, agent_id: str = SANDBOX.login) -> Merchant:
    credential = await world.store.credential("chaoying", agent_id)
    assert credential is not None
    return await world.gateway.office.merchant(credential.merchant_id(number))


async def merchants(world: World) -> set[str]:
    return {merchant.merchant_id for merchant in await world.store.merchants(1_000)}


def last_code(world: World, mobile: str) -> str:
    return world.outbox.to(mobile)[0].text.removeprefix("验证码")[:6]


# Mch_Reg


async def test_a_merchant_is_registered_with_whatever_is_known_of_it(desk: Desk) -> None:
    extra = {"key1": "aaa", "DealType": "餐饮", "Address": "A & B 路", "nonce_str": "n1"}
    answer = await desk.manage(REG, {**SHOP, "Password": "p&ss word", **extra})
    assert {name: answer[name] for name in DONE} == DONE
    assert set(answer) == {*DONE, "mch_id", "nonce_str", "sign"}
    assert len(answer["mch_id"]) == 8
    merchant = await merchant_of(desk.world, answer["mch_id"])
    assert (merchant.name, merchant.short_name, merchant.mobile) == tuple(SHOP.values())
    assert (merchant.username, merchant.agent_id, len(merchant.trade_code)) == ("13900000001", SANDBOX.login, 10)
    told = {name: text for name, text in merchant.details.items() if name != SAID}
    assert told == {"key1": "****", "DealType": "餐饮", "Address": "A & B 路"}
    assert merchant.password_hash.startswith("scrypt$")
    assert "p&ss word" not in repr(merchant) + merchant.password_hash
    (act,) = await desk.world.store.acts(1)
    assert (act.actor, act.what, act.merchant_id) == (
        f"chaoying:{SANDBOX.login}",
        "merchant.enrol",
        merchant.merchant_id,
    )


async def test_the_documents_sample_registers_a_merchant(desk: Desk) -> None:
    answer = await desk.manage(REG, {"key1": "aaa", "key2": "bbb"})
    merchant = await merchant_of(desk.world, answer["mch_id"])
    assert merchant.details.keys() == {"key1", "key2", SAID}
    assert merchant.name


async def test_what_nobody_needs_of_a_registration_is_not_kept(desk: Desk) -> None:
    """Nor is it told in the record of what was done, in the log, or by what shows a merchant."""
    sensitive = {
        "BankCardNo": "6222021234567890123",
        "IdCardNo": "11010519491231002X",
        "LegalPersonName": "王小明",
        "AccountName": "王小明",
        "Email": "wang@example.com",
        "key1": "6222021234567890124",
        "pwd2": "long secret of some kind",
    }
    number = (await desk.manage(REG, {**SHOP, **sensitive, "partner_list": '[{"pay_channel":"CEB"}]'}))["mch_id"]
    merchant = await merchant_of(desk.world, number)
    assert merchant.details["BankCardNo"] == "****0123"
    assert merchant.details["LegalPersonName"] == "****"
    assert merchant.details["partner_list"] == '[{"pay_channel":"CEB"}]'
    assert "pwd2" not in merchant.details
    acts = await desk.world.store.acts(100)
    for text in sensitive.values():
        assert text not in f"{merchant} {dict(merchant.details)} {acts} {desk.world.watch}"


async def test_a_registration_whose_answer_was_lost_finds_its_merchant(desk: Desk) -> None:
    before = await merchants(desk.world)
    nobody = {"FullName": "沙县小吃", "BankCardNo": "6222021234567890123"}
    person = {**SHOP, "Password": "p"}
    for words_said in (nobody, person):
        told = [await desk.manage(REG, {**words_said, "nonce_str": str(n), "pid": f"till{n}"}) for n in range(3)]
        assert {name: told[0][name] for name in DONE} == DONE
        assert len({answer["mch_id"] for answer in told}) == 1
        await desk.world.restart()
        assert (await desk.manage(REG, words_said))["mch_id"] == told[0]["mch_id"]
    assert len(await merchants(desk.world) - before) == 2
    whats = [act.what for act in await desk.world.store.acts(100)]
    assert whats.count("merchant.enrol") == 2
    # What differs in anything is something else.
    assert refusal(await desk.manage(REG, {**person, "Password": "q"})) == Management.PERSON_TAKEN.refused
    assert refusal(await desk.manage(REG, SHOP)) == Management.PERSON_TAKEN.refused
    assert (await desk.manage(REG, {**nobody, "BankCardNo": "6222021234567890124"}))["code"] == "10000"
    assert len(await merchants(desk.world) - before) == 3
    # A day later the same words without a person are another shop's, those of a person are still the person's.
    desk.world.clock.advance(DAY)
    assert (await desk.manage(REG, nobody))["code"] == "10000"
    assert (await desk.manage(REG, person))["code"] == "10000"
    assert len(await merchants(desk.world) - before) == 4


async def test_a_merchant_that_was_taken_from_its_agent_is_not_given_back(desk: Desk) -> None:
    number = (await desk.manage(REG, SHOP))["mch_id"]
    act = desk.world.gateway.office.act("cli:me", "merchant.leave", number)
    assert await desk.world.store.drop_mandate("chaoying", SANDBOX.login, number, act)
    assert refusal(await desk.manage(REG, SHOP)) == words.REFUSALS[MerchantInactive]


async def test_a_new_merchant_waits_unless_its_agent_may_switch_it_on(desk: Desk) -> None:
    await other_agent(desk.world)
    answer = await desk.manage(REG, {**SHOP, **OTHER}, OTHER_KEY)
    assert (await merchant_of(desk.world, answer["mch_id"], OTHER["agent_id"])).state is MerchantState.WAITING
    order = {"method": "pay", **desk.order(), **COMMON, **OTHER, "mch_id": answer["mch_id"]}
    paid = await desk.send(GATEWAY, signed(order, OTHER_KEY))
    assert refusal(paid) == words.REFUSALS[MerchantInactive]
    # The demo's agent may: the new number is good at once, though the agent's credential was read a moment before.
    answer = await desk.manage(REG, SHOP)
    number = answer["mch_id"]
    assert (await merchant_of(desk.world, number)).state is MerchantState.ON
    order = {"method": "pay", **desk.order(), **COMMON, "mch_id": number}
    assert (await desk.send(GATEWAY, signed(order)))["code"] == "10000"
    info = await desk.manage(INFO, {"mch_id": number})
    assert (info["FullName"], info["ShortName"]) == (SHOP["FullName"], SHOP["ShortName"])


async def test_another_process_knows_the_new_number_within_seconds(desk: Desk) -> None:
    elsewhere = Gateway(desk.world.parts)
    await elsewhere.credential("chaoying", SANDBOX.login)
    number = (await desk.manage(REG, SHOP))["mch_id"]
    there = Desk(desk.world)
    desk.world.gateway = elsewhere
    assert (await there.manage(INFO, {"mch_id": number}))["code"] == "20005"
    # Who asks who it is, is told at once.
    assert (await there.manage(SMS, {"mobile": SHOP["Mobile"]}))["state"] == "SUCCESS"
    await desk.world.work()
    code = last_code(desk.world, SHOP["Mobile"])
    found = await there.manage(MCH_ID, {"mobile": SHOP["Mobile"], "valid": code})
    assert found["mch_id"] == number
    desk.world.clock.advance(REMEMBERED_MS)
    assert (await there.manage(INFO, {"mch_id": number}))["code"] == "10000"


async def test_a_person_is_registered_once_for_each_agent(desk: Desk) -> None:
    await other_agent(desk.world)
    first = await desk.manage(REG, {**SHOP, "UserName": "wang"})
    assert first["code"] == "10000"
    for again in ({**SHOP, "UserName": "li"}, {"FullName": "b", "UserName": "wang"}, {**SHOP, "username": "wang"}):
        assert refusal(await desk.manage(REG, again)) == Management.PERSON_TAKEN.refused
    assert (await desk.manage(REG, {**SHOP, "UserName": "wang", **OTHER}, OTHER_KEY))["code"] == "10000"


async def test_a_person_who_is_registered_many_times_at_one_moment_is_registered_once(desk: Desk) -> None:
    before = await merchants(desk.world)
    answers = await asyncio.gather(*(desk.manage(REG, {**SHOP, "key1": str(n)}) for n in range(5)))
    assert sorted(answer["code"] for answer in answers) == ["10000"] + ["20005"] * 4
    assert len(await merchants(desk.world) - before) == 1


@pytest.mark.parametrize("fields", [{"FullName": "沙县小吃"}, SHOP])
async def test_one_registration_sent_many_times_at_one_moment_is_one(desk: Desk, fields: dict[str, str]) -> None:
    before = await merchants(desk.world)
    answers = await asyncio.gather(*(desk.manage(REG, fields) for _ in range(5)))
    assert {answer["code"] for answer in answers} == {"10000"}
    assert len({answer["mch_id"] for answer in answers}) == 1
    assert len(await merchants(desk.world) - before) == 1


async def test_names_of_both_cases_are_signed_in_either_order(desk: Desk) -> None:
    fields = {**{name: COMMON[name] for name in ("agent_id", "pid", "version")}, **SHOP, "key1": "a"}
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields, key=str.lower))
    assert text != "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    sign = md5(f"{text}&key={SANDBOX.secret}")
    assert (await desk.send(REG, {**fields, "sign": sign}))["code"] == "10000"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("fields", "msg"),
    [
        ({"Mobile": "1380000000"}, "参数错误：Mobile须为11位手机号"),
        ({"FullName": "x" * 129}, "参数错误：FullName须为不超过128个字符的商户全称"),
        ({"FullName": "x", "Password": "p"}, "参数错误：UserName不能为空"),
        ({"FullName": "x", "UserName": "a&b"}, "参数错误：UserName须为不超过64个字符，不含&"),
        ({"FullName": "x", "full_name": "y"}, "参数错误：full_name须为不超过128个字符的商户全称"),
        ({"FullName": "x", "memo": "a&b=c"}, "参数错误：参数值中不能夹带“&参数名=”，请修改文字后重试"),
        ({"FullName": "x", "mch_id": SANDBOX.number}, "参数错误：参数mch_id不能使用或格式不正确"),
        ({"FullName": "x", "method": "pay"}, "参数错误：参数method不能使用或格式不正确"),
        # What a pay box, a mini-program or a person asked, sent here with fields of its own.
        ({"device_info": "d", "op_device_id": "1", "campaign": "x"}, "参数错误：参数op_device_id不能使用或格式不正确"),
        ({"appid": "wx1", "js_code": "c", "more": "x"}, "参数错误：参数js_code不能使用或格式不正确"),
        ({"mobile": "13900000001", "valid": "123456", "more": "x"}, "参数错误：参数valid不能使用或格式不正确"),
        ({}, Management.NOTHING_TO_REGISTER.refused.msg),
        ({"mobile": "13900000001"}, Management.NOTHING_TO_REGISTER.refused.msg),
        ({"appid": "wx1", "js_code": "c"}, Management.NOTHING_TO_REGISTER.refused.msg),
        ({f"k{n}": "1" for n in range(120)}, "参数错误：请求或参数值过长"),
        ({f"k{n}": "x" * 8_000 for n in range(5)}, "参数错误：请求或参数值过长"),
        ({"FullName": "x", "key": "k"}, "参数错误：参数key不能使用或格式不正确"),
    ],
)
async def test_what_is_no_registration(desk: Desk, fields: dict[str, str], msg: str) -> None:
    before = await merchants(desk.world)
    answer = await desk.manage(REG, fields)
    assert (answer["state"], answer["code"], answer["msg"]) == ("FAIL", "20004", msg)
    assert await merchants(desk.world) == before


async def test_no_password_is_kept_as_it_is(desk: Desk) -> None:
    secrets = {"PayPassword": "s3cretA", "login_pwd": "s3cretB", "AppSecret": "s3cretC", "Password": "s3cretD"}
    answer = await desk.manage(REG, {**SHOP, **secrets})
    merchant = await merchant_of(desk.world, answer["mch_id"])
    assert merchant.details.keys() == {SAID}
    assert "s3cret" not in merchant.password_hash
    assert all("s3cret" not in str(act) for act in await desk.world.store.acts(100))


# GetMchSMSValid, GetMchId


async def test_a_code_by_short_message_tells_the_merchant(desk: Desk) -> None:
    answer = await desk.manage(SMS, {"mobile": DEMO_MOBILE})
    assert {name: answer[name] for name in answer if name != "sign"} == {
        "state": "SUCCESS",
        "code": "20",
        "msg": "短信验证码已发送",
    }
    await desk.world.work()
    code = last_code(desk.world, DEMO_MOBILE)
    found = await desk.manage(MCH_ID, {"mobile": DEMO_MOBILE, "valid": code})
    assert {name: found[name] for name in DONE} == DONE
    told = [found[name] for name in ("mch_id", "mch_full_name", "mch_short_name", "mch_state")]
    assert told == [SANDBOX.number, "演示商户 Demo Shop", "演示 Demo", "20"]
    assert len(found["mch_trade_code"]) == 10
    # Once.
    assert refusal(await desk.manage(MCH_ID, {"mobile": DEMO_MOBILE, "valid": code})) == Management.NOBODY.refused
    # The trade code stays.
    again = await desk.manage(MCH_ID, {"username": DEMO_USERNAME, "password": DEMO_PASSWORD})
    assert again["mch_trade_code"] == found["mch_trade_code"]


async def test_whether_a_mobile_is_known_does_not_show(desk: Desk) -> None:
    for mobile in (DEMO_MOBILE, "13700000000"):
        assert (await desk.manage(SMS, {"mobile": mobile}))["code"] == "20"
        assert refusal(await desk.manage(SMS, {"mobile": mobile})) == Management.SMS_LATER.refused
    assert desk.world.outbox.to() == [], "nothing is done for a known mobile before the answer"
    await desk.world.work()
    assert {message.mobile for message in desk.world.outbox.to()} == {DEMO_MOBILE}
    desk.world.clock.advance(MINUTE)
    assert (await desk.manage(SMS, {"mobile": DEMO_MOBILE}))["code"] == "20"


async def test_an_agent_sends_only_so_many_messages(desk: Desk) -> None:
    codes = [(await desk.manage(SMS, {"mobile": f"1360000{n:04d}"}))["code"] for n in range(25)]
    assert codes == ["20"] * 20 + ["20006"] * 5
    await other_agent(desk.world)
    assert (await desk.manage(SMS, {"mobile": "13600000000", **OTHER}, OTHER_KEY))["code"] == "20"
    desk.world.clock.advance(MINUTE)
    assert (await desk.manage(SMS, {"mobile": "13600000030"}))["code"] == "20"


async def test_without_short_messages_it_is_said(desk: Desk) -> None:
    desk.world.gateway = Gateway(replace(desk.world.parts, sms=None))
    assert refusal(await desk.manage(SMS, {"mobile": DEMO_MOBILE})) == Management.NO_SMS.refused


async def test_a_code_is_guessed_at_five_times_and_ends(desk: Desk) -> None:
    await desk.manage(SMS, {"mobile": DEMO_MOBILE})
    await desk.world.work()
    good = last_code(desk.world, DEMO_MOBILE)
    for n in range(5):
        wrong = f"{(int(good) + 1 + n) % 10**6:06d}"
        assert refusal(await desk.manage(MCH_ID, {"mobile": DEMO_MOBILE, "valid": wrong})) == Management.NOBODY.refused
    assert refusal(await desk.manage(MCH_ID, {"mobile": DEMO_MOBILE, "valid": good})) == Management.NOBODY.refused
    desk.world.clock.advance(MINUTE)
    await desk.manage(SMS, {"mobile": DEMO_MOBILE})
    desk.world.clock.advance(20 * MINUTE)
    await desk.world.work()
    late = {"mobile": DEMO_MOBILE, "valid": last_code(desk.world, DEMO_MOBILE)}
    assert refusal(await desk.manage(MCH_ID, late)) == Management.NOBODY.refused


async def test_a_password_tells_the_merchant_and_is_guessed_at_five_times(desk: Desk) -> None:
    number = (await desk.manage(REG, {**SHOP, "UserName": "wang", "Password": "good&true"}))["mch_id"]
    good = {"username": "wang", "password": "good&true"}
    assert (await desk.manage(MCH_ID, good))["mch_id"] == number
    for password in ("wrong", "good&true ", "GOOD&TRUE", "scrypt$", "x"):
        assert refusal(await desk.manage(MCH_ID, {**good, "password": password})) == Management.NOBODY.refused
    assert refusal(await desk.manage(MCH_ID, good)) == Management.NOBODY.refused
    desk.world.clock.advance(10 * MINUTE)
    assert (await desk.manage(MCH_ID, good))["mch_id"] == number


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"mobile": DEMO_MOBILE},
        {"valid": "123456"},
        {"username": "demo"},
        {"password": "x"},
        {"mobile": DEMO_MOBILE, "password": "x"},
        {"username": "demo", "valid": "123456"},
    ],
)
async def test_one_pair_is_needed(desk: Desk, fields: dict[str, str]) -> None:
    assert refusal(await desk.manage(MCH_ID, fields)) == Management.NO_PAIR.refused


async def test_an_agent_finds_its_own_merchants_alone(desk: Desk) -> None:
    await other_agent(desk.world)
    await desk.manage(SMS, {"mobile": DEMO_MOBILE})
    await desk.world.work()
    code = last_code(desk.world, DEMO_MOBILE)
    # Both agents have a merchant of this mobile; the code is the demo's.
    theirs = {"mobile": DEMO_MOBILE, "valid": code, **OTHER}
    assert refusal(await desk.manage(MCH_ID, theirs, OTHER_KEY)) == Management.NOBODY.refused
    login = {"username": DEMO_USERNAME, "password": DEMO_PASSWORD}
    assert refusal(await desk.manage(MCH_ID, {**login, **OTHER}, OTHER_KEY)) == Management.NOBODY.refused
    own = {"username": "other", "password": "other0password", **OTHER}
    assert (await desk.manage(MCH_ID, own, OTHER_KEY))["mch_id"] == OTHER_NUMBER
    assert (await desk.manage(MCH_ID, {"mobile": DEMO_MOBILE, "valid": code}))["mch_id"] == SANDBOX.number


@pytest.mark.parametrize(("state", "told"), [("WAITING", "0"), ("ON", "20"), ("OFF", "30")])
async def test_the_state_of_a_merchant(desk: Desk, state: str, told: str) -> None:
    number = (await desk.manage(REG, {**SHOP, "Password": "p"}))["mch_id"]
    before = await merchant_of(desk.world, number)
    await desk.world.store.put_merchant(changed(before, state=MerchantState(state)))
    found = await desk.manage(MCH_ID, {"username": SHOP["Mobile"], "password": "p"})
    assert (found["mch_id"], found["mch_state"]) == (number, told)


async def test_a_merchant_gets_one_trade_code_however_many_ask(desk: Desk) -> None:
    box = {"device_info": "d", "op_device_id": "1"}
    told = await asyncio.gather(*(desk.link(f"/qrpay/{SANDBOX.number}", box) for _ in range(5)))
    assert len({answer["mch_trade_code"] for answer in told}) == 1


# GetPartnerId, GetMchInfo, WXA_Code2Session


async def test_partners(desk: Desk) -> None:
    answer = await desk.manage(PARTNERS, {"mch_id": SANDBOX.number})
    assert (answer["mch_id"], {name: answer[name] for name in DONE}) == (SANDBOX.number, DONE)
    expected = [{"pay_channel": "WECHAT", "partner_id": "1685000017", "appid": "wx6850a17e00000001"}]
    assert json.loads(answer["partner_list"]) == expected


async def test_partners_as_the_operator_or_the_registration_lists_them(desk: Desk) -> None:
    rows = [{"pay_channel": "CEB", "partner_id": "257012345", "appid": "wx2a"}, {"pay_channel": "CCB"}]
    listed = json.dumps(rows)
    await other_agent(desk.world, **{f"partner_list.{OTHER_NUMBER}": listed, "pay_channel": "SPDB"})
    told = await desk.manage(PARTNERS, {"mch_id": OTHER_NUMBER, **OTHER}, OTHER_KEY)
    assert json.loads(told["partner_list"]) == rows
    waiting = (await desk.manage(REG, {**SHOP, **OTHER}, OTHER_KEY))["mch_id"]
    told = await desk.manage(PARTNERS, {"mch_id": waiting, **OTHER}, OTHER_KEY)
    assert json.loads(told["partner_list"]) == [{"pay_channel": "SPDB"}]
    for given, expected in ((listed, rows), ("[]", None), ("nonsense", None), ('[{"a":"b"}]', None)):
        number = (await desk.manage(REG, {"FullName": "x", "partner_list": given}))["mch_id"]
        told = await desk.manage(PARTNERS, {"mch_id": number})
        assert (json.loads(told["partner_list"]) == rows) is (expected is not None)


@pytest.mark.parametrize("path", [PARTNERS, INFO])
async def test_what_is_told_of_a_merchant_is_told_its_own_agent_alone(desk: Desk, path: str) -> None:
    await other_agent(desk.world)
    foreign = words.REFUSALS[ForeignMerchant]
    assert refusal(await desk.manage(path, {"mch_id": OTHER_NUMBER})) == foreign
    assert refusal(await desk.manage(path, {"mch_id": "00000001"})) == foreign
    assert refusal(await desk.manage(path, {"mch_id": OTHER_SHOP.merchant_id})) == foreign
    assert refusal(await desk.manage(path, {"mch_id": SANDBOX.number, **OTHER}, OTHER_KEY)) == foreign


async def test_who_opened_a_mini_program(desk: Desk) -> None:
    fields = {"appid": "wx4da448cd29920000", "js_code": "023jh17A0Tlixd1ql75A0aLc7A0jabcd"}
    answer = await desk.manage(SESSION, fields)
    assert {name: answer[name] for name in DONE} == DONE
    assert set(answer) == {*DONE, "openid", "session_key", "expires_in", "unionid", "sign"}
    assert answer["expires_in"] == 7200
    assert type(answer["expires_in"]) is int
    again = await desk.manage(SESSION, {**fields, "js_code": "another"})
    assert again["openid"] != answer["openid"]
    assert refusal(await desk.manage(SESSION, {**fields, "js_code": "x05"})) == Management.BAD_JS_CODE.refused
    desk.world.gateway = Gateway(replace(desk.world.parts, default_channel=""))
    assert refusal(await desk.manage(SESSION, fields)) == Management.NO_SESSIONS.refused


# wx_addsubdevconfig


async def kept(world: World, number: str = SANDBOX.number) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await merchant_of(world, number)).details.get("wx:config", "{}"))
    return found


async def test_settings_are_added_and_written_down(desk: Desk) -> None:
    own = {"mch_id": SANDBOX.number}
    first = {**own, "appid": "wxa", "jsapi_path": "http://a.com/pay/;http://b.com/pay/", "subscribe_appid": "wxa"}
    for _ in range(2):
        answer = await desk.manage(WX_CONFIG, first)
        assert {name: answer[name] for name in answer if name != "sign"} == DONE
    whats = [act.what for act in await desk.world.store.acts(10)]
    assert whats.count("merchant.wx_config") == 1
    found = await kept(desk.world)
    assert found["paths"] == ["http://a.com/pay/", "http://b.com/pay/"]
    assert (
        refusal(await desk.manage(WX_CONFIG, {**own, "jsapi_path": "http://c.com/"}))
        == Management.WX_PATHS_FULL.refused
    )
    changed_mind = {**own, "appid": "wxa", "subscribe_appid": "wxb"}
    assert refusal(await desk.manage(WX_CONFIG, changed_mind)) == Management.WX_FOLLOWS.refused
    desk.world.clock.advance(30 * DAY - 1)
    assert refusal(await desk.manage(WX_CONFIG, changed_mind)) == Management.WX_FOLLOWS.refused
    assert await kept(desk.world) == found
    desk.world.clock.advance(1)
    assert (await desk.manage(WX_CONFIG, changed_mind))["code"] == "10000"
    assert (await kept(desk.world))["appids"]["wxa"]["appid"] == "wxb"
    await desk.world.restart()
    assert (await kept(desk.world))["appids"]["wxa"]["appid"] == "wxb"


async def test_many_at_one_moment_do_not_exceed_the_limits(desk: Desk) -> None:
    wishes = [{"appid": f"wx{n}", "jsapi_path": f"http://{n}.com/"} for n in range(6)]
    told = await asyncio.gather(*(desk.manage(WX_CONFIG, {"mch_id": SANDBOX.number, **wish}) for wish in wishes))
    assert sorted(answer["code"] for answer in told) == ["10000"] * 2 + ["20013"] * 4
    found = await kept(desk.world)
    assert len(found["appids"]) == len(found["paths"]) == 2
    done = {wish["appid"] for wish, answer in zip(wishes, told, strict=True) if answer["code"] == "10000"}
    assert set(found["appids"]) == done


async def test_two_recommendations_at_one_moment_are_one(desk: Desk) -> None:
    own = {"mch_id": SANDBOX.number, "appid": "wxa"}
    told = await asyncio.gather(*(desk.manage(WX_CONFIG, {**own, "subscribe_appid": f"wx{n}"}) for n in range(4)))
    assert sorted(answer["code"] for answer in told) == ["10000"] + ["20013"] * 3


async def test_settings_are_those_of_the_agents_own_merchants(desk: Desk) -> None:
    await other_agent(desk.world)
    answer = await desk.manage(WX_CONFIG, {"mch_id": OTHER_NUMBER, "appid": "wxa"})
    assert refusal(answer) == words.REFUSALS[ForeignMerchant]
    assert (await desk.world.gateway.office.merchant(OTHER_SHOP.merchant_id)).details == {}
    assert (await desk.manage(WX_CONFIG, {"mch_id": OTHER_NUMBER, "appid": "wxa", **OTHER}, OTHER_KEY))[
        "code"
    ] == "10000"


async def test_a_registration_cannot_pretend_settings(desk: Desk) -> None:
    answer = await desk.send(REG, signed({**{k: COMMON[k] for k in ("agent_id", "pid", "version")}, "wx:config": "{}"}))
    assert answer["code"] == "20004"


@pytest.mark.parametrize("path", [REG, SMS, MCH_ID, PARTNERS, INFO, SESSION, WX_CONFIG])
async def test_paths_are_compared_without_case(desk: Desk, path: str) -> None:
    for written in (path.lower(), path.upper()):
        assert (await desk.manage(written, {"mch_id": "0"}))["state"] == "FAIL"
