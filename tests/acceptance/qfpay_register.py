"""QFPay's cash register, sharing no code with the terminal: hashlib, cryptography's AES, and the vendor's document.

    Message    content and its digest, written as a register might: strict JSON, the looser text of a browser's till,
               the content as a text inside; in the open, as base64, or as base64 in quotes
    Line       how it travels: HTTP (with TLS), a TCP connection that is kept, frames on a serial port
    Till       what a cashier does with it; every answer is read into a `Told`

Of the looser text nothing is escaped, so this register's texts hold letters, digits and `-` only.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import select
import socket
import ssl
import struct
import time
import tty
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from tests.acceptance.tills import Told, Word

IV: Final = b"qfpay202306_hjsh"
PATHS: Final = {
    1001: "/api/pos/trade",
    1002: "/api/pos/cancel",
    3001: "/api/pos/print_receipt",
    3002: "/api/pos/transaction_info",
    4001: "/api/pos/query_transaction",
    5001: "/api/pos/cancel_request",
}
ANSWER_TIMEOUT_S: Final = 40.0
#: How long this register waits for an acknowledgement, and for what belongs together. The document's second and half
#: second are for lines that lose things; here whoever is late was only held up.
ACKNOWLEDGED_WITHIN_S: Final = 30.0
TOGETHER_S: Final = 10.0
PACKET_BYTES: Final = 1_024
REQUEST, ANSWER = 0x10, 0x20
#: Inner codes: paid or given back; nobody knows yet; the terminal is at something else.
DONE, OPEN, BUSY = "0000", "1145", "9010"
#: Inner codes of an inquiry that say that nothing was charged, or nothing given back.
NOT_PAID: Final = {"1205", "1181", "1142", "1155"}

Content = Mapping[str, Any]


class Form(StrEnum):
    """How a request is written."""

    RAW = "raw"  # JSON in base64, as the document says
    QUOTED = "quoted"  # the same, as a JSON string
    PLAIN = "plain"  # JSON, not encrypted
    LOOSE = "loose"  # bare names, `=`, single quotes; in quoted base64, as a browser's till sends it
    INSIDE = "inside"  # the content as a text inside the object; in base64


@dataclass(frozen=True, slots=True)
class Key:
    """A terminal's key: its characters end the digested text; they, or the bytes they stand for, encrypt."""

    text: str
    is_hex: bool = False

    @property
    def cipher(self) -> Cipher[modes.CBC]:
        raw = bytes.fromhex(self.text) if self.is_hex else self.text.encode()
        return Cipher(algorithms.AES(raw), modes.CBC(IV))

    def encrypted(self, text: str) -> str:
        filler = PKCS7(128).padder()
        filled = filler.update(text.encode()) + filler.finalize()
        worker = self.cipher.encryptor()
        return base64.b64encode(worker.update(filled) + worker.finalize()).decode()

    def decrypted(self, text: bytes) -> str:
        """Raises ValueError for what this key did not encrypt."""
        worker, filler = self.cipher.decryptor(), PKCS7(128).unpadder()
        filled = worker.update(base64.b64decode(text, validate=True)) + worker.finalize()
        return (filler.update(filled) + filler.finalize()).decode()


def digest(content: Content, key: Key) -> str:
    """Over the fields by rising name, texts in single quotes, then the key."""
    return hashlib.md5(f"{_loose(dict(sorted(content.items())))}{key.text}".encode()).hexdigest().upper()  # noqa: S324


def written(content: Content, key: Key, form: Form) -> bytes:
    """A request's body."""
    sign = digest(content, key)
    if form is Form.LOOSE:
        return json.dumps(key.encrypted(f"{{content={_loose(content)}, digest='{sign.lower()}'}}")).encode()
    inside = _loose(content, ": ") if form is Form.INSIDE else dict(content)
    text = json.dumps({"content": inside, "digest": sign})
    if form is Form.PLAIN:
        return text.encode()
    return json.dumps(key.encrypted(text)).encode() if form is Form.QUOTED else key.encrypted(text).encode()


def read(body: bytes, key: Key) -> dict[str, Any]:
    """An answer's object, with its data read. Raises ValueError for what is none."""
    body = body.strip()
    answer = json.loads(body if body.startswith(b"{") else key.decrypted(body))
    if set(answer) != {"respcd", "data", "respmsg", "resperr"}:
        raise ValueError(f"not an answer: {sorted(answer)}")
    return {**answer, "data": json.loads(answer["data"]) if answer["data"] else {}}


def _loose(content: Content, sign: str = "=") -> str:
    values = [f"{name}{sign}{value!r}" for name, value in content.items()]  # a Python text is in single quotes
    return "{" + ",".join(values) + "}"


