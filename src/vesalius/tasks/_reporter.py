"""The model of `report`: regions of images, findings looked for in them, and a writer that attends to both.

Regions are an encoder's maps, the coarser ones added to the finer; each finding looks for itself in them, and is then
one more thing that the writer may attend to, beside regions and what else is known of a case. That is the multimodal
attention of Yang et al., "Joint embedding of deep visual and semantic features for medical image report generation",
IEEE Transactions on Multimedia 2021, with what the writer's own gate adds (`nets/writer.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius import nets as registered
from vesalius.core.bundle import State
from vesalius.core.errors import PlanError
from vesalius.core.plan import Plan
from vesalius.language.tokenizers import Tokenizer
from vesalius.prepare.batch import Batch
from vesalius.tasks._report_plan import WRITER
from vesalius.tasks._report_raw import FIGURES, LEFT, SIZE, THERE
from vesalius.tasks._report_state import Learned, learned_in
from vesalius.tasks._sources import net_of
from vesalius.tasks._together import WIDTH, Together, look
from vesalius.tasks.contract import Nets, planned_weights

REGIONS = {2: 256, 3: 512}  # at most, by dimensions: the finest map that has no more is looked at
WAVES = 5  # numbers that say where a region is along an axis


@dataclass(frozen=True, eq=False)
class Seen:
    """What is seen of a batch: regions `(B, S, F)` on a grid `(z, y, x)`, and what else is known `(B, E, F)`."""

    regions: Tensor
    grid: tuple[int, int, int]
    beside: Tensor

    @property
    def all(self) -> Tensor:
        """Return regions and what is beside them, `(B, S + E, F)`."""
        return torch.cat([self.regions, self.beside], dim=1)


@dataclass(frozen=True, eq=False)
class Found:
    """What is found: `figures` `(B, K, 4)` (logits of there, left, right; size), and where, `(B, K, S)`."""

    figures: Tensor
    looked: Tensor


class Regions(nn.Module):
    """An encoder's maps → regions `(B, S, F)`: the finest map of few enough places, coarser ones added, and places."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(c, width) for c in channels)
        self.place = nn.Linear(3 * WAVES, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, tuple[int, int, int]]:
        """Return the regions and their grid."""
        most = REGIONS[maps[0].ndim - 2]
        maps = [m[:, :, None] if m.ndim == 4 else m for m in maps]
        first = next((k for k, m in enumerate(maps) if math.prod(m.shape[2:]) <= most), len(maps) - 1)
        z, y, x = maps[first].shape[2:]
        total = maps[first].new_zeros(())
        for one, project in zip(maps[first:], list(self.project)[first:], strict=True):
            seen = project(one.movedim(1, -1)).movedim(-1, 1)
            total = total + F.interpolate(seen, size=(z, y, x), mode="nearest")
        places = places_of((z, y, x)).to(total)
        regions = total.flatten(2).transpose(1, 2) + self.place(places)
        return self.norm(regions), (z, y, x)


def places_of(grid: tuple[int, int, int]) -> Tensor:
    """Return where the regions of a grid lie, `(S, 3 * WAVES)`: each axis from -1 to 1, and two waves along it."""
    axes = [(torch.arange(n) + 0.5) / n * 2 - 1 for n in grid]
    each = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    waves = [f(math.pi * k * each) for k in (0.5, 1.0) for f in (torch.sin, torch.cos)]
    return torch.cat([each, *waves], dim=1)


class FindingsHead(nn.Module):
    """Each finding looks for itself among what is seen `(B, M, F)`, and says four figures of what it looked at.

    Attention pooling by a query of each finding, as in Ilse, Tomczak, Welling, ICML 2018; beside it the mean of all.
    """

    def __init__(self, width: int, findings: int, dropout: float) -> None:
        super().__init__()
        self.key = nn.Linear(width, width)
        self.query = nn.Parameter(torch.randn(findings, width) / math.sqrt(width))
        self.dropout = nn.Dropout(dropout)
        self.weight = nn.Parameter(torch.randn(findings, FIGURES, 2 * width) / math.sqrt(2 * width))
        self.bias = nn.Parameter(torch.zeros(findings, FIGURES))

    def forward(self, seen: Seen) -> Found:
        """Return the figures, and where each finding was looked for."""
        held = seen.all
        scores = torch.einsum("kf,bmf->bkm", self.query, torch.tanh(self.key(held)))
        weights = torch.softmax(scores, dim=2)
        looked = torch.einsum("bkm,bmf->bkf", weights, held)
        mean = held.mean(dim=1, keepdim=True).expand_as(looked)
        both = self.dropout(torch.cat([looked, mean], dim=2))
        figures = torch.einsum("bkf,kgf->bkg", both, self.weight) + self.bias
        return Found(figures, weights[:, :, : seen.regions.shape[1]])


