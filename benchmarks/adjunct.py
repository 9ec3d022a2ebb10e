"""How often a language model's words recommend what a published table does, for nodules of known number, size and risk.

A stand-in server that follows the table stands beside, as the most that can be reached, and one that always says the
same. `python -m benchmarks adjunct` asks those two; a server of your own is asked where `VESALIUS_LLM` names its URL.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._figures import Figure
from vesalius.adjunct.asking import beside
from vesalius.adjunct.guideline import Guideline, agreement
from vesalius.adjunct.server import ChatServer
from vesalius.core.finding import Finding
from vesalius.core.stated import Statement

SECTION = "Reports"
SOAK = False
SEEDS = (0,)
CASES = 200


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Ask about findings that are drawn, and hold the words against the table. Quick: 20 cases."""
    table = Guideline.named("nodules")
    rows: list[Figure] = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        cases = [_drawn(rng) for _ in range(20 if quick else CASES)]
        right = {str(k): _line(table, one).recommend for k, one in enumerate(cases)}
        asked: list[tuple[str, str | None, Callable[[list[dict[str, Any]]], str]]] = [
            ("a stand-in that follows the table", None, lambda found: _line(table, _of(found)).words),
            ("a stand-in that always says the same", None, lambda found: "No routine follow-up."),
        ]
        for name, _, writes in asked:
            with _serving(writes) as url:
                rows.append(_share(name, cases, right, ChatServer(url), seed))
        if own := os.environ.get("VESALIUS_LLM"):
            rows.append(_share("the server that was named", cases, right, ChatServer(own), seed))
    return rows


def _drawn(rng: np.random.Generator) -> Finding:
    return Finding("nodule", size_mm=round(float(rng.uniform(3, 15)), 1), count=int(rng.integers(1, 4)))


def _of(found: list[dict[str, Any]]) -> Finding:
    return Finding("nodule", size_mm=found[0]["size_mm"], count=found[0]["count"])


def _line(table: Guideline, one: Finding) -> Any:
    line = table.recommended([one])
    if line is None:
        raise ValueError(f"the table says nothing of {one}")
    return line


def _share(
    name: str, cases: Sequence[Finding], right: dict[str, str], server: ChatServer, seed: int
) -> Figure:
    words = {str(k): beside([Statement(one)], server).text for k, one in enumerate(cases)}
    return Figure(
        f"agreement with the Fleischner table: {name}",
        f"{agreement(words, right):.3f}",
        seed=str(seed),
        note=f"{len(cases)} sets of findings, low risk",
    )


@contextmanager
def _serving(writes: Callable[[list[dict[str, Any]]], str]) -> Iterator[str]:
    """A server of chat completions on this machine that writes by a rule."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = json.loads(asked["messages"][1]["content"].removeprefix("Findings: "))
            body = json.dumps({"choices": [{"message": {"content": writes(found)}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
