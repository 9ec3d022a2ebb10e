"""Columns: the fair share of each column of a table, of each covariate, in the answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from vesalius.core.image import Array
from vesalius.explain import faithful
from vesalius.explain.contract import PartMethod, PartSetting
from vesalius.explain.methods.shap import coalitions, shares
from vesalius.explain.methods.sources import EXACT, ORDERS, exact
from vesalius.explain.part_measures import by_chance, fault, gain, toward
from vesalius.explain.parts import Bars, PartQuestion

NAMES = {"columns": "What each column of a table (each covariate) adds to the answer"}
SOURCE = "Shapley: A Value for n-Person Games, 1953; Lundberg and Lee, NeurIPS 2017, arXiv:1705.07874"
COLUMN = "column"


class ColumnShares(PartMethod):
    """Shapley values of the columns: exact of up to 8, which takes 2^C passes, of more from drawn coalitions.

    A column that is left out stands at the mean of the training cases; one of words at none of its words, one that
    training cases lacked as it stands where it is missing. The values add up to what the answer is beyond that of a
    case whose columns are all left out. Images, where there are any, stay as they are.
    """

    samples = 400

    def suits(self, model: nn.Module, columns: Sequence[str] = ()) -> bool:
        """Return whether a model reads several columns."""
        return len(set(columns)) > 1

    def refuses(self, question: PartQuestion) -> str | None:
        """Return why not: the model reads no columns, or one alone."""
        names = question.columns
        if not names:
            return "the model reads no columns beside the image"
        return f"the model reads one column alone, {names[0]}" if len(names) == 1 else None

    def attribute(self, question: PartQuestion, setting: PartSetting) -> tuple[Bars, ...]:
        """Return a bar a column."""
        before = question.passes
        samples = setting.samples or self.samples
        values, answers = of_columns(question, samples, setting.seed), Asked(question)
        figures: dict[str, float] = {}
        if setting.check != "none":
            n = len(values)
            figures = gain(answers, toward(values, answers))
            orders = ORDERS if n <= EXACT else faithful.BY_CHANCE
            figures["gain_by_chance"] = by_chance(answers, n, seed=setting.seed, times=orders)
            figures["same_without_learning"] = _unlearned(question, samples, setting.seed, values)
        figures["passes"] = float(question.passes - before)
        why = fault(figures, values, COLUMN) if setting.check != "none" else None
        return (Bars("", question.columns, values, figures=figures, fails=why, part=COLUMN),)


class Asked:
    """What the models say of each choice of columns; each is asked about once."""

    def __init__(self, question: PartQuestion) -> None:
        self.question = question
        self._known: dict[bytes, float] = {}

    def __call__(self, kept: Array) -> Array:
        """Return the answers to rows `(n, C)` of bits of the columns that are kept, `(n,)`."""
        rows = [row.tobytes() for row in np.asarray(kept, bool)]
        new = {
            key: row for key, row in zip(rows, np.asarray(kept, bool), strict=True) if key not in self._known
        }
        if new:
            said = self.question.with_columns(np.stack(list(new.values())))
            self._known |= dict(zip(new, map(float, said), strict=True))
        return np.array([self._known[key] for key in rows])


def of_columns(question: PartQuestion, samples: int, seed: int) -> Array:
    """Return the Shapley values of the columns, `(C,)`."""
    answers, n = Asked(question), len(question.columns)
    if n <= EXACT:
        return exact(answers, n)
    kept = coalitions(n, max(samples, 2 * n), np.random.default_rng(seed))
    ends = answers(np.stack([np.ones(n, bool), np.zeros(n, bool)]))
    return shares(kept, answers(kept), whole=float(ends[0]), nothing=float(ends[1]))


def _unlearned(question: PartQuestion, samples: int, seed: int, values: Array) -> float:
    """Return the mean rank correlation, without its sign, with the bars of models whose weights were shuffled."""
    found = []
    for shuffle in (1, 2):
        other = question.of(faithful.shuffled(question.members.models, shuffle))
        found.append(abs(faithful.alike(values, of_columns(other, samples, seed))))
        question.passes += other.passes
    return float(np.mean(found))


METHOD = ColumnShares()
