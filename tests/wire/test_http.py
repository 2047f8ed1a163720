"""Requests and answers as values."""

import pytest

from anytill.wire import http


def request(content_type: str | None) -> http.HttpRequest:
    headers = {} if content_type is None else {"content-type": content_type}
    return http.HttpRequest("POST", "/v1/charge", "sign=CANARY", headers, b"auth_code=CANARY", "192.0.2.1")


@pytest.mark.parametrize(
    ("content_type", "media_type"),
    [
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ("Application/JSON ; charset=UTF-8", "application/json"),
        ("", ""),
        (None, ""),
    ],
)
def test_the_media_type_has_no_parameters(content_type: str | None, media_type: str) -> None:
    assert request(content_type).media_type == media_type


def test_bodies_and_queries_stay_out_of_the_repr() -> None:
    assert "CANARY" not in repr(request(None))
    assert "CANARY" not in repr(http.text("CANARY"))


def test_answers_name_their_charset() -> None:
    assert http.text("成功") == http.HttpResponse(200, "成功".encode(), "text/plain; charset=utf-8")
    assert http.json(b"{}", status=404) == http.HttpResponse(404, b"{}", "application/json; charset=utf-8")
