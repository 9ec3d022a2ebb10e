"""What is said of a completion: as JSON, and each vertex in a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from vesalius.shapes.models.completing import Completion
from vesalius.shapes.models.model import ShapeModel
from vesalius.shapes.models.scoring import Unusual


def document_of(model: ShapeModel, found: Completion, rare: Unusual | None) -> dict[str, Any]:
    """Return a completion as JSON takes it, with a sentence that says it."""
    band = (
        None if found.band_mm is None else found.band_mm[~found.seen if (~found.seen).any() else found.seen]
    )
    said = f"{found.missing:.0%} of the surface was not seen."
    if band is not None:
        said += (
            f" There the true surface lies within {np.median(band):.1f} mm "
            f"(the middle place; {band.max():.1f} mm at worst) "
            f"at {found.level:.0%} of places, as of left-out shapes."
        )
    if rare is not None:
        said += f" Of {rare.n} left-out shapes as unusual as this one or more: p = {rare.p:.2g}."
    return {
        "label": model.label,
        "model": model.hash,
        "missing": found.missing,
        "off_mm": found.off_mm,
        "level": found.level if band is not None else None,
        "band_mm": None if band is None else {"median": float(np.median(band)), "worst": float(band.max())},
        "deviations": [float(x) for x in found.weights],
        "unusual": None
        if rare is None
        else {
            "p": rare.p,
            "n": rare.n,
            "mahalanobis": rare.mahalanobis,
            "residual_mm": rare.residual_mm,
            "most": float(np.abs(rare.where).max()),
        },
        "said": said,
        "notes": list(found.notes),
    }


def as_table(found: Completion) -> str:
    """Return each vertex with its place in LPS mm, whether it was seen, and its band in mm."""
    lines = ["vertex,x_mm,y_mm,z_mm,seen,band_mm"]
    band = found.band_mm
    for k, (x, y, z) in enumerate(np.asarray(found.surface.vertices_mm)):
        wide = "" if band is None else f"{band[k]:.4f}"
        lines.append(f"{k},{x:.4f},{y:.4f},{z:.4f},{int(found.seen[k])},{wide}")
    return "\n".join(lines) + "\n"
