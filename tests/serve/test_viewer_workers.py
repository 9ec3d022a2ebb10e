"""The viewer before two services on one queue: each request goes to the other one than the request before it."""

from __future__ import annotations

import itertools
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from _browser import Page, in_browser
from starlette.types import ASGIApp, Receive, Scope, Send

from vesalius.serve.http.api import create_app
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.service import Service
from vesalius.serve.http.shared.sharing import Shared


class RoundRobin:
    """A balancer without stickiness, and which of its services each path went to."""

    def __init__(self, apps: list[ASGIApp]) -> None:
        self.apps, self._turns = apps, itertools.cycle(range(len(apps)))
        self.went: Counter[tuple[str, int]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":  # the services are started by hand
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        turn = next(self._turns)
        self.went[f"{scope.get('method')} {scope['path'].split('/')[2:3]}", turn] += 1
        await self.apps[turn](scope, receive, send)


@contextmanager
def balanced(models: Catalogue, folder: Path) -> Iterator[tuple[str, RoundRobin]]:
    """Two services on one queue behind one address."""
    shared = Shared(folder / "queue.db", folder / "shared")
    services = [Service(models, audit=folder / f"audit-{k}.jsonl", shared=shared) for k in range(2)]
    both = RoundRobin([create_app(service) for service in services])
    for service in services:
        service.start()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(both, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", both
    finally:
        server.should_exit = True
        thread.join(60)
        for service in services:
            service.stop()
        listening.close()


@in_browser
def test_a_picture_is_answered_whichever_service_a_request_comes_to(
    browser: Any, models: Catalogue, picture: bytes, tmp_path: Path
) -> None:
    with balanced(models, tmp_path) as (address, both):
        page = Page(browser, address, tmp_path)
        page.wait("body[data-ready]")
        page.drop([("film.png", picture)])
        page.wait("#place", "column")
        page.tab.select_option("#model", "chest")
        page.tab.click("#run")
        page.wait(".bars li")
        name, path = page.saved(lambda: page.tab.click('[data-file="answer.json"]'))
        assert name == "film-answer.json" and b'"Scores"' in path.read_bytes()
        assert not page.wrong, page.wrong
        apart = {what for (what, turn), _ in both.went.items() if turn == 0}
        assert apart & {what for (what, turn), _ in both.went.items() if turn == 1}
        page.tab.close()
