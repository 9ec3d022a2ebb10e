"""Ray itself, imported where it is used; without it nothing else is missing."""

from __future__ import annotations

import os
from typing import Any

from vesalius.core.errors import MissingExtra

SET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing of what is done here is told to anybody
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_worker_niceness": "0",  # of a cluster that is started here: by Ray's own 15 its workers wait for all else
}


SPIN = "5000"  # how long a thread of a worker waits before it sleeps; see `vesalius/__main__.py`


def worker_options(cpus: int, gpus: int = 0) -> dict[str, Any]:
    """Return Ray's options of a worker that computes: what it has to itself, its threads, and no second beginning."""
    threads = {"OMP_NUM_THREADS": str(max(1, cpus)), "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", SPIN)}
    return {"num_cpus": cpus, "num_gpus": gpus, "max_restarts": 0, "runtime_env": {"env_vars": threads}}


def library() -> Any:
    """Return Ray. Raises MissingExtra where it is not installed."""
    for name, value in SET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ray", "cluster") from error
    return ray


def why_died(error: BaseException) -> str:
    """Return in a few words what became of a worker, of which Ray says a page."""
    said = str(error)
    if "its node has died" in said or "node was terminated" in said:
        return "its machine is gone"
    if "unexpectedly" in said:
        return "its process ended without a word, and memory may have run out"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " ".join((lines[-1:] or [type(error).__name__])[0].split())[:200]
