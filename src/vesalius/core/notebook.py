"""Whether a notebook runs this process, and what it displays things with; IPython is never imported otherwise."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def notebook() -> Any | None:
    """Return IPython's module `display` where a notebook's kernel runs this; None in a script and on a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:
        return None
    return importlib.import_module("IPython.display")
