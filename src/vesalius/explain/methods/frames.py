"""Frames: what the answer loses without each frame, visit, image or row of a source, beside the model's attention."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vesalius.core.image import Array
from vesalius.explain import faithful
from vesalius.explain.contract import PartMethod, PartSetting
from vesalius.explain.methods.occlusion import blocks
from vesalius.explain.part_measures import by_chance, fault, gain, of_the_middle, toward
from vesalius.explain.parts import Bars, PartQuestion

NAMES = {"frames": "What the answer loses without each frame, visit or row, beside the model's own attention"}
SOURCE = "Zeiler and Fergus: Visualizing and Understanding Convolutional Networks, ECCV 2014, arXiv:1311.2901"


class Frames(PartMethod):
    """Occlusion over time: steps are left out one by one, or in stretches that overlap by half where there are many."""

    samples = 32

    def refuses(self, question: PartQuestion) -> str | None:
        """Return why not: no source of the case has several steps."""
        if not question.all:
            return "the model sees one image, without frames, visits or rows"
        return None if question.steps else "no source of the case has several frames, visits or rows"

    def attribute(self, question: PartQuestion, setting: PartSetting) -> tuple[Bars, ...]:
        """Return the bars of each source that has several steps."""
        return tuple(self._of(source, question, setting) for source in question.steps)

    def _of(self, source: str, question: PartQuestion, setting: PartSetting) -> Bars:
        before = question.passes
        answers = asked(question, source)
        values = losses(question, source, most=setting.samples or self.samples)
        figures: dict[str, float] = {}
        if setting.check != "none":
            n = len(values)
            figures = gain(answers, toward(values, answers))
            figures["gain_by_chance"] = by_chance(answers, n, seed=setting.seed)
            figures["gain_of_the_middle"] = of_the_middle(answers, n)
            figures["same_without_learning"] = _unlearned(source, question, setting, values)
        figures["passes"] = float(question.passes - before)
        return Bars(
            source,
            question.called(source),
            values,
            question.weights_of(source),
            question.times_of(source),
            figures,
            fault(figures, values, "step") if setting.check != "none" else None,
        )


def losses(question: PartQuestion, source: str, *, most: int) -> Array:
    """Return what the answer loses without each step of a source, `(N,)`: the mean of the stretches that hid it."""
    n = question.steps[source]
    stretches = blocks((n,), most)
    kept = np.ones((len(stretches) + 1, n), bool)
    for row, (stretch,) in enumerate(stretches, start=1):
        kept[row, stretch] = False
    said = asked(question, source)(kept)
    total, times = np.zeros(n), np.zeros(n)
    for (stretch,), lost in zip(stretches, said[0] - said[1:], strict=True):
        total[stretch] += lost
        times[stretch] += 1
    return np.asarray(total / np.maximum(times, 1))


def asked(question: PartQuestion, source: str) -> Callable[[Array], Array]:
    """Return what says the answers to rows `(n, N)` of bits of the steps of a source that are kept."""
    return lambda kept: question.each([{source: ~row} if not row.all() else {} for row in kept])


def _unlearned(source: str, question: PartQuestion, setting: PartSetting, values: Array) -> float:
    """Return the mean rank correlation, without its sign, with the bars of models whose weights were shuffled."""
    found = []
    for seed in (1, 2):
        other = question.of(faithful.shuffled(question.members.models, seed))
        theirs = losses(other, source, most=setting.samples or Frames.samples)
        found.append(abs(faithful.alike(values, theirs)))
        question.passes += other.passes
    return float(np.mean(found))


METHOD = Frames()
