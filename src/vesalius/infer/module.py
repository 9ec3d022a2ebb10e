"""A bundle as a plain `nn.Module`: prepared tensors in; raw outputs, calibrated answers or features out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vesalius import cohorts, formats
from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Image
from vesalius.core.words import counted
from vesalius.infer import runs
from vesalius.infer.features import deepest
from vesalius.infer.predictor import Encoded, Predictor
from vesalius.infer.runs.contract import Members
from vesalius.prepare.batch import Batch
from vesalius.prepare.case import MAIN
from vesalius.tasks.contract import Task

Prepared = Tensor | dict[str, Tensor]
BESIDE = ("covariates", "tokens", "frame_times_s", "times_days")  # what a case may have beside its images


class BundleModule(nn.Module):
    """The last stage of a bundle. It is in evaluation mode, and its parameters are the members' own.

    `forward` takes what `prepare` gives: a tensor `(B, C, Z, Y, X)` float32, where a 2-D picture has `Z == 1`, or a
    mapping of tensors where the task takes more than one. It returns raw outputs, logits for classes and labels:

    - of a task about a whole image `(B, K)` of one member, and `(B, M, K)` of an ensemble, whose probabilities are
      averaged, not its logits;
    - of a task about each voxel `(B, K, Z, Y, X)`, the mean of the members.

    With `calibrated` it returns what answers say instead: `(B, K)` probabilities after the temperature that was fitted
    on validation cases, or numbers in their unit `(B, 1)`; a task that is not calibrated refuses. Planned mirror images
    count, as in `predict`, unless `mirror` is False.
    """

    def __init__(
        self, bundle: Bundle, *, member: int | None, calibrated: bool, mirror: bool, device: str
    ) -> None:
        super().__init__()
        self._predictor = [Predictor(bundle, device=device, runtime="torch")]  # in a list: no sub-module
        last = self._predictor[0].stages[-1]
        if member is not None and not 0 <= member < len(last.models):
            raise PlanError(
                f"the bundle has no member {member}",
                found=counted(len(last.models), "member"),
                hint="a number from 0, or None for all of them",
            )
        chosen = last.models if member is None else (last.models[member],)
        self.members = nn.ModuleList(chosen)
        self.bundle, self.task, self.stage, self.calibrated = bundle, last.task, last.stage, calibrated
        plan = last.stage.plan
        infer = plan.infer if mirror else plan.infer.model_copy(update={"mirror": ()})
        self.plan = plan.model_copy(update={"infer": infer})
        self.run = runs.get(last.task.run)
        if calibrated and type(self.task).calibrated is Task.calibrated:  # said now, not at the first image
            self.task.calibrated(torch.zeros(1), self.stage.state, self.stage.calibration)
        self.eval()

    def forward(self, x: Tensor | Mapping[str, Tensor]) -> Tensor:
        """Return the raw outputs about prepared cases, or what answers say of them where `calibrated`.

        Raises DataError for a tensor of another shape or type than `takes` says.
        """
        self._assert_fits(x)
        raw = self.run.together(self._members(), batch_of(x), _generator())
        if self.calibrated:
            return self.task.calibrated(raw, self.stage.state, self.stage.calibration)
        return raw[:, 0] if self.run.apart and len(self.members) == 1 else raw

    def features(self, x: Tensor | Mapping[str, Tensor], *, member: int = 0) -> Tensor:
        """Return `(B, F)`: the mean over space of the deepest map of one member's net (`Net.summed_up`).

        It is the last map of an encoder, on which a head stands, and the bottom of a U-Net. Members' features are not
        comparable with one another's. Raises PlanError for a model without a net.
        """
        self._assert_fits(x)
        return deepest(self.task, self.members[member], batch_of(x))

    def prepare(self, source: Any, *, accept_mismatch: bool = False) -> Prepared:
        """Return one image, path or case as `forward` takes it, `(1, C, Z, Y, X)`, exactly as `predict` prepares it.

        Raises DataError's kinds, MismatchError for another kind of image than the bundle learned from, unless that is
        accepted.
        """
        return tensors(self._encoded(source, accept_mismatch), self.device)

    def answer(self, raw: Tensor, source: Any, *, accept_mismatch: bool = False) -> Answer:
        """Return the Answer that raw outputs about one case mean, `(1, …)`, as `predict` would give it.

        `source` is what was prepared: the answer lies in its geometry. Raises PlanError for calibrated outputs.
        """
        if self.calibrated:
            raise PlanError(
                "calibrated outputs are no raw ones", hint="bundle.torch() without calibrated=True"
            )
        seen = self._encoded(source, accept_mismatch)
        one = raw[0][None] if self.run.apart and len(self.members) == 1 else raw[0]
        value = self.run.decodable(self._members(), one.detach(), seen.undo)
        answer = self.task.decode(
            value, self.stage.state, self.stage.calibration, seen.reference, undo=seen.undo
        )
        if seen.low is not None:
            answer = contract.of(answer).placed(answer, seen.low, seen.whole)
        signed = replace(answer, case_id=seen.case.id, source=seen.whole.source, bundle=self.bundle.hash)
        return replace(signed, by=self.bundle.name, outside=seen.outside)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        held = next(self.parameters(), None)  # a graph of others holds none, and answers on the processor
        return torch.device("cpu") if held is None else held.device

    @cached_property
    def takes(self) -> str:
        """What `forward` takes, in words: the tensor's shape, what its axes are, and what its numbers are."""
        data = self.plan.data
        size = ", ".join(map(str, data.size))
        how = ", ".join(data.intensities)
        spacing = (
            f" at {' × '.join(f'{s:g}' for s in data.spacing_mm)} mm (x, y, z)" if data.spacing_mm else ""
        )
        whole = "" if data.sampling == "whole" else ", or any larger image, of which predict takes such tiles"
        return f"(B, {data.inputs}, {size}) float32{whole}; axes (z, y, x){spacing}; normalised: {how}"

    def extra_repr(self) -> str:
        """Return what it takes and gives."""
        gives = "calibrated" if self.calibrated else "raw outputs"
        return f"{self.task.name}; takes {self.takes}; gives {gives}"

    def _assert_fits(self, x: Tensor | Mapping[str, Tensor]) -> None:
        """Raise DataError where a tensor that stands for an image alone is none that `prepare` could give."""
        if not isinstance(x, Tensor):
            return
        data = self.plan.data
        wrong = x.ndim != 5 or x.shape[1] != data.inputs or not x.dtype.is_floating_point
        if wrong or (data.dims == 2 and data.sampling == "whole" and x.shape[2] != 1):
            raise DataError(
                f"this module takes {self.takes}",
                found=f"{tuple(x.shape)} {str(x.dtype).removeprefix('torch.')}",
                hint="bundle.prepare(source), which gives it of a path, an array or a picture",
            )

    def _members(self) -> Members:
        return Members(self.task, list(self.members), self.plan, self.device)

    def _encoded(self, source: Any, accept_mismatch: bool) -> Encoded:
        predictor = self._predictor[0]
        return (predictor.accepting if accept_mismatch else predictor).encoded(case_of(source))


