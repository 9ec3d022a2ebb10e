"""Variance, invariance, covariance: two views alike, and no feature idle or told twice (VICReg)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.errors import PlanError
from vesalius.core.plan import Plan, Section
from vesalius.learn.pretext import Pretext, Views
from vesalius.learn.recipes.contract import Member
from vesalius.learn.seeing import features, perceptron, width_of
from vesalius.nets import Net

NAMES = {"vicreg": "Two views alike while no feature is idle or told twice; no target"}
SOURCE = "Bardes, Ponce, LeCun: VICReg, ICLR 2022, arXiv:2105.04906"


class VICRegOptions(Section):
    """The options of `vicreg`: the weights of its three terms, and the sizes of what projects the features."""

    invariance: float = Field(25.0, ge=0)
    variance: float = Field(25.0, ge=0)
    covariance: float = Field(1.0, ge=0)
    width: int = Field(256, ge=2)
    hidden: int = Field(256, ge=1)


class VICReg(Pretext):
    """Both views go through one net; the three terms are about their projections."""

    Options = VICRegOptions

    def __init__(self, given: Member, options: VICRegOptions) -> None:
        self.options = options
        if given.plan.train.batch < 2:
            raise PlanError(
                "recipe 'vicreg' looks at how features vary over a batch",
                found="train.batch=1",
                hint="--set train.batch=16",
            )
        super().__init__(given, options)

    def head_of(self, net: Net, plan: Plan) -> nn.Module:
        """Return the projection."""
        o = self.options
        return perceptron((width_of(net, plan), o.hidden, o.hidden, o.width))

    def embedded(self, net: Net, x: Tensor) -> Tensor:
        """Return the projections over the root of their number, so that deviations of 1 add up to 1."""
        found: Tensor = self.heads(features(net, x)) / self.options.width**0.5
        return found

    def terms(self, net: Net, seen: Views) -> dict[str, Tensor]:
        """Return the three terms, each times its weight."""
        one, other = self.heads(features(net, torch.cat(seen.views))).float().chunk(2)
        o, found = self.options, vicreg(one, other)
        weight = {"invariance": o.invariance, "variance": o.variance, "covariance": o.covariance}
        return {name: weight[name] * value for name, value in found.items()}


def vicreg(one: Tensor, other: Tensor) -> dict[str, Tensor]:
    """Return the three terms of two views' projections `(N, D)`, N > 1, by name.

    `invariance` is their mean squared difference; `variance` how far the standard deviation of each feature over the
    batch lies below 1, the mean over features and views; `covariance` the sum of squares of the covariances of
    different features over D, the sum over views.
    """
    deviations = [torch.sqrt(z.var(dim=0) + 1e-4) for z in (one, other)]
    return {
        "invariance": F.mse_loss(one, other),
        "variance": torch.stack([F.relu(1 - d).mean() for d in deviations]).mean(),
        "covariance": _apart(one) + _apart(other),
    }


def _apart(z: Tensor) -> Tensor:
    centred = z - z.mean(dim=0)
    covariance = centred.T @ centred / (len(z) - 1)
    squared = covariance.pow(2)
    return (squared.sum() - squared.diagonal().sum()) / z.shape[1]


RECIPE = VICReg
