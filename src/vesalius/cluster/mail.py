"""Messages of workers to the process that began them, which answers each; one small actor of Ray carries them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from vesalius.cluster.library import library


@dataclass(frozen=True)
class Letter:
    """What a worker asks, by the number of the letter, which its answer names."""

    number: int
    sender: int
    what: Any


class _Office:
    """Keeps letters until they are fetched, and lets whoever wrote one wait for its answer."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Letter] = asyncio.Queue()
        self._open: dict[int, asyncio.Future[Any]] = {}
        self._count = 0

    async def ask(self, sender: int, what: Any) -> Any:
        self._count += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._open[self._count] = future
        await self._waiting.put(Letter(self._count, sender, what))
        return await future

    async def fetch(self) -> Letter:
        return await self._waiting.get()

    async def answer(self, number: int, what: Any) -> None:
        self._open.pop(number).set_result(what)


def office() -> Any:
    """Return a new office, an actor that needs no CPU of its own and ends with the process that made it."""
    return library().remote(_Office).options(num_cpus=0, max_concurrency=1000).remote()


def asked(mail: Any, sender: int, what: Any) -> Any:
    """Ask, from a worker, and return the answer."""
    return library().get(mail.ask.remote(sender, what))
