"""Advice written down: advice.json and advice.html."""

from __future__ import annotations

import json
from pathlib import Path

from vesalius.core.disk import write_text
from vesalius.run.advice.page import page
from vesalius.run.advice.result import Advice

PAGE, FILE = "advice.html", "advice.json"


def write_advice(advice: Advice, folder: Path) -> None:
    """Write the page and the document into a folder. Raises OutputError."""
    write_text(folder / FILE, as_json(advice))
    write_text(folder / PAGE, page(advice))


def as_json(advice: Advice) -> str:
    """Return JSON text."""
    return json.dumps(advice.json(), indent=1, allow_nan=False) + "\n"
