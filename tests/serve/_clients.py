"""Services to try: in this process behind a client of Starlette's, and as the command in a process of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import ssl
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from _patience import until
from vesalius.serve.http.api import create_app
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.service import Service
from vesalius.serve.http.shared.sharing import Shared
from vesalius.serve.webhook import Address


class Clients:
    """Services in this process, each with a client that calls it as a page on loopback would."""

    def __init__(self, models: Catalogue, folder: Path) -> None:
        self.models, self.folder = models, folder
        self._open = ExitStack()

    def __call__(
        self,
        *,
        keys: Path | None = None,
        edits: Path | None = None,
        alarm: Address | None = None,
        annotate: Path | None = None,
        shared: Shared | None = None,
        **bounds: Any,
    ) -> TestClient:
        service = Service(
            self.models,
            audit=self.folder / f"audit-{secrets.token_hex(4)}.jsonl",
            keys=keys,
            bounds=replace(Bounds(), **bounds),
            temporary=self.folder,
            edits=edits,
            alarm=alarm,
            annotate=annotate,
            shared=shared,
        )
        app = create_app(service)
        return self._open.enter_context(
            TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        )

    def close(self) -> None:
        self._open.close()


@dataclass(frozen=True)
class Served:
    """The command, running: where, and what it said."""

    url: str
    process: subprocess.Popen[str]
    folder: Path


def start(folder: Path, *words: str, trusted: ssl.SSLContext | None = None) -> Served:
    """Run `vesalius serve` on a free port until it answers."""
    command = [sys.executable, "-m", "vesalius", "serve", *words, "--port", "0", "--device", "cpu"]
    command += ["--audit", str(folder / "audit.jsonl")]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"TMPDIR": str(folder), "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    said = ""
    for said in process.stderr:
        if " at http" in said:
            break
    else:
        raise AssertionError(f"it ended: {said}")
    url = next(w for w in said.split() if w.startswith("http")).rstrip(",")

    def answers() -> bool:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{url}/ready", timeout=60, context=trusted) as got,
        ):
            return bool(got.status == 200)
        return False

    until(answers, "it does not answer")
    return Served(url, process, folder)
