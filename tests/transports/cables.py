"""Two serial ports of this machine with a cable between them, which can be listened to, spoken into, and pulled out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import tty
from types import TracebackType
from typing import Self

from tests.transports.fakes import turns


class Port:
    """One port: `path` is for whoever opens it, the rest is for whoever is at the other end of the cable."""

    def __init__(self) -> None:
        self.outside, self._inside = pty.openpty()
        tty.setraw(self._inside)
        os.set_blocking(self.outside, False)
        self.path = os.ttyname(self._inside)
        self.said = b""  # by whoever opened it
        self.on_its_way = bytearray()  # what the port could not take yet

    def listen(self) -> bytes:
        """What was said since, and before."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.outside, 65_536):
                self.said += data
        return self.said

    def speak(self, data: bytes) -> None:
        """Let whoever opened it hear this."""
        os.write(self.outside, data)

    async def hear(self, count: int) -> bytes:
        """The next so many bytes that are said."""
        while len(self.listen()) < count:
            await turns(1)
        heard, self.said = self.said[:count], self.said[count:]
        return heard

    def pull(self) -> None:
        """Whoever opened it is alone with it now."""
        for each in (self.outside, self._inside):
            with contextlib.suppress(OSError):
                os.close(each)


class Cable:
    """Two ports, joined for the length of an `async with`."""

    def __init__(self) -> None:
        self.left, self.right = Port(), Port()

    @property
    def paths(self) -> tuple[str, str]:
        return self.left.path, self.right.path

    async def __aenter__(self) -> Self:
        for one, other in ((self.left, self.right), (self.right, self.left)):
            asyncio.get_running_loop().add_reader(one.outside, self._carry, one, other)
        return self

    async def __aexit__(self, _kind: type[BaseException] | None, _it: object, _where: TracebackType | None) -> None:
        self.pull()

    def pull(self) -> None:
        """Pull out both plugs."""
        loop = asyncio.get_running_loop()
        for port in (self.left, self.right):
            loop.remove_reader(port.outside)
            loop.remove_writer(port.outside)
            port.pull()

    def _carry(self, one: Port, other: Port) -> None:
        with contextlib.suppress(OSError):
            other.on_its_way += os.read(one.outside, 65_536)
            self._push(other)

    def _push(self, port: Port) -> None:
        """A port takes a few thousand bytes at a time, and whoever reads there may be busy."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError):
            del port.on_its_way[: os.write(port.outside, port.on_its_way)]
        if port.on_its_way:
            loop.add_writer(port.outside, self._push, port)
        else:
            loop.remove_writer(port.outside)
