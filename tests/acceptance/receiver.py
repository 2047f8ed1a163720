"""A merchant's server for notices, in a thread of the tests: notes what it hears and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

Answer = tuple[int, bytes]
HEARD: Answer = (200, b"success")


@dataclass(frozen=True, slots=True)
class Notice:
    """One try."""

    at_ms: int
    path: str
    fields: Mapping[str, str]
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case


def read_form(body: bytes) -> Mapping[str, str]:
    """A notice that is a form."""
    return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))


@dataclass
class Receiver:
    """Where notices go. `answer` is asked with the number of the try, from 1; `now_ms` is whose clock is noted; `read`
    understands a notice."""

    now_ms: Callable[[], int] = lambda: 0
    answer: Callable[[int], Answer] = lambda _nth: HEARD
    read: Callable[[bytes], Mapping[str, str]] = read_form
    port: int = 0
    _heard: list[Notice] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def heard(self) -> Sequence[Notice]:
        """All tries so far, oldest first."""
        with self._lock:
            return list(self._heard)

    @property
    def url(self) -> str:
        """An address to put into an order."""
        return f"http://127.0.0.1:{self.port}/heard"

    def take(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Note one try."""
        at_ms = self.now_ms()
        fields = self.read(body)
        with self._lock:
            self._heard.append(Notice(at_ms, path, fields, body, headers))
            return self.answer(len(self._heard))


@contextmanager
def listening(receiver: Receiver) -> Iterator[Receiver]:
    """The receiver on a free port for as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            sent = self.rfile.read(length)
            if len(sent) < length:  # whoever sent it was killed half way
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, body = receiver.take(self.path, sent, headers)
            with suppress(ConnectionError):  # killed while it waited for our answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Silence on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
