"""Ray itself, imported where it is used; without it nothing else is missing."""

from __future__ import annotations

import os
from typing import Any

from vesalius.core.errors import MissingExtra

QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}  # nothing of what is done here is told to anybody


def library() -> Any:
    """Return Ray. Raises MissingExtra where it is not installed."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ray", "cluster") from error
    return ray


def why_died(error: BaseException) -> str:
    """Return in a few words what became of a worker, of which Ray says a page."""
    said = str(error)
    if "node" in said and ("has died" in said or "was terminated" in said or "unreachable" in said):
        return "its machine is gone"
    if "unexpectedly" in said:
        return "its process ended without a word, and memory may have run out"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " ".join((lines[-1:] or [type(error).__name__])[0].split())[:200]
