"""Monte-Carlo dropout: the same net with other parts dropped each time (Gal and Ghahramani 2016)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.core.seeds import seed_of
from vesalius.infer.opinions.contract import Opinion, Way
from vesalius.infer.runs.contract import Members

SAMPLES = 20
MOST = 1000
WHOLE_MAPS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)  # drop whole channels
LAYERS = (nn.Dropout, *WHOLE_MAPS)


class MonteCarloDropout(Way):
    """Each opinion is one member's, with its dropout layers at work and all else as in an answer.

    Batch normalisation keeps its statistics. Members take turns, so that of an ensemble the opinions differ by its
    members and by what is dropped, of one member by the latter alone. There are no mirror images.
    """

    def refuses(self, members: Members) -> PlanError | None:
        """Return that a net without dropout layers drops nothing."""
        if all(any(map(_drops, model.modules())) for model in members.models):
            return None
        return PlanError(
            "the net has no dropout layer that could be at work",
            found=f"net.dropout={members.plan.net.dropout:g} of {members.plan.net.name}",
            hint="a bundle of fit --set net.dropout=0.2, or --doubt members or mirror",
        )

    def opinions(self, members: Members, *, samples: int | None) -> Sequence[Opinion]:
        """Return that many opinions, by default 20."""
        many = SAMPLES if samples is None else samples
        if not 2 <= many <= MOST:
            raise PlanError(
                "--samples must be a number that says something", found=str(many), hint=f"2 to {MOST}"
            )
        plain = replace(members, view=())
        made = []
        for k in range(many):
            draws = Draws()
            model = dropping(members.models[k % len(members.models)], draws)
            made.append(Opinion(replace(plain, models=(model,)), partial(draws.begin, place=k)))
        return made


@dataclass(eq=False)
class Draws:
    """What one opinion draws its dropped parts from: a generator of its own, on the processor."""

    generator: torch.Generator = field(default_factory=lambda: torch.Generator(device="cpu"))

    def begin(self, seed: int, *, place: int) -> None:
        """Begin anew, for a case's seed and the opinion's place."""
        self.generator.manual_seed(seed_of("dropout", seed, place))


class Dropping(nn.Module):
    """A dropout layer at work that draws from a generator of its own, and from no state that others share."""

    def __init__(self, p: float, draws: Draws, *, channels: bool) -> None:
        super().__init__()
        self.p, self.draws, self.channels = p, draws, channels

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with a share of it dropped and the rest grown by as much; whole maps where `channels`."""
        shape = (*x.shape[:2], *(1 for _ in x.shape[2:])) if self.channels else x.shape
        kept = torch.rand(shape, generator=self.draws.generator) >= self.p
        return x * (kept.to(x) / (1 - self.p))


def dropping(model: nn.Module, draws: Draws) -> nn.Module:
    """Return the model with its dropout layers at work, on the same weights; the model itself stays as it is."""
    shared = {id(t): t for t in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, shared)
    for parent in list(twin.modules()):
        for name, child in list(parent._modules.items()):  # one that stands twice, too
            if child is not None and _drops(child):
                share = float(getattr(child, "p", 0.0))
                setattr(parent, name, Dropping(share, draws, channels=isinstance(child, WHOLE_MAPS)))
    return twin


def _drops(module: nn.Module) -> bool:
    return isinstance(module, LAYERS) and 0 < float(getattr(module, "p", 0.0)) < 1


WAY = MonteCarloDropout()
