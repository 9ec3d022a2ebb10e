"""LIME: a straight line through the answers to the image with some of its pieces taken away."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.explain.contract import Attribution, Method, Setting
from vesalius.explain.pieces import cut
from vesalius.explain.question import Question

NAMES = {
    "lime": "A linear model of the answers to the image with pieces taken away, the likest images counting most"
}
SOURCE = "Ribeiro et al.: Why Should I Trust You?, KDD 2016, arXiv:1602.04938"
WIDTH = 0.25  # of the kernel, in cosine distance, as in the authors' package for images
RIDGE = 1.0  # as there


class Lime(Method):
    """Every piece is kept with even odds; the first sample is the image itself."""

    sampled = True
    samples = 200

    def attribute(self, question: Question, setting: Setting) -> Attribution:
        """Return the weight of each piece in the linear model; `r2` says how well that follows the answers."""
        pieces = cut(question, setting.away, about=setting.pieces, spacing_mm=setting.spacing_mm)
        kept = setting.random().integers(0, 2, (max(setting.samples, 2), pieces.count)).astype(bool)
        kept[0] = True
        answers = question.each(pieces.changed(kept))
        weights, r2 = line(kept, answers)
        field, beside = pieces.spread(weights)
        return Attribution(field, beside if len(beside) else None, {"r2": r2, "pieces": float(pieces.count)})


def line(kept: Array, answers: Array) -> tuple[Array, float]:
    """Return the weights `(P,)` of a ridge regression of `answers` `(N,)` on `kept` `(N, P)`, and its weighted R².

    Samples weigh by an exponential kernel of their cosine distance from the whole image.
    """
    x = np.asarray(kept, dtype=np.float64)
    cosine = x.sum(axis=1) / (np.sqrt((x**2).sum(axis=1)) * np.sqrt(x.shape[1]) + 1e-12)
    weight = np.sqrt(np.exp(-((1 - cosine) ** 2) / WIDTH**2))
    middle, mean = np.average(x, axis=0, weights=weight), np.average(answers, weights=weight)
    centred, target = x - middle, answers - mean
    gram = (centred * weight[:, None]).T @ centred + RIDGE * np.eye(x.shape[1])
    found: Array = np.linalg.solve(gram, (centred * weight[:, None]).T @ target)
    left = np.sum(weight * (target - centred @ found) ** 2)
    spread = np.sum(weight * target**2)
    return found, float(1 - left / spread) if spread > 0 else float("nan")


METHOD = Lime()
