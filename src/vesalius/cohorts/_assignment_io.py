"""An assignment of folds on disk: written whole or not at all, and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vesalius.core.cohort import Assignment
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError


def save_assignment(assignment: Assignment, path: Path) -> None:
    """Write an assignment as JSON, whole or not at all. Raises OutputError."""
    data: dict[str, object] = {
        "by": assignment.by,
        "seed": assignment.seed,
        "test": list(assignment.test),
        "folds": [list(ids) for ids in assignment.folds],
    }
    if assignment.unlabelled:
        data["unlabelled"] = [list(ids) for ids in assignment.unlabelled]
    if assignment.shots is not None:
        data["shots"] = assignment.shots
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def load_assignment(path: Path) -> Assignment:
    """Read what `save_assignment` wrote. Raises DataError where it is not that."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        return Assignment(
            test=tuple(map(str, data["test"])),
            folds=tuple(tuple(map(str, ids)) for ids in data["folds"]),
            by=str(data["by"]),
            seed=None if data["seed"] is None else int(data["seed"]),
            unlabelled=tuple(tuple(map(str, ids)) for ids in data.get("unlabelled", ())),
            shots=None if data.get("shots") is None else int(data["shots"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a stored assignment of folds", found=repr(error)) from error
