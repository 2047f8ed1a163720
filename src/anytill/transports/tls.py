"""Certificates: the operator's own, or one made here and kept in a file, for registers that import it once by hand.

A certificate made here signs itself. It is valid for as long as browsers accept one that was imported (825 days), and
made anew when the last month of that has begun, or when it lacks a name that it should have. Its key never leaves the
file, which only its owner can read; beside it stands the certificate alone (`.crt`), to be imported.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS: Final = 820
_RENEWED_DAYS: Final = 30
#: Clocks of registers and terminals differ.
_BEFORE: Final = timedelta(days=1)
_NAME: Final = "anytill terminal"
#: How the file's name ends that registers import.
IMPORTED: Final = ".crt"


def server_tls(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """For a server: a certificate (chain) and its key, in two files or in one. Raises OSError, ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def self_made_tls(path: Path, names: Sequence[str], now_ms: int) -> ssl.SSLContext:
    """For a server: the certificate in this file, made if it is not there or of no use. `names` are host names and
    addresses. Raises OSError when the file cannot be read or written."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    if not _serves(path, names, now):
        certificate, key = _made(names, now)
        _write(path, certificate + key, 0o600)
        _write(path.with_suffix(IMPORTED), certificate, 0o644)
    return server_tls(path)


def client_tls(certificate: Path) -> ssl.SSLContext:
    """For a client that trusts this certificate and no other. Raises OSError, ssl.SSLError."""
    return ssl.create_default_context(cafile=str(certificate))


def _serves(path: Path, names: Sequence[str], now: datetime) -> bool:
    try:
        data = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(data)
        serialization.load_pem_private_key(data, None)
        known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    until = certificate.not_valid_after_utc - timedelta(days=_RENEWED_DAYS)
    return certificate.not_valid_before_utc <= now < until and all(_general(name) in known for name in names)


def _made(names: Sequence[str], now: datetime) -> tuple[bytes, bytes]:
    """A new certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    # It is its own authority, so that whoever imports it as one trusts it; it can sign nothing below itself.
    usage = {
        name: name in {"digital_signature", "key_cert_sign"}
        for name in (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
        )
    }  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem), private


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, data: bytes, mode: int) -> None:
    """In one step, so that nobody finds half of it."""
    beside = path.with_name(f"{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    beside.replace(path)
