"""What stands beside a model's figure: an oracle, which reads the truth, and answers that hardly look at an image.

Each is an answer of the model's own kind and is judged as the model is, by `judged`. A figure that the oracle cannot
have shows a fault in how truths are read; one that a trivial answer has is not worth a model. Nothing but the oracle
sees the truth of a test case.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks import _fits
from benchmarks._figures import Figure
from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.value import Value
from vesalius.core.case import Box, Case
from vesalius.core.cohort import Cohort, Label
from vesalius.core.image import Array
from vesalius.core.scorecard import Interval
from vesalius.evaluate.scorecard import scorecard
from vesalius.prepare.case import load_reference

ORACLE, NEAREST = "oracle, which reads the truth", "nearest training image by pixels"
SIDE = (6, 16, 16)  # of what is looked at of an image by pixels, (z, y, x)
Truth = Mapping[str, Any]  # what truth.json says of a case
Rivals = dict[str, list[Answer]]  # answers to the test cases, by what they are called


@dataclass(frozen=True, eq=False)
class Beside:
    """Training and test cases of one split, with their targets; images are read once, and small.

    `seen` is what is looked at of both instead, `(N, D)` each: of what has time, or has no image.
    """

    training: Sequence[Case]
    test: Sequence[Case]
    seen: tuple[Array, Array] | None = None

    @classmethod
    def of(cls, cohort: Cohort, run: Path) -> Beside:
        """Take the split of a finished run: all that is not its test split counts as training."""
        folds = json.loads((run / "folds.json").read_text(encoding="utf-8"))
        by, tested = {c.id: c for c in cohort.cases}, set(folds["test"])
        learned = [case for fold in folds["folds"] for case in fold if case not in tested]
        return cls([by[k] for k in learned], [by[k] for k in folds["test"]])

    @cached_property
    def looks(self) -> tuple[Array, Array]:
        """Small images of both, `(N, D)`, each pixel less its training mean over its training spread."""
        training, test = self.seen or [
            np.stack([small(load_reference(c).array) for c in cases]) for cases in (self.training, self.test)
        ]
        mean, spread = training.mean(axis=0), training.std(axis=0) + 1e-6
        return (training - mean) / spread, (test - mean) / spread

    @cached_property
    def nearest(self) -> list[Case]:
        """The training case whose small image is nearest to that of each test case."""
        training, test = self.looks
        far = (test**2).sum(1)[:, None] - 2 * test @ training.T + (training**2).sum(1)[None]
        return [self.training[k] for k in far.argmin(axis=1)]

    @cached_property
    def areas(self) -> tuple[Array, Array]:
        """The share of each image that is darker than Otsu's threshold, `(N,)` of both: the area of what is stained."""
        return np.array([_dark(c) for c in self.training]), np.array([_dark(c) for c in self.test])

    # --- answers of each kind

    def boxes(
        self, target: str, labels: Sequence[Label], *, told: Mapping[str, Truth] | None = None
    ) -> Rivals:
        """The truth's boxes; those of the nearest training image; and of each label the mean box of training cases.

        `told` is `truths` of a phantom, so that the oracle does not come by the way of the target that it is judged by.
        The mean box is as likely as its label occurs, and says where things lie that always lie in one place.
        """

        def boxes(case: Case, held: Sequence[Box], p: Sequence[float] | None = None) -> Boxes:
            chances = np.ones(len(held)) if p is None else np.asarray(p, dtype=np.float64)
            return Boxes(case_id=case.id, boxes=tuple(held), p=chances, labels=tuple(labels))

        mean = _mean_boxes([_boxes(c.targets[target]) for c in self.training])
        known = {c.id: boxes_told(told[c.id]) if told else _boxes(c.targets[target]) for c in self.test}
        near = zip(self.test, self.nearest, strict=True)
        return {
            ORACLE: [boxes(c, known[c.id]) for c in self.test],
            NEAREST: [boxes(c, _boxes(other.targets[target])) for c, other in near],
            "the mean box of each label": [boxes(c, list(mean), list(mean.values())) for c in self.test],
        }

    def numbers(
        self,
        names: Mapping[str, str],
        value: Callable[[Case, str], float],
        *,
        told: Callable[[Case, str], float] | None = None,
        counts: bool = False,
    ) -> Rivals:
        """The truth's numbers; the training mean; the nearest training image's; and a ridge regression on pixels.

        `names` are the numbers with their units, `value` gives a case's. For counts the area of what is dark, times how
        many things a training image has in such an area, is another one.
        """
        truth = {name: np.array([value(c, name) for c in self.training]) for name in names}
        near = {name: np.array([value(c, name) for c in self.nearest]) for name in names}
        known = {name: np.array([(told or value)(c, name) for c in self.test]) for name in names}
        many = len(self.test)
        found = {
            ORACLE: known,
            "training mean": {name: np.full(many, y.mean()) for name, y in truth.items()},
            NEAREST: near,
            "ridge on pixels": {name: _ridge(*self.looks, y) for name, y in truth.items()},
        }
        if counts:
            training, test = self.areas
            found["dark area times density"] = {n: test * y.sum() / training.sum() for n, y in truth.items()}
            found["ridge on pixels"] = {n: np.clip(x, 0, None) for n, x in found["ridge on pixels"].items()}

        def answer(case: Case, k: int, x: Mapping[str, Array]) -> Answer:
            parts = {name: Value(x=float(x[name][k]), unit=unit or None) for name, unit in names.items()}
            return Numbers(case_id=case.id, parts=parts) if len(parts) > 1 else _alone(case, parts)

        return {called: [answer(c, k, x) for k, c in enumerate(self.test)] for called, x in found.items()}

    def grades(
        self,
        target: str,
        labels: Sequence[Label],
        *,
        told: Callable[[Case], str] | None = None,
        ordered: bool = True,
    ) -> Rivals:
        """The truth's grade; how often each occurs in training; the nearest image's; and a regression on pixels.

        The labels stand in order, or are classes without one where not `ordered`.
        """
        names = [x.name for x in labels]

        def scores(case: Case, p: Array) -> Scores:
            return Scores(
                case_id=case.id,
                labels=tuple(labels),
                p=np.asarray(p, dtype=np.float64),
                kind="ordinal" if ordered else "exclusive",
                **({"decision": "median"} if ordered else {}),
            )

        one = np.eye(len(names))
        learned = np.array([names.index(str(c.targets[target])) for c in self.training])
        share = np.bincount(learned, minlength=len(names)) / len(learned)
        known = [told(c) if told else str(c.targets[target]) for c in self.test]
        line = _logistic(*self.looks, learned, len(names))
        near = [names.index(str(c.targets[target])) for c in self.nearest]
        return {
            ORACLE: [scores(c, one[names.index(k)]) for c, k in zip(self.test, known, strict=True)],
            "how often each occurs in training": [scores(c, share) for c in self.test],
            NEAREST: [scores(c, one[k]) for c, k in zip(self.test, near, strict=True)],
            "logistic regression on pixels": [scores(c, p) for c, p in zip(self.test, line, strict=True)],
        }

    # --- judged

    def figures(
        self,
        what: str,
        rivals: Rivals,
        truth: Callable[[Case], Any],
        names: Sequence[str],
        *,
        seed: int | str = "",
    ) -> list[Figure]:
        """A figure for each rival and metric, with its interval over patients; what is not defined is left out."""
        rows = []
        for called, answers in rivals.items():
            found = judged(answers, self.test, [truth(c) for c in self.test])
            rows += [
                Figure(
                    f"{what}: {name}, {called}",
                    _fits.interval(found[name]),
                    seed=str(seed),
                    note=f"n {found[name].n}",
                )
                for name in names
                if name in found and found[name].value is not None
            ]
        return rows


