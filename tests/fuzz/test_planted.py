"""The fuzzer finds what is wrong: each fault is planted, and must be found within the sample that CI looks at.

A plant that nobody finds would mean that the clean result of the sample says little about that kind of fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from lxml import etree

from anytill.dialects import load_dialects
from anytill.dialects.chaoying import codec as chaoying
from anytill.dialects.chaoying import server as chaoying_server
from anytill.dialects.semoor import codec as semoor
from anytill.dialects.teegon import codec as teegon
from anytill.dialects.yst import codec as yst
from anytill.wire import concatenation, flatxml, http
from anytill.wire.errors import Malformed, WireError
from anytill.wire.form import decode_form
from anytill.wire.http import HttpRequest
from fuzz import campaign, known
from fuzz.campaign import Campaign, run_campaign
from fuzz.judges import Kind
from fuzz.seeds import genuine
from tests.fuzz.test_sample import SAMPLE

Patch = pytest.MonkeyPatch


def no_signature_teegon(patch: Patch) -> None:
    patch.setattr(teegon, "authenticate", lambda fields, secrets, options: fields)


def absent_signature_counts_teegon(patch: Patch) -> None:
    honest = teegon.authenticate

    def authenticate(fields: dict[str, str], secrets: Any, options: Any) -> dict[str, str]:
        return honest(fields, secrets, options) if fields.get("sign") else fields

    patch.setattr(teegon, "authenticate", authenticate)
    # Nobody else misses it either.
    login = load_dialects()["teegon"].sandbox.login
    patch.setattr(teegon, "decode_request", lambda request: {"client_id": login, **decode_form(request.body)})


def empty_fields_dropped_after_signature_teegon(patch: Patch) -> None:
    honest = teegon.authenticate

    def authenticate(*known: Any) -> dict[str, str]:
        return {name: value for name, value in honest(*known).items() if value}

    patch.setattr(teegon, "authenticate", authenticate)


def no_guard_teegon(patch: Patch) -> None:
    patch.setattr(concatenation.Concatenation, "count", lambda self, fields: 1)


def no_closed_list_teegon(patch: Patch) -> None:
    """Neither the guard nor the closed list of names: `amount10.00` can become `amount1` with the value `0.00`."""

    def check(self: Any, fields: Mapping[str, str]) -> None:
        for name in self.required:
            if not fields.get(name) and name != "amount":
                raise Malformed("missing")

    patch.setattr(teegon._Table, "check", check)


def key_error_teegon(patch: Patch) -> None:
    patch.setattr(teegon, "decode_request", lambda request: decode_form(request.body))


def no_signature_chaoying(patch: Patch) -> None:
    patch.setattr(chaoying, "verify", lambda fields, keys: chaoying.Signed(keys[0]))


def no_guard_chaoying(patch: Patch) -> None:
    patch.setattr(chaoying, "refuse_second_meaning", lambda fields, signed: None)


class _Doubled(dict[str, str]):
    """Fields as the last of each name says, and as the first does."""

    first: dict[str, str]


def _doubled(body: bytes) -> _Doubled:
    parts = [part for part in body.split(b"&") if part]
    whole: dict[str, str] = {}
    first: dict[str, str] = {}
    for part in parts:
        for name, value in decode_form(part).items():
            whole[name] = value
            first.setdefault(name, value)
    fields = _Doubled(whole)
    fields.first = first
    return fields


def _signed_as(read: Callable[[Any], Mapping[str, str]], patch: Patch) -> None:
    honest = chaoying.verify
    patch.setattr(chaoying, "verify", lambda fields, keys: honest(read(fields), keys))


def doubled_fields_keep_the_last_chaoying(patch: Patch) -> None:
    """While the signature is checked over the first."""
    patch.setattr(chaoying, "decode_form", _doubled)
    honest = chaoying.decode_fields

    def decode_fields(body: bytes) -> dict[str, str]:
        fields = _Doubled(honest(body))
        fields.first = _doubled(body).first
        return fields

    patch.setattr(chaoying, "decode_fields", decode_fields)
    _signed_as(lambda fields: getattr(fields, "first", fields), patch)


def query_beside_the_body_chaoying(patch: Patch) -> None:
    """Fields in the address win over those that are signed."""

    def decode_request(request: HttpRequest, **_: Any) -> dict[str, str]:
        signed = chaoying.decode_fields(request.body)
        fields = _Doubled({**signed, **chaoying.decode_fields(request.query.encode())})
        fields.first = signed
        return fields

    patch.setattr(chaoying, "decode_request", decode_request)
    _signed_as(lambda fields: getattr(fields, "first", fields), patch)


def notice_without_guard_teegon(patch: Patch) -> None:
    patch.setattr(teegon._Table, "check", lambda self, fields: None)


def notice_signature_is_optional_yst(patch: Patch) -> None:
    honest = yst.decode_notice
    patch.setattr(yst, "decode_notice", lambda body, key, names, *, signed: honest(body, key, names, signed=False))


def lenient_base64_yst(patch: Patch) -> None:
    """Decrypted before the signature is checked, and what cannot be decoded is nobody's error."""
    from base64 import b64decode  # noqa: PLC0415 - what the module itself must not do

    patch.setattr(yst, "decode_base64", b64decode)
    honest = yst.is_signed_by

    def is_signed_by(envelope: yst.Envelope, key: str, password: str) -> bool:
        yst._plain(envelope.data, key)
        return honest(envelope, key, password)

    patch.setattr(yst, "is_signed_by", is_signed_by)


