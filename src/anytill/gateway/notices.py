"""Telling merchants: a notice is written with the fact it reports and is sent until it is acknowledged.

At least once, never exactly once: a crash between sending and marking sends again, with the same business content.
Each try is signed with the key in force at that moment and waits as long as the vendor's schedule says.
"""

from __future__ import annotations

from dataclasses import replace

from anytill.core.errors import UnknownCredential
from anytill.core.notice import Notice, NoticeState
from anytill.gateway.directory import Directory
from anytill.gateway.parts import Parts
from anytill.ports import NoticeForm, Unreachable


class Notices:
    """Delivers notices that are due."""

    def __init__(self, parts: Parts, directory: Directory) -> None:
        self._parts = parts
        self._directory = directory

    async def attend(self, notice: Notice) -> None:
        """Try once, and commit what came of it."""
        form = self._parts.forms[notice.dialect]
        started_ms = self._parts.clock.now_ms()
        heard, result = await self._send(form, notice, started_ms)
        after = self._after(form, notice, heard, result, started_ms)
        if await self._parts.store.move_notice(notice, after):
            self._parts.watch.note(f"notice_{'delivered' if heard else 'not_heard'}", notice_id=notice.notice_id)
            if after.state is NoticeState.EXHAUSTED:
                self._parts.watch.alarm("notice_exhausted", notice_id=notice.notice_id, tries=after.tries)

    async def _send(self, form: NoticeForm, notice: Notice, now_ms: int) -> tuple[bool, str]:
        try:
            credential = await self._directory.credential(notice.dialect, notice.login)
            body, content_type = form.encode(notice, credential, now_ms, self._parts.chance.token(32))
            response = await self._parts.post(notice.url, body, content_type, form.timeout_ms)
        except UnknownCredential:
            return False, "credential switched off"
        except Unreachable as fault:
            return False, str(fault)[:100] or "no answer"
        if form.acknowledged(response):
            return True, f"HTTP {response.status}"
        return False, f"HTTP {response.status}, not acknowledged"

    def _after(self, form: NoticeForm, notice: Notice, heard: bool, result: str, started_ms: int) -> Notice:
        tries = notice.tries + 1
        after = replace(notice, tries=tries, last_result=result, due_at_ms=None)
        if heard:
            return replace(after, state=NoticeState.DELIVERED)
        if tries >= len(form.delays_ms):
            return replace(after, state=NoticeState.EXHAUSTED)
        return replace(after, due_at_ms=started_ms + form.delays_ms[tries])
