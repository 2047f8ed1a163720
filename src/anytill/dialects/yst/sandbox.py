"""The demo's published terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.dialects import SandboxAccess, Setting
from anytill.dialects.yst.messages import PATH

SANDBOX: Final = SandboxAccess(
    login="demo0001",
    secret="a7Kq2Zt9Xc4Mw6Pd",  # noqa: S106 - published on purpose
    password="demo-till-1",  # noqa: S106
)
CLIENT_SETTINGS: Final[Mapping[str, Setting]] = {
    "base_url": Setting.ADDRESS,
    "url": Setting.ADDRESS,
    "account": Setting.LOGIN,
    "password": Setting.PASSWORD,
    "private_key": Setting.SECRET,
}


def sandbox_settings(base_url: str) -> Mapping[str, str]:
    """What a client of the demo needs to be told; `url` is what the vendor's own software is given."""
    values = (base_url, f"{base_url}{PATH}", SANDBOX.login, SANDBOX.password, SANDBOX.secret)
    return dict(zip(CLIENT_SETTINGS, values, strict=True))
