"""How `anomaly` answers: a standing among normal cases with a limit, a map in limits, and what plain ways say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.answers.map import Map
from vesalius.core.answers.scores import Scores
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Label
from vesalius.core.image import Array, Image
from vesalius.core.learned import UNLIKE
from vesalius.core.tail import Limit
from vesalius.prepare.case import load_reference
from vesalius.prepare.geometry import Undo, backward, resample
from vesalius.tasks._normals import ABNORMAL, NORMAL, judged, truth_of

PART = "anomaly map"
QUANTITY = "distance from what is normal"
LABELS = (Label(0, NORMAL), Label(1, ABNORMAL))
BRIGHTNESS, MEAN_IMAGE = "brightness alone", "distance to the mean image"
LOOKED_AT, FEWEST, SMALL = 200, 5, 16  # normal cases, and the sides of the mean image
_STILL = 1e-6


def score_of(raw: Any) -> float:
    """Return the score of a case's raw outputs `(M, 1 + z, y, x)`, or of one model `(1 + z, y, x)`."""
    found = np.asarray(raw, np.float64)
    return float(found.reshape(-1, *found.shape[-3:])[:, 0, 0, 0].mean())


def answer(
    raw: Any, state: State, calibration: Mapping[str, Any], reference: Image, undo: Undo | None
) -> Scores:
    """Return where a case stands among normal ones, what it is called, and the map of where it is not like these.

    The probability of `abnormal` is the share of normal cases that are less strange, not how likely it is ill: it is
    said to be uncalibrated. It is called where fewer normal cases than the promised rate are as strange.
    """
    field = np.asarray(raw, np.float64).reshape(-1, *np.shape(raw)[-3:]).mean(axis=0)
    score = score_of(raw)
    share, limit, p = judged(score, calibration)
    figures = {"score": score, **plain(reference, state)}
    facts = {}
    if limit is not None and p is not None:
        figures |= {"limit": limit.at, "p-value": p}
        facts = {"called": in_words(score, limit, p)}
    scale = limit.at if limit is not None and limit.at > _STILL else 1.0
    image = _on_grid(field[1:] / scale, reference, undo)
    unit = "limit" if limit is not None else None
    made = Map(image=image, quantity=QUANTITY, unit=unit, figures=figures, facts=facts)
    return Scores(
        labels=LABELS,
        p=np.array([1 - share, share]),
        kind="exclusive",
        positive=ABNORMAL,
        thresholds={} if limit is None else {ABNORMAL: float(np.nextafter(1 - limit.rate, 1.0))},
        uncalibrated=(NORMAL, ABNORMAL),
        parts={PART: made},
        outside=_remarks(score, limit),
    )


def _remarks(score: float, limit: Limit | None) -> tuple[str, ...] | None:
    """Return what an answer says of a case above the limit, as of any that is unlike those of training; else nothing.

    So whoever listens to a bundle's alarm, such as a service, hears this one, too.
    """
    if limit is None or score <= limit.at:
        return None
    return (
        f"{UNLIKE}score {score:.4g}, above the {limit.at:.4g} which {100 * limit.rate:.2g} % of normal ones exceed",
    )


def in_words(score: float, limit: Limit, p: float) -> str:
    """Return whether a case is called, and what that promises, in a sentence."""
    called = score > limit.at
    few = (
        "" if limit.kept else f"; {limit.n} normal cases can promise no less, {limit.asked:.3g} was asked for"
    )
    return (
        f"{'called abnormal' if called else 'not called'}: {score / limit.at:.3g} of the limit, which at most "
        f"{limit.rate:.3g} of normal cases exceed (p = {p:.3g}, {limit.n} of them{few})"
        if limit.at > _STILL
        else f"{'called abnormal' if called else 'not called'} (p = {p:.3g}, {limit.n} normal cases{few})"
    )


def always_normal() -> Scores:
    """Return the answer that looks at nothing."""
    return Scores(
        labels=LABELS,
        p=np.array([1.0, 0.0]),
        kind="exclusive",
        positive=ABNORMAL,
        uncalibrated=(NORMAL, ABNORMAL),
    )


def usual(cases: Sequence[Case], state: State) -> dict[str, Array]:
    """Return mean and deviation of the brightness of normal training cases, and their mean image, small.

    Of fewer than FEWEST cases nothing is kept, so that no number is a single patient's.
    """
    some = [c for c in cases if c.reference is not None and truth_of(c, state.values) in _wanted(state)]
    small = [_small(load_reference(c)) for c in some[:LOOKED_AT]]
    small = [one for one in small if one.shape == small[0].shape]
    if len(small) < FEWEST:
        return {}
    means = np.array([one.mean() for one in small], dtype=np.float32)
    spread = max(float(means.std()), _STILL)
    return {
        "brightness": np.array([float(means.mean()), spread], dtype=np.float32),
        "mean image": np.mean(small, axis=0).astype(np.float32),
    }


def plain(reference: Image, state: State) -> dict[str, float]:
    """Return how strange a case is to the plain ways, by name; nothing where these were not learned."""
    known = state.arrays.get("brightness")
    if known is None:
        return {}
    small, mean = _small(reference), state.arrays["mean image"]
    found = {BRIGHTNESS: abs(float(small.mean()) - float(known[0])) / float(known[1])}
    if small.shape == mean.shape:
        found[MEAN_IMAGE] = float(np.sqrt(((small - mean) ** 2).mean()))
    return found


def rivals(answer: Answer) -> dict[str, Answer]:
    """Return the answers of the plain ways, which rise with how strange a case is to them; they call nothing."""
    part = answer.parts.get(PART)
    if not isinstance(part, Map) or not isinstance(answer, Scores):
        return {}
    found: dict[str, Answer] = {}
    for name in (BRIGHTNESS, MEAN_IMAGE):
        if name in part.figures:
            share = part.figures[name] / (1 + part.figures[name])
            found[name] = replace(
                answer, p=np.array([1 - share, share]), thresholds={}, parts={}, promise=None, doubt=None
            )
    return found


def _wanted(state: State) -> tuple[str | None, ...]:
    return (NORMAL,) if state.values["column"] else (None,)


def _small(image: Image) -> Array:
    """Return an image with at most SMALL points along each axis, `(C, z, y, x)` float32."""
    size = tuple(min(SMALL, n) for n in image.shape)
    return resample(image.array.astype(np.float32), (size[0], size[1], size[2]))


def _on_grid(field: Array, reference: Image, undo: Undo | None) -> Image:
    """Return a field of places `(z, y, x)` on the reference's grid."""
    shape = reference.shape if undo is None else undo.shape
    fine = resample(field[None].astype(np.float32), shape)
    return Image(
        fine if undo is None else backward(fine, undo),
        affine=reference.affine,
        spacing_mm=reference.spacing_mm,
        spacing_at=reference.spacing_at,
        source=reference.source,
    )
