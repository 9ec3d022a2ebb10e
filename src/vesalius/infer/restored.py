"""Restored: a case whose images another bundle made anew, before they are asked about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vesalius.core.answers import ImageAnswer
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import PlanError
from vesalius.core.image import Array, Image
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import load


def assert_restores(bundle: Bundle, predictor: Predictor) -> None:
    """Raise PlanError for a bundle whose answers are no images of values."""
    kind = predictor.stages[-1].task.answer
    if not issubclass(kind, ImageAnswer) or kind.holds != "values":
        raise PlanError(
            f"the bundle '{bundle.name}' makes no image of an image",
            found=f"answers of kind {kind.__name__}",
            hint="a bundle of the task `restore`",
        )


def restored(predictor: Predictor, case: Case) -> Case:
    """Return a case with each image that the predictor knows as it restores it, on the same grid and in the same type.

    A case of one image has that restored; of several, those that are called as those the bundle learned from. Values
    are rounded to whole numbers where the image has them, and stay within what its type can hold. Raises DataError for
    an image that it cannot answer, PlanError where it knows none of several.
    """
    names = predictor.bundle.stages[-1].plan.data.images
    chosen = list(case.images) if len(case.images) == 1 else [n for n in case.images if n in names]
    if not chosen:
        raise PlanError(
            f"the bundle '{predictor.bundle.name}' restores none of a case's images",
            found=", ".join(case.images),
            hint=f"images called {', '.join(names)}",
        )
    made = {}
    for name in chosen:
        image = load(case.images[name])
        answer = predictor(Case(case.id, {name: image}, patient=case.patient, covariates=case.covariates))
        if isinstance(answer, ImageAnswer):
            made[name] = replace(image, array=_in_type_of(answer.image.array, image))
    return replace(case, images={**case.images, **made})


def _in_type_of(array: Array, image: Image) -> Array:
    kind = image.array.dtype
    if not np.issubdtype(kind, np.integer):
        return array.astype(kind)
    ends = np.iinfo(kind)
    found: Array = np.clip(np.rint(array), ends.min, ends.max).astype(kind)
    return found
