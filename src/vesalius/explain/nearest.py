"""The training cases that a model sees most like a case: which they are, what their targets were, their pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.answers.drawing.pictures import picture
from vesalius.answers.drawing.slices import look
from vesalius.core.answers.ranking import Ranking
from vesalius.core.case import Ref
from vesalius.core.errors import PlanError, VesaliusError
from vesalius.core.index import Entry, Index
from vesalius.core.words import counted
from vesalius.infer.features import features
from vesalius.infer.predictor import Asked
from vesalius.prepare.case import load
from vesalius.prepare.geometry import upright
from vesalius.reliability.marks import picture_marks

COUNT = 5
SAME = 1e-4  # a cosine distance below which a picture is one that the model was trained on
GONE = "not here any more"


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest training cases of a case, the nearest first, with what an index says of each.

    `made_of` says what they were compared by, `of` how many there are, `shares` how many of these have each target.
    """

    ranking: Ranking
    entries: tuple[Entry, ...]
    made_of: str
    of: int
    shares: dict[str, float]

    def said(self, words: str) -> str:
        """Return how many of the nearest have what was asked about as their target, beside all; empty for no target."""
        if words not in self.shares:
            return ""
        here = sum(e.target == words for e in self.entries)
        return (
            f"{here} of the {len(self.entries)} nearest training cases are {words}; "
            f"of all {self.of} it is {self.shares[words]:.0%}."
        )

    @property
    def same(self) -> str | None:
        """The training case that this one is hardly to be told from; None where there is none."""
        near = bool(len(self.ranking.distances)) and float(self.ranking.distances[0]) < SAME
        return self.ranking.case_ids[0] if near else None

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each case: its rank from 1, its id, its distance and its target."""
        return [
            {"rank": k, "neighbour": e.case, "distance": round(float(far), 6), "target": e.target}
            for k, (e, far) in enumerate(zip(self.entries, self.ranking.distances, strict=True), start=1)
        ]


def nearest(index: Index, given: Asked) -> Nearest | str:
    """Return the training cases nearest to what the last stage is given of a case, or why none can be found."""
    try:
        vectors = list(features(given.members, [given.example]))
    except PlanError as error:
        return error.what
    if len(vectors) != 1 or vectors[0].shape != index.mean.shape:
        return f"the index is of {counted(index.mean.size, 'feature')} a case, and this one has others"
    (vector,) = vectors
    found = index.nearest(vector, COUNT)
    entries = tuple(entry for entry, _ in found)
    answer = given.answer
    ranking = Ranking(
        case_ids=tuple(e.case for e in entries),
        distances=np.array([far for _, far in found]),
        case_id=answer.case_id,
        source=answer.source,
        bundle=answer.bundle,
        by=answer.by,
    )
    targets = [e.target for e in index.entries if e.target]
    shares = {name: targets.count(name) / len(targets) for name in dict.fromkeys(targets)}
    return Nearest(ranking, entries, index.made_of, len(index.entries), shares)


def thumbnail(entry: Entry) -> str | None:
    """Return an indexed case's picture as a data address; None where its file is gone or holds other pixels by now."""
    ref = entry.image
    if not isinstance(ref, Ref) or not all(p.exists() for p in ref.paths):
        return None
    try:
        image = load(ref)
        if entry.marks and not picture_marks(image) & set(entry.marks):
            return None
        still = image if image.times_s is None else replace(image, array=image.array[0], times_s=None)
        views = picture(look(upright(still), entry.case), {}, {})["views"]
    except (VesaliusError, OSError):
        return None
    return str(views[0]["src"])
