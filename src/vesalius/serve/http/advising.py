"""A job that advises about a case: it is answered as ever, and the page about it lies beside the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.infer.predictor import Predictor
from vesalius.run.advice.advising import advised as about
from vesalius.run.advice.written import FILE, PAGE, write_advice
from vesalius.serve.http import results


def advised(predictor: Predictor, case: Case, folder: Path) -> Answer:
    """Return the answer to a case, and write into a folder what is expected of it under each arm.

    Raises DataError where nothing can be said of that (`run/advice/advising.py`), OutputError for a full disk.
    """
    made = about(predictor, case)
    folder.mkdir(exist_ok=True)
    with results.DRAWING:
        write_advice(made, folder)
    return predictor(case)


def written(folder: Path) -> dict[str, Path]:
    """Return the files of an advice that lie in a case's folder, by the names that clients know them by."""
    return {name: folder / name for name in (PAGE, FILE) if (folder / name).is_file()}


def said(folder: Path) -> dict[str, Any]:
    """Return what an answer's summary says of it, under `advice`; nothing of another job."""
    path = folder / FILE
    return {"advice": json.loads(path.read_text(encoding="utf-8"))} if path.is_file() else {}
