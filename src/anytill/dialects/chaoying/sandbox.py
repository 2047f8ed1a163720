"""The demo's published credential, and the identities that belong to it.

Real identities at the wallets (`appid`, `wx_mch_id` …) stand in a credential's options. The published agent has made-up
ones of the right shape, so that the demo's answers have all the fields of the samples; they follow the login, which no
other gateway accepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.merchant import Credential
from anytill.dialects import SandboxAccess, Setting

SANDBOX: Final = SandboxAccess(
    login="16850000000000017",
    secret="5c1f0a94e2d84b37a6e93d7b08c2f416",  # noqa: S106 - published on purpose
    number="68500017",
)
#: See `options_of`.
OPTIONS: Final[Mapping[str, frozenset[str] | None]] = {
    **dict.fromkeys(("appid", "channel_mch_id", "sub_mch_id", "wx_mch_id", "wx_sub_mch_id", "pay_channel")),
    "partner_list.": None,
    "code_img_base": None,
    "enrol_state": frozenset({"ON", "WAITING"}),
    "box_sign": frozenset({"NUMBERED", ""}),
}
CLIENT_SETTINGS: Final[Mapping[str, Setting]] = {
    "base_url": Setting.ADDRESS,
    "agent_id": Setting.LOGIN,
    "key": Setting.SECRET,
    "mch_id": Setting.NUMBER,
    "sub_appid": Setting.OTHER,
}
SANDBOX_OPTIONS: Final[Mapping[str, str]] = {
    "appid": "wx6850a17e00000001",
    "channel_mch_id": "1685000001",
    "wx_mch_id": "1685000001",
    "wx_sub_mch_id": "1685000017",
    # A demo has no operator who could approve of a new merchant.
    "enrol_state": "ON",
}


def options_of(credential: Credential) -> Mapping[str, str]:
    """The credential's identities at the wallets: `appid`, `channel_mch_id`, `sub_mch_id`, `wx_mch_id`,
    `wx_sub_mch_id`, `pay_channel` and `partner_list.<mch_id>`; `code_img_base`, the address that draws a QR code of the
    text put behind it; `enrol_state`, in which state its new merchants begin (`ON`, else waiting); and `box_sign`, when
    a QR sign must hold the merchant's number as a signed field: to bind any pay box (`NUMBERED`), else to move one."""
    if credential.login == SANDBOX.login:
        return {**SANDBOX_OPTIONS, **credential.options}
    return credential.options


def sandbox_settings(base_url: str) -> Mapping[str, str]:
    """What a client of the demo needs to be told."""
    values = (base_url, SANDBOX.login, SANDBOX.secret, SANDBOX.number, "wx6850a17e00000017")
    return dict(zip(CLIENT_SETTINGS, values, strict=True))
