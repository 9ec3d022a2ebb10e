"""Scoring answers against the truth, a case at a time, whatever their kind; and the pictures worth showing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vesalius import formats, metrics
from vesalius.core import grids
from vesalius.core.answers import Answer
from vesalius.core.answers.mask import Mask
from vesalius.core.case import IGNORED, Case
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.scorecard import Banner, Scorecard
from vesalius.core.words import listed
from vesalius.evaluate.pictures import Picture, look
from vesalius.evaluate.scorecard import scorecard
from vesalius.metrics import Rows
from vesalius.prepare.case import load_mask
from vesalius.prepare.geometry import upright

SHOWN = 4


@dataclass
class Gallery:
    """The best and the worst cases so far; no more are kept than are shown."""

    high: list[tuple[float, Picture]] = field(default_factory=list)
    low: list[tuple[float, Picture]] = field(default_factory=list)

    def wants(self, score: float) -> bool:
        """Whether a case of that score would be among the shown."""
        if not np.isfinite(score):
            return False
        return len(self.low) < SHOWN or score > self.high[-1][0] or score < self.low[-1][0]

    def add(self, score: float, picture: Picture) -> None:
        """Take one in, and let go of what is neither best nor worst."""
        self.high = sorted([*self.high, (score, picture)], key=lambda s: -s[0])[:SHOWN]
        self.low = sorted([*self.low, (score, picture)], key=lambda s: s[0])[:SHOWN]

    @property
    def best(self) -> list[Picture]:
        """The best cases, best first; where there are few, the better half."""
        many = len({id(p) for _, p in (*self.high, *self.low)})
        return [p for _, p in self.high][: (many + 1) // 2]

    @property
    def worst(self) -> list[Picture]:
        """The worst cases, worst first; none that is among the best."""
        chosen = {id(p) for p in self.best}
        return [p for _, p in self.low if id(p) not in chosen]


class Tally(ABC):
    """Collects what the metrics of one kind of answer need."""

    def __init__(self) -> None:
        self.cases: list[Case] = []
        self.gallery = Gallery()

    @abstractmethod
    def add(self, case: Case, answer: Answer, truth: Any, trivial: Answer | None, reference: Image) -> None:
        """Take in one case."""

    @abstractmethod
    def rows(self) -> tuple[Rows, Rows | None]:
        """The rows of the answers, and those of the trivial ones where there are any."""


class MaskTally(Tally):
    """Masks are measured at once, and only the figures kept."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = metrics.for_answer("Mask")
        self.made: list[dict[str, float]] = []
        self.base: list[dict[str, float]] = []

    def add(self, case: Case, answer: Answer, truth: Any, trivial: Answer | None, reference: Image) -> None:
        """Measure one case, within its region where it has one."""
        if not isinstance(answer, Mask):
            raise DataError(f"case {case.id}: a mask was expected", found=type(answer).__name__)
        real = load_mask(truth)
        words = grids.difference(answer.image, real)
        if words is not None:
            raise DataError(f"case {case.id}: the answer lies on another grid than the truth", found=words)
        region = load_mask(case.region) if case.region is not None else None
        self.cases.append(case)
        self.made.append(self.judge.row(answer, real, region=region))
        if trivial is not None:
            self.base.append(self.judge.row(trivial, real, region=region))
        dice = [v for k, v in self.made[-1].items() if k.startswith("dice/") and np.isfinite(v)]
        score = float(np.mean(dice)) if dice else float("nan")
        if self.gallery.wants(score):
            seen = upright(reference)
            drawn = formats.recoded(real, ((IGNORED, 0),))
            truth, given = upright(drawn, reference), upright(answer.image, reference)
            caption = f"Dice {score:.3f}"
            self.gallery.add(score, look(seen, case.id, caption=caption, truth=truth, answer=given))

    def rows(self) -> tuple[Rows, Rows | None]:
        """The table of figures."""
        ids = [c.id for c in self.cases]
        base = self.judge.table(self.base, ids) if len(self.base) == len(ids) else None
        return self.judge.table(self.made, ids), base


class ListTally(Tally):
    """Answers small enough to keep: scores, values."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.judge = metrics.for_answer(kind)
        self.made: list[Answer] = []
        self.base: list[Answer] = []
        self.truths: list[Any] = []

    def add(self, case: Case, answer: Answer, truth: Any, trivial: Answer | None, reference: Image) -> None:
        """Keep one case."""
        self.cases.append(case)
        self.made.append(answer)
        self.truths.append(truth)
        if trivial is not None:
            self.base.append(trivial)
        score, caption = _right(answer, truth)
        if self.gallery.wants(score):
            self.gallery.add(score, look(upright(reference), case.id, caption=caption))

    def rows(self) -> tuple[Rows, Rows | None]:
        """Rows of all, in order."""
        made = [replace(a, case_id=c.id) for a, c in zip(self.made, self.cases, strict=True)]
        base = None
        if len(self.base) == len(made):
            named = [replace(a, case_id=c.id) for a, c in zip(self.base, self.cases, strict=True)]
            base = self.judge.rows(named, self.truths)
        return self.judge.rows(made, self.truths), base


def _right(answer: Answer, truth: Any) -> tuple[float, str]:
    """How right an answer is, as one number, and a caption."""
    p = getattr(answer, "p", None)
    labels = getattr(answer, "labels", ())
    if p is not None and isinstance(truth, str):
        names = [x.name for x in labels]
        sure = float(p[names.index(truth)]) if truth in names else float("nan")
        return sure, f"{truth}: {sure:.2f}"
    if p is not None:  # several labels at once
        right = [q if label.name in truth else 1 - q for q, label in zip(p, labels, strict=True)]
        sure = float(np.mean(right))
        return sure, f"{listed(truth) or 'none of them'}: {sure:.2f} on average"
    x = getattr(answer, "x", None)
    if x is not None:
        return -abs(float(x) - float(truth)), f"{x:.4g}, truly {float(truth):.4g}"
    return float("nan"), ""


def tally_for(answer: type[Answer] | str) -> Tally:
    """What collects answers of that kind. Raises UnknownName where no metric judges them."""
    kind = answer if isinstance(answer, str) else answer.__name__
    return MaskTally() if kind == "Mask" else ListTally(kind)


def card_of(
    tally: Tally,
    kind: str,
    *,
    split: str,
    data_hash: str,
    patients_known: bool,
    bundle: str,
    target: str | None,
    baseline_is: str = "",
    told: Sequence[Banner] = (),
) -> Scorecard:
    """The scorecard of what was collected, after `told`, banners of the model. Raises DataError where nothing was."""
    if not tally.cases:
        raise DataError("no case with a truth to score against", hint="data with the target that was learned")
    rows, base = tally.rows()
    patients: Sequence[str | None] = [c.patient if patients_known else None for c in tally.cases]
    return scorecard(
        rows,
        kind,
        split=split,
        data_hash=data_hash,
        patients=patients,
        bundle=bundle,
        target=target,
        baseline=base,
        baseline_is=baseline_is if base is not None else "",
        told=told,
    )
