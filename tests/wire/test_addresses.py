"""Notice addresses: each way to make our server call somebody it should not."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.wire.addresses import NoticeUrl, address_allowed, check_url
from anytill.wire.errors import BadField, WireError

# Two addresses of each refused range: one at its beginning, one at its end.
REFUSED_ADDRESSES = [
    "127.0.0.1", "127.255.255.255", "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "172.16.0.0",
    "172.31.255.255", "192.168.0.0", "192.168.255.255", "169.254.0.0", "169.254.169.254", "100.64.0.0",
    "100.127.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0", "192.0.2.255", "198.18.0.0", "198.19.255.255",
    "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255", "192.88.99.1", "224.0.0.0", "239.255.255.255",
    "240.0.0.0", "255.255.255.255",
    "::", "::1", "fe80::1", "fe90::1", "febf:ffff::1", "fec0::1", "fc00::1", "fdff:ffff::1", "ff00::", "ff02::1",
    "ffff::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:7f00:1", "::ffff:a9fe:a9fe", "::127.0.0.1", "::10.0.0.1",
    "::8.8.8.8", "64:ff9b::127.0.0.1", "64:ff9b::a00:1", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "2002:7f00:1::",
    "2002:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1",
]  # fmt: skip
ALLOWED_ADDRESSES = [
    "93.184.216.34", "8.8.8.8", "11.0.0.0", "9.255.255.255", "100.63.255.255", "100.128.0.0", "172.15.255.255",
    "172.32.0.0", "169.253.255.255", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
    "223.255.255.255", "126.255.255.255", "128.0.0.0",
    "2606:4700:4700::1111", "2400:3200::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
]  # fmt: skip
NO_ADDRESSES = ["", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "1.2.3.4.5", "1.2.3", "fe80::1%1",
                "8.8.8.8%eth0", "2606::1%25", "8.8.8.8 ", "８.8.8.8", "256.1.1.1", "[::1]", "\x00"]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED_ADDRESSES + NO_ADDRESSES)
def test_no_connection_is_made_to(address: str) -> None:
    assert not address_allowed(address, allow_loopback=False)


@pytest.mark.parametrize("address", ALLOWED_ADDRESSES)
def test_a_connection_may_be_made_to(address: str) -> None:
    assert address_allowed(address, allow_loopback=False)
    assert address_allowed(address, allow_loopback=True)


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_loopback_is_all_that_can_be_let_in(address: str) -> None:
    loopback = {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::127.0.0.1"}
    assert address_allowed(address, allow_loopback=True) is (address in loopback)


def test_our_own_addresses_are_refused_in_any_spelling() -> None:
    own = ("93.184.216.34", "2606:4700::1", "127.0.0.1")
    for address in ("93.184.216.34", "::ffff:93.184.216.34", "2606:4700:0:0::1", "127.0.0.1"):
        assert not address_allowed(address, allow_loopback=True, own=own)
    assert address_allowed("93.184.216.35", allow_loopback=True, own=own)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://shop.example.com", NoticeUrl("http", "shop.example.com", 80, "/")),
        ("https://shop.example.com", NoticeUrl("https", "shop.example.com", 443, "/")),
        ("HTTPS://Shop.Example.COM/Notify.php", NoticeUrl("https", "shop.example.com", 443, "/Notify.php")),
        (
            "http://shop.example.com:8080/a?b=1&c=@:/?%20",
            NoticeUrl("http", "shop.example.com", 8080, "/a?b=1&c=@:/?%20"),
        ),
        ("http://shop.example.com?b=1", NoticeUrl("http", "shop.example.com", 80, "/?b=1")),
        ("http://93.184.216.34:443/", NoticeUrl("http", "93.184.216.34", 443, "/")),
        ("http://[2606:4700::1111]:65535/", NoticeUrl("http", "2606:4700::1111", 65535, "/")),
        ("http://xn--fiqs8s.example/", NoticeUrl("http", "xn--fiqs8s.example", 80, "/")),
        ("http://a_b.1and1.com/", NoticeUrl("http", "a_b.1and1.com", 80, "/")),
    ],
)
def test_an_accepted_address(url: str, parts: NoticeUrl) -> None:
    assert check_url(url, allow_loopback=False) == parts


REFUSED_URLS = {
    "no address": ["", "shop.example.com", "http:", "http://", "http:///", "//shop.example.com/", "http:/a.example/"],
    "other schemes": ["ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "javascript://a.example/",
                      "httpx://a.example/", "unix://a.example/"],
    "decimal, octal, hexadecimal and short IPv4": [
        "http://2130706433/", "http://0177.1/", "http://0x7f.1/", "http://0x7f000001/", "http://127.1/", "http://127.0.1/",
        "http://017700000001/", "http://0177.0.0.01/", "http://8.8.8.8.8/", "http://a.example.1/", "http://a.0x1/",
        "http://08.8.8.8/", "http://999.1.1.1/", "http://0x/",
    ],
    "this machine": ["http://localhost/", "http://LOCALHOST/", "http://a.localhost/", "http://A.LocalHost:8080/"],
    "trailing dots": ["http://localhost./", "http://127.0.0.1./", "http://shop.example.com./", "http://a..example/",
                      "http://.example/", "http://./"],
    "beyond ASCII": ["http://127。0。0。1/", "http://shop．example/", "http://ⓛocalhost/", "http://１２７.0.0.1/",
                     "http://中国.example/", "http://a.example/茶", "http://a\u00ad.example/"],
    "user-info": ["http://ok@127.0.0.1/", "http://shop.example.com@127.0.0.1/", "http://u:p@shop.example.com/",
                  "http://shop.example.com:80@127.0.0.1/", "http://@a.example/"],
    "fragments": ["http://a.example/#b", "http://a.example#@127.0.0.1/"],
    "control characters and blanks": ["http://a.example/\r\nHost: b", "http://a.example/\n", "http://a.example/ b",
                                      " http://a.example/", "http://a.example /", "http://a.example\t/", "http://a\x00.b/",
                                      "http://a.example/\x7f", "http://a.example/\x85", "http://a.example/\n"],
    "lookalike separators": ["http:\\\\a.example\\", "http://a.example\\@127.0.0.1/", "http://a.example/\\b",
                             "http://a.example%2f@b/", "http://127%2e0.0.1/", "http://a.example;b/"],
    "odd ports": ["http://a.example:22/", "http://a.example:1/", "http://a.example:1023/", "http://a.example:65536/",
                  "http://a.example:99999/", "http://a.example:0/", "http://a.example:080/", "http://a.example:/",
                  "http://a.example:-80/", "http://a.example:80:80/", "http://a.example:８０/"],
    "brackets": ["http://[8.8.8.8]/", "http://[::1/", "http://::1/", "http://[fe80::1%25eth0]/", "http://[]/",
                 "http://[a.example]/", "http://[::1]x/", "http://[:::1]/"],
    "neighbours": ["http://intranet/", "http://db:5432/"],
    "odd labels": ["http://-a.example/", "http://a-.example/", f"http://{'a' * 64}.example/"],
    "length": [f"http://a.example/{'a' * 240}", f"http://{'a.' * 124}example/"],
    "refused addresses": [f"http://[{a}]/" if ":" in a else f"http://{a}:8080/x" for a in REFUSED_ADDRESSES],
}  # fmt: skip


@pytest.mark.parametrize(
    "url", [pytest.param(url, id=f"{kind}: {url!r}"[:60]) for kind in REFUSED_URLS for url in REFUSED_URLS[kind]]
)
def test_a_refused_address(url: str) -> None:
    with pytest.raises(BadField) as caught:
        check_url(url, allow_loopback=False, field="notifyurl")
    assert caught.value.field == "notifyurl"


@pytest.mark.parametrize(
    "url", ["http://localhost:9000/", "http://a.localhost/", "http://127.0.0.1:9000/", "http://[::1]:9000/n"]
)
def test_this_machine_can_be_let_in(url: str) -> None:
    check_url(url, allow_loopback=True)


@pytest.mark.parametrize("kind", sorted(REFUSED_URLS.keys() - {"this machine", "refused addresses"}))
def test_nothing_else_is_let_in_with_it(kind: str) -> None:
    for url in REFUSED_URLS[kind]:
        with pytest.raises(BadField):
            check_url(url, allow_loopback=True)


def test_a_port_can_be_added() -> None:
    assert check_url("http://a.example:81/", allow_loopback=False, extra_ports={81}).port == 81


@given(st.text() | st.from_regex(r"https?://[a-z0-9.:\[\]@%/#?\\-]{0,30}", fullmatch=True))
def test_any_text_gives_an_address_or_a_wire_error(url: str) -> None:
    try:
        parts = check_url(url, allow_loopback=False)
    except WireError:
        return
    host = f"[{parts.host}]" if ":" in parts.host else parts.host
    assert check_url(f"{parts.scheme}://{host}:{parts.port}{parts.target}", allow_loopback=False) == parts


@given(st.ip_addresses())
def test_what_python_knows_to_be_private_is_refused(address: IPv4Address | IPv6Address) -> None:
    """The list is our own, so that it does not change with the interpreter; it may refuse more, never less."""
    if not address.is_global and not str(address).startswith("64:ff9b:"):
        assert not address_allowed(str(address), allow_loopback=False)