class Line(Protocol):
    """A way to a terminal."""

    def ask(self, body: bytes, func_type: int, is_whole: Callable[[bytes], bool]) -> bytes | None:
        """The answer's body; None when none came, which says nothing about what was done."""

    def close(self) -> None:
        """Hang up."""


@dataclass
class Http:
    """A connection for each request. `port` is asked each time: terminals move."""

    port: Callable[[], int]
    tls: ssl.SSLContext | None = None
    timeout_s: float = ANSWER_TIMEOUT_S

    def ask(self, body: bytes, func_type: int, is_whole: Callable[[bytes], bool]) -> bytes | None:
        response = self.request("POST", PATHS[func_type], body, {"Content-Type": "application/json"})
        if response is None:
            return None
        assert response[0] == 200, response
        assert is_whole(response[2]), response
        return response[2]

    def request(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes] | None:
        """Status, headers and body of any request."""
        connection = (
            http.client.HTTPSConnection("localhost", self.port(), timeout=self.timeout_s, context=self.tls)
            if self.tls
            else http.client.HTTPConnection("127.0.0.1", self.port(), timeout=self.timeout_s)
        )
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def close(self) -> None:
        pass


@dataclass
class Tcp:
    """One connection for many requests. With an `ending` an answer ends alike, else where it is whole."""

    port: Callable[[], int]
    ending: bytes = b""
    timeout_s: float = ANSWER_TIMEOUT_S
    _socket: socket.socket | None = None

    def ask(self, body: bytes, func_type: int, is_whole: Callable[[bytes], bool]) -> bytes | None:
        try:
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self.port()), self.timeout_s)
            self._socket.sendall(body + self.ending)
            return self._answer(self._socket, is_whole)
        except (OSError, EOFError):
            # What comes now would be taken for the next answer.
            self.close()
            return None

    def _answer(self, connection: socket.socket, is_whole: Callable[[bytes], bool]) -> bytes:
        heard = b""
        while True:
            data = connection.recv(65_536)
            if not data:
                raise EOFError
            heard += data
            if heard.endswith(self.ending) if self.ending else is_whole(heard):
                return heard.removesuffix(self.ending)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class NotAcknowledged(Exception):
    """The terminal did not say in time that it has the message."""


@dataclass
class Serial:
    """Frames on a serial port, by the document's chapter 9. What is not acknowledged counts as not heard."""

    path: str
    timeout_s: float = ANSWER_TIMEOUT_S
    acknowledged_within_s: float = ACKNOWLEDGED_WITHIN_S
    noise: bytes = b""  # goes out before every frame
    _file: int = -1
    _buffer: bytearray = field(default_factory=bytearray)
    _numbers: count[int] = field(default_factory=lambda: count(os.urandom(1)[0]))

    def ask(self, body: bytes, func_type: int, is_whole: Callable[[bytes], bool]) -> bytes | None:
        self._open()
        number = next(self._numbers) % 127 + 1
        parts = [body[at : at + PACKET_BYTES] for at in range(0, len(body), PACKET_BYTES)]
        try:
            self._settle()
            self.write(b"".join(frame(REQUEST, number, part, len(body)) for part in parts))
            self._acknowledged(number)
            return self._answer()
        except (OSError, TimeoutError, NotAcknowledged):
            return None

    def write(self, data: bytes) -> None:
        """Put bytes on the line."""
        self._open()
        data = self.noise + data
        while data:
            select.select([], [self._file], [], self.timeout_s)
            data = data[os.write(self._file, data) :]

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        if self._file < 0:
            self._file = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._file)

    def _settle(self) -> None:
        """What the terminal still has to say about something earlier is heard and thrown away."""
        self._receive(0)
        while (late := self._frame()) is not None:
            if late[0] == REQUEST:
                self.write(frame(ANSWER, late[1]))
        self._buffer.clear()

    def _acknowledged(self, number: int) -> None:
        until_s = time.monotonic() + self.acknowledged_within_s
        while (heard := self._next(until_s)) is not None:
            kind, its_number, _, _ = heard
            if its_number == number and kind == ANSWER:
                return
            if kind == REQUEST:  # late, or out of turn: not the answer to what is not acknowledged
                self.write(frame(ANSWER, its_number))
        raise NotAcknowledged

    def _answer(self) -> bytes:
        until_s, message, number = time.monotonic() + self.timeout_s, b"", 0
        while (heard := self._next(until_s)) is not None:
            kind, its_number, length, share = heard
            if kind != REQUEST:
                continue
            message = message + share if its_number == number else share
            number = its_number
            if len(message) == length:
                self.write(frame(ANSWER, number))
                return message
        raise TimeoutError

    def _next(self, until_s: float) -> tuple[int, int, int, bytes] | None:
        while (found := self._frame()) is None:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return None
            if not self._receive(min(left_s, TOGETHER_S)) and self._buffer:
                del self._buffer[0]  # what looked like a frame's beginning never became one
        return found

    def _receive(self, wait_s: float) -> bool:
        if not select.select([self._file], [], [], wait_s)[0]:
            return False
        self._buffer += os.read(self._file, 65_536)
        return True

    def _frame(self) -> tuple[int, int, int, bytes] | None:
        """The next whole frame: kind, number, the message's length and a share of it."""
        buffer = self._buffer
        while (at := buffer.find(b"/n\x01")) >= 0:
            del buffer[:at]
            if len(buffer) < 9:
                return None
            kind, number, size, length = struct.unpack_from(">BBHH", buffer, 3)
            if size - 11 > length or size < 11:
                del buffer[0]
                continue
            if len(buffer) < size:
                return None
            if buffer[size - 2 : size] != b"/n":
                del buffer[0]
                continue
            share = bytes(buffer[9 : size - 2])
            del buffer[:size]
            return kind, number, length, share
        return None


