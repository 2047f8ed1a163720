"""What `anytill terminal` refuses is told in a sentence, before anything is changed that was there."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner, Result

from anytill.cli import app
from anytill.cli.terminal import Fault, _faults
from anytill.transports.line_faults import LineFaults

NOWHERE = ("--http", "0", "--tcp", "-1")


def run(folder: Path, *options: str, **environment: str) -> Result:
    """The command, which must not get as far as to wait for a signal."""
    command = ["terminal", "--auto", "--data", str(folder / "data"), *options]
    return CliRunner().invoke(app, command, env={"ANYTILL_POS_KEY": None, **environment}, catch_exceptions=False)


def said(result: Result) -> str:
    """The sentence on standard error."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    assert not result.stdout
    return result.stderr.strip()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--config", "x.toml"), "--config and --device go together"),
        (("--device", "80000001"), "--config and --device go together"),
        (("--config", "x.toml", "--device", "1", "--pos-key", "0" * 32), "a terminal's key and switches are kept"),
        (("--config", "x.toml", "--device", "1", "--key-bytes", "hex"), "a terminal's key and switches are kept"),
        (("--config", "x.toml", "--device", "1", "--response", "plain"), "a terminal's key and switches are kept"),
        (("--config", "x.toml", "--device", "1"), "x.toml: no such file"),
        (("--http", "-1", "--tcp", "-1"), "at least one of --http, --tcp and --serial"),
        ((*NOWHERE, "--certificate", "x.pem"), "x.pem"),
        ((*NOWHERE, "--serial", "/dev/null"), "/dev/null"),
        ((*NOWHERE, "--serial", "/dev/nobody"), "/dev/nobody"),
        ((*NOWHERE, "--host", "192.0.2.1"), "192.0.2.1"),
        ((*NOWHERE, "--pos-key", "short"), "16, 24 or 32"),
        ((*NOWHERE, "--pos-key", "z" * 32, "--key-bytes", "hex"), "hex"),
    ],
)
def test_what_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentence in said(run(tmp_path, *options))


def test_a_key_in_the_environment_is_refused_with_a_settings_file_too(tmp_path: Path) -> None:
    result = run(tmp_path, "--config", "x.toml", "--device", "1", ANYTILL_POS_KEY="0" * 32)
    assert "kept in the store" in said(result)
    assert "0" * 32 not in result.output


@pytest.mark.parametrize("line", ["--http", "--tcp"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, line: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        other = "--tcp" if line == "--http" else "--http"
        assert f"port {port} is taken: {line} 0 takes a free one" in said(run(tmp_path, line, str(port), other, "0"))
    assert not (tmp_path / "data" / "sandbox.json").exists()


def test_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("no certificate")
    assert "no certificate with its key" in said(run(tmp_path, *NOWHERE, "--certificate", str(tmp_path / "x.pem")))


def test_a_settings_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[channel.")
    assert said(run(tmp_path, "--config", str(tmp_path / "x.toml"), "--device", "1")).startswith("anytill: ")


@pytest.mark.parametrize(
    "options", [("--fault", "fire"), ("--key-bytes", "octal"), ("--response", "x"), ("--tcp", "x")]
)
def test_words_that_are_not_known_are_answered_with_those_that_are(tmp_path: Path, options: tuple[str, ...]) -> None:
    result = run(tmp_path, *options)
    assert result.exit_code == 2
    assert options[0] in result.stderr


def test_https_makes_a_certificate_and_keeps_it(tmp_path: Path) -> None:
    made = []
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:  # so that the command ends
        for _ in range(2):
            said(run(tmp_path, "--https", "--http", str(taken.getsockname()[1]), "--tcp", "-1"))
            made.append((tmp_path / "data" / "certificate.pem").read_bytes())
    assert made[0] == made[1]
    imported = (tmp_path / "data" / "certificate.crt").read_bytes()
    assert b"PRIVATE KEY" not in imported
    names = x509.load_pem_x509_certificate(imported).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert (tmp_path / "data" / "certificate.pem").stat().st_mode & 0o777 == 0o600


def test_each_fault_is_one_and_all_may_be_wanted() -> None:
    assert _faults([]) == LineFaults()
    single = [_faults([fault]) for fault in Fault]
    assert len({*single, LineFaults()}) == len(Fault) + 1
    every = _faults(list(Fault))
    for one in single:
        for name in ("split_bytes", "noise_every", "mute_every", "power_cut"):
            if getattr(one, name):
                assert getattr(every, name) == getattr(one, name)
