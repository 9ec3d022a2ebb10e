"""Sources: the fair share of each source of a case in the answer, by asking about every choice of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from vesalius.core.image import Array
from vesalius.explain.contract import PartMethod, PartSetting
from vesalius.explain.methods.shap import coalitions, shares
from vesalius.explain.part_measures import by_chance, fault, gain, toward
from vesalius.explain.parts import Bars, PartQuestion

NAMES = {"sources": "What each source of a case (image, visits, course, covariates, text) adds to the answer"}
SOURCE = "Shapley: A Value for n-Person Games, 1953; Lundberg and Lee, NeurIPS 2017, arXiv:1705.07874"
EXACT = 8  # sources up to which every choice of them is asked about
ORDERS = 50  # random orders that stand for chance; they cost no pass where every choice is known


class SourceShares(PartMethod):
    """Shapley values of the sources: exact of up to 8, which takes 2^S passes, of more from drawn coalitions.

    A source is left out as in training with missing ones. The values add up to what the answer is beyond that of a
    case about which nothing is known.
    """

    samples = 200

    def refuses(self, question: PartQuestion) -> str | None:
        """Return why not: the model sees one image, or the case has one source alone."""
        if not question.all:
            return "the model sees one image, and no several sources"
        if len(question.names) < 2:
            return f"the case has one source alone, {question.names[0]}" if question.names else "it has none"
        return None

    def attribute(self, question: PartQuestion, setting: PartSetting) -> tuple[Bars, ...]:
        """Return a bar a source."""
        answers, n = Asked(question), len(question.names)
        if n <= EXACT:
            values = exact(answers, n)
        else:
            kept = coalitions(n, max(setting.samples or self.samples, 2 * n), setting.random())
            ends = answers(np.stack([np.ones(n, bool), np.zeros(n, bool)]))
            values = shares(kept, answers(kept), whole=float(ends[0]), nothing=float(ends[1]))
        figures = {"passes": float(question.passes)}
        if setting.check != "none":
            figures |= gain(answers, toward(values, answers))
            orders = ORDERS if n <= EXACT else 3
            figures["gain_by_chance"] = by_chance(answers, n, seed=setting.seed, times=orders)
            figures["passes"] = float(question.passes)
        return (
            Bars(
                "",
                question.names,
                values,
                question.weights_of(),
                figures=figures,
                fails=fault(figures, values, "source") if setting.check != "none" else None,
            ),
        )


class Asked:
    """What the models say of each choice of sources; each is asked about once."""

    def __init__(self, question: PartQuestion) -> None:
        self.question = question
        self._known: dict[bytes, float] = {}

    def __call__(self, kept: Array) -> Array:
        """Return the answers to rows `(n, S)` of bits, `(n,)`."""
        rows = {row.tobytes(): row for row in np.asarray(kept, bool)}
        new = [row for key, row in rows.items() if key not in self._known]
        names = self.question.names
        found = self.question.each(
            [{s: np.array(True) for s, k in zip(names, row, strict=True) if not k} for row in new]
        )
        self._known |= {row.tobytes(): float(x) for row, x in zip(new, found, strict=True)}
        return np.array([self._known[row.tobytes()] for row in np.asarray(kept, bool)])


def exact(answers: Callable[[Array], Array], n: int) -> Array:
    """Return the Shapley values `(n,)`: what each adds, as the mean over all orders in which they may come."""
    rows = np.array(list(itertools.product((False, True), repeat=n)))
    said = dict(zip(map(bytes, rows.astype(np.uint8)), answers(rows), strict=True))
    values = np.zeros(n)
    for row in rows:
        size = int(row.sum())
        for k in np.flatnonzero(~row):
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            more = row.copy()
            more[k] = True
            values[k] += weight * (said[bytes(more.astype(np.uint8))] - said[bytes(row.astype(np.uint8))])
    return values


METHOD = SourceShares()