def frame(kind: int, number: int, share: bytes = b"", length: int | None = None) -> bytes:
    """One frame."""
    whole = len(share) if length is None else length
    return b"/n\x01" + struct.pack(">BBHH", kind, number, len(share) + 11, whole) + share + b"/n"


@dataclass
class QfpayTill:
    """A register at a terminal."""

    line: Line
    key: Key
    form: Form = Form.RAW

    def pay(self, out_trade_no: str, cents: int, channel: str = "wx", **fields: Any) -> Told:
        """1001."""
        asked = {"amt": dollars(cents), "channel": channel, "out_trade_no": out_trade_no, **fields}
        return _ended(self.call(1001, **asked))

    def refund(self, order_id: str, cents: int = 0, **fields: Any) -> Told:
        """1002; without a sum all that is left."""
        asked = {"orderId": order_id, **({"refund_amount": f"{cents / 100:.2f}"} if cents else {}), **fields}
        return _ended(self.call(1002, **asked))

    def query(self, out_trade_no: str) -> Told:
        """4001 by the register's number."""
        return self._inquired(self.call(4001, out_trade_no=out_trade_no))

    def query_id(self, order_id: str) -> Told:
        """4001 by either number, of a payment or a refund."""
        return self._inquired(self.call(4001, orderId=order_id))

    def receipt(self, order_id: str) -> Told:
        """3001."""
        return _ended(self.call(3001, orderId=order_id))

    def summary(self) -> Told:
        """3002."""
        return _ended(self.call(3002))

    def cancel(self) -> Told:
        """5001."""
        return _ended(self.call(5001))

    def call(self, func_type: int, **fields: Any) -> dict[str, Any] | None:
        """Any request, its answer as an object; None when none came that this key can read."""
        content = {**fields, "func_type": func_type}
        body = self.line.ask(written(content, self.key, self.form), func_type, self._is_whole)
        try:
            return None if body is None else read(body, self.key)
        except ValueError:
            self.line.close()  # noise: who knows what comes next
            return None

    def close(self) -> None:
        """Hang up."""
        self.line.close()

    def _is_whole(self, body: bytes) -> bool:
        try:
            read(body, self.key)
        except ValueError:
            return False
        return True

    def _inquired(self, answer: dict[str, Any] | None) -> Told:
        told = _ended(answer)
        inner = told.fields.get("respcd")
        if told.code != "6000" or inner == DONE:
            return told
        word = Word.NO if inner in NOT_PAID else Word.OPEN
        return Told(word, told.text, told.code, told.fields)


def dollars(cents: int) -> int | float:
    """As a register writes a sum: 100 for whole dollars, 12.5 for a half."""
    return cents // 100 if cents % 100 == 0 else cents / 100


def _ended(answer: dict[str, Any] | None) -> Told:
    if answer is None:
        return Told(Word.LOST)
    code, data, text = answer["respcd"], answer["data"], answer["respmsg"]
    return Told(_word(code, data), text, code, data)


def _word(code: str, data: Mapping[str, Any]) -> Word:
    inner = data.get("respcd")
    if code == "6000":
        return Word.YES
    if code == "4005":
        return Word.REFUSED if inner == BUSY else Word.OPEN if data.get("syssn") else Word.LOST
    # "No" of something that the terminal has a number for; else the call came to nothing.
    return Word.NO if code in ("6001", "6002") and data.get("syssn") else Word.REFUSED
