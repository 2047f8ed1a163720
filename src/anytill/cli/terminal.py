"""The command that is a terminal: a machine on the counter, without the machine.

By default it brings a gateway of its own along, with the sandbox's wallet and card scheme and the published key. With
`--config` it takes payments on the gateway of that settings file, for a device that is registered there.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from anytill.cli.process import NOT_THERE, TERMINAL_DIALECT, embedded_settings
from anytill.cli.sentences import refused_in_a_sentence, text_of

if TYPE_CHECKING:
    from anytill.config import Settings
    from anytill.transports.line_faults import LineFaults

DATA: Final = Path("anytill-terminal")
#: What a fault is like, when it is asked for.
SPLIT_BYTES: Final = 3
NOISE_EVERY: Final = 2
#: Were none acknowledged, no question would ever count as answered.
MUTE_EVERY: Final = 2


class Fault(StrEnum):
    """What can be wrong on purpose."""

    SPLIT_FRAMES = "split-frames"
    NOISE = "noise"
    NO_ACKNOWLEDGEMENT = "no-ack"
    POWER_CUT = "power-cut"


class Response(StrEnum):
    """How answers travel."""

    AUTO = "auto"
    AES = "aes"
    PLAIN = "plain"


class KeyReading(StrEnum):
    """How the key's characters become bytes."""

    ASCII = "ascii"
    HEX = "hex"


def terminal(
    http: Annotated[int, typer.Option(help="The port for HTTP; 0 takes a free one, -1 none.")] = 9001,
    tcp: Annotated[int, typer.Option(help="The port for TCP; 0 takes a free one, -1 none.")] = 9002,
    serial: Annotated[str, typer.Option(help="A serial device or pty, such as /dev/ttyUSB0; 9600 8N1.")] = "",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    https: Annotated[
        bool, typer.Option("--https", help="Speak https; without --certificate with one made here.")
    ] = False,
    certificate: Annotated[Path | None, typer.Option(help="A PEM file with certificate and key, for https.")] = None,
    pos_key: Annotated[
        str, typer.Option(envvar="ANYTILL_POS_KEY", help="Another key than the published one. Not with --config.")
    ] = "",
    key_bytes: Annotated[KeyReading | None, typer.Option(help="How the key is read. Not with --config.")] = None,
    response: Annotated[Response | None, typer.Option(help="How answers travel. Not with --config.")] = None,
    auto: Annotated[bool, typer.Option("--auto", help="No window: a customer acts by himself.")] = False,
    fault: Annotated[list[Fault] | None, typer.Option(help="What is wrong on purpose; several may be given.")] = None,
    paper: Annotated[Path | None, typer.Option(help="A folder for what is printed.")] = None,
    data: Annotated[Path, typer.Option(help="Where the terminal keeps its data; with a window its log too.")] = DATA,
    config: Annotated[Path | None, typer.Option(help="Take payments on the gateway of this settings file.")] = None,
    device: Annotated[str, typer.Option(help="The terminal's number, with --config.")] = "",
) -> None:
    """Run a payment terminal that a cash register drives over HTTP, TCP or a serial line."""
    from anytill.bootstrap.terminals import Listens
    from anytill.cli.machine import Machine, run_by_itself, run_in_window
    from anytill.config import SettingsError

    with refused_in_a_sentence():
        if config and (pos_key or key_bytes or response):
            raise SettingsError("--config: a terminal's key and switches are kept in the store, see `anytill device`")
        if bool(config) != bool(device):
            raise SettingsError("--config and --device go together")
        if {http, tcp} == {NOT_THERE} and not serial:
            raise SettingsError("at least one of --http, --tcp and --serial is needed")
        options = {name: str(value) for name, value in (("key_bytes", key_bytes), ("response", response)) if value}
        if pos_key:
            _check_key(pos_key, options)
        data.mkdir(parents=True, exist_ok=True)
        machine = Machine(
            dialect=TERMINAL_DIALECT,
            number=device,
            settings=_settings(config, data),
            demo=None if config else data,
            data=data,
            listens=Listens(
                host=host,
                http_port=None if http == NOT_THERE else http,
                tls=_tls(data, certificate, host) if https or certificate else None,
                tcp_port=None if tcp == NOT_THERE else tcp,
                serial_path=serial or None,
            ),
            faults=_faults(fault or []),
            key=pos_key,
            options=options,
            paper=paper,
        )
        (run_by_itself if auto else run_in_window)(machine)


COMMANDS: list[Callable[..., Any]] = [terminal]


def _check_key(key: str, options: Mapping[str, str]) -> None:
    """Raises SettingsError for a key with which no request could be read."""
    from anytill.config import SettingsError
    from anytill.core.secret import Secret
    from anytill.dialects.qfpay.terminal import pos_key

    try:
        pos_key(Secret(key), options)
    except ValueError as fault:
        raise SettingsError(f"--pos-key: {fault}") from None


def _settings(config: Path | None, data: Path) -> Settings:
    """Those of the file, or those of a gateway that the terminal brings along."""
    from anytill.config import read_settings

    if config is None:
        return embedded_settings(data)
    return read_settings(text_of("--config", config), os.environ)


def _tls(data: Path, certificate: Path | None, host: str) -> ssl.SSLContext:
    """The certificate that was given, else one of our own, kept for the next start."""
    from anytill.config import SettingsError
    from anytill.transports.clock import SystemClock
    from anytill.transports.tls import self_made_tls, server_tls

    if certificate is None:
        return self_made_tls(data / "certificate.pem", (host, "localhost"), SystemClock().now_ms())
    try:
        return server_tls(certificate)
    except FileNotFoundError:
        raise SettingsError(f"--certificate {certificate}: no such file") from None
    except ssl.SSLError as fault:
        raise SettingsError(f"--certificate {certificate}: no certificate with its key: {fault.reason}") from None


def _faults(wanted: list[Fault]) -> LineFaults:
    from anytill.transports.line_faults import LineFaults

    return LineFaults(
        split_bytes=SPLIT_BYTES if Fault.SPLIT_FRAMES in wanted else 0,
        noise_every=NOISE_EVERY if Fault.NOISE in wanted else 0,
        mute_every=MUTE_EVERY if Fault.NO_ACKNOWLEDGEMENT in wanted else 0,
        power_cut=Fault.POWER_CUT in wanted,
    )
