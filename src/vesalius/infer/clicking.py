"""Clicking: one object of one image, shown to a bundle stroke by stroke, with undo; and the same as a session."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from vesalius.core.answers import ImageAnswer
from vesalius.core.answers.mask import Mask
from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.case import Case
from vesalius.core.errors import DataError, PlanError
from vesalius.core.guidance import Guidance, Stroke
from vesalius.core.image import Array, Image
from vesalius.infer import runs
from vesalius.infer.outline import Outline
from vesalius.infer.predictor import Heard, Predictor
from vesalius.prepare.batch import main_image


class Clicking:
    """The mask of one object in the making, on an image that is prepared once.

    `bundle` is one that answers strokes (`fit --task interact`), its path, or a Predictor of it, which several may
    share. `image` is an image or a case. `label` is the label that is meant, one of the bundle's; by default the object
    is called `object` and has the value 1: the model outlines what it is shown, whatever that is.

    The same strokes give the same mask to the bit. The voxel of a point or a line that adds belongs to the mask after
    it, that of one which removes does not, whatever the model says; a stroke that removes adds nothing; and after the
    first stroke only connected changes near the new one are made. Raises PlanError for a bundle that answers no
    strokes, DataError for an image that cannot be prepared, MismatchError for one of another kind.
    """

    def __init__(
        self, bundle: Bundle | Predictor | Path | str, image: Image | Case, *, label: str | None = None
    ) -> None:
        self.predictor = _predictor(bundle)
        case = image if isinstance(image, Case) else Case("clicked", {"image": image})
        assert_clicked(self.predictor)
        with_prompts = case.prompts
        self._encoded = self.predictor.encoded(_bare(case))
        loaded = self.predictor.stages[-1]
        names = [str(x["name"]) for x in loaded.stage.state.values.get("labels", ())]
        if label is not None and label not in names:
            raise DataError(
                "the bundle knows no such label", found=label, hint=f"{', '.join(names)}; or none"
            )
        self._named = label is not None
        self._number = len(names) + 1 if label is None else names.index(label) + 1
        example, undo = self._encoded.example, self._encoded.undo
        self._outline = Outline(self.predictor.last, main_image(example), undo)
        self._lock = threading.Lock()
        for stroke in Guidance.of_prompts(with_prompts).strokes:
            self._outline.add(stroke)

    @property
    def guidance(self) -> Guidance:
        """The strokes so far that were not undone."""
        return Guidance(self._outline.strokes)

    @property
    def mask(self) -> Mask:
        """The mask as it is now, as `predict` would answer: signed, with what of the image is unlike training."""
        index = np.where(self._outline.mask, self._number, 0).astype(np.int32)
        raw = {"mask": index, "told": np.ones(1)} | ({} if self._named else {"object": np.ones(1)})
        return cast(Mask, self.predictor.said(raw, self._encoded, Heard(None, None)))

    @property
    def bits(self) -> Array:
        """The voxels of the object on the image's own grid, `(Z, Y, X)` bool; a copy."""
        return self._outline.mask.copy()

    @property
    def nbytes(self) -> int:
        """How many bytes are held: the prepared image, the regions of it that were asked about, and the mask."""
        return self._outline.nbytes

    def add(self, stroke: Stroke) -> Mask:
        """Return the mask after one more stroke. Raises DataError for one outside of the image."""
        with self._lock:
            self._outline.add(stroke)
            return self.mask

    def undo(self) -> Mask:
        """Return the mask as it was before the last stroke, bit for bit. Raises DataError where there is none."""
        with self._lock:
            self._outline.undo()
            return self.mask

    def begin(self, mask: Mask | Array) -> Mask:
        """Return a mask that something else proposed, to be corrected; the strokes so far are forgotten.

        `mask` is an answer, whose labels all count, or bits `(Z, Y, X)`. Raises DataError on another grid.
        """
        given = mask.image.array.any(axis=0) if isinstance(mask, ImageAnswer) else mask
        bits: Array = np.asarray(given).astype(bool)
        with self._lock:
            self._outline.begin(bits)
            return self.mask


def assert_clicked(predictor: Predictor) -> None:
    """Raise PlanError for a bundle that answers no strokes."""
    if not takes_clicks(predictor):
        raise PlanError(
            f"the bundle '{predictor.bundle.name}' answers no strokes",
            found=f"a bundle of the task {predictor.stages[-1].task.name}",
            hint="a bundle of `vesalius fit --task interact`",
        )


def takes_clicks(predictor: Predictor) -> bool:
    """Return whether a bundle answers strokes: one stage, run stroke by stroke."""
    return len(predictor.stages) == 1 and runs.get(predictor.stages[0].task.run).strokes


def _predictor(bundle: Bundle | Predictor | Path | str) -> Predictor:
    if isinstance(bundle, Predictor):
        return bundle
    return Predictor(bundle if isinstance(bundle, Bundle) else open_bundle(Path(bundle)))


def _bare(case: Case) -> Case:
    """Return a case without strokes, which are added one by one."""
    return replace(case, prompts=(), targets={})
