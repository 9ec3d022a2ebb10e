"""Vectors of images and of texts, as a bundle's model compares them; and of images alone, where it reads no words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.infer.features import features
from vesalius.infer.loading import Loaded
from vesalius.infer.predictor import Predictor
from vesalius.infer.runs.contract import Members
from vesalius.tasks.contract import Task


class Vectors:
    """A bundle that is asked for vectors. `reads` says whether it compares images with words.

    Where it does not, vectors of images are the features of its net, which are compared about their mean.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str | None = None,
        accept_mismatch: bool = False,
        predictor: Predictor | None = None,
    ) -> None:
        """Load the bundle, unless a `predictor` of it is there already."""
        self.bundle = bundle
        self.predictor = predictor or Predictor(bundle, device=device, accept_mismatch=accept_mismatch)

    @property
    def _last(self) -> Loaded:
        return self.predictor.stages[-1]

    @property
    def reads(self) -> bool:
        """Return whether the bundle compares images with words."""
        return type(self._last.task).word_vectors is not Task.word_vectors

    def of_case(self, case: Case) -> Array:
        """Return the vector `(F,)` of a case's images. Raises what answering it would raise before a model sees it."""
        import torch

        example = self.predictor.encoded(replace(case, report=None, findings=None)).example
        task, model = self._last.task, self._last.models[0]
        if not self.reads:
            members = Members(task, [model], self._last.stage.plan, self.predictor.device)
            return next(features(members, [example]))
        with torch.inference_mode():
            batch = task.collate([example]).to(self.predictor.device)
            found: Any = task.image_vectors(model, batch)[0].float().cpu().numpy()
        return np.asarray(found)

    def of_texts(self, texts: Sequence[str]) -> Array:
        """Return the vectors `(N, F)` of texts.

        Raises PlanError where the bundle reads no words, DataError where it has read none of a text's.
        """
        import torch

        if not self.reads:
            raise PlanError(
                f"the bundle '{self.bundle.name}' reads no words",
                found=f"a bundle of {self._last.task.name}",
                hint="a bundle of `fit --task align`",
            )
        with torch.inference_mode():
            found: Any = self._last.task.word_vectors(self._last.models[0], texts, self._last.stage.state)
            return np.asarray(found.float().cpu().numpy())
