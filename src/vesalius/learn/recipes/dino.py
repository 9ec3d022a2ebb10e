"""Self-distillation: a student says of small parts of an image what its own slow average says of large ones (DINO)."""

from __future__ import annotations

from copy import deepcopy

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.plan import Plan, Section
from vesalius.learn.pretext import Pretext, Views
from vesalius.learn.recipes.contract import Member
from vesalius.learn.seeing import features, perceptron, width_of
from vesalius.nets import Net

NAMES = {
    "dino": "A student that says of parts of an image what its slow average says of the whole; no target"
}
SOURCE = (
    "Caron et al.: Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021, arXiv:2104.14294"
)
SMALLEST = 16  # voxels a side of a local part


class DINOOptions(Section):
    """The options of `dino`: the sharpness of both, how slowly the teacher and the centre move, and the local parts."""

    prototypes: int = Field(128, ge=2)
    width: int = Field(128, ge=1)
    hidden: int = Field(256, ge=1)
    student_temperature: float = Field(0.1, gt=0)
    teacher_temperature: float = Field(0.04, gt=0)
    momentum: float = Field(0.99, ge=0, lt=1)
    centre_momentum: float = Field(0.9, ge=0, lt=1)
    local: int = Field(2, ge=0)
    local_share: float = Field(0.5, gt=0, le=1)
    centred: bool = True


class Prototypes(nn.Module):
    """A perceptron without normalisation over the batch, and directions that its output is held against."""

    def __init__(self, features: int, options: DINOOptions) -> None:
        super().__init__()
        self.layers = perceptron((features, options.hidden, options.width), norm=False)
        self.directions = nn.Parameter(torch.randn(options.prototypes, options.width))

    def forward(self, x: Tensor) -> Tensor:
        """Return the likeness to each prototype, `(B, K)`, within -1 and 1."""
        return F.linear(self.placed(x), F.normalize(self.directions, dim=1))

    def placed(self, x: Tensor) -> Tensor:
        """Return where features lie among the prototypes, `(B, D)` of length 1."""
        return F.normalize(self.layers(x), dim=1)


class Heads(nn.Module):
    """The student's head, the whole teacher, which never learns by gradients, and the centre of what it says."""

    centre: Tensor

    def __init__(self, net: Net, features: int, options: DINOOptions) -> None:
        super().__init__()
        self.student = Prototypes(features, options)
        self.teacher_net, self.teacher = deepcopy(net), deepcopy(self.student)
        for part in (self.teacher_net, self.teacher):
            part.requires_grad_(False)
        self.register_buffer("centre", torch.zeros(options.prototypes))


class DINO(Pretext):
    """Cross-entropy between the teacher's centred, sharpened words on whole views and the student's on all others."""

    Options = DINOOptions
    heads: Heads

    def __init__(self, given: Member, options: DINOOptions) -> None:
        self.options = options
        super().__init__(given, options)

    def head_of(self, net: Net, plan: Plan) -> nn.Module:
        """Return both heads, the teacher and the centre."""
        return Heads(net, width_of(net, plan), self.options)

    def embedded(self, net: Net, x: Tensor) -> Tensor:
        """Return where the student places images among the prototypes."""
        return self.heads.student.placed(features(net, x))

    def terms(self, net: Net, seen: Views) -> dict[str, Tensor]:
        """Return the mean cross-entropy over all pairs of a teacher's view and another one of the student's."""
        heads, o = self.heads, self.options
        with torch.no_grad():
            whole = torch.cat(seen.views)
            said = heads.teacher(features(heads.teacher_net, whole)).float()
        self._said = said
        targets = sharpened(said, heads.centre, o.teacher_temperature).chunk(2)
        words = list(heads.student(features(net, whole)).chunk(2))
        for _ in range(o.local):
            words.append(heads.student(features(net, part(seen.views[0], o.local_share, seen.generator))))
        logs = [F.log_softmax(w.float() / o.student_temperature, dim=1) for w in words]
        terms = [
            -(targets[t] * log).sum(dim=1).mean() for t in range(2) for s, log in enumerate(logs) if s != t
        ]
        return {"distilled": torch.stack(terms).mean()}

    def after(self, net: Net, seen: Views, step: int) -> None:
        """Move the teacher towards the student, and the centre towards what the teacher said."""
        heads, o = self.heads, self.options
        for own, new in ((heads.teacher_net, net), (heads.teacher, heads.student)):
            for mine, its in zip(own.parameters(), new.parameters(), strict=True):
                mine.lerp_(its.detach(), 1 - o.momentum)
            for counted, told in zip(own.buffers(), new.buffers(), strict=True):
                counted.copy_(told)
        if o.centred:
            heads.centre.lerp_(self._said.mean(dim=0), 1 - o.centre_momentum)


def sharpened(said: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """Return chances `(B, K)` of what a teacher says, less its centre, so that no prototype takes all images."""
    return F.softmax((said - centre) / temperature, dim=1)


def part(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return a part of images `(B, C, Z, Y, X)`, one box for all of them, each side `share` as long where it can be."""
    size = [min(n, max(round(n * share), SMALLEST)) for n in x.shape[2:]]
    starts = [
        int(torch.randint(0, n - s + 1, (1,), generator=generator))
        for n, s in zip(x.shape[2:], size, strict=True)
    ]
    z, y, w = (slice(a, a + s) for a, s in zip(starts, size, strict=True))
    return x[:, :, z, y, w]


RECIPE = DINO
