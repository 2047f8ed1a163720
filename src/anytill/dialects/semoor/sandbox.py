"""The demo's published device.

Number and key are those of the document's own signing sample, and the code is its test code, so that the sample works
against a demo as it is printed. Everybody knows them: no other gateway accepts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.dialects import SandboxAccess, Setting

#: Options of a credential.
OPTION_SERVER: Final = "server"  # the address that devices are told
OPTION_RECEIPT: Final = "receipt"  # "off": answers without slip and popup
OPTION_UNSIGNED_REPRINT: Final = "unsigned_reprint"  # "on": reprints without a signature, from the device's address
OPTIONS: Final[Mapping[str, frozenset[str] | None]] = {
    OPTION_SERVER: None,
    OPTION_RECEIPT: frozenset({"on", "off"}),
    OPTION_UNSIGNED_REPRINT: frozenset({"on", "off"}),
}

SANDBOX: Final = SandboxAccess(
    login="57206",
    secret="8df7975ac2c8eca932a0d2802b27945f5757494b",  # noqa: S106 - published on purpose
    activation_code="24901320180424",
    options={OPTION_UNSIGNED_REPRINT: "on"},
)
CLIENT_SETTINGS: Final[Mapping[str, Setting]] = {
    "base_url": Setting.ADDRESS,
    "device_id": Setting.LOGIN,
    "key": Setting.SECRET,
    "activation_code": Setting.ACTIVATION_CODE,
}


def sandbox_settings(base_url: str) -> Mapping[str, str]:
    """What a client of the demo needs to be told."""
    values = (base_url, SANDBOX.login, SANDBOX.secret, SANDBOX.activation_code)
    return dict(zip(CLIENT_SETTINGS, values, strict=True))
