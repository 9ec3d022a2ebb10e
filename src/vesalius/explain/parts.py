"""Parts of a case: the question to models that join several sources, with sources or single steps of them left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.image import Array
from vesalius.explain.question import Watch
from vesalius.infer.runs.contract import Members
from vesalius.infer.weighing import listened
from vesalius.prepare.batch import Batch, Example, repeated

PASS = 16  # cases that go through a model at once
ROWS = 256  # of tables alone
VALUES = 2**24  # of images in one pass, which bounds the memory of long cines
DAY_S = 86_400.0
Out = Mapping[str, Array]  # by a source's name: True where all of it is left out, or bits `(N,)` of its steps


@dataclass(frozen=True, eq=False)
class Bars:
    """A bar for each part of a case: for each source, or for each step of one source.

    `of` is the source whose steps these are, empty where they are the sources themselves. `values` `(N,)` say how much
    each part speaks for what is asked, below zero against it; `weights` `(N,)` are what the model's own attention gave
    each, None where it has none. `times_s` `(N,)` are those of steps, where they are known. `figures` are measures,
    `fails` is the reason why the bars do not hold. `part` says what the parts are, where they are no steps.
    """

    of: str
    names: tuple[str, ...]
    values: Array
    weights: Array | None = None
    times_s: Array | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    fails: str | None = None
    part: str = "source"


class PartQuestion:
    """How much the models say what is asked, of a case that lacks some of its sources or of their steps.

    `names` are the sources that the case has, `steps` how many steps those of several have. What is left out is left
    out as in training (`Task.without`). `columns` are the covariates that the models read. `passes` counts the cases
    that went through a network.
    """

    def __init__(
        self, members: Members, example: Example, ask: Ask, state: State, *, watch: Watch | None = None
    ) -> None:
        self.members, self.example, self.ask, self.state, self.watch = members, example, ask, state, watch
        self.passes = 0
        bare = replace(example, targets={}, on_grid=frozenset(), ragged={})
        self._batch = members.task.collate([bare]).to(members.device)
        held = sum(t.numel() for t in (*self._batch.images.values(), *self._batch.courses.values()))
        self._at_once = max(1, min(PASS if held else ROWS, VALUES // max(held, 1)))
        self.all = members.task.sources(state)
        there, self._weights, self._steps = self._looked() if self.all else (np.zeros(0, bool), None, {})
        self.names = tuple(n for n, t in zip(self.all, there, strict=True) if t)
        self.steps = {n: m for n in self.names if (m := self._count(n)) > 1}
        known = self._batch.covariates
        named = () if known is None else members.task.features(state)
        self._inputs = named if known is not None and len(named) == known.shape[1] else ()
        self.columns = tuple(dict.fromkeys(self._inputs))

    def of(self, models: Sequence[nn.Module]) -> PartQuestion:
        """Return the same question to other models."""
        return PartQuestion(
            replace(self.members, models=models), self.example, self.ask, self.state, watch=self.watch
        )

    def each(self, outs: Sequence[Out]) -> Array:
        """Return what the models say of the case without each of these, `(n,)` float64, in bounded memory."""
        found = []
        with torch.inference_mode():
            for first in range(0, len(outs), self._at_once):
                found.append(self._said(outs[first : first + self._at_once]))
        return torch.cat(found).numpy() if found else np.zeros(0)

    def with_columns(self, kept: Array) -> Array:
        """Return what the models say of the case with some columns alone, rows `(n, C)` of bits → `(n,)` float64.

        A column that is left out is at zero, the mean that it was scaled by; so is the bit that says that it is there.
        """
        place = [self.columns.index(name) for name in self._inputs]
        wide = torch.from_numpy(np.asarray(kept, np.float32)[:, place]).to(self.members.device)
        with torch.inference_mode():
            said = [self._with(wide[k : k + self._at_once]) for k in range(0, len(wide), self._at_once)]
        return torch.cat(said).numpy() if said else np.zeros(0)

    def weights_of(self, source: str = "") -> Array | None:
        """Return the attention's weights of a source's steps, or of the sources `names`; None where it has none."""
        if source:
            return self._steps.get(source)
        if self._weights is None:
            return None
        return np.array([self._weights[self.all.index(n)] for n in self.names])

    def times_of(self, source: str) -> Array | None:
        """Return the times in seconds of a source's steps, where they are known."""
        times = self._batch.times_s.get(source)
        return None if times is None else times[0].cpu().numpy().astype(np.float64)

    def called(self, source: str) -> tuple[str, ...]:
        """Return what each step of a source is called: a visit, a frame, an image, a row with its time, or a word."""
        n, times = self.steps[source], self.times_of(source)
        named = self.members.task.step_names(self.example, source, self.state)
        if len(named) == n:
            return named
        what = "frame" if source in self._batch.images else "row"
        if times is None:
            return tuple(f"{what} {k + 1}" for k in range(n))
        if what == "frame" and not np.any(times):  # several images of one role, all of one time
            return tuple(f"image {k + 1}" for k in range(n))
        if what == "frame" and (times <= -DAY_S).any():
            return tuple("this visit" if t >= 0 else when(t) for t in times)
        if source in self._batch.parents:
            return tuple(f"node {k + 1}" for k in range(n))
        return tuple(f"{what} {k + 1}, {when(t)}" for k, t in enumerate(times))

    def _with(self, kept: Tensor) -> Tensor:
        batch = repeated(self._batch, len(kept))
        covariates = None if batch.covariates is None else batch.covariates * kept
        return self._of_models(replace(batch, covariates=covariates), {})

    def _said(self, outs: Sequence[Out]) -> Tensor:
        n = len(outs)
        batch = repeated(self._batch, n)
        device = self.members.device
        out: dict[str, Tensor] = {}
        for name in dict.fromkeys(k for one in outs for k in one):
            wide = self.steps.get(name, 1)
            bits = np.zeros((n, wide), bool)
            for row, one in enumerate(outs):
                bits[row] = one.get(name, False)
            whole = bits.all(axis=1)
            out[name] = torch.from_numpy(whole if (whole == bits.any(axis=1)).all() else bits).to(device)
        return self._of_models(batch, out)

    def _of_models(self, batch: Batch, out: Mapping[str, Tensor]) -> Tensor:
        self.passes += batch.rows
        if self.watch is not None:
            self.watch(batch.rows)
        each = []
        for model in self.members.models:
            changed = self.members.task.without(model, batch, out) if out else batch
            generator = torch.Generator(device="cpu").manual_seed(0)
            raw = self.members.task.infer(model, changed, generator)
            each.append(self.members.task.scalar(raw, self.ask))
        return torch.stack(each).mean(dim=0).double().cpu()

    def _looked(self) -> tuple[Array, Array | None, dict[str, Array]]:
        """Return which sources are there, and what the attention gave each and their steps, as means over members."""
        passes, weighs = [], True
        with torch.inference_mode():
            for model in self.members.models:
                net = listened(model, alone=True)
                with net.overheard() as heard:
                    self.members.task.infer(model, self._batch, torch.Generator(device="cpu").manual_seed(0))
                passes += heard
                weighs = weighs and net.weighs
        there = passes[0].there[0].cpu().numpy()
        weights = np.mean([p.weights[0].float().cpu().numpy() for p in passes], axis=0)
        steps = {
            name: self._spread(
                name, np.mean([p.steps[name][0].float().cpu().numpy() for p in passes], axis=0)
            )
            for name in passes[0].steps
        }
        return there, weights if weighs else None, steps

    def _spread(self, name: str, weights: Array) -> Array:
        """Return weights of a source's tokens as weights of its steps: a net over frames may have fewer tokens."""
        n = self._count(name)
        if len(weights) == n:
            return weights
        place = np.arange(n) * len(weights) // n
        return np.asarray(weights[place] / np.bincount(place, minlength=len(weights))[place])

    def _count(self, name: str) -> int:
        if name in self._batch.courses:
            return int(self._batch.courses[name].shape[1])
        x = self._batch.images.get(name)
        return int(x.shape[1]) if x is not None and x.ndim == 6 else 1


def when(seconds: float) -> str:
    """Return a time in words: `0.48 s`, `3 hours`, `365 days before`."""
    size = abs(seconds)
    if size < 120:
        text = f"{size:.3g} s"
    elif size < 2 * DAY_S:
        text = f"{size / 3600:.3g} hours"
    else:
        text = f"{size / DAY_S:.4g} days"
    return text + (" before" if seconds < 0 else "")


def thumbnails(example: Example, source: str, places: Sequence[int]) -> dict[int, Array]:
    """Return what the model sees of some steps of an image source, `(Y, X)` in 0 to 1: of volumes the middle slice.

    All are shown from one darkest to one brightest value, so that they can be compared. Empty for a source without
    images.
    """
    images = example.images.get(source)
    if images is None or images.ndim != 5:
        return {}
    planes = {k: images[k].mean(axis=0)[images.shape[2] // 2] for k in places}
    low, high = np.percentile(np.stack(list(planes.values())), [0.5, 99.5]) if planes else (0.0, 1.0)
    return {k: np.clip((p - low) / max(float(high - low), 1e-6), 0, 1) for k, p in planes.items()}