def judged(
    answers: Sequence[Answer], cases: Sequence[Case], truths: Sequence[Any], *, resamples: int = 1000
) -> Mapping[str, Interval]:
    """Every figure of answers with its interval over patients, by the handling of their kind, as a model's are made."""
    handling = contract.of(type(answers[0]).__name__)
    measured = []
    for answer, case, target in zip(answers, cases, truths, strict=True):
        measured.append(
            handling.measure(replace(answer, case_id=case.id), handling.truth(target, case), case)
        )
    rows = handling.rows(measured, [c.id for c in cases])
    kind = type(answers[0]).__name__
    who = [c.patient for c in cases]
    return scorecard(rows, kind, split="test", data_hash="", patients=who, resamples=resamples).metrics


def truths(data: Path) -> dict[str, Truth]:
    """What a phantom's `truth.json` says of each of its cases."""
    return {t["id"]: t for t in json.loads((data / "truth.json").read_text(encoding="utf-8"))["cases"]}


def boxes_told(truth: Truth) -> tuple[Box, ...]:
    """The boxes that the truth of a phantom tells: those of its cells, its findings or its lesions."""
    found = []
    for thing in (t for name in ("cells", "findings", "lesions") for t in truth.get(name, ())):
        low, high = (
            thing["box_zyx"] if "box_zyx" in thing else ((0, *thing["box"][:2]), (1, *thing["box"][2:]))
        )
        label = str(thing["label"] if "label" in thing else thing["kind"])
        found.append(Box(tuple(map(float, low)), tuple(map(float, high)), label))
    return tuple(found)