class Reporter(nn.Module):
    """A net that sees, a head that finds and a writer; what is asked of it is said in `tasks/report.py`."""

    positive: Tensor | None

    def __init__(
        self, net: Any, writer: Any, known: Learned, *, weights: Sequence[float] | None, dropout: float
    ) -> None:
        super().__init__()
        self.net, self.writer, self.known = net, writer, known
        self.decode, self.beams, self.findings = "", 1, len(known.abouts)
        self.calibration: Mapping[str, Any] = {}
        self.images = image_eyes(net)
        self.regions = nn.ModuleList(Regions(eye.channels, WIDTH) for _, eye in self._eyes())
        several = isinstance(net, Together)
        self.beside = nn.Linear(WIDTH, WIDTH) if several else None
        self.kinds = nn.Parameter(torch.zeros(len(net.sources), WIDTH)) if several else None
        self.head = FindingsHead(WIDTH, self.findings, dropout) if self.findings else None
        self.names = nn.Parameter(torch.randn(self.findings, WIDTH) / math.sqrt(WIDTH))
        self.told = nn.Linear(FIGURES, WIDTH)
        self.overview = nn.Linear(FIGURES * self.findings, WIDTH) if self.findings else None
        self.register_buffer("positive", None if weights is None else torch.tensor(weights), persistent=False)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the training reports."""
        return self.known.words.tokenizer

    def _eyes(self) -> list[tuple[str, Any]]:
        if not isinstance(self.net, Together):
            return [("image", self.net)]
        return [(name, self.net.eye_of(source_of(self.net, name))) for name in self.images]

    def see(self, batch: Batch) -> Seen:
        """Return what is seen of a batch; the regions of its first image come first, and their grid is kept."""
        if not isinstance(self.net, Together):
            regions, grid = self.regions[0](look(self.net, batch.images["image"]))
            return Seen(regions, grid, regions[:, :0])
        assert self.beside is not None and self.kinds is not None
        with self.net.overheard() as heard:
            self.net(batch)
        looked = heard[-1]
        known = looked.there[..., None].to(looked.vectors.dtype)
        vectors = (self.beside(looked.vectors) + self.kinds) * known
        seen, grid = [vectors.new_zeros(batch.rows, 1, WIDTH)], (1, 1, 1)
        for k, ((name, eye), project) in enumerate(zip(self._eyes(), self.regions, strict=True)):
            if name not in batch.images:  # no case of the batch has it
                continue
            regions, own = project(maps_of(eye, own_frame(batch, name)))
            regions = regions * has(batch, name, regions)[:, None, None]
            if k == 0:
                seen[0], grid = regions, own
            else:
                seen.append(regions)
        return Seen(seen[0], grid, torch.cat([*seen[1:], vectors], dim=1))

    def find(self, seen: Seen) -> Found:
        """Return what is found in what is seen."""
        if self.head is None:
            empty = seen.regions.new_zeros(len(seen.regions), 0, FIGURES)
            return Found(empty, seen.regions.new_zeros(len(seen.regions), 0, seen.regions.shape[1]))
        found: Found = self.head(seen)
        return found

    def told_of(self, chances: Tensor) -> Tensor | None:
        """Return what the writer is told of findings `(B, K, F)`, of their chances `(B, K, 4)`; None without any."""
        if not self.findings:
            return None
        told: Tensor = self.names + self.told(sized(chances))
        return told

    def memory_of(self, seen: Seen, chances: Tensor) -> Tensor:
        """Return what the writer looks at beside findings, `(B, S + E, F)`: all that is seen, in the light of findings.

        A writer that sums its memory up knows by this, from its first word on, what there is to say.
        """
        if self.overview is None:
            return seen.all
        overview: Tensor = self.overview(sized(chances).flatten(1))
        return seen.all + overview[:, None]

    def looks(self, attention: Tensor, seen: Seen, found: Found) -> Tensor:
        """Return where each token looked `(B, L, S)`: at regions itself, and where the findings that it read are.

        `attention` is `(B, L, M)` over the memory.
        """
        regions = seen.regions.shape[1]
        direct = attention[..., :regions]
        if not self.findings:
            return direct
        through = attention[..., -self.findings :]
        return direct + torch.einsum("blk,bks->bls", through, found.looked)


def chances_of(figures: Tensor) -> Tensor:
    """Return figures `(B, K, 4)` with the logits as probabilities."""
    return torch.cat([figures[..., :SIZE].sigmoid(), figures[..., SIZE:]], dim=-1)


def sized(chances: Tensor) -> Tensor:
    """Return chances `(B, K, 4)` in which side and size count as far as a finding is there."""
    there = chances[..., THERE : THERE + 1]
    return torch.cat([there, chances[..., LEFT:] * there], dim=-1)


def taught(chances: Tensor, truth: Tensor | None, known: Tensor | None, draw: Tensor) -> Tensor:
    """Return chances `(B, K, 4)` with what is true in their place, where it is known and `draw` `(B,)` says so.

    So the writer learns to say what is there, and what to make of a head that is not sure.
    """
    if truth is None:
        return chances
    use = ~truth.isnan() & draw[:, None, None]
    if known is not None:
        use = use & known[:, None, None]
    return torch.where(use, truth.nan_to_num(0.0), chances)


def image_eyes(net: Any) -> tuple[str, ...]:
    """Return the names of the images whose regions a net of several sources shows; the one image of any other."""
    if not isinstance(net, Together):
        return ("image",)
    return tuple(s.name for s in net.sources if s.kind == "image")


def source_of(net: Together, name: str) -> Any:
    """Return the source of that name."""
    return next(s for s in net.sources if s.name == name)


def maps_of(eye: Any, frame: Tensor) -> list[Tensor]:
    """Return an eye's maps of frames `(B, C, Z, Y, X)`."""
    if eye.role != "encoder":
        raise PlanError(
            f"a {eye.role} net shows no regions of single frames", hint="--set net.name=resnet-10"
        )
    found: list[Tensor] = eye(frame[:, :, 0] if eye.dims == 2 else frame)
    return found


