"""Registrations kept case by case, so that a run which was stopped goes on where it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vesalius.core.disk import output_errors, write_bytes
from vesalius.shapes.models.registering import Registered

CASES = "cases"


def keeper(
    folder: Path, advance: Callable[[], None]
) -> Callable[[str, str, Callable[[], Registered]], Registered]:
    """Return what gives a kept registration back, or does it and keeps it, in files that name no case."""

    def keep(round_: str, name: str, do: Callable[[], Registered]) -> Registered:
        from safetensors.numpy import load_file, save

        path = folder / CASES / f"{round_}-{hashlib.sha256(name.encode()).hexdigest()[:24]}.safetensors"
        if path.is_file():
            kept = load_file(path)
            told = kept["told"]
            advance()
            return Registered(kept["points"], float(told[0]), float(told[1]), float(told[2]), bool(told[3]))
        found = do()
        figures = np.array([found.residual_mm, found.far_mm, found.folded, float(found.mirrored)])
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, save({"points": np.ascontiguousarray(found.vertices_mm), "told": figures}))
        advance()
        return found

    return keep
