"""Vectors of images and of texts, as a bundle's model compares them; and of images alone, where it reads no words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.core.words import counted
from vesalius.infer.features import features, over_tiles
from vesalius.infer.loading import Loaded
from vesalius.infer.predictor import Predictor
from vesalius.infer.runs.contract import Members
from vesalius.tasks.contract import Task


@dataclass(frozen=True, eq=False)
class Located:
    """Where a model sees a case: its vector `(F,)`, and in what the case lies outside of what the bundle learned from.

    `outside` is as `Answer.outside` has it.
    """

    vector: Array
    outside: tuple[str, ...] | None


class Vectors:
    """A bundle that is asked for vectors. `reads` says whether it compares images with words.

    `compares` says whether its task makes vectors to be compared; of any other those of images are the features of its
    net, which are compared about their mean; with `middle` those of the tile in the middle alone, of a model that
    answers tile by tile, as an index of an earlier version has them.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str | None = None,
        accept_mismatch: bool = False,
        middle: bool = False,
        predictor: Predictor | None = None,
    ) -> None:
        """Load the bundle, unless a `predictor` of it is there already."""
        self.bundle, self.middle = bundle, middle
        self.predictor = predictor or Predictor(bundle, device=device, accept_mismatch=accept_mismatch)

    @property
    def _last(self) -> Loaded:
        return self.predictor.stages[-1]

    @property
    def reads(self) -> bool:
        """Return whether the bundle compares images with words."""
        return type(self._last.task).word_vectors is not Task.word_vectors

    @property
    def compares(self) -> bool:
        """Return whether the bundle's task makes vectors that are meant to be compared."""
        return type(self._last.task).image_vectors is not Task.image_vectors

    @property
    def made_of(self) -> str:
        """Return in words what the vectors of images are."""
        if self.reads:
            return "vectors that words are compared with"
        what = "vectors that are made to be compared" if self.compares else "features of its net"
        members = len(self._last.models)
        return what if members == 1 else f"{what}, as the first of {counted(members, 'member')} sees them"

    def of_case(self, case: Case) -> Array:
        """Return the vector `(F,)` of a case's images. Raises what answering it would raise before a model sees it."""
        return self.located(case, alarm=False).vector

    def located(self, case: Case, *, alarm: bool = True) -> Located:
        """Return where a case lies, and in what it differs from what the bundle learned from.

        With `alarm` what tells strange cases apart is asked as well, where the bundle has that, which costs an answer.
        Raises what answering it would raise before a model sees it.
        """
        import torch

        bare = replace(case, report=None, findings=None)
        encoded = self.predictor.encoded(bare)
        task, model, example = self._last.task, self._last.models[0], encoded.example
        if self.compares:
            with torch.inference_mode():
                batch = task.collate([example]).to(self.predictor.device)
                found: Any = task.image_vectors(model, batch)[0].float().cpu().numpy()
        else:
            members = Members(task, [model], self._last.stage.plan, self.predictor.device)
            found = next(features(members, [example])) if self.middle else over_tiles(members, example)
        outside = encoded.outside
        judge = self.predictor.alarm if alarm else None
        if judge is not None:
            text = judge.remark(self.predictor.watched([bare])[0])
            if text and text not in (outside or ()):
                outside = (*(outside or ()), text)
        return Located(np.asarray(found, np.float32), outside)

    def of_texts(self, texts: Sequence[str]) -> Array:
        """Return the vectors `(N, F)` of texts.

        Raises PlanError where the bundle reads no words, DataError where it has read none of a text's.
        """
        import torch

        self._assert_reads()
        with torch.inference_mode():
            found: Any = self._last.task.word_vectors(self._last.models[0], texts, self._last.stage.state)
            return np.asarray(found.float().cpu().numpy())

    def unread(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that count for nothing, as the model has never read them or reads no further.

        Raises PlanError where the bundle reads no words.
        """
        self._assert_reads()
        return tuple(self._last.task.unread(text, self._last.stage.state))

    def _assert_reads(self) -> None:
        if not self.reads:
            raise PlanError(
                f"the bundle '{self.bundle.name}' reads no words",
                found=f"a bundle of {self._last.task.name}",
                hint="a bundle of `fit --task align`",
            )