def own_frame(batch: Batch, name: str) -> Tensor:
    """Return the case's own frame of an image, `(B, C, Z, Y, X)`: the last one that is there."""
    x = batch.images[name]
    if x.ndim == 5:
        return x
    times = batch.times_s.get(name)
    last = torch.full((len(x),), x.shape[1] - 1, device=x.device)
    if times is not None:
        last = ((~times.isnan()).sum(dim=1) - 1).clamp_min(0)
    return x[torch.arange(len(x), device=x.device), last]


def has(batch: Batch, name: str, like: Tensor) -> Tensor:
    """Return which cases have an image, `(B,)`, as numbers."""
    there = batch.present.get(name)
    return like.new_ones(len(like)) if there is None else there.to(like)


def shown(model: Reporter, batch: Batch, generator: torch.Generator) -> Batch:
    """Return a training batch as the net of several sources is shown it, its tokens as they are."""
    if not isinstance(model.net, Together) or not model.training:
        return batch
    return replace(model.net.shown(batch, generator), tokens=batch.tokens)


def built(plan: Plan, state: State, nets: Nets) -> Reporter:
    """Return the planned encoder, the head of the learned findings, and the planned writer. Raises PlanError."""
    known = learned_in(state)
    net, _ = net_of(plan, state, nets)
    about = plan.nets.get(WRITER)
    if about is None:
        raise PlanError(
            f"no net is planned under the name '{WRITER}'", hint=f"--set nets.{WRITER}.name=writer-lstm"
        )
    takes = registered.describe(about.name)["OPTIONS"]
    own = {"words": known.words.tokenizer.size, "longest": known.words.length}
    writer = nets.build(
        about.name,
        dims=plan.data.dims,
        in_channels=WIDTH,
        scale=about.scale,
        dropout=about.dropout,
        options={**about.options, **{k: v for k, v in own.items() if k in takes}},
    )
    share = np.array([a.share for a in known.abouts], np.float32)
    weights = planned_weights(plan, share, multilabel=True) if len(share) else None
    model = Reporter(net, writer, known, weights=weights, dropout=plan.net.dropout)
    model.decode, model.beams = str(state.values["decode"]), int(state.values["beams"])
    return model
