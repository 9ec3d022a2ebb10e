"""The net of a whole case: images, frames, visits, time courses, texts and covariates come together in one vector.

Each source is seen by a net of its own (or all images by one), its steps go over time, gated attention sums them up,
and the sources' vectors are joined. What a case lacks counts for nothing.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vesalius.core.errors import DataError
from vesalius.nets import Net
from vesalius.prepare.batch import Batch, Memory
from vesalius.tasks import _texts

WIDTH = 128  # of each source's vector, and of what they come to together
AT_ONCE = (
    64  # frames that an eye sees in one pass where nothing is learned, so that long cines need no more memory
)
SHORT = 0.5  # by folds on two phantoms: the first answers were better, the last ones no worse
SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Source:
    """One source of a case: what it is called, of what kind, and how many columns or numbers it has where it is none.

    `timed` says that its steps follow one another in time, so that they go through a net over time.
    """

    name: str
    kind: str  # image, course, words, vector or covariates
    width: int = 0
    timed: bool = False


class Looked(NamedTuple):
    """What was seen of a batch: the joined vector `(B, D)`, each source's `(B, S, D)`, and which are there `(B, S)`.

    `weights` `(B, S)` is how much each source counts, sums of one where any is there; `steps` by a source's name
    `(B, N)` how much each of its frames, visits, images or rows counts in it.
    """

    joined: Tensor
    vectors: Tensor
    there: Tensor
    weights: Tensor
    steps: Mapping[str, Tensor]


class Gate(nn.Module):
    """Gated attention: tokens `(B, N, D)` and which are there → their weighted mean `(B, D)` and the weights `(B, N)`.

    It begins as the plain mean. Source: Ilse, Tomczak, Welling, "Attention-based deep multiple instance learning",
    ICML 2018.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.content, self.gate = nn.Linear(width, width // 2), nn.Linear(width, width // 2)
        self.score = nn.Linear(width // 2, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def scores(self, tokens: Tensor) -> Tensor:
        """Return what each token's weight is the exponential of, `(…)`; it is bounded by the weights alone."""
        each: Tensor = self.score(torch.tanh(self.content(tokens)) * torch.sigmoid(self.gate(tokens)))
        return each[..., 0].float()

    def forward(self, tokens: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted mean of the tokens that are there, zeros where none is, and the weights."""
        scores = self.scores(tokens).masked_fill(~there, -math.inf)
        weights = torch.softmax(scores, dim=1).nan_to_num(0.0)
        return (weights.to(tokens.dtype)[..., None] * tokens).sum(dim=1), weights

    def begin(self, rows: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state before any token: their weighted mean `(B, D)`, and the sum of the weights `(B, 1)`.

        Both are 64 bits wide where the device has such, for a small step must still count after hours of them.
        """
        kind = torch.float32 if like.device.type == "mps" else torch.float64
        wide = self.content.in_features
        return like.new_zeros(rows, wide, dtype=kind), like.new_zeros(rows, 1, dtype=kind)

    def step(
        self, tokens: Tensor, there: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the weighted mean `(B, D)` of all tokens so far, `(B, N, D)` of which are new, and the next state.

        `there` `(B, N)` says which of the new ones are; where there has been none, the mean is zero.
        """
        mean, before = state
        weights = self.scores(tokens).to(mean).masked_fill(~there, -math.inf).exp()
        total = before + weights.sum(dim=1, keepdim=True)
        share = weights / total.clamp_min(torch.finfo(mean.dtype).tiny)
        away = tokens.to(mean).masked_fill(~there[..., None], 0.0) - mean[:, None]
        mean = mean + (share[..., None] * away).sum(dim=1)
        return mean.to(tokens.dtype), (mean, total)


class Kept(NamedTuple):
    """What is kept of a source between steps: its vector `(B, D)` so far, and which cases have it `(B,)`.

    Of a source whose frames come one after the other also the states of its net over time and of its attention.
    """

    vector: Tensor
    there: Tensor
    over: Any = None
    gate: tuple[Tensor, Tensor] | None = None


class Together(Net):
    """Sources of a case → `[(B, D, 1)]`, so that heads are as those of other nets; its input is the Batch.

    `eyes` see images by a source's name, or all of them as `shared`; `over` are the nets over time by a source's name.
    `fusion` is `attention`, `concat` or `late`; for the last the output is `[(B, D, S), (B, 1, S)]`, each source's
    vector and which are there, and the head answers from each. While it learns, `shown` leaves out sources.
    """

    role: ClassVar[str] = "encoder"

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        eyes: Mapping[str, Net],
        over: Mapping[str, nn.Module],
        reads: Mapping[str, str],
        fusion: str,
        dropout: float,
        dims: int,
        drop: float = 0.0,
        frames: int = 0,
    ) -> None:
        super().__init__(dims, [WIDTH], strides=[1], dropout=dropout)
        self.sources, self.fusion, self.drop, self.frames = tuple(sources), fusion, drop, frames
        self.reads = dict(reads)  # what each net over time reads: vectors, maps or a tree
        self.eyes = nn.ModuleDict({_key(name): eye for name, eye in eyes.items()})
        self.over = nn.ModuleDict({_key(name): net for name, net in over.items()})
        self.project = nn.ModuleDict({_key(s.name): _projection(self._width(s), dropout) for s in sources})
        self.gates = nn.ModuleDict(
            {_key(s.name): Gate(WIDTH) for s in sources if s.kind in ("image", "course", "words")}
        )
        several = len(self.sources) > 1
        self.fuse = Gate(WIDTH) if several and fusion == "attention" else None
        self.join = _join(len(self.sources), dropout) if several and fusion == "concat" else None
        self._say: tuple[
            LateHead, ...
        ] = ()  # the head that weighs the sources' answers, which is not this net's own
        self._ears: dict[int, tuple[int, list[Looked]]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sources, in the order of the weights."""
        return tuple(s.name for s in self.sources)

    @property
    def weighs(self) -> bool:
        """Whether the weights of the sources are the model's own, and not the same for all that are there."""
        return self.fuse is not None or bool(self._say)

    @contextmanager
    def overheard(self) -> Iterator[list[Looked]]:
        """Put what is seen of each batch into a list while it lasts; what other threads ask is not listened to."""
        heard: list[Looked] = []
        self._ears[id(heard)] = (threading.get_ident(), heard)
        try:
            yield heard
        finally:
            del self._ears[id(heard)]

    @property
    def encoding(self) -> tuple[str, ...]:
        """Return the names of the eyes."""
        return tuple(f"eyes.{name}" for name in self.eyes)

    @property
    def depths(self) -> tuple[tuple[str, ...], ...]:
        """Return the depths of all eyes, those of one depth side by side."""
        each = [
            [tuple(f"eyes.{name}.{part}" for part in depth) for depth in eye.depths]  # type: ignore[union-attr]
            for name, eye in self.eyes.items()
        ]
        return tuple(tuple(n for part in row for n in part) for row in zip_longest(*each, fillvalue=()))

    def forward(self, x: Any) -> list[Tensor]:
        """Return what the sources of a batch come to, as the one map of an encoder."""
        found = self.looked(x)
        for thread, ear in tuple(self._ears.values()):
            if thread == threading.get_ident():
                ear.append(found)
        if self.fusion == "late":
            return [found.vectors.transpose(1, 2), found.there[:, None].to(found.vectors.dtype)]
        return [found.joined[..., None]]

    def summed_up(self, output: Any) -> Tensor:
        """Return the joined vector `(B, D)`; the mean of the sources' that are there where each answers by itself."""
        if self.fusion != "late":
            joined: Tensor = output[-1][..., 0]
            return joined
        vectors, there = output
        mean: Tensor = (vectors * there).sum(-1) / there.sum(-1).clamp_min(1)
        return mean

    def head(self, classes: int) -> nn.Module:
        """Return a linear head, or for late fusion one a source and the weights of their answers."""
        if self.fusion == "late":
            head = LateHead(len(self.sources), classes, dropout=self.dropout)
            self._say = (head,)
            return head
        return super().head(classes)

    def looked(self, batch: Any) -> Looked:
        """Return what is seen of a batch, and how much each source and each of its steps counts."""
        if not isinstance(batch, Batch):
            raise DataError("a net of several sources takes a batch", found=type(batch).__name__)
        vectors, there, steps = [], [], {}
        for source in self.sources:
            vector, has, weights = (
                self._of(source, batch)
                if batch.memory is None
                else self._remembered(source, batch, batch.memory)
            )
            vectors.append(vector)
            there.append(has)
            if weights is not None:
                steps[source.name] = weights
        together, known = torch.stack(vectors, dim=1), torch.stack(there, dim=1)
        joined, weights = self.fused(together, known)
        return Looked(joined, together, known, weights, steps)

    def fused(self, vectors: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Return the joined vectors `(B, D)` of sources `(B, S, D)` that are there `(B, S)`, and their weights."""
        even = there.float() / there.sum(dim=1, keepdim=True).clamp_min(1)
        if self._say:
            even = self._say[0].weights(there)
        if self.fuse is not None:
            joined, weights = self.fuse(vectors, there)
            return joined, weights
        kept = vectors * there[..., None]
        if self.join is not None:
            return self.join(torch.cat([kept.flatten(1), there.to(kept.dtype)], dim=1)), even
        return (kept * even[..., None].to(kept.dtype)).sum(dim=1), even

    def shown(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Return a training batch without the sources that are left out at random; each case keeps one at least."""
        batch = self._shortened(self._windowed(batch, generator), generator)
        if not self.drop or len(self.sources) == 1:
            return batch
        had = torch.stack([_has(s, batch) for s in self.sources], dim=1)
        draw = torch.rand(had.shape, generator=generator, device=generator.device).to(had.device)
        kept = had & (draw >= self.drop)
        kept = torch.where(kept.any(dim=1, keepdim=True), kept, had)
        return without(batch, {s.name: ~kept[:, k] for k, s in enumerate(self.sources)}, self.sources)

    def _windowed(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Return a batch with `frames` frames of each longer image, one after the other, from a random one on.

        It is for causal nets over frames, whose images are kept whole; `frames` is 0 for all others.
        """
        images, times = dict(batch.images), dict(batch.times_s)
        for source in self.sources if self.frames else ():
            x = images.get(source.name)
            if source.kind != "image" or not source.timed or x is None or x.shape[1] <= self.frames:
                continue
            lengths = (~times[source.name].isnan()).sum(dim=1)
            most = (lengths - self.frames).clamp_min(0)
            draw = torch.rand(len(x), generator=generator, device=generator.device).to(x.device)
            start = (draw * (most + 1)).long().clamp_max(most)
            place = start[:, None] + torch.arange(self.frames, device=x.device)
            row = torch.arange(len(x), device=x.device)[:, None]
            images[source.name], times[source.name] = x[row, place], times[source.name][row, place]
        return replace(batch, images=images, times_s=times)

    def _shortened(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Return a batch in which the cines of some cases, `SHORT` of them, end with a random one of their frames.

        It is for causal nets over frames, which answer after each frame: so that the first answers are learned, too.
        """
        if not self.frames:
            return batch
        share, chosen = torch.rand((2, batch.rows), generator=generator, device=generator.device)
        times = dict(batch.times_s)
        for source in self.sources:
            known = times.get(source.name)
            if source.kind != "image" or not source.timed or known is None:
                continue
            ends, some = share.to(known.device), chosen.to(known.device) < SHORT
            lengths = (~known.isnan()).sum(dim=1)
            kept = torch.where(some, 1 + (ends * lengths).long(), lengths).clamp_max(lengths)
            place = torch.arange(known.shape[1], device=known.device)
            times[source.name] = known.masked_fill(place >= kept[:, None], math.nan)
        return replace(batch, times_s=times)

    def _width(self, source: Source) -> int:
        """Return how many numbers are seen of a step of a source before they are projected."""
        if _key(source.name) in self.over:
            return int(self.over[_key(source.name)].out_channels)  # type: ignore[arg-type]
        seen = source.kind == "image" or _key(source.name) in self.eyes
        return int(self.eye_of(source).channels[-1]) if seen else source.width

    def eye_of(self, source: Source) -> Net:
        """Return the net that sees the images of a source."""
        eye = self.eyes[_key(source.name) if _key(source.name) in self.eyes else SHARED]
        assert isinstance(eye, Net)
        return eye

    def _of(self, source: Source, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return a source's vectors `(B, D)`, which cases have it `(B,)`, and the weights of its steps `(B, N)`."""
        has, key = _has(source, batch), _key(source.name)
        like = next(self.project.parameters())
        if not torch.compiler.is_exporting() and not bool(has.any()):
            return like.new_zeros(batch.rows, WIDTH), has, None
        if source.kind in ("vector", "covariates"):
            x = batch.covariates if source.kind == "covariates" else batch.vectors[source.name]
            assert x is not None
            x = x.nan_to_num(0.0).to(like.dtype)
            if key in self.eyes:  # a net of a table's columns
                x = self.eye_of(source).summed_up(self.eyes[key](x))
            return self.project[key](x), has, None
        tokens, there = self._tokens(source, batch, has)
        tokens = self.project[key](tokens)
        pooled, weights = self.gates[key](tokens, there)
        return pooled, has & there.any(dim=1), weights

    def _tokens(self, source: Source, batch: Batch, has: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is seen of each step of a source, `(B, N, F)`, and which steps are there `(B, N)`."""
        times = batch.times_s.get(source.name)
        if source.kind == "words":
            return self._read(source, batch.courses[source.name], times, has)
        if source.kind == "course":
            x = batch.courses[source.name]
            there = _steps(times, x, has)
            return self._over(source, x, times, there, batch.parents.get(source.name)), there
        x = _framed(batch.images[source.name])
        there, eye = _steps(times, x, has), self.eye_of(source)
        if eye.role == "cine":
            graph = torch.compiler.is_exporting()  # whose way cannot hang on what a case has
            held = (
                None if not graph and bool(there.all()) else there
            )  # frames that a case lacks are passed by
            maps = eye(x[:, :, :, 0] if eye.dims == 2 else x, None, held)[-1]  # (B, C, T', …)
            tokens = maps.flatten(3).mean(-1).transpose(1, 2)
            place = torch.arange(tokens.shape[1], device=x.device) * eye.strides[-1][0]
            steps = torch.arange(there.shape[1], device=x.device)
            first = steps < there.sum(dim=1, keepdim=True)  # in maps, frames that are there come first
            return tokens, first[:, place.clamp(max=x.shape[1] - 1)]
        return self._over(source, self._frames(source, x, there), times, there, None), there

    def _read(self, source: Source, x: Tensor, times: Tensor | None, has: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a net reads of a text whose pieces are `(B, L, 2)`: a vector a piece, and which are there.

        Pieces that are left out are seen by no other.
        """
        there = _steps(times, x, has)
        first = torch.zeros_like(there)
        first[:, 0] = True  # a text without any piece is looked at, too, and counts for nothing
        said = self.eyes[_key(source.name)](
            _texts.whole(x.float()).nan_to_num(0.0).round().long(), there | first
        )
        return torch.where(there[..., None], said, 0.0), there

    def _frames(self, source: Source, x: Tensor, there: Tensor) -> Tensor:
        """Return what is seen of each frame of `(B, N, C, Z, Y, X)`: `(B, N, F)`, or maps; 0 where there is none."""
        maps = self.reads.get(source.name) == "maps"
        if (
            torch.compiler.is_exporting()
        ):  # a graph sees every frame, and then forgets those that are not there
            every = self.seen(source, x.flatten(0, 1), maps=maps)
            every = every.reshape(x.shape[0], x.shape[1], *every.shape[1:])
            return torch.where(there.reshape(*there.shape, *(1,) * (every.ndim - 2)), every, 0.0)
        seen = torch.cat(
            [self.seen(source, part, maps=maps) for part in torch.split(x[there], self._at_once())]
        )
        spread = seen.new_zeros(*there.shape, *seen.shape[1:])
        spread[there] = seen
        return spread

    def _remembered(self, source: Source, batch: Batch, memory: Memory) -> tuple[Tensor, Tensor, None]:
        """Return a source's vectors and which cases have it, as of all steps so far, and keep what the next needs."""
        kept, has = memory.held.get(source.name), _has(source, batch)
        if kept is None or bool(has.any()):
            stepped = source.kind == "image" and source.timed
            after = self._stepped(source, batch, has, kept) if stepped else self._anew(source, batch, kept)
            memory.held[source.name] = kept = after
        return kept.vector, kept.there, None

    def _anew(self, source: Source, batch: Batch, kept: Kept | None) -> Kept:
        """Return what is kept of a source that is seen as a whole: the last that a case has brought."""
        vector, has, _ = self._of(source, batch)
        if kept is None:
            return Kept(vector, has)
        return Kept(torch.where(has[:, None], vector, kept.vector), has | kept.there)

    def _stepped(self, source: Source, batch: Batch, has: Tensor, kept: Kept | None) -> Kept:
        """Return what is kept of an image after its further frames in a batch."""
        key, rows, like = _key(source.name), batch.rows, next(self.project.parameters())
        net: Any = dict(self.over.items()).get(key)
        gates: Any = self.gates[key]
        if kept is None:
            over = None if net is None else net.begin(rows)
            kept = Kept(like.new_zeros(rows, WIDTH), has & False, over, gates.begin(rows, like))
        if not bool(has.any()):
            return kept
        x, times = _framed(batch.images[source.name]), batch.times_s.get(source.name)
        there = _steps(times, x, has)
        seen, over = self._frames(source, x, there), kept.over
        if net is not None:
            outs = []
            for k in range(seen.shape[1]):
                when = None if times is None else times[:, k]
                out, over = net.step(seen[:, k], when, over, there[:, k])
                outs.append(out)
            seen = torch.stack(outs, dim=1)
        tokens = self.project[key](seen.flatten(3).mean(-1) if seen.ndim > 3 else seen)
        vector, gate = gates.step(tokens, there, kept.gate)
        return Kept(vector, kept.there | (has & there.any(dim=1)), over, gate)

    def seen(self, source: Source, frames: Tensor, *, maps: bool) -> Tensor:
        """Return what the source's eye says of frames `(n, C, Z, Y, X)`: vectors `(n, F)`, or its deepest maps."""
        eye = self.eye_of(source)
        found = eye(frames[:, :, 0] if eye.dims == 2 else frames)
        said: Tensor = found[-1] if maps else eye.summed_up(found)
        return said

    def _at_once(self) -> int:
        return 1 << 30 if self.training and torch.is_grad_enabled() else AT_ONCE

    def _over(
        self, source: Source, x: Tensor, times: Tensor | None, there: Tensor, parents: Tensor | None
    ) -> Tensor:
        """Return steps after they went over time, `(B, N, F)`; as they are where nothing is planned for that."""
        net = dict(self.over.items()).get(_key(source.name))
        if net is None:
            return x.flatten(3).mean(-1) if x.ndim > 3 else x
        if self.reads[source.name] == "tree":
            root = torch.full(there.shape, -1, dtype=torch.int64, device=x.device)
            found: Tensor = net(x, root if parents is None else parents, there)
            return found
        found = net(x, times, there)
        return found.flatten(3).mean(-1) if found.ndim > 3 else found


class LateHead(nn.Module):
    """An answer from each source, and their mean, weighted by how well each source answers in general.

    `[(B, D, S), (B, 1, S)]` → `(B, K)`. Sources that are not there have no say.
    """

    def __init__(self, sources: int, classes: int, *, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.each = nn.ModuleList(nn.Linear(WIDTH, classes) for _ in range(sources))
        self.say = nn.Parameter(torch.zeros(sources))

    def weights(self, there: Tensor) -> Tensor:
        """Return how much each source's answer counts, `(B, S)`, of those that are there."""
        return torch.softmax(self.say.masked_fill(~there, -math.inf), dim=1).nan_to_num(0.0)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return the weighted mean of the sources' answers `(B, K)`."""
        vectors, there = maps
        answers = torch.stack(
            [head(self.dropout(vectors[..., k])) for k, head in enumerate(self.each)], dim=1
        )
        weights = self.weights(there[:, 0] != 0)
        return (weights[..., None].to(answers.dtype) * answers).sum(dim=1)


def without(batch: Batch, out: Mapping[str, Tensor], sources: Sequence[Source]) -> Batch:
    """Return a batch in which the cases `out` `(B,)` bool by a source's name lack that source."""
    present = dict(batch.present)
    for source in sources:
        if source.name in out:
            present[source.name] = _has(source, batch) & ~out[source.name]
    return replace(batch, present=present)


def without_steps(batch: Batch, out: Mapping[str, Tensor], net: Together) -> Batch:
    """Return a batch that lacks the steps `out` `(B, N)` bool by a source's name; one that loses all lacks the source.

    A step that is left out has no time, as one that a case does not have. Of a net that sees all frames at once the
    pixels count, too: the last frame that is kept stands in its place, or the first of them before that.
    """
    images, times, gone = dict(batch.images), dict(batch.times_s), {}
    for source in net.sources:
        bits = out.get(source.name)
        if bits is None:
            continue
        gone[source.name] = bits.all(dim=1)
        if source.name in times:
            known = ~times[source.name].isnan()
            gone[source.name] = ~(known & ~bits).any(dim=1)
            times[source.name] = times[source.name].masked_fill(bits, math.nan)
        x = images.get(source.name)
        if source.kind == "image" and x is not None and x.ndim == 6 and net.eye_of(source).role == "cine":
            place = torch.arange(bits.shape[1], device=x.device).expand_as(bits)
            last = torch.where(bits, -1, place).cummax(dim=1).values
            first = torch.where(bits, bits.shape[1] - 1, place).min(dim=1, keepdim=True).values
            chosen = torch.where(last < 0, first, last)
            images[source.name] = x[torch.arange(len(x), device=x.device)[:, None], chosen]
    return without(replace(batch, images=images, times_s=times), gone, net.sources)


def look(net: Any, x: Tensor | Batch) -> Any:
    """Return what a net says of images `(B, C, Z, Y, X)`, or one of several sources of a batch."""
    if isinstance(x, Batch):
        return net(x)
    return net(x[:, :, 0] if net.dims == 2 else x)  # (B, C, Y, X) in 2-D


def shown(model: nn.Module, batch: Batch, generator: torch.Generator) -> Batch:
    """Return a batch as a model is to learn from it; as it is where its net sees images alone, or does not learn."""
    net = getattr(model, "net", None)
    return net.shown(batch, generator) if isinstance(net, Together) and model.training else batch


def _has(source: Source, batch: Batch) -> Tensor:
    """Return which cases have a source, `(B,)` bool."""
    held: Any = {"image": batch.images, "vector": batch.vectors}.get(source.kind, batch.courses)
    x = batch.covariates if source.kind == "covariates" else held.get(source.name)
    device = next((t.device for t in _tensors(batch)), torch.device("cpu"))
    if x is None:
        return torch.zeros(batch.rows, dtype=torch.bool, device=device)
    has = batch.present.get(source.name)
    found = torch.ones(batch.rows, dtype=torch.bool, device=device) if has is None else has.to(device)
    return found & ~x.isnan().all(dim=1) if source.kind == "covariates" else found


def _tensors(batch: Batch) -> list[Tensor]:
    singles = [t for t in (batch.covariates, batch.tokens) if t is not None]
    return [*batch.images.values(), *batch.courses.values(), *batch.vectors.values(), *singles]


def _framed(x: Tensor) -> Tensor:
    """Return images `(B, C, Z, Y, X)` as of one frame each, and those of several as they are: `(B, N, C, Z, Y, X)`."""
    return x[:, None] if x.ndim == 5 else x


def _steps(times: Tensor | None, x: Tensor, has: Tensor) -> Tensor:
    """Return which steps of a source are there, `(B, N)` bool."""
    known = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if times is None else ~times.isnan()
    return known & has[:, None]


def _projection(width: int, dropout: float) -> nn.Sequential:
    """Return what brings any source's numbers to one width and one scale."""
    return nn.Sequential(nn.Linear(width, WIDTH), nn.LayerNorm(WIDTH), nn.GELU(), nn.Dropout(dropout))


def _join(sources: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(sources * (WIDTH + 1), WIDTH), nn.GELU(), nn.Dropout(dropout))


def _key(name: str) -> str:
    """Return a source's name as a module may have it, for which no dot is allowed."""
    return "source_" + name.replace(".", "·") if name != SHARED else name
