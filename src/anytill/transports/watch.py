"""Logs and metrics: JSON lines for people to search, counters for Prometheus to read (`ports.Watch`).

Strategy: `note` stands on the path of every payment, so it only counts; `alarm` counts and writes a line. Debug mode
writes a line for notes too. Each line has `ts` (RFC 3339, UTC), `level`, `event` and the fields.

Every line passes one masking step, whoever wrote it. It goes by the field's name (whatever sounds like a key, a
signature or a password disappears), by the look of the value (16 to 24 digits are a payer's code until proven
otherwise) and by `name=value` pairs hidden in a text.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from anytill.transports.faults import fault_fields
from anytill.wire.redact import mask_code, mask_secret

# Numbers of ours and of the merchant's that have as many digits as a payer's code, and must stay readable.
NUMBERS_SHOWN: Final = frozenset({"payment_id", "refund_id", "notice_id", "order_no", "refund_no"})

_CODE_NAME: Final = re.compile(r"pay_?code|auth_?code", re.IGNORECASE)
_SECRET_NAME: Final = re.compile(
    r"secret|key|sign|digest|passw|pwd|token|cookie|authorization|pay_?code|auth_?code", re.IGNORECASE
)
_LIKE_CODE: Final = re.compile(r"(?<![0-9])[0-9]{16,24}(?![0-9])")
_SECRET_PAIR: Final = re.compile(
    rf"([A-Za-z0-9_-]*(?:{_SECRET_NAME.pattern})[A-Za-z0-9_-]*[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s&\"',;}]+",
    re.IGNORECASE,
)
_LEAST_CODE: Final = 10**15
_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)

_Fields = MutableMapping[str, Any]


class JsonWatch:
    """Implements `ports.Watch` over a text stream and a registry of its own.

    A stream that cannot be written to is counted and otherwise ignored: no payment fails because a log does.
    """

    def __init__(self, stream: TextIO, *, debug: bool = False) -> None:
        self._debug = debug
        self._log = structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
                mask_fields,
                structlog.processors.JSONRenderer(serializer=_json_text),
            ],
            wrapper_class=structlog.BoundLogger,
            cache_logger_on_first_use=True,
        )
        registry = self._registry = CollectorRegistry()
        self._events = Counter("anytill_events", "What happened.", ["event"], registry=registry)
        self._alarms = Counter("anytill_alarms", "What a person must look at.", ["event"], registry=registry)
        self._requests = Counter("anytill_requests", "Answers given.", ["dialect", "status"], registry=registry)
        self._seconds = Histogram(
            "anytill_request_seconds", "Time to answer.", ["dialect"], buckets=_SECONDS, registry=registry
        )
        self._unwritten = Counter("anytill_log_lines_lost", "Log lines that could not be written.", registry=registry)
        # Looking a child up by its labels costs more than counting; event names are few.
        self._event_counters: dict[str, Counter] = {}
        self._request_counters: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def note(self, event: str, **fields: str | int) -> None:
        """Count it; in debug mode write it down too."""
        counter = self._event_counters.get(event)
        if counter is None:
            counter = self._event_counters[event] = self._events.labels(event)
        counter.inc()
        if self._debug:
            self._write("debug", event, fields)

    def alarm(self, event: str, **fields: str | int) -> None:
        """Count it and write it down."""
        self._alarms.labels(event).inc()
        self._write("error", event, fields)

    def fault(self, where: str, fault: Exception, **fields: str | int) -> None:
        """Count it and write down its class and frames, without a word of what it says."""
        self.alarm("bug", where=where, **fault_fields(fault), **fields)

    def observe_request(self, dialect: str, status: int, duration_s: float) -> None:
        """An answer was given. `dialect` must come from a short list, not from the request."""
        found = self._request_counters.get((dialect, status))
        if found is None:
            found = self._requests.labels(dialect, status), self._seconds.labels(dialect)
            self._request_counters[dialect, status] = found
        found[0].inc()
        found[1].observe(duration_s)

    def render(self) -> bytes:
        """All metrics in the Prometheus text format, for /metrics."""
        return generate_latest(self._registry)

    def _write(self, level: str, event: str, fields: _Fields) -> None:
        try:
            getattr(self._log, level)(event, **fields)
        except (OSError, ValueError):  # a closed stream raises ValueError
            self._unwritten.inc()


def mask_fields(_logger: object, _method: str, fields: _Fields) -> _Fields:
    """The structlog processor that hides what must not be seen."""
    return {name: _masked(name, value) for name, value in fields.items()}


def _masked(name: str, value: object) -> object:
    if value is None or isinstance(value, bool) or name == "ts":
        return value
    if _SECRET_NAME.search(name):
        text = str(value)
        return mask_code(text) if _CODE_NAME.search(name) and _LIKE_CODE.fullmatch(text) else mask_secret(text)
    if isinstance(value, int) and abs(value) < _LEAST_CODE:
        return value
    text = _SECRET_PAIR.sub(lambda pair: pair[1] + mask_secret("hidden"), str(value))
    return text if name in NUMBERS_SHOWN else _LIKE_CODE.sub(lambda code: mask_code(code[0]), text)


def _json_text(fields: _Fields, **_options: object) -> str:
    return orjson.dumps(fields, default=str).decode()
