"""How `align` answers: raw output to calibrated probabilities, and maps of where words fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core import calibration as calibrations
from vesalius.core import platt
from vesalius.core.answers.map import Map
from vesalius.core.answers.scores import Scores
from vesalius.core.bundle import State
from vesalius.core.image import Array, Image
from vesalius.prepare.geometry import Undo, backward, resample
from vesalius.tasks._labels import labels_of, names_of

FEW = 5  # validation cases with and without a label from which its probability is calibrated


def answer(
    raw: Any, state: State, calibration: Mapping[str, Any], reference: Image, undo: Undo | None
) -> Scores:
    """Return the probability of each finding, and of the likeliest ones a map of where words fit.

    A finding whose slope and offset nothing was fitted for is said to be `uncalibrated`: validation told too little.
    """
    mean = np.asarray(raw, np.float64).reshape(-1, *np.shape(raw)[-4:]).mean(axis=0)  # (K, 1 + z, y, x)
    names, fitted = names_of(state), calibration.get("platt", {})
    p = np.array([platt.apply(fitted.get(n), z) for n, z in zip(names, mean[:, 0, 0, 0], strict=True)])
    thresholds = {n: float(calibration.get("thresholds", {}).get(n, 0.5)) for n in names}
    first = [int(k) for k in np.argsort(-p, kind="stable")[: int(state.values["maps"])]]
    return Scores(
        labels=labels_of(state),
        p=p,
        kind="multilabel",
        thresholds=thresholds,
        uncalibrated=tuple(n for n in names if n not in fitted),
        parts={names[k]: _map(mean[k, 1:], names[k], reference, undo) for k in first},
    )


def calibration(raw: Sequence[Array], truths: Sequence[Any], state: State) -> dict[str, Any]:
    """Return a slope and an offset for each label that FEW cases have and FEW have not, and its threshold."""

    known = [(np.asarray(r), t) for r, t in zip(raw, truths, strict=True) if t is not None]
    fitted, thresholds = {}, {}
    for k, name in enumerate(names_of(state)):
        z = np.array([r.reshape(-1, *r.shape[-4:])[:, k, 0, 0, 0].mean() for r, _ in known])
        so = np.array([name in t for _, t in known], dtype=bool)
        if min(so.sum(), (~so).sum()) < FEW:
            continue
        fitted[name] = platt.fit(z, so)
        p = np.array([platt.apply(fitted[name], value) for value in z])
        thresholds[name] = calibrations.threshold(p, so)
    return {"platt": fitted, "thresholds": thresholds}


def _map(field: Array, name: str, reference: Image, undo: Undo | None) -> Map:
    """Return a field of places `(z, y, x)` on the reference's grid."""
    shape = reference.shape if undo is None else undo.shape
    fine = resample(field[None].astype(np.float32), shape)
    array = fine if undo is None else backward(fine, undo)
    image = Image(
        array,
        affine=reference.affine,
        spacing_mm=reference.spacing_mm,
        spacing_at=reference.spacing_at,
        source=reference.source,
    )
    return Map(image=image, quantity=f"how much better each place fits '{name}' than usual", unit="cosine")