def auc(values: Array, positive: Array) -> float:
    """Area under the ROC curve of one number, whichever way it points; one half where there is one class only."""
    if positive.all() or not positive.any():
        return 0.5
    u = float(stats.mannwhitneyu(values[positive], values[~positive]).statistic)
    area = u / float(positive.sum() * (~positive).sum())
    return max(area, 1 - area)


def _alone(case: Case, parts: Mapping[str, Value]) -> Value:
    (value,) = parts.values()
    return replace(value, case_id=case.id)


def _boxes(target: Any) -> tuple[Box, ...]:
    return tuple(b for b in target if isinstance(b, Box) and not b.crowd)


def _mean_boxes(held: Sequence[Sequence[Box]]) -> dict[Box, float]:
    """Return for each label the mean corners of its boxes, and the share of cases that have it."""
    found = {}
    for label in sorted({b.label for boxes in held for b in boxes}):
        own = [b for boxes in held for b in boxes if b.label == label]
        low, high = (np.mean([getattr(b, end) for b in own], axis=0) for end in ("low", "high"))
        share = float(np.mean([any(b.label == label for b in boxes) for boxes in held]))
        found[Box(tuple(map(float, low)), tuple(map(float, high)), label)] = share
    return found


def small(array: Array) -> Array:
    """Return an image as the means of few parts along each axis, all channels in a row; of its mean frame."""
    array = array.astype(np.float64)
    array = array if array.ndim == 4 else array.mean(axis=0)  # (C, Z, Y, X)
    for axis, many in enumerate(SIDE, start=1):
        size = array.shape[axis]
        edges = np.linspace(0, size, min(many, size), endpoint=False).astype(int)
        array = np.add.reduceat(array, edges, axis=axis)
        array /= np.expand_dims(np.diff([*edges, size]), [a for a in range(4) if a != axis])
    return array.ravel()


def _dark(case: Case) -> float:
    from skimage.filters import threshold_otsu

    grey = (
        load_reference(case).array.astype(np.float64).min(axis=0)
    )  # the channel in which a stain is darkest
    return 0.0 if grey.min() == grey.max() else float((grey <= threshold_otsu(grey)).mean())


def _ridge(training: Array, test: Array, truth: Array) -> Array:
    from sklearn.linear_model import RidgeCV  # its penalty is chosen on the training cases alone

    return np.asarray(RidgeCV(np.logspace(0, 6, 13)).fit(training, truth).predict(test))


def _logistic(training: Array, test: Array, truth: Array, classes: int) -> Array:
    """Return the chances `(N, K)` of a logistic regression whose penalty is chosen on the training cases alone."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    found = np.zeros((len(test), classes))
    there = np.unique(truth)
    if len(there) == 1:
        found[:, there[0]] = 1
        return found
    folds = int(min(4, np.bincount(truth)[there].min()))
    model: Any = LogisticRegression(max_iter=400)
    if folds > 1:
        model = GridSearchCV(model, {"C": np.logspace(-5, 0, 6)}, cv=folds, scoring="neg_log_loss")
    model.fit(training, truth)
    found[:, there] = model.predict_proba(test)
    return found
