"""Which of a caller's images to label next, by the strategies of `suggest`; what is measured of an image is kept."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.registry import names
from vesalius.run import strategies
from vesalius.run.pool import Measuring, Seen, asking, pool_of
from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.problems import Problem
from vesalius.serve.http.study import StoredCase, UploadedStudy

MOST = 16  # images that one request measures; those of later ones find theirs measured
Images = Mapping[str, tuple[UploadedStudy, StoredCase]]


def listed() -> dict[str, str]:
    """Return the strategies by name, with what they do; `random` is answered without a model."""
    return {name: text for name, text in names(strategies.KIND).items() if name != "random"}


class NextCase:
    """Measures images, one request at a time, and chooses. It holds figures and features of what is still stored."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str, str], Seen | str] = {}

    def forget(self, study: str) -> None:
        """Drop what was measured of a study."""
        with self._lock:
            for key in [k for k in self._seen if k[0] == study]:
                del self._seen[key]

    def choose(
        self, strategy: str, model: ServedModel, open_: Images, done: Images, *, seed: int = 0
    ) -> tuple[str, Seen]:
        """Return the id of the image to label next, and what the model says of it.

        `open_` are the images without a label, `done` those with one, which strategies of features keep away from. Of
        many images the first `MOST` that are not measured yet are, so that a request is over in time. Images that the
        model does not stand for come last. Raises Problem 422 where none can be answered.
        """
        with self._lock:
            self._measure(model, [*open_.values(), *done.values()])
            known = {image: self._of(model, pair) for image, pair in open_.items()}
            labelled = [self._of(model, pair) for pair in done.values()]
        seen = {image: one for image, one in known.items() if isinstance(one, Seen)}
        if not seen:
            why = next((w for w in known.values() if isinstance(w, str)), "none was measured yet")
            raise Problem(422, "no image can be suggested", found=why, hint="first or random")
        inside = {image: one for image, one in seen.items() if not one.outside} or seen
        vectors = [one.vector for one in labelled if isinstance(one, Seen) and one.vector is not None]
        away = np.stack(vectors) if vectors else None
        how = strategies.get(strategy)
        pool = pool_of(list(inside.values()), list(inside), away, by=how.by)
        try:
            (place,) = how(pool, 1, np.random.default_rng(seed))
        except DataError as error:
            raise Problem(422, error.what, found=error.found, hint="first or random") from error
        return list(inside.items())[place]

    def _of(self, model: ServedModel, pair: tuple[UploadedStudy, StoredCase]) -> Seen | str | None:
        study, case = pair
        return self._seen.get((study.id, case.id, model.bundle.hash))

    def _measure(self, model: ServedModel, pairs: Sequence[tuple[UploadedStudy, StoredCase]]) -> None:
        new = [pair for pair in pairs if self._of(model, pair) is None][:MOST]
        if not new:
            return
        measuring = Measuring(asking(model.predictor()))
        for study, case in new:
            found: Seen | str
            try:
                found = replace(measuring.measure(case.case), case=case.id)
            except DataError as error:
                found = study.plainly(str(error))
            self._seen[study.id, case.id, model.bundle.hash] = found
