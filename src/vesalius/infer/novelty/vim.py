"""ViM: what of the deepest layer lies outside of the space of training cases, against what the logits say (Wang 2022).

Wang, Li, Feng, Zhang, "ViM: Out-of-distribution with virtual-logit matching", CVPR 2022. Features are centred by their
mean over the training cases, where the paper takes the head's own origin, which a model need not have. Where the raw
output is no logits of classes that exclude one another (masks, numbers, several findings), the residual alone counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vesalius.core.image import Array
from vesalius.infer.novelty.contract import Detector, Seen
from vesalius.infer.novelty.mahalanobis import TINY, scale_of


class Vim(Detector):
    """Half of the deepest layer's features are its space; with few cases, half as many directions as cases."""

    def fit(self, seen: Seen) -> Mapping[str, Array]:
        """Return centre and scale `(D,)`, the directions of the space `(P, D)`, and the weight of the residual."""
        deepest = seen.layers[-1]
        centre, scale = deepest.mean(axis=0), scale_of(deepest)
        x = (deepest - centre) / scale
        _, _, directions = np.linalg.svd(x, full_matrices=False)
        space = directions[: max(1, min(x.shape[1], len(x) - 1) // 2)]
        found = {"centre": centre, "scale": scale, "space": space}
        if seen.logits is not None:
            alpha = seen.logits.max(axis=1).mean() / max(float(residual(x, space).mean()), TINY)
            found["alpha"] = np.array([alpha])
        return found

    def scores(self, fitted: Mapping[str, Array], seen: Seen) -> Array:
        """Return the virtual logit less the energy of the others, or the logarithm of the residual, `(n, 1)`."""
        found = residual((seen.layers[-1] - fitted["centre"]) / fitted["scale"], fitted["space"])
        if "alpha" in fitted and seen.logits is not None:
            found = fitted["alpha"][0] * found - energy(seen.logits)
        else:
            found = np.log(found + TINY)
        return found[:, None]


def residual(x: Array, space: Array) -> Array:
    """Return the length of what lies outside of a space with orthonormal directions `(P, D)`, `(n,)`."""
    found: Array = np.linalg.norm(x - (x @ space.T) @ space, axis=1)
    return found


def energy(logits: Array) -> Array:
    """Return the logarithm of the summed exponentials, `(n,)`: large where a model is sure (Liu 2020)."""
    top = logits.max(axis=1)
    found: Array = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return found


DETECTOR = Vim()
