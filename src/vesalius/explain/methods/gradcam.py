"""Class-activation maps: the network's own last map, each channel weighed by how the answer follows it."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.explain.contract import Attribution, Method, Setting, networks
from vesalius.explain.question import Question

NAMES = {
    "gradcam": "The last map of the network, each channel weighed by its mean gradient",
    "gradcam-plus": "The same, where each place counts by how its gradient curves (Grad-CAM++)",
}
SOURCE = (
    "Selvaraju et al.: Grad-CAM, ICCV 2017, arXiv:1610.02391; "
    "Chattopadhyay et al.: Grad-CAM++, WACV 2018, arXiv:1710.11063"
)


class GradCam(Method):
    """One pass forward and one back a member; what speaks against the answer is left out."""

    signed = False
    samples = 1
    needs = "cam_map"

    def __init__(self, weigh: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.weigh = weigh

    def refuses(self, question: Question) -> str | None:
        """Return why not: a network without a map, with one of a single place, or with one that is not read."""
        if not all(self.suits(question.eye(model)) for model in question.models):
            return "the model has no network with a map to weigh"
        with torch.enable_grad():
            found, answer, _ = _map_and_answer(question, question.models[0])
            (slope,) = torch.autograd.grad(answer.sum(), found, allow_unused=True)
        if slope is None:
            return "the answer is read from earlier maps than the one that is weighed; ask for pieces"
        if math.prod(found.shape[2:]) == 1:
            return "the map that its answer is read from has one place alone; ask for rollout, or for pieces"
        return None

    def attribute(self, question: Question, setting: Setting) -> Attribution:
        """Return the weighed map, brought to the image's grid, as the mean over the members."""
        fields = []
        for model in question.models:
            with torch.enable_grad():
                found, answer, row = _map_and_answer(question, model)
                (slope,) = torch.autograd.grad(answer.sum(), found)
            found, slope = _of_step(found.detach(), slope, question, model, row)
            weights = self.weigh(found, slope)
            weighed = torch.relu((weights * found).sum(dim=1, keepdim=True))
            weighed = weighed.mean(dim=0, keepdim=True)  # over frames, where the network sees each by itself
            net = networks(question.eye(model), "cam_map")[0]
            fields.append(_onto(weighed, question.image.shape[1:], net))
        return Attribution(torch.stack(fields).mean(dim=0).cpu().numpy())


def mean_slope(found: Tensor, slope: Tensor) -> Tensor:
    """Return the weights of Grad-CAM, `(B, C, 1, …)`: the mean gradient of each channel."""
    return slope.flatten(2).mean(dim=2).reshape(*slope.shape[:2], *(1,) * (slope.ndim - 2))


def curved_slope(found: Tensor, slope: Tensor) -> Tensor:
    """Return the weights of Grad-CAM++, `(B, C, 1, …)`, for an answer that is the exponential of the logit."""
    total = found.flatten(2).sum(dim=2).reshape(*found.shape[:2], *(1,) * (found.ndim - 2))
    below = 2 * slope**2 + total * slope**3
    alpha = slope**2 / torch.where(below.abs() > 1e-12, below, torch.ones_like(below))
    weights = (alpha * torch.relu(slope)).flatten(2).sum(dim=2)
    return weights.reshape(*found.shape[:2], *(1,) * (found.ndim - 2))


def _map_and_answer(question: Question, model: nn.Module) -> tuple[Tensor, Tensor, int | None]:
    """Return the map that a model's answer is read from, the answer to the image as it is, and the image's row in it.

    The row is None where the map is of the image alone.
    """
    net, caught = networks(question.eye(model), "cam_map")[0], []

    def catch(module: nn.Module, given: Any, output: Any) -> None:
        caught.append(module.cam_map(output))  # type: ignore[operator]

    with ExitStack() as stack:
        stack.callback(net.register_forward_hook(catch).remove)
        image = question.image[None].clone().requires_grad_(True)
        answer = question.one(model, image)
    row = question.row(model)
    for found in caught:  # an eye may look at many frames in several turns
        if row is None or row < len(found) or found is caught[-1]:
            return found, answer, row
        row -= len(found)
    return caught[0], answer, row


def _of_step(
    found: Tensor, slope: Tensor, question: Question, model: nn.Module, row: int | None
) -> tuple[Tensor, Tensor]:
    """Return of the maps of all frames, `(B, C, …)`, and their slopes that of the one that is asked about.

    An eye that sees all frames at once has maps `(1, C, T', …)`: the one at the frame's time is taken.
    """
    if row is None or question.seen is None:
        return found, slope
    if getattr(question.eye(model), "role", "") == "cine":
        steps = question.example.images[question.seen.source].shape[0]
        at = (question.seen.step or 0) * found.shape[2] // steps
        return found[:, :, at], slope[:, :, at]
    return found[row : row + 1], slope[row : row + 1]


def _onto(found: Tensor, shape: torch.Size, net: Any) -> Tensor:
    """Return a map `(1, 1, …)` on the grid `(Z, Y, X)`: place i of a map of stride s covers voxels [i·s, (i+1)·s)."""
    if found.ndim == 4:
        found = found[:, :, None]
    spatial = found.shape[2:]
    strides = [max(1, math.ceil(n / m)) for n, m in zip(shape, spatial, strict=True)]
    own = next((s for s, c in zip(net.strides, net.channels, strict=True) if _fits(s, spatial, shape)), None)
    if own is not None:
        strides = [1] * (3 - len(own)) + list(own)
    full = [m * s for m, s in zip(spatial, strides, strict=True)]
    grown = F.interpolate(found, size=full, mode="trilinear", align_corners=False)
    z, y, x = shape
    return grown[0, 0, :z, :y, :x]


def _fits(stride: tuple[int, ...], spatial: torch.Size, shape: torch.Size) -> bool:
    """Return whether a map of that stride has so many places for an image of that shape."""
    axes = list(zip(stride, spatial[-len(stride) :], shape[-len(stride) :], strict=True))
    return all(m == math.ceil(n / s) for s, m, n in axes)


METHODS = {"gradcam": GradCam(mean_slope), "gradcam-plus": GradCam(curved_slope)}
