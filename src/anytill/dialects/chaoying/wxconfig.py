"""A merchant's settings at WeChat (wx_addsubdevconfig): what may be paid from where, and whom payers are led to.

    payment directories   at most two          appids to pay by   at most two, each recommending at most one other:
                                               an account to follow (subscribe) or a mini-program (receipt)

The rules are those of 配置规则重要说明. Settings are only ever added; what is there already is no fault. One thing can
change: thirty days after a recommendation was set, another one may take its place. Plain values in, plain values out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from anytill.core import retry
from anytill.dialects.chaoying.fields import JSAPI_PATH
from anytill.dialects.chaoying.words import CallRefused, Management
from anytill.wire import jsontext
from anytill.wire.errors import BadField, MissingField

#: The merchant's detail that holds them. No field of a registration can have this name.
DETAIL: Final = "wx:config"
MOST_PATHS: Final = 2
MOST_APPIDS: Final = 2
KEPT_MS: Final = 30 * retry.DAY
_LABEL: Final = r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?"
_DIRECTORY: Final = re.compile(
    rf"https?://{_LABEL}(?:\.{_LABEL})*(?::[1-9][0-9]{{0,4}})?"
    r"(?:/(?:[0-9A-Za-z._~!$'()*+,=:@-]|%[0-9A-Fa-f]{2})*)*"
)
_LONGEST: Final = 256


@dataclass(frozen=True, slots=True)
class Recommended:
    """Whom an appid's payers are led to: `kind` is the vendor's name for the way."""

    kind: str
    appid: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class WxConfig:
    """All settings of a merchant, in the order in which they were added."""

    paths: tuple[str, ...] = ()
    appids: Mapping[str, Recommended | None] = field(default_factory=dict)


def decode(text: str) -> WxConfig:
    """What was kept; nothing when nothing was."""
    if not text:
        return WxConfig()
    kept = jsontext.decode(text.encode())
    paths, appids = kept["paths"], kept["appids"]
    assert isinstance(paths, list)
    assert isinstance(appids, dict)
    return WxConfig(tuple(map(str, paths)), {appid: _recommended(value) for appid, value in appids.items()})


def encode(config: WxConfig) -> str:
    """As it is kept."""
    appids: dict[str, jsontext.Json] = {
        appid: {"kind": to.kind, "appid": to.appid, "at_ms": str(to.at_ms)} if to else None
        for appid, to in config.appids.items()
    }
    return jsontext.encode({"paths": list(config.paths), "appids": appids}).decode()


def added(config: WxConfig, fields: Mapping[str, str], now_ms: int) -> WxConfig:
    """The settings with those of a request; the same ones when it brings nothing new. Raises WireError, CallRefused."""
    wanted = _wanted(fields)
    appid = fields.get("appid", "")
    if not (wanted or appid or "jsapi_path" in fields):
        raise CallRefused(Management.WX_NOTHING.refused)
    if wanted and not appid:
        raise MissingField("appid")
    paths = tuple(dict.fromkeys((*config.paths, *_directories(fields.get("jsapi_path", "")))))
    if len(paths) > MOST_PATHS:
        raise CallRefused(Management.WX_PATHS_FULL.refused)
    if not appid:
        return WxConfig(paths, config.appids)
    appids = {**config.appids, appid: _followed(config.appids.get(appid), wanted, now_ms)}
    if len(appids) > MOST_APPIDS:
        raise CallRefused(Management.WX_APPIDS_FULL.refused)
    return WxConfig(paths, appids)


def _wanted(fields: Mapping[str, str]) -> tuple[str, str] | None:
    """The recommendation that is asked for, with the vendor's name for its kind."""
    found = [(kind, fields[kind]) for kind in ("subscribe_appid", "receipt_appid") if kind in fields]
    if len(found) > 1:
        raise CallRefused(Management.WX_BOTH.refused)
    return found[0] if found else None


def _followed(before: Recommended | None, wanted: tuple[str, str] | None, now_ms: int) -> Recommended | None:
    if wanted is None or (before and (before.kind, before.appid) == wanted):
        return before
    if before and now_ms - before.at_ms < KEPT_MS:
        raise CallRefused(Management.WX_FOLLOWS.refused)
    return Recommended(*wanted, now_ms)


def _directories(text: str) -> list[str]:
    directories = text.split(";") if text else []
    for directory in directories:
        if len(directory) > _LONGEST or not _DIRECTORY.fullmatch(directory):
            raise BadField("jsapi_path", JSAPI_PATH.expected)
    return directories


def _recommended(kept: jsontext.Json) -> Recommended | None:
    if kept is None:
        return None
    assert isinstance(kept, dict)
    return Recommended(str(kept["kind"]), str(kept["appid"]), int(str(kept["at_ms"])))
