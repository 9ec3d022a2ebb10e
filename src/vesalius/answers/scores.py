"""Scores: a probability for each label of an image."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vesalius.answers import _calls as calls
from vesalius.answers import _graded as graded
from vesalius.answers import _sets as sets
from vesalius.answers import _unsure as unsure
from vesalius.answers._asking import label_place
from vesalius.answers._grown import by_doubts
from vesalius.answers.contract import ForeignAnswers, Handling, Judged, Kept, Panel
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.panels import Cell, Table, figure
from vesalius.answers.drawing.slices import Slice
from vesalius.answers.foreign.tables import Row, row_answers
from vesalius.cohorts.targets import contract as targets
from vesalius.core import operating
from vesalius.core.answers.scores import Scores
from vesalius.core.ask import Ask
from vesalius.core.calibration import in_words as calibration_in_words
from vesalius.core.calibration import operating_point
from vesalius.core.called import called_by, without_side
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.doubt import NAT, Doubt, binary_entropies, entropies
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.finding import Finding
from vesalius.core.growth import Changed, Growth, first_known
from vesalius.core.image import Array, Image
from vesalius.core.marks import Mark
from vesalius.core.promise import Limits, Promise
from vesalius.core.scorecard import Scorecard
from vesalius.core.stated import Statement
from vesalius.core.words import counted, listed
from vesalius.metrics import Rows
from vesalius.metrics import scores as judge
from vesalius.prepare.between import Between

TARGETS = ("class", "ordinal", "multilabel")
POINTS = 200  # of a curve that is drawn


class ScoresHandling(Handling[Scores]):
    """What is done with probabilities."""

    kind = Scores
    objects = (".sr.dcm",)
    headlines = (
        "kappa", "mae", "within_one", "cut_auc", "rps",  # of grades alone
        "auc", "accuracy", "balanced_accuracy", "average_precision", "recall", "specificity", "ece",
    )  # fmt: skip
    metric_names: ClassVar[Mapping[str, str]] = {
        "auc": "AUC", "f1": "F1", "ece": "ECE", "brier": "Brier score", "recall": "sensitivity (recall)",
        "kappa": "quadratic kappa", "linear_kappa": "linear kappa", "mae": "error in grades",
        "within_one": "within one grade", "cut_auc": "AUC from a grade on", "cut_ece": "ECE from a grade on",
        "rps": "ranked probability score",
    }  # fmt: skip
    one_sided = ("recall", "specificity", "precision", "ece", "cut_ece")
    left_out: ClassVar[Mapping[str, str]] = {"unknown": "truth not known, not counted"}
    baseline = "how often each class occurs in training"
    compared = ("kappa", "mae", "auc", "recall", "specificity", "ece")
    monailabel = "classification"
    draws = True
    asks = ("label", *graded.ASKS)
    ways = sets.WAYS
    unsure_by = (unsure.ENTROPY, unsure.MARGIN)
    error = "share of wrong calls"

    def columns(self, answer: Scores) -> dict[str, Any]:
        """Return the probability of each label, and the likeliest where labels exclude one another.

        Of grades whose decision is known, the one that is called.
        """
        names = [x.name for x in answer.labels]
        found: dict[str, Any] = {f"p_{n}": f"{p:.6f}" for n, p in zip(names, answer.p, strict=True)}
        if answer.kind == "exclusive":
            found["answer"] = names[int(answer.p.argmax())]
        elif answer.decision:
            found["answer"] = names[answer.called]
        if answer.uncalibrated:
            found["uncalibrated"] = "; ".join(answer.uncalibrated)
        return found

    def values(self, answer: Scores) -> dict[str, Any]:
        """Return the same with the probabilities as numbers, none of their digits lost."""
        p = {f"p_{x.name}": float(p) for x, p in zip(answer.labels, answer.p, strict=True)}
        return {**self.columns(answer), **p}

    def marks(self, answer: Scores) -> list[Mark]:
        """Return the labels in their order, each one's probability, what is called, and how far that is from not."""
        names = [x.name for x in answer.labels]
        p = {name: float(x) for name, x in zip(names, answer.p, strict=True)}
        found = [Mark("labels", ", ".join(names)), *(Mark(f"probability of {n}", x) for n, x in p.items())]
        if answer.decision:
            found += graded.marks(answer)
        elif answer.kind != "multilabel" and len(p) > 1:
            first, second = sorted(p.values(), reverse=True)[:2]
            found.append(Mark("likeliest", max(p, key=p.__getitem__), margin=first - second))
        for name, threshold in answer.thresholds.items():
            if name in p:
                called = "yes" if p[name] >= threshold else "no"
                far = abs(p[name] - threshold) / max(threshold, 1 - threshold)
                found.append(Mark(f"{name} called at its threshold", called, margin=far))
                found.append(Mark(f"threshold of {name}", float(threshold)))
        return found

    def summary(self, answer: Scores) -> dict[str, Any]:
        """Return each label's probability, and whether the positive label reaches its operating point."""
        rows = [{"name": x.name, "p": float(p)} for x, p in zip(answer.labels, answer.p, strict=True)]
        point = operating_point(answer.positive, answer.thresholds)
        p = {r["name"]: r["p"] for r in rows}
        above = None if point is None or point["label"] not in p else p[point["label"]] >= point["threshold"]
        beside = graded.summary(answer) if answer.decision else {}
        return {"labels": rows, "operating_point": point, "positive": above, **beside}

    def lines(self, answer: Scores) -> list[Line]:
        """Return each label's probability, as a number and as a bar; of grades the called one first."""
        called = [Line("grade called", answer.labels[answer.called].name)] if answer.decision else []
        found = [
            Line(x.name, f"{p:.3f}", share=float(p)) for x, p in zip(answer.labels, answer.p, strict=True)
        ]
        bare = [Line("not calibrated", listed(answer.uncalibrated, 8))] if answer.uncalibrated else []
        return [*called, *found, *bare]

    def draw(self, axes: Any, answer: Scores, image: Image, shown: Slice) -> None:
        """Write the first eight probabilities into the corner."""
        lines = [f"{x.name}: {p:.2f}" for x, p in zip(answer.labels, answer.p, strict=True)]
        lines = [f"called {answer.labels[answer.called].name}", *lines] if answer.decision else lines
        axes.text(
            0.02, 0.98, "\n".join(lines[:8]), transform=axes.transAxes, va="top", color="white", fontsize=8,
            bbox={"facecolor": "black", "alpha": 0.5, "linewidth": 0},
        )  # fmt: skip

    def states(self, answer: Scores) -> list[Statement]:
        """Return of each label whether it is called, with its probability and the threshold it is called from.

        Grades are called as one; labels of a promised set that holds several are doubted, as are those whose
        probability is not calibrated.
        """
        held = () if answer.promise is None or answer.kind == "multilabel" else answer.promise.labels or ()
        found = []
        for label, p in zip(answer.labels, answer.p.tolist(), strict=True):
            at = answer.thresholds.get(label.name)
            name, side = without_side(label.name)
            said = f"probability {p:.3f}" + (f", called from {at:.3f} on" if at is not None else "")
            doubts = []
            if label.name in answer.uncalibrated:
                doubts.append(f"the probability of {label.name} is not calibrated")
            if answer.promise and len(held) > 1 and label.name in held:
                doubts.append(f"at {answer.promise.share} it is one of {answer.promise.text}")
            called = label.name in answer.called_names
            finding = Finding(name, "present" if called else "absent", side=side)
            found.append(Statement(finding, said, p=p, doubted="; ".join(doubts), label=label.name))
        return found

    def asks_of(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return that only grades can be asked after as such."""
        return self.asks if values.get("kind") == "ordinal" else self.asks[:1]

    def usual(self, answer: Scores) -> str:
        """Return the mean grade where grades are called as such, else the label."""
        return graded.MEAN if answer.decision else self.asks[0]

    def ask(self, answer: Scores, of: str, which: str | None) -> Ask:
        """Return a label, by default the likeliest; of grades also a cut between them, or their mean."""
        if of in graded.ASKS:
            if not answer.ordered:
                raise DataError(
                    f"'{of}' is asked of grades", found="labels without an order", hint="label=NAME"
                )
            return graded.ask(answer, of, which)
        place = label_place(answer.labels, which, default=int(answer.p.argmax()))
        return Ask(of, place, words=answer.labels[place].name)

    def doubt(self, answer: Scores, samples: Sequence[Scores]) -> Doubt:
        """Return entropies in nats, and the spread of each label's probability; of several labels means over these.

        Where several labels may hold, each is a yes or no of its own.
        """
        p = np.stack([one.p for one in samples])  # (S, K)
        found = binary_entropies(p) if answer.kind == "multilabel" else entropies(p)
        three = {
            "entropy": found.entropy,
            "expected_entropy": found.expected,
            "mutual_information": found.mutual,
        }
        figures = {name: float(np.mean(value)) for name, value in three.items()}
        units = dict.fromkeys(figures, NAT)
        spread = p.std(axis=0, ddof=1)
        return Doubt(
            figures=figures
            | {f"p_{x.name}_sd": float(v) for x, v in zip(answer.labels, spread, strict=True)},
            units=units,
        )

    def strangeness(self, answer: Scores, truth: Any, way: str) -> Mapping[str, float | Array]:
        """Return how strange the true class is; of several labels at once 1 − p of each that is there, by its name.

        Grades that have an order have one way only, as have several labels. Raises DataError for another, or for a
        truth that the answer does not list.
        """
        names = [x.name for x in answer.labels]
        many = answer.kind == "multilabel"
        if lost := sorted(set(truth if many else [truth]) - set(names)):
            raise DataError(
                "the truth is no label of the answer", found=listed(lost, 3), hint=listed(names, 8)
            )
        if many:
            _assert_usual(way, "several labels at once have a threshold each")
            return {name: float(1 - answer.p[names.index(name)]) for name in truth}
        return {"": float(_strange(answer, way)[names.index(truth)])}

    def promised(self, answer: Scores, limits: Limits) -> Scores:
        """Return the answer with the set that holds the true class, or each label that is there."""
        names = [x.name for x in answer.labels]
        if answer.kind == "multilabel":
            held = [n for n, p in zip(names, answer.p, strict=True) if 1 - p <= limits.of(n)]
            unknown = [n for n in names if math.isinf(limits.of(n))]
            says = f"of the cases that show a finding the set holds it in at least {limits.share}, finding by finding"
            least = limits.least(names)
        else:
            usual = answer.called if answer.ordered else int(answer.p.argmax())
            places = sets.held(_strange(answer, limits.way), limits.of(), usual)
            held = [names[k] for k in sorted({*places, answer.called})]  # nobody is told 'a', of b alone
            what = "grades hold the true one" if answer.decision else "set holds the true class"
            says = f"the {what} in at least {limits.share} cases"
            unknown, least = ([""] if math.isinf(limits.of()) else []), limits.least()
        remarks = limits.remarks
        if unknown:
            of = "" if unknown == [""] else f" with {listed(unknown, 4)}"
            few = counted(min(limits.n.get(n, 0) for n in unknown), "calibration case")
            remarks = (*remarks, f"too few calibration cases{of} ({few}): nothing is left out")
        made = Promise(
            limits.coverage,
            f"{says} like those of the calibration",
            labels=tuple(held),
            group=limits.group,
            n=least,
            remarks=remarks,
        )
        return replace(answer, promise=made)

    def changed(self, earlier: Scores, later: Scores, between: Between) -> Changed:
        """Return how much each probability changed, which label is called at each visit, and what promises tell.

        How far a probability is off is not known of one case, so that only opinions say within which bounds it changed.
        """
        before = {x.name: float(p) for x, p in zip(earlier.labels, earlier.p, strict=True)}
        growths = []
        for label, p in zip(later.labels, later.p, strict=True):
            if label.name not in before:
                continue
            one, two = before[label.name], float(p)
            known = () if between.same else (by_doubts(f"p_{label.name}_sd", one, two, (earlier, later)),)
            reach, others = first_known(known)
            growths.append(
                Growth(
                    label.name, "probability", None, one, two, reach, others, same=between.same, sizes=False,
                    ratio=False,
                )
            )  # fmt: skip
        words = [("called", _said(earlier), _said(later))]
        notes = []
        if any(g.reach is None for g in growths) and not between.same:
            notes.append(
                "nothing says how far a probability of one patient is off: by how much it changed is what the model "
                "says, not what can be told"
            )
        if earlier.promise is not None and later.promise is not None and not between.same:
            words.append(("promised set", earlier.promise.text, later.promise.text))
            notes += _told_apart(earlier, later)
        return Changed(tuple(growths), words=tuple(words), notes=tuple(notes))

    def kept(self, answer: Scores, truth: Any) -> Kept | None:
        """Return whether the set holds the true class, or each label that is there, and how many labels it has."""
        if answer.promise is None or answer.promise.labels is None:
            return None
        held = answer.promise.labels
        found = {name: float(name in held) for name in truth} if answer.kind == "multilabel" else None
        return Kept({"": float(truth in held)} if found is None else found, len(held))

    def sure(self, answer: Scores) -> float:
        """Return the probability of what is called; of several labels at once its mean over them."""
        p = np.asarray(answer.p, dtype=np.float64)
        if answer.kind == "multilabel":
            called = p >= np.array([answer.thresholds.get(x.name, 0.5) for x in answer.labels])
            return float(np.where(called, p, 1 - p).mean())
        return float(p[answer.called])

    def unsure(self, answer: Scores, by: str) -> float:
        """Return the entropy of the probabilities, or 1 less the margin between the two largest."""
        several = answer.kind == "multilabel"
        return unsure.of_probabilities(np.asarray(answer.p), by, several=several)

    def wrong(self, answer: Scores, truth: Any) -> bool | None:
        """Return whether another class is called than the true one; None of several labels at once."""
        return None if answer.kind == "multilabel" else answer.labels[answer.called].name != truth

    def sureness(self, rows: Rows) -> Array:
        """Return the probability of what is called; of several labels at once its mean over them."""
        p, called = rows["p"], rows["decided"]
        if rows.info["kind"] != "multilabel":
            return np.asarray(p[np.arange(len(p)), called])
        return np.asarray(np.where(called == 1, p, 1 - p).mean(axis=1))

    def losses(self, rows: Rows) -> Array:
        """Return whether the call is wrong; of several labels at once the share of wrong ones of those known."""
        y, called = rows["y"], rows["decided"]
        if rows.info["kind"] != "multilabel":
            return np.asarray(called != y, dtype=np.float64)
        known = np.maximum((y >= 0).sum(axis=1), 1)
        return np.asarray(((y >= 0) & ((y == 1) != (called == 1))).sum(axis=1) / known)

    def opinion(self, answer: Scores) -> str | None:
        """Return the label that is called, of labels that exclude one another."""
        return None if answer.kind == "multilabel" else answer.labels[answer.called].name

    def likeness(self, one: Any, other: Any) -> float:
        """Return 1 where both call the same label, else 0."""
        return float(one == other)

    def rate(self, answer: Scores, truth: Any, measured: Any) -> tuple[float, str]:
        """Return the probability of what is so, of several labels its mean over them; of grades how near it is."""
        if answer.ordered:
            return graded.rate(answer, truth)
        if isinstance(truth, str):
            names = [x.name for x in answer.labels]
            sure = float(answer.p[names.index(truth)]) if truth in names else float("nan")
            return sure, f"{truth}: {sure:.2f}"
        right = [
            p if label.name in truth else 1 - p for p, label in zip(answer.p, answer.labels, strict=True)
        ]
        sure = float(np.mean(right))
        return sure, f"{listed(truth) or 'none of them'}: {sure:.2f} on average"

    def curves(self, rows: Rows) -> dict[str, Any]:
        """Return ROC, precision-recall and calibration by label, and the confusion matrix of exclusive labels.

        Of grades the curves are of each cut between them.
        """
        y, labels, many = rows["y"], rows.info["labels"], rows.info["kind"] == "multilabel"
        found: dict[str, Any] = {"roc": {}, "precision_recall": {}, "calibration": {}}
        for label, so, chance, _ in self.questions(rows):
            known = so >= 0
            truth, chance = so[known] == 1, chance[known]
            if truth.any() and not truth.all():
                false, hit, _ = judge.roc(truth, chance)
                recall, precision, _ = judge.precision_recall(truth, chance)
                found["roc"][label] = {"x": _thin(false), "y": _thin(hit)}
                found["precision_recall"][label] = {
                    "x": _thin(recall),
                    "y": _thin(precision),
                    "share": float(truth.mean()),
                }
            sure, share, n = judge.calibration_curve(truth, chance, bins=10)
            found["calibration"][label] = {"x": _rounded(sure), "y": _rounded(share), "n": n.tolist()}
        if not many:
            found["confusion"] = judge.confusion(y, rows["decided"], len(labels)).tolist()
        return found

    def case(self, rows: Rows, index: int) -> dict[str, Any]:
        """Return one case's true labels, the labels that the answer decides for, and its probabilities by label."""
        labels, y, called = rows.info["labels"], rows["y"][index], rows["decided"][index]
        one: dict[str, Any] = {}
        if rows.info["kind"] == "multilabel":
            one["truth"] = [name for name, bit in zip(labels, y, strict=True) if bit == 1]
            one["called"] = [name for name, bit in zip(labels, called, strict=True) if bit == 1]
        else:
            one["truth"], one["called"] = labels[y], labels[called]
        if rows.info["kind"] == "ordinal":
            one["off"] = int(called - y)  # in grades, above 0 where the call is too high
        one["p"] = {name: float(v) for name, v in zip(labels, rows["p"][index], strict=True)}
        return one

    def each(self, rows: Rows) -> Array:
        """Return the probability of what is so, of several labels its mean over those known; of grades how near it."""
        p, y = rows["p"], rows["y"]
        if rows.info["kind"] == "ordinal":
            return graded.closeness(p, y)
        if rows.info["kind"] != "multilabel":
            return np.asarray(p[np.arange(len(p)), y])
        right = np.where(y == 1, p, 1 - p)
        known = np.maximum((y >= 0).sum(axis=1), 1)
        return np.asarray(np.where(y >= 0, right, 0.0).sum(axis=1) / known)

    def strata(self, rows: Rows) -> Array | None:
        """Return the true class; of several labels at once nothing is held fixed."""
        return None if rows.info["kind"] == "multilabel" else rows["y"]

    def again(self, card: Scorecard) -> Rows | None:
        """Return the probabilities and the truths; None where a truth was not known in part, which cases do not say."""
        if any(name.startswith("unknown/") for name in card.excluded) or not card.cases:
            return None
        labels, many = list(card.labels), isinstance(card.cases[0].get("truth"), list | tuple)
        p = np.array([[case["p"][name] for name in labels] for case in card.cases])
        truths = [case["truth"] for case in card.cases]
        bits = [[int(name in truth) for name in labels] for truth in truths]
        made = judge.from_arrays(
            p,
            np.array(bits if many else [labels.index(truth) for truth in truths]),
            labels=labels,
            kind="multilabel" if many else "ordinal" if graded.is_of_grades(card) else "exclusive",
            positive=card.positive,
            thresholds=card.thresholds,
            case_ids=[case["case"] for case in card.cases],
        )
        if not all("called" in case for case in card.cases):
            return made
        said = [case["called"] for case in card.cases]  # by thresholds that may be those of the case's group
        hot = [[int(name in one) for name in labels] for one in said]
        called = np.array(hot if many else [labels.index(one) for one in said])
        return replace(made, columns={**made.columns, "decided": called})

    def alike(self, first: Rows, second: Rows) -> tuple[Rows, Rows, str]:
        """Return both as grades where one of the two knows the order of the labels, with a note of it."""
        return graded.alike(first, second)

    def facts(self, card: Scorecard) -> list[tuple[str, str]]:
        """Return how probabilities were calibrated, what is called, and what a threshold reached on validation."""
        said = card.clinical.get("calibration")
        found = [("calibration", str(said))] if said else []
        if card.thresholds:
            nice, reached = called_by(card.labels), card.clinical.get("reached", {})
            return found + [
                (f"operating point for {nice.get(label, label)}", operating.in_words(one))
                for label, one in reached.items()
            ]
        if card.clinical.get("own_thresholds"):
            return [
                *found,
                (
                    "what is called",
                    "from the threshold of each case's group of patients, fixed on validation data",
                ),
            ]
        many = any(name.startswith("exact_match") for name in card.metrics)
        rule = "each label from a probability of 0.5" if many else "the most probable class"
        return [*found, ("what is called", card.clinical.get("rule", rule))]

    def clinical(self, rows: Rows, judged: Judged, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the rates of each call, the rates where one of them is kept, and the decision curve, by label.

        And how they were calibrated, where by more than a temperature, and what the rule of a threshold with a number
        reached on the cases that it was chosen on.
        """
        said = calibration_in_words(fixed)
        own = bool(rows.info.get("own_thresholds"))
        rule = graded.DECISIONS[rows.info.get("decision")] if rows.info["kind"] == "ordinal" else None
        beside = {
            "reached": fixed.get("reached"),
            "calibration": said,
            "own_thresholds": own,
            "rule": rule,
        }
        kept = calls.kept_of(self.questions(rows), judged, fixed)
        return kept | {name: value for name, value in beside.items() if value}

    def questions(self, rows: Rows) -> list[calls.Question]:
        """Return what is asked after each label: its name, what is so (1, 0, or -1), its probability, what was called.

        Of two exclusive labels only the positive one is asked after, of grades whether they reach each but the lowest.
        """
        if rows.info["kind"] == "ordinal":
            return [calls.Question(*one) for one in graded.questions(rows)]
        p, y, called, labels = rows["p"], rows["y"], rows["decided"], rows.info["labels"]
        many = rows.info["kind"] == "multilabel"
        places = [
            k for k, label in enumerate(labels) if many or len(labels) != 2 or label == rows.info["positive"]
        ]
        return [
            calls.Question(
                labels[k],
                y[:, k] if many else np.equal(y, k).astype(np.int64),
                p[:, k],
                (called[:, k] if many else np.equal(called, k)).astype(np.float64),
            )
            for k in places
        ]

    def clinic(self, card: Scorecard) -> list[Panel]:
        """Return what a call means at a prevalence, the rates where one of them is kept, and the decision curve."""
        return calls.panels(card)

    def case_table(self, card: Scorecard) -> Table | None:
        """Return what is so, what was called and how sure, the most mistaken first."""
        if not card.cases or "p" not in card.cases[0]:
            return None
        told = card.positive if card.positive in card.labels else None
        nice = called_by(card.labels)
        heads = ("case", "truth", "called", "result", f"p({nice[told]})" if told else "p(called)", "p(truth)")
        rows = [_case_row(case, told, nice) for case in card.cases]
        worst = [
            (min(row[3].number or 0.0, 0.0), row[5].number or 0.0) for row in rows
        ]  # by grades off, then p(truth)
        rows = [row for _, row in sorted(zip(worst, rows, strict=True), key=lambda pair: pair[0])]
        return Table("All cases", heads, rows)

    def figures(self, card: Scorecard) -> list[Figure]:
        """Return the confusion matrix and the curves."""
        curves, found = card.curves, []
        if curves.get("confusion"):
            svg = draw.confusion(curves["confusion"], card.labels)
            found.append(Figure("Confusion matrix", svg, "A row a true label, a column a called one."))
        scored = graded.of_cuts(card) if graded.is_of_grades(card) else card.metrics
        if curves.get("roc"):
            found.append(Figure("ROC", draw.roc(curves["roc"], scored), "Dashed: chance."))
        if curves.get("precision_recall"):
            svg = draw.precision_recall(curves["precision_recall"], scored)
            found.append(Figure("Precision and recall", svg, "Dotted: calling every case."))
        if curves.get("calibration"):
            many = len(curves["calibration"])
            text = "Ten bins: on the diagonal a probability means what it says. Larger dots hold more cases; bars are "
            text += "95 % intervals (Wilson's, each case by itself)."
            text += f" The first {draw.PANELS} of {many} labels." if many > draw.PANELS else ""
            found.append(Figure("Calibration", draw.calibration(curves["calibration"]), text, wide=many > 1))
        return found

    def foreign(
        self, path: Path, cases: Sequence[Case], target: TargetInfo, *, positive: str | None = None
    ) -> ForeignAnswers:
        """Return the probabilities, or the classes, in a table. Raises DataError where it has neither."""
        return row_answers(path, cases, partial(_scores_of, target=target, positive=positive))


def _strange(answer: Scores, way: str) -> Array:
    """Return how strange each of the labels that exclude one another would be as the truth."""
    if answer.ordered:
        _assert_usual(way, "grades that have an order have one way")
        return sets.in_order(answer.p, answer.called, before=bool(answer.decision))
    return sets.strangeness(answer.p, way or sets.LAC)


def _assert_usual(way: str, why: str) -> None:
    if way not in ("", sets.LAC):
        raise DataError(f"a set cannot be made in the way '{way}' here", found=why, hint="no --way")


def _case_row(case: Mapping[str, Any], told: str | None, nice: Mapping[str, str]) -> tuple[Cell, ...]:
    truth, called, p = case["truth"], case["called"], case["p"]
    several = not isinstance(truth, str)
    right = set(truth) == set(called) if several else truth == called
    names = list(truth) if several else [truth]
    sure = [p[n] if n in names else 1 - p[n] for n in p] if several else [p[truth]]
    first = p[told] if told else max((p[n] for n in ([called] if not several else called)), default=None)
    mean = float(np.mean(sure))
    return (
        Cell(str(case["case"])),
        *(
            Cell(listed([nice.get(n, n) for n in ([one] if isinstance(one, str) else one)]) or "none")
            for one in (truth, called)
        ),
        _result(case, right),
        Cell(figure(first), first),
        Cell(figure(mean), mean),
    )


def _result(case: Mapping[str, Any], right: bool) -> Cell:
    """Return whether a call is right; of grades how far it is off, too."""
    if right:
        return Cell("right", 1.0)
    off = case.get("off")
    return Cell("wrong", 0.0, tone="warn") if off is None else Cell(graded.off(off), -abs(off), tone="warn")


def _scores_of(row: Row, *, target: TargetInfo, positive: str | None) -> Scores:
    """Return one row's probabilities: a column a class, one column for the one of two classes, or the class's name."""
    lower, said, table, case = row.columns(), row.answer_column(), row.table, row.case
    several = targets.of(target.kind).several
    names = [x.name for x in target.labels]
    given = {n: lower[k] for n in names for k in (f"p_{n}".lower(), n.lower()) if k in lower}
    p: Array
    if len(given) == len(names):
        p = np.array([row.number(given[n]) for n in names])
    elif len(names) == 2 and len(given) == 1:
        name, column = next(iter(given.items()))
        one = row.number(column)
        p = np.array([one if n == name else 1 - one for n in names])
    elif said is not None:
        if not (row.cells[said] or "").strip():
            raise DataError(f"{table}: case {case} has no answer", found=f"an empty cell in '{said}'")
        called = _classes_of(str(row.cells[said]), names, several=several)
        p = np.array([float(n in called) for n in names])
    else:
        raise DataError(
            f"{table} has neither probabilities nor classes",
            found=", ".join(row.cells),
            hint=f"a column 'p_{names[0]}' for each class, or one called 'answer'",
        )
    if (p < -1e-6).any() or (p > 1 + 1e-6).any():
        raise DataError(f"{table}: case {case} has probabilities outside 0 to 1", found=str(p.tolist()))
    if not several and p.sum() > 0:
        p = p / p.sum()
    made = Scores(
        labels=target.labels,
        p=p,
        kind="multilabel" if several else "ordinal" if targets.of(target.kind).ordered else "exclusive",
        positive=positive,
        case_id=case,
    )
    return made if said is None or not given else graded.decided(made, str(row.cells[said] or "").strip())


def _classes_of(text: str, names: Sequence[str], *, several: bool) -> set[str]:
    """Return the classes that a cell names: one, or several between bars or semicolons, of which 'none' is none."""
    if not several:
        return {_class_of(text, names)}
    words = [w.strip() for w in re.split(r"[|;]", text) if w.strip()]
    if len(words) == 1 and words[0].casefold() == "none" and words[0] not in names:
        return set()
    return {_class_of(w, names) for w in words}


def _class_of(word: str, names: Sequence[str]) -> str:
    """Return the class that a word names; another case or blanks around it do no harm where only one can be meant."""
    if word in names:
        return word
    alike = [n for n in names if n.strip().casefold() == word.strip().casefold()]
    if len(alike) != 1:
        raise UnknownName("class", word, names)
    return alike[0]


def _thin(values: Array) -> list[float]:
    """At most POINTS of them, ends included."""
    if len(values) > POINTS:
        values = values[np.linspace(0, len(values) - 1, POINTS).round().astype(int)]
    return _rounded(values)


def _rounded(values: Array) -> list[float]:
    return [round(float(v), 5) for v in values]


def _said(answer: Scores) -> str:
    """Return what is called, in words."""
    if answer.kind != "multilabel":
        return answer.labels[answer.called].name
    limits = answer.thresholds
    return (
        listed(x.name for x, p in zip(answer.labels, answer.p, strict=True) if p >= limits.get(x.name, 0.5))
        or "none"
    )


def _told_apart(earlier: Scores, later: Scores) -> list[str]:
    """Return whether the sets that are promised at both visits say that the class is another one."""
    one, two = earlier.promise, later.promise
    if later.kind == "multilabel" or one is None or two is None or one.labels is None or two.labels is None:
        return []
    share = 100 * max(0.0, 1 - (1 - one.coverage) - (1 - two.coverage))
    if set(one.labels) & set(two.labels):
        return ["the promised sets have a class in common: no change of class that could be told"]
    return [
        f"the promised sets have no class in common: the class changed, sure in {share:g} % of such pairs at least"
    ]


HANDLING = ScoresHandling()