def amounts_through_float_teegon(patch: Patch) -> None:
    def fen(text: str, *, field: str = "") -> int:
        return int(float(text) * 100)

    patch.setattr(teegon, "fen_from_number_text", fen)


def amounts_by_int_semoor(patch: Patch) -> None:
    from anytill.dialects.semoor import client  # noqa: PLC0415 - only this plant looks into it

    patch.setattr(client, "parse_yuan", lambda text, **_: int(text.replace(".", "")))


def entities_are_resolved_semoor(patch: Patch) -> None:
    def parsed(body: bytes, max_bytes: int, max_elements: int) -> etree._Element:
        try:
            return etree.fromstring(body, etree.XMLParser(resolve_entities=True, load_dtd=True))
        except (etree.XMLSyntaxError, ValueError):
            raise Malformed("not XML") from None

    patch.setattr(flatxml, "_parsed", parsed)


def refused_with_500_teegon(patch: Patch) -> None:
    patch.setattr(teegon, "failure_answer", lambda error: http.text(error, status=500))


def refused_with_nothing_chaoying(patch: Patch) -> None:
    patch.setattr(chaoying_server, "_answer", lambda fields, key=None: http.text(""))


def a_time_that_is_none_chaoying(patch: Patch) -> None:
    """The error of a reader of ours gets out."""
    honest = chaoying.decode_answer

    def decode_answer(body: bytes) -> dict[str, str]:
        try:
            return honest(body)
        except WireError:
            raise ValueError("not JSON") from None

    patch.setattr(chaoying, "decode_answer", decode_answer)


def hangs_semoor(patch: Patch) -> None:
    honest = semoor.decode_request

    def decode_request(request: HttpRequest) -> dict[str, str]:
        fields = honest(request)
        while "&" in "".join(fields.values()) and "sign" not in fields:
            pass
        return fields

    patch.setattr(semoor, "decode_request", decode_request)
    patch.setattr(campaign, "HANG_S", 0.02)
    patch.setattr(campaign, "TICK_S", 0.01)


def moved_requests_are_no_finding(patch: Patch) -> None:
    """What is known of the vendor is forgotten, so that it looks like a fault of ours."""
    patch.setattr(known, "operations", lambda sort, dialect: {})


@dataclass(frozen=True)
class Planted:
    """A fault, in whose code, and where it must show."""

    plant: Callable[[Patch], None]
    dialect: str
    kind: Kind
    fault: str


CHANGED = "changed meaning|two readings"
PLANTED = (
    Planted(no_signature_teegon, "teegon", Kind.REQUESTS, CHANGED),
    Planted(absent_signature_counts_teegon, "teegon", Kind.REQUESTS, CHANGED),
    Planted(empty_fields_dropped_after_signature_teegon, "teegon", Kind.REQUESTS, CHANGED),
    Planted(no_guard_teegon, "teegon", Kind.REQUESTS, CHANGED),
    Planted(no_closed_list_teegon, "teegon", Kind.REQUESTS, f"{CHANGED}|KeyError"),
    Planted(key_error_teegon, "teegon", Kind.REQUESTS, "KeyError"),
    Planted(refused_with_500_teegon, "teegon", Kind.REQUESTS, "status 500"),
    Planted(no_signature_chaoying, "chaoying", Kind.REQUESTS, CHANGED),
    Planted(no_guard_chaoying, "chaoying", Kind.REQUESTS, CHANGED),
    Planted(doubled_fields_keep_the_last_chaoying, "chaoying", Kind.REQUESTS, CHANGED),
    Planted(query_beside_the_body_chaoying, "chaoying", Kind.REQUESTS, CHANGED),
    Planted(refused_with_nothing_chaoying, "chaoying", Kind.REQUESTS, "with nothing"),
    Planted(moved_requests_are_no_finding, "chaoying", Kind.REQUESTS, "sent to"),
    Planted(hangs_semoor, "semoor", Kind.REQUESTS, "took more than"),
    Planted(lenient_base64_yst, "yst", Kind.REQUESTS, "Error got out"),
    Planted(no_signature_chaoying, "chaoying", Kind.NOTICES, CHANGED),
    Planted(no_signature_teegon, "teegon", Kind.NOTICES, CHANGED),
    Planted(notice_without_guard_teegon, "teegon", Kind.NOTICES, f"{CHANGED}|Error got out"),
    Planted(notice_signature_is_optional_yst, "yst", Kind.NOTICES, CHANGED),
    Planted(no_signature_chaoying, "chaoying", Kind.ANSWERS, CHANGED),
    Planted(amounts_through_float_teegon, "teegon", Kind.ANSWERS, "Error got out"),
    Planted(amounts_by_int_semoor, "semoor", Kind.ANSWERS, "Error got out"),
    Planted(entities_are_resolved_semoor, "semoor", Kind.ANSWERS, "entity"),
    Planted(a_time_that_is_none_chaoying, "chaoying", Kind.ANSWERS, "Error got out"),
)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.plant.__name__}-{planted.kind}")
def test_what_is_planted_is_found(planted: Planted, monkeypatch: Patch) -> None:
    planted.plant(monkeypatch)
    origins = genuine(load_dialects()[planted.dialect])
    score = run_campaign(Campaign(planted.dialect, planted.kind, 1, range(SAMPLE)), origins=origins, enough=1)
    (finding,) = score.findings
    assert any(word in finding.fault for word in planted.fault.split("|")), finding.fault
    assert f"--dialect {planted.dialect} --kind {planted.kind} --seed 1 --only {finding.number}" in finding.command
