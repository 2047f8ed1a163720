"""Which addresses a notice may be sent to: protection against requests forged through our server (SSRF).

Whoever writes the notice address chooses where our server connects to. So an address is checked twice: as text when it
is accepted (`check_url`), and as numbers when the connection is made (`address_allowed`), since a name may resolve to
anything and to something else the next time. The caller resolves once, asks for each address found, connects to
exactly the one that was allowed, follows no redirects and uses no proxy.

The text is read by one regular expression of our own instead of a lenient URL parser: two parsers that disagree about
where the host ends are how such checks get bypassed. Only plain ASCII host names, dotted-quad IPv4 and bracketed IPv6
come through; decimal, octal, hexadecimal and shortened IPv4, user-info, fragments, backslashes, trailing dots and
everything beyond ASCII (other dots, wide digits) do not.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from anytill.wire.errors import BadField

MAX_URL_LENGTH: Final = 256
_MAX_HOST_LENGTH: Final = 253
_USUAL_PORTS: Final = frozenset({80, 443})
_FIRST_UNPRIVILEGED_PORT: Final = 1024
_LAST_PORT: Final = 65535
_DEFAULT_PORT: Final = {"http": 80, "https": 443}

_URL = re.compile(
    r"(?P<scheme>[A-Za-z]+)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<target>[/?][!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z|~]*)?"
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# A last label of this kind makes lenient readers take the whole host for an IPv4 number.
_NUMBER_LIKE = re.compile(r"[0-9]+|0x[0-9a-f]*")

_REFUSED_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' address translation
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, with the clouds' metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",  # with 255.255.255.255
    )
)
_REFUSED_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "::/96",  # unspecified, loopback, and IPv4 in the abandoned compatible form
        "64:ff9b:1::/48",  # address translation inside one network
        "100::/64",
        "2001::/23",  # protocol assignments, with Teredo's tunnels at 2001::/32
        "2001:db8::/32",
        "2002::/16",  # 6to4 tunnels
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class NoticeUrl:
    """An accepted address: `host` in lower case without brackets, `target` is path and query as sent."""

    scheme: str
    host: str
    port: int
    target: str


def check_url(
    url: str,
    *,
    allow_loopback: bool,
    field: str = "notify_url",
    extra_ports: Collection[int] = (),
) -> NoticeUrl:
    """The parts of an address that notices may be sent to. Raises BadField for `field`.

    Ports are 80, 443, those from 1024 on and `extra_ports`. With `allow_loopback`, for demos and tests, this machine
    itself is a possible receiver; nothing else is loosened.
    """
    if len(url) > MAX_URL_LENGTH:
        raise BadField(field, f"no longer than {MAX_URL_LENGTH} characters")
    match = _URL.fullmatch(url)
    if match is None:
        raise BadField(field, "a plain http or https address without user-info and fragment")
    scheme = match["scheme"].lower()
    if scheme not in _DEFAULT_PORT:
        raise BadField(field, "an http or https address")
    port = int(match["port"]) if match["port"] else _DEFAULT_PORT[scheme]
    if not (port in _USUAL_PORTS or _FIRST_UNPRIVILEGED_PORT <= port <= _LAST_PORT or port in extra_ports):
        raise BadField(field, "an address with port 80, 443 or one from 1024 to 65535")
    host = match["host"].lower()
    if not _host_allowed(host, allow_loopback=allow_loopback):
        raise BadField(field, "the address of a public host")
    target = match["target"] or "/"
    return NoticeUrl(scheme, host.strip("[]"), port, target if target[0] == "/" else f"/{target}")


def address_allowed(ip_text: str, *, allow_loopback: bool, own: Collection[str] = ()) -> bool:
    """Whether a connection may be made to this numeric address.

    `own` are addresses that are refused whatever else is allowed: our public ones and the database's. IPv6 that
    stands for an IPv4 address (mapped, NAT64) is as good as that address; tunnels are refused whole.
    """
    try:
        address = ip_address(ip_text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        address = _inner_ipv4(address)
    if any(_inner(ip_address(text)) == address for text in own):
        return False
    if address.is_loopback:
        return allow_loopback
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_IPV4)
    return not any(address in network for network in _REFUSED_IPV6)


def _host_allowed(host: str, *, allow_loopback: bool) -> bool:
    if host[0] == "[":
        # Only IPv6 stands in brackets, so an IPv4 address there is no address at all.
        return ":" in host and address_allowed(host[1:-1], allow_loopback=allow_loopback)
    labels = host.split(".")
    if len(host) > _MAX_HOST_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    if _NUMBER_LIKE.fullmatch(labels[-1]):
        # ip_address knows only four decimal parts without leading zeros.
        return address_allowed(host, allow_loopback=allow_loopback)
    if labels[-1] == "localhost":
        return allow_loopback
    # A name of one label is a neighbour on the operator's own network.
    return len(labels) > 1


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return _inner_ipv4(address) if isinstance(address, IPv6Address) else address


def _inner_ipv4(address: IPv6Address) -> IPv4Address | IPv6Address:
    if address in _IPV4_MAPPED or address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
