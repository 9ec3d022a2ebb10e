"""Which structure does each voxel belong to?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import losses
from vesalius.core.answers import Answer
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Image
from vesalius.core.levels import PER_STEP, SPAN, STEPS
from vesalius.core.plan import Plan
from vesalius.core.promise import LEVELS
from vesalius.core.statistics import Statistics
from vesalius.metrics import mask as priors
from vesalius.nets import describe
from vesalius.plan import patches, together
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import UNKNOWN, Batch, Example
from vesalius.prepare.case import Prepared, load_mask, prepare_mask
from vesalius.prepare.geometry import Undo
from vesalius.prepare.opinion import Opinion
from vesalius.prepare.sources import prepare_sources
from vesalius.tasks import _soft
from vesalius.tasks._label_map import kept, labels_of
from vesalius.tasks._sources import TIME
from vesalius.tasks.contract import Nets, Task, Wanted, planned_net, planned_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

PRIOR = 32
ALONE = ""  # the field of labels among several
NAMES = {"segment": "A label for every voxel or pixel"}
DEFAULT_FOR = ("mask",)
OPTIONS = {"soft": False}


class Segment(Task):
    """Exclusive labels by soft-max over background and labels; values and names are kept and restored."""

    name: ClassVar[str] = "segment"
    answer: ClassVar[type[Answer]] = Mask
    targets: ClassVar[tuple[str, ...]] = ("mask",)
    roles: ClassVar[tuple[str, ...]] = ("dense",)
    run: ClassVar[str] = "dense"
    primary: ClassVar[str] = "dice"
    mirrors: ClassVar[bool] = True
    may_nets: ClassVar[Mapping[str, tuple[str, ...]]] = {TIME: ("sequence",)}

    def sees_time(self, plan: Plan) -> bool:
        """Return whether frames of images are planned."""
        return plan.sources.frames > 0

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for patches and overlap: Dice with cross-entropy, weights where a label is rare."""
        draft = Draft()
        machine = together.machine_for(prints, machine)
        fits = patches.images(draft, prints, machine)
        patches.dense_net(draft, prints, machine)
        draft.set("loss.name", "dice-ce", "overlap is the goal and cross-entropy steadies it")
        present = [share for share in prints.voxels.values() if share > 0]
        uneven = bool(present) and max(present) > 5 * min(present)
        why = "the rarest label is more than five times rarer" if uneven else "labels are not far from even"
        draft.set("loss.class_weights", "root" if uneven else "none", why)
        patches.augmentation(draft, prints)
        patches.batches(draft, prints, machine, fits=fits)
        together.propose_frames(draft, prints, machine)
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """At least two cases with a mask, and at least one label in them."""
        if target is None:
            return ("a mask for each case",)
        n = sum(target.name in c.targets for c in cohort.cases)
        missing = [f"at least two cases with a mask '{target.name}' ({n} found)"] if n < 2 else []
        if n and not target.labels:
            missing.append(f"a labelled voxel (every mask '{target.name}' is empty)")
        return tuple(missing)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse sources other than frames, which need a net over time that reads maps."""
        chosen = plan.sources
        more = chosen.visits > 1 or chosen.apart or chosen.courses or chosen.texts or chosen.causal
        if chosen.joined or more:
            raise PlanError(
                "a mask is found in the frames of one image, and in no other sources",
                found="sources in the plan",
                hint="--set sources.frames=8 alone, or channels of one grid",
            )
        name = plan.nets[TIME].name if TIME in plan.nets else None
        reads = None if name is None else describe(name)["OVER"][name]
        if (chosen.frames > 0) != (name is not None) or reads not in (None, "maps"):
            raise PlanError(
                "frames need a net over time that reads maps, and such a net needs frames",
                found=f"sources.frames={chosen.frames}, nets.time.name={name}",
                hint="--set sources.frames=8 --set nets.time.name=convlstm",
            )
        if chosen.frames > 0 and plan.loss.deep_supervision:
            raise PlanError(
                "maps over time have no coarser ones to supervise", hint="--set loss.deep_supervision=false"
            )

    def prepare(self, case: Case, plan: Plan, state: State, *, reference: Image) -> Prepared:
        """Return a case made ready as planned, with its frames where these are looked at."""
        if not plan.sources.frames:
            return super().prepare(case, plan, state, reference=reference)
        return prepare_sources(case, plan.data, plan.sources, reference=reference)

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return what is known of the cases. Raises DataError where soft labels are planned and no case has any."""
        if target is not None and plan.task.options.get(_soft.OPTION):
            _soft.assert_there(cases, [x.name for x in target.labels])
        return super().summary(cases, target, plan)

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the label map: place in the network's output → value in the data."""
        if target is None:
            raise DataError("segmentation needs a mask", hint="--target NAME")
        return State(
            {
                "target": target.name,
                "share": _share(target, plan),
                "labels": kept(target.labels),
                **({_soft.OPTION: True} if plan.task.options.get(_soft.OPTION) else {}),
            }
        )

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the mask as indices `(1, Z, Y, X)`: 0 background, k the k-th label, -1 where nothing is known."""
        item = case.targets.get(state.values["target"])
        if item is None:
            return Example(case.id, {"image": prepared.array}, times_s=prepared.times_s)
        if not isinstance(item, Ref | Image):
            raise DataError(f"case {case.id}: the target is not a mask", found=type(item).__name__)
        labels = prepare_mask(load_mask(item), reference, prepared.undo, case_id=case.id)
        index = np.zeros(labels.shape, dtype=np.int16)
        index[labels < 0] = -1
        for k, label in enumerate(state.values["labels"], start=1):
            index[labels == label["value"]] = k
        targets = {"mask": index[None]}
        if state.values.get(_soft.OPTION):
            names = [label["name"] for label in state.values["labels"]]
            targets["soft"] = _soft.maps(case, names, index, reference, prepared.undo)
        return Example(
            case.id,
            {"image": prepared.array},
            targets,
            on_grid=frozenset(targets),
            times_s=prepared.times_s,
        )

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return a dense net with its heads, and the planned loss."""
        from vesalius.tasks._segmenter import Segmenter

        net = planned_net(plan, nets)
        if plan.sources.frames:
            from vesalius.tasks._framewise import Framewise

            net = Framewise(net, planned_net(plan, nets, TIME, channels=net.out_channels))
        weights = planned_weights(plan, np.asarray(state.values["share"]))
        criterion = losses.build(
            plan.loss.name, weights=weights, smoothing=plan.loss.smoothing, options=plan.loss.options
        )
        classes = len(state.values["labels"]) + 1
        return Segmenter(net, classes, criterion, deep=plan.loss.deep_supervision)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the planned loss; with deep supervision each coarser map counts half as much as the one before.

        Cases without a mask count for nothing: theirs is -1, not known, everywhere.
        """
        from torch.nn import functional as F

        from vesalius.tasks._framewise import input_of
        from vesalius.tasks._segmenter import Segmenter

        x = input_of(batch, model)
        if "mask" not in batch.targets:
            return {"mask": 0.0 * model(x).sum()}
        soft = batch.targets.get("soft")  # (B, K, Z, Y, X), 0 of all where nothing is known
        if soft is not None:
            return _soft.terms(model, x, soft)
        target = batch.targets["mask"][:, 0].long()  # (B, Z, Y, X)
        if not isinstance(model, Segmenter) or not len(model.deep):
            return {"mask": model.criterion(model(x), target)}  # type: ignore[operator]
        maps = model.coarse(x)
        terms, weights = {}, [0.5**k for k in range(len(maps))]
        for k, logits in enumerate(maps):
            shrunk = target
            if logits.shape[2:] != target.shape[1:]:
                shrunk = F.interpolate(target[:, None].float(), size=logits.shape[2:], mode="nearest")[
                    :, 0
                ].long()
            terms[f"mask-{k}"] = model.criterion(logits, shrunk) * (weights[k] / sum(weights))
        return terms

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Logits `(B, K, Z, Y, X)`."""
        from vesalius.tasks._framewise import input_of

        logits: Tensor = model(input_of(batch, model))
        return logits

    def last_layer(self, model: nn.Module) -> nn.Module:
        """Return the convolution of one point that is put on the net's map."""
        return model.head  # type: ignore[return-value]

    def wanted(self, batch: Batch, state: State) -> Wanted:
        """Return background and labels of each point as 0 and 1, `(B, K, Z, Y, X)`."""
        import torch

        many = len(state.values["labels"]) + 1
        if "mask" not in batch.targets:
            return Wanted(
                torch.full((batch.rows, many, *batch.images["image"].shape[-3:]), float("nan")), "exclusive"
            )
        index = batch.targets["mask"][:, 0].long()
        hot = torch.stack([(index == k).float() for k in range(many)], dim=1)
        return Wanted(torch.where((index >= 0)[:, None], hot, float("nan")), "exclusive")

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Mask:
        """Indices on the reference's grid, as the data's own label values in the reference's geometry."""
        labels = labels_of(state)
        fields: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {ALONE: raw}
        raw = fields[ALONE]
        values = np.array([0, *(x.value for x in labels)])
        kind = np.min_scalar_type(int(values.max())) if values.min() >= 0 else np.dtype(np.int32)
        if np.array_equal(values, np.arange(len(values))):
            array = raw.astype(kind, copy=False)
        else:
            array = values.astype(kind)[raw]
        image = Image(
            array[None],
            affine=reference.affine,
            spacing_mm=reference.spacing_mm,
            spacing_at=reference.spacing_at,
            modality="SEG",
            source=reference.source,
        )
        mask = Mask(image=image, labels=labels)
        if len(fields) == 1:
            return mask
        likely = np.stack([fields[f"{LEVELS}-{k}"] for k in range(len(labels))])
        part = Map(image=replace(image, array=likely), quantity="log-odds in steps")
        return replace(mask, parts={LEVELS: part})

    def as_rule(self, state: State, calibration: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of each place of the output, the background first, and what each label is called."""
        labels = labels_of(state)
        named = [{"value": x.value, "name": x.name} for x in labels]
        return {"rule": "points", "values": [0, *(x.value for x in labels)], "labels": named}

    def levels(self, raw: Tensor) -> Mapping[str, Tensor]:
        """Return how likely each label is at each point, beside all others together."""
        import torch

        sure = raw.log_softmax(dim=0)[1:]  # without the background
        odds = sure - torch.log1p(-sure.exp().clamp(max=1 - 1e-7))
        steps = ((odds + SPAN) / PER_STEP).floor().clamp(0, STEPS - 1).to(torch.uint8)
        return {f"{LEVELS}-{k}": field for k, field in enumerate(steps)}

    def chances(self, raw: Tensor) -> Tensor:
        """Return the soft-max over background and labels."""
        return raw.softmax(dim=1)

    def semi_supervised(self, target: TargetInfo | None) -> tuple[str, ...]:
        """Return a teacher: two nets that teach each other take twice its time a step."""
        return ("meanteacher",)

    def taught(self, batch: Batch, opinion: Opinion, sure: Tensor) -> Batch:
        """Return the batch with the likeliest label of each point as its mask, -1 where it is not sure."""
        mask = opinion.values.argmax(dim=1).masked_fill(~sure, UNKNOWN)[:, None]
        return replace(batch, targets={"mask": mask}, on_grid=frozenset({"mask"}), has={})

    def score(self, raw: Any, example: Example, state: State) -> dict[str, float] | None:
        """Return the Dice of each label, by its value, on the prepared grid where the truth is known."""
        if "mask" not in example.targets:
            return None
        truth = np.asarray(example.targets["mask"][0])
        known = truth >= 0
        found = {}
        for k, label in enumerate(state.values["labels"], start=1):
            a, b = (raw == k) & known, truth == k
            size = int(a.sum()) + int(b.sum())
            found[str(label["value"])] = 2 * int((a & b).sum()) / size if size else float("nan")
        return found

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with how often each place of a common grid holds each label."""
        items = [c.targets.get(state.values["target"]) for c in cases]
        masks = (load_mask(i) for i in items if isinstance(i, Ref | Image))
        prior = priors.prior(masks, labels_of(state), grid=PRIOR)
        return State(state.values, {**state.arrays, "prior": prior.astype(np.float16)})

    def trivial(self, state: State, reference: Image) -> Mask | None:
        """Return the training-mean mask, stretched onto the reference's grid."""
        if "prior" not in state.arrays:
            return None
        return priors.baseline(state.arrays["prior"].astype(np.float32), reference, labels_of(state))

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the mean logit of one label, over the region that is asked about or the voxels where it wins."""
        import torch

        place = ask.place + 1  # after the background
        if ask.where is None:
            inside = (raw.argmax(dim=1) == place).to(raw)  # (B, Z, Y, X)
        else:
            inside = torch.as_tensor(ask.where).to(raw).expand(len(raw), *raw.shape[2:])
        total = inside.sum(dim=(1, 2, 3)).clamp_min(1.0)
        return (raw[:, place] * inside).sum(dim=(1, 2, 3)) / total


def _share(target: TargetInfo, plan: Plan) -> list[float]:
    """Return the share of voxels of the background and of each label, as the plan's fingerprint has them; else even."""
    voxels = plan.fingerprint.get("voxels") or {}
    each = [float(voxels.get(x.name, 0.0)) for x in target.labels]
    if not any(each):
        return [1 / (len(each) + 1)] * (len(each) + 1)
    return [max(0.0, 1 - sum(each)), *each]


TASK = Segment()
