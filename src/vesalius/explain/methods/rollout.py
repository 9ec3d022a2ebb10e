"""Attention roll-out: how much the class token, through all layers, looked at each patch of the image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.explain.contract import Attribution, Method, Setting, networks
from vesalius.explain.question import Question

NAMES = {"rollout": "What a vision transformer's class token looked at, through all of its layers"}
SOURCE = "Abnar and Zuidema: Quantifying Attention Flow in Transformers, ACL 2020, arXiv:2005.00928"


class Rollout(Method):
    """Half of each layer's flow is the token itself. It is the same whatever is asked: it says where, not for what."""

    signed = False
    samples = 1
    needs = "attention"

    def refuses(self, question: Question) -> str | None:
        """Return why not: only networks that tell their attention, one token a patch and one of the class, have one."""
        if not all(self.suits(question.eye(model)) for model in question.models):
            return "the network has no class token that looks at patches"
        return None

    def attribute(self, question: Question, setting: Setting) -> Attribution:
        """Return the class token's share of each patch, on the image's grid, as the mean over the members."""
        fields = [self._flow(question, model) for model in question.models]
        return Attribution(torch.stack(fields).mean(dim=0).cpu().numpy())

    def _flow(self, question: Question, model: nn.Module) -> Tensor:
        (net, *_) = networks(question.eye(model), "attention")
        with net.attention() as layers, torch.inference_mode():
            question.alone(model)
        flow: Tensor | None = None
        for attention in layers:  # each (B, heads, N, N); B are frames, where the network sees each by itself
            each = attention.mean(dim=1)
            each = 0.5 * each + 0.5 * torch.eye(each.shape[-1], device=each.device)
            flow = each if flow is None else each @ flow
        if flow is None:
            return torch.zeros(question.image.shape[1:])
        patch = [1] * (3 - len(net.strides[0])) + list(net.strides[0])
        grid = [-(-n // p) for n, p in zip(question.image.shape[1:], patch, strict=True)]
        looked = flow.mean(dim=0)[0, 1:].reshape(1, 1, *grid)
        grown = F.interpolate(looked, size=[n * p for n, p in zip(grid, patch, strict=True)], mode="nearest")
        z, y, x = question.image.shape[1:]
        return grown[0, 0, :z, :y, :x]


METHOD = Rollout()
