"""SHAP: each piece's fair share of the answer, by coalitions of pieces or by gradients from many beginnings."""

from __future__ import annotations

import numpy as np
import torch

from vesalius.core.image import Array
from vesalius.explain.contract import Attribution, Method, Setting
from vesalius.explain.pieces import cut
from vesalius.explain.question import Question
from vesalius.explain.smoothed import Smoothed
from vesalius.explain.stand_in import blurred

NAMES = {
    "shap-kernel": "Shapley values of the image's pieces, from a weighted regression over coalitions",
    "shap-gradient": "Expected gradients: the fair share of each voxel, averaged over several beginnings",
    "shap-gradient-smooth": "The same, each voxel with its neighbours, so that what is noise cancels out",
}
SOURCE = (
    "Lundberg and Lee: A Unified Approach to Interpreting Model Predictions, NeurIPS 2017, arXiv:1705.07874; "
    "Erion et al.: Improving performance of deep learning models with axiomatic attribution priors, 2021, "
    "arXiv:1906.10670"
)


class KernelShap(Method):
    """Coalitions are drawn in pairs, one and its complement; the values add up to the answer's change exactly."""

    sampled = True
    samples = 200

    def attribute(self, question: Question, setting: Setting) -> Attribution:
        """Return the Shapley value of each piece, spread over its voxels."""
        pieces = cut(question, setting.away, about=setting.pieces, spacing_mm=setting.spacing_mm)
        kept = coalitions(pieces.count, max(setting.samples - 2, 2), setting.random())
        ends = np.stack([np.ones(pieces.count, bool), np.zeros(pieces.count, bool)])
        answers = question.each(pieces.changed(np.concatenate([ends, kept])))
        weights = shares(kept, answers[2:], whole=float(answers[0]), nothing=float(answers[1]))
        field, beside = pieces.spread(weights)
        return Attribution(field, beside if len(beside) else None, {"pieces": float(pieces.count)})


def coalitions(count: int, samples: int, random: np.random.Generator) -> Array:
    """Return coalitions `(N, count)` of bits in pairs of complements, with sizes as the Shapley kernel weighs them."""
    sizes = np.arange(1, count)
    if not len(sizes):
        return np.zeros((0, count), dtype=bool)
    odds = 1 / (sizes * (count - sizes))
    rows = []
    for size in random.choice(sizes, size=(samples + 1) // 2, p=odds / odds.sum()):
        row = np.zeros(count, dtype=bool)
        row[random.choice(count, size=size, replace=False)] = True
        rows += [row, ~row]
    return np.stack(rows)[:samples]


def shares(
    kept: Array, answers: Array, *, whole: float, nothing: float, weights: Array | None = None
) -> Array:
    """Return Shapley values `(P,)` that add up to `whole - nothing`, by least squares over drawn coalitions.

    Coalitions that were drawn as the kernel weighs them count alike; `weights` `(N,)` are those of others. What the
    samples leave open is kept small.
    """
    count = kept.shape[1]
    change = whole - nothing
    if count == 1:
        return np.array([change])
    x = kept.astype(np.float64)
    last, rest = x[:, -1], x[:, :-1] - x[:, -1:]
    target = answers - nothing - change * last
    root = np.ones(len(x)) if weights is None else np.sqrt(np.asarray(weights, dtype=np.float64))
    found = np.linalg.lstsq(rest * root[:, None], target * root, rcond=1e-6)[0]
    return np.append(found, change - found.sum())


class GradientShap(Method):
    """Each sample begins at one of three stand-ins (mean, blurred little or much) with noise; it ends at the image."""

    sampled = True
    samples = 100

    def refuses(self, question: Question) -> str | None:
        """Return why no gradients can be followed; None where they can."""
        return question.slopeless

    def attribute(self, question: Question, setting: Setting) -> Attribution:
        """Return the mean, over beginnings and places on the way, of the gradient times what was added."""
        image, beside = question.image, question.covariates
        begins = torch.stack([setting.away, blurred(image, share=0.03), torch.zeros_like(image)])
        random, samples = setting.random(), max(setting.samples, 4)
        total = torch.zeros_like(image, dtype=torch.float64)
        sloped = None if beside is None else torch.zeros_like(beside, dtype=torch.float64)
        noise = 0.1 * float(image.std())
        for first in range(0, samples, question.sloped):
            n = min(question.sloped, samples - first)
            chosen = begins[torch.from_numpy(random.integers(0, len(begins), n))]
            drawn = torch.from_numpy(random.standard_normal((n, *image.shape), dtype=np.float32))
            begin = chosen + noise * drawn.to(image.device)
            share = torch.from_numpy(random.random(n).astype(np.float32)).to(image.device)
            added = image - begin
            images = begin + share.reshape(-1, 1, 1, 1, 1) * added
            slope, beyond = question.slopes(images, None if beside is None else share[:, None] * beside)
            total += (slope * added).sum(dim=0, dtype=torch.float64)
            if sloped is not None and beside is not None and beyond is not None:
                sloped += (beyond * beside).sum(dim=0, dtype=torch.float64)
        values = (total / samples).sum(dim=0).float().cpu().numpy()
        return Attribution(values, None if sloped is None else (sloped / samples).float().cpu().numpy())


METHODS = {
    "shap-kernel": KernelShap(),
    "shap-gradient": GradientShap(),
    "shap-gradient-smooth": Smoothed(GradientShap()),
}
