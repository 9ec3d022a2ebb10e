"""Services in this process, and clients that call them."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from vesalius.serve.api import create_app
from vesalius.serve.limits import Bounds
from vesalius.serve.models import Models
from vesalius.serve.state import Service


class Clients:
    """Services in this process, each with a client that calls it as a page on loopback would."""

    def __init__(self, models: Models, folder: Path) -> None:
        self.models, self.folder = models, folder
        self._open = ExitStack()

    def __call__(self, *, keys: Path | None = None, **bounds: Any) -> TestClient:
        service = Service(
            self.models,
            audit=self.folder / f"audit-{secrets.token_hex(4)}.jsonl",
            keys=keys,
            bounds=replace(Bounds(), **bounds),
            temporary=self.folder,
        )
        app = create_app(service)
        return self._open.enter_context(
            TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        )

    def close(self) -> None:
        self._open.close()
