"""Two service processes behind one queue in PostgreSQL, one of them killed again and again: each job answered once."""

from __future__ import annotations

import functools
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import _postgres
from benchmarks._figures import Figure, at_most
from benchmarks._fits import Absent
from benchmarks._service_workers import Outcome, Workers, picture, storm
from benchmarks._untrained import bundle_of
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case, Ref
from vesalius.infer.predictor import Predictor

SECTION = "Service"
SOAK = True
SEEDS = (0,)
REQUESTS, KILLS, SIDE = 500, 10, 32


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """500 requests, ten kills. Quick: 40 requests, two kills."""
    reason = _postgres.missing()
    if reason is not None:
        raise Absent(reason)
    requests, kills = (40, 2) if quick else (REQUESTS, KILLS)
    rows: list[Figure] = []
    for seed in seeds:
        rows += _one(folder / f"workers-{seed}", requests, kills, seed)
    return rows


def _one(folder: Path, requests: int, kills: int, seed: int) -> list[Figure]:
    folder.mkdir()
    bundle = bundle_of("resnet-18", 2, folder / "bundle").path
    server = _postgres.Postgres()
    try:
        workers = Workers(bundle, server.url, folder)
        began = time.monotonic()
        try:
            outcomes = storm(workers, requests, kills, seed=seed, side=SIDE)
            took = time.monotonic() - began
            left = unfinished(server.url)
        finally:
            workers.stop()
        said = told(workers.audits())
    finally:
        server.remove()
    right = sum(agrees(one, bundle, folder) for one in outcomes)
    failed = [one.job["error"]["error"] for one in outcomes if one.job["status"] == "failed"]
    note = f"{workers.kills} times kill -9 of one of two processes, {took:.0f} s; {len(failed)} failed with a reason"
    words = {"seed": str(seed), "note": note}
    answered = f"{right + len(failed)} of {requests}"
    return [
        Figure("jobs answered as one process answers them, or failed with a reason", answered, f"{requests}",
               right + len(failed) == requests and workers.kills == kills, **words),
        at_most("times that a job's end was told, at most", max(said.values(), default=0), 1, digits=0, seed=str(seed)),
        at_most("jobs that never ended", left, 0, digits=0, seed=str(seed)),
        Figure("requests a second", f"{requests / took:.1f}", seed=str(seed)),
    ]  # fmt: skip


def agrees(outcome: Outcome, bundle: Path, folder: Path) -> bool:
    """Return whether a job's one answer is that of this process's own predictor of the same picture."""
    if outcome.job["status"] != "done" or len(outcome.job["answers"]) != 1:
        return False
    path = folder / "picture.png"
    path.write_bytes(picture(outcome.picture, SIDE))
    answer = _predictor(bundle)(Case("c1", {"image": Ref((path,))}))
    got = np.asarray(outcome.job["answers"][0]["answer"]["p"], dtype=np.float64)
    return bool(np.allclose(got, np.asarray(answer.p), atol=1e-5))  # type: ignore[attr-defined]


@functools.cache
def _predictor(bundle: Path) -> Predictor:
    return Predictor(open_bundle(bundle), device="cpu", runtime="torch")


def unfinished(url: str) -> int:
    """Return how many jobs in the database have not ended, those among them that no client heard of."""
    import psycopg

    with psycopg.connect(url) as base:
        row = base.execute(
            "SELECT count(*) FROM jobs WHERE status NOT IN ('done', 'failed', 'cancelled')"
        ).fetchone()
    return int(row[0]) if row else 0


def told(audits: Sequence[Path]) -> Counter[str]:
    """Return how often each job's end stands in the audit logs of all processes."""
    lines = [
        json.loads(line) for path in audits for line in path.read_text(encoding="utf-8").splitlines() if line
    ]
    return Counter(line["job"] for line in lines if line["what"] in ("done", "failed"))