def as_module(
    bundle: Bundle, *, member: int | None, calibrated: bool, mirror: bool, device: str
) -> BundleModule:
    """Return the last stage of a bundle as a module. Raises PlanError, BundleError."""
    return BundleModule(bundle, member=member, calibrated=calibrated, mirror=mirror, device=device)


def features_of(module: BundleModule, x: Tensor | Mapping[str, Tensor]) -> Tensor:
    """Return the features of prepared tensors, without what gradients would need."""
    with torch.inference_mode():
        return module.features(x)


def prepared(bundle: Bundle, source: Any, *, accept_mismatch: bool) -> Prepared:
    """Return one image, path or case as the bundle's module takes it. Weights are read only where stages need them."""
    several = len(bundle.stages) > 1
    predictor = Predictor(bundle, device="cpu", weights=several, accept_mismatch=accept_mismatch)
    return tensors(predictor.encoded(case_of(source)), torch.device("cpu"))


def tensors(seen: Encoded, device: torch.device) -> Prepared:
    """Return an encoded case as one tensor where it is nothing but an image, else as a mapping of them."""
    batch = seen.task.collate([replace(seen.example, targets={}, on_grid=frozenset())]).to(device)
    beside = {name: value for name in BESIDE if (value := getattr(batch, name)) is not None}
    if not beside and not batch.vectors and set(batch.images) == {MAIN}:
        return batch.images[MAIN]
    return {**batch.images, **batch.vectors, **beside}


def batch_of(x: Tensor | Mapping[str, Tensor]) -> Batch:
    """Return prepared tensors as the batch that tasks take. Raises DataError for what is not prepared."""
    if not isinstance(x, Tensor | Mapping) or not all(isinstance(v, Tensor) for v in _values(x)):
        raise DataError(
            "a module takes prepared tensors",
            found=type(x).__name__,
            hint="bundle.prepare(source), which gives them of a path, an array or a picture",
        )
    if isinstance(x, Tensor):
        return Batch(images={MAIN: x}, case_ids=tuple(str(k) for k in range(len(x))))
    named = {name: value for name, value in x.items() if name not in BESIDE}
    images = {name: value for name, value in named.items() if value.ndim != 2}
    vectors = {
        name: value for name, value in named.items() if value.ndim == 2
    }  # of earlier stages, and of texts
    beside: dict[str, Any] = {name: x[name] for name in BESIDE if name in x}
    n = len(next(iter(x.values())))
    present = {name: torch.ones(n, dtype=torch.bool) for name in x}
    ids = tuple(str(k) for k in range(n))
    return Batch(images=images, case_ids=ids, present=present, vectors=vectors, **beside)


def _values(x: Tensor | Mapping[str, Tensor]) -> list[Tensor]:
    return [x] if isinstance(x, Tensor) else list(x.values())


def case_of(source: Any) -> Case:
    """Return one thing that can be answered as a case: a case, an image, a path, or pixels in memory.

    Raises DataError where a path holds several, or none.
    """
    if isinstance(source, Case):
        return source
    if not isinstance(source, str | Path):
        image = source if isinstance(source, Image) else formats.image_of(source)
        return Case("image", {MAIN: image})
    cohort = cohorts.read(source, max_set_aside=1.0)
    if len(cohort.cases) != 1:
        raise DataError(
            f"{cohort.root} holds {counted(len(cohort.cases), 'case')} that can be prepared, not one",
            found="; ".join(s.reason for s in cohort.set_aside[:1]) or None,
            hint="one of `vs.read(path).cases`",
        )
    return cohort.cases[0]


def _generator() -> torch.Generator:
    return torch.Generator(device="cpu").manual_seed(0)
