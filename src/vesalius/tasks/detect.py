"""Where are they? Boxes around what is looked for, in pictures and in volumes, each with a label and a probability."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import losses
from vesalius.core.answers import Answer
from vesalius.core.answers.boxes import COUNTS, Boxes, counts_of
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Box, Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array, Image
from vesalius.core.options import options_of
from vesalius.core.plan import Plan
from vesalius.core.promise import OPTION
from vesalius.core.statistics import Statistics
from vesalius.metrics import boxes as priors
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared
from vesalius.prepare.geometry import Undo, backward_points, forward_points, inner_slices
from vesalius.tasks import _detector_plan as planned
from vesalius.tasks import _judging as judging
from vesalius.tasks._fusing import LABEL, LOGIT, SOURCE, SOURCES, P, fused
from vesalius.tasks._label_map import kept, labels_of
from vesalius.tasks.contract import Nets, Task, Tile, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"detect": "Boxes around what is looked for, each with its label"}
DEFAULT_FOR = ("boxes",)
OPTIONS = {
    "finest": 8,
    "levels": 3,
    "width": 64,
    "depth": 2,
    "candidates": 128,
    "box_loss": "diou",
    "box_weight": 2.0,
    "threshold": "as_many",
}
LIMITS = {
    "finest": {"in": [1, 2, 4, 8, 16, 32]},
    "levels": {"ge": 1, "le": 7},
    "width": {"ge": 8},
    "depth": {"ge": 0},
    "candidates": {"ge": 1, "le": 1000},
    "box_loss": {"in": ["diou", "giou"]},
    "box_weight": {"gt": 0},
}
LEFT = 0.3  # share of a box that a patch must hold for it to be looked for there
USUAL = "usual"  # in the state: the boxes of the training case that is most like the others


class Detect(Task):
    """A detector of one stage without anchors; boxes of tiles, mirror images and members are fused, and calibrated."""

    name: ClassVar[str] = "detect"
    answer: ClassVar[type[Answer]] = Boxes
    targets: ClassVar[tuple[str, ...]] = ("boxes",)
    roles: ClassVar[tuple[str, ...]] = ("encoder", "dense")
    run: ClassVar[str] = "tiles"
    primary: ClassVar[str] = "ap50"
    mirrors: ClassVar[bool] = True
    turns_back: ClassVar[bool] = True
    checks: ClassVar[bool] = True

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices that follow from how large boxes are and how many a case has."""
        return planned.drafted(prints, machine)

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """At least two cases whose boxes are known, and one box that is no crowd."""
        if target is None:
            return ("boxes for each case",)
        held = [c.targets[target.name] for c in cohort.cases if target.name in c.targets]
        missing = []
        if len(held) < 2:
            missing.append(f"at least two cases whose boxes '{target.name}' are known ({len(held)} found)")
        if held and not any(isinstance(b, Box) and not b.crowd for v in held for b in _boxes(v)):
            missing.append(f"a box (no case has one in '{target.name}')")
        return tuple(missing)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse words that are no rule for a threshold, and more levels than the planned size has room for."""
        options = _options(plan)
        judging.rule_of(options["threshold"])
        room = max(plan.data.size[-plan.data.dims :])
        if options["finest"] > room:
            raise PlanError(
                "the finest level is coarser than an image is large",
                found=f"task.options.finest={options['finest']}, data.size {list(plan.data.size)}",
                hint="a finer level, or a larger size",
            )

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the labels and the sides of a typical box of each level, which follow from the plan."""
        if target is None:
            raise DataError("detection needs boxes", hint="--target NAME")
        return State(
            {
                "target": target.name,
                "typical": planned.typical(plan),
                "flat": plan.data.dims == 2,
                "labels": kept(target.labels),
            }
        )

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the boxes on the prepared grid, `(N, 2, 3)`, with their labels, which are crowds, and their sizes."""
        item = case.targets.get(state.values["target"])
        if item is None:
            return Example(case.id, {"image": prepared.array})
        found = _boxes(item)
        names = {x["name"]: k for k, x in enumerate(state.values["labels"])}
        strange = next((b.label for b in found if b.label not in names), None)
        if strange is not None:
            raise DataError(f"case {case.id}: a box of a label that is not known", found=strange)
        corners = np.array([(b.low, b.high) for b in found], dtype=np.float64).reshape(-1, 2, 3)
        moved = np.sort(forward_points(corners, prepared.undo), axis=1).astype(np.float32)
        if state.values["flat"]:
            moved[:, 0, 0], moved[:, 1, 0] = 0.0, 1.0
        ragged: dict[str, Array] = {
            "boxes": moved,
            "labels": np.array([names[b.label] for b in found], dtype=np.int64),
            "crowd": np.array([b.crowd for b in found], dtype=bool),
            "whole": moved[:, 1] - moved[:, 0],
            "frame": _frame(prepared.undo),
        }
        return Example(case.id, {"image": prepared.array}, ragged=ragged, boxes=frozenset({"boxes"}))

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return a net with its pyramid and its heads, and the planned loss."""
        from vesalius.tasks._detector import Detector

        options = _options(plan)
        criterion = losses.build(plan.loss.name, multilabel=True, options=plan.loss.options)
        return Detector(
            planned_net(plan, nets),
            len(state.values["labels"]),
            criterion,
            finest=options["finest"],
            typical=state.values["typical"],
            width=options["width"],
            depth=options["depth"],
            form=options["box_loss"],
            weight=options["box_weight"],
            candidates=options["candidates"],
        )

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of how sure each place is, and of how well the boxes of those that found one fit.

        Cases whose boxes are not known count for nothing; cases without any box are background. Nothing is asked where
        a crowd is, or what is left of a box that a patch cut away.
        """
        from vesalius.tasks._detector_loss import terms

        return terms(model, batch, left=LEFT)

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the best boxes of each tile, `(B, N, 10)`: corners on its grid, logit, label, and whose opinion."""
        from vesalius.tasks._detector import rows_of

        seen = model(batch.images["image"])
        return rows_of(seen, most=int(model.candidates), flat=model.net.dims == 2)  # type: ignore[arg-type,union-attr]

    def turned_back(self, raw: Tensor, axes: Sequence[int], size: tuple[int, int, int]) -> Tensor:
        """Return the rows with their corners exchanged along the axes, and counted from the other end."""
        turned = raw.clone()
        for axis in axes:
            k = axis % 3
            turned[..., k], turned[..., k + 3] = size[k] - raw[..., k + 3], size[k] - raw[..., k]
        return turned

    def join(self, raws: Iterable[Tensor]) -> Tensor:
        """Return the rows of all opinions about one tile `(…, N, 10)`, each with whose opinion it is, of how many."""
        import torch

        several = [raw.clone() for raw in raws]
        for k, raw in enumerate(several):
            raw[..., SOURCE], raw[..., SOURCES] = k, len(several)
        return torch.cat(several, dim=-2)

    def merge(self, tiles: Sequence[Tile], shape: tuple[int, int, int]) -> Array:
        """Return the fused boxes on the prepared grid, `(N, 8)`: corners, probability, place of the label."""
        return fused(tiles, shape)

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Boxes:
        """Return the boxes in the reference's index coordinates, the surest first, each within the image."""
        labels = labels_of(state)
        corners = np.asarray(raw, dtype=np.float64)[:, :6].reshape(-1, 2, 3)
        shape = reference.shape if undo is not None else None
        if undo is not None:
            corners = np.sort(backward_points(corners, undo), axis=1)
            if state.values["flat"] and reference.is_2d:
                corners[:, 0, 0], corners[:, 1, 0] = 0.0, 1.0
            corners = np.clip(corners, 0, shape)
        lines = calibration.get("lines") or {}
        boxes, p = [], []
        for (low, high), row in zip(corners.tolist(), np.asarray(raw), strict=True):
            label = labels[int(row[P + 1])].name
            if all(a < b for a, b in zip(low, high, strict=True)):
                boxes.append(Box((low[0], low[1], low[2]), (high[0], high[1], high[2]), label))
                p.append(float(judging.mapped(row[P], lines.get(label))))
        order = np.argsort(-np.array(p), kind="stable").tolist()
        found = Boxes(
            boxes=tuple(boxes[k] for k in order),
            p=np.array([p[k] for k in order], dtype=np.float64),
            labels=labels,
            thresholds=calibration.get("thresholds") or {x.name: 0.5 for x in labels},
        )
        return replace(found, parts={COUNTS: counts_of(found)})

    def checked(self, raw: Any, example: Example, state: State) -> tuple[judging.Checked, ...] | None:
        """Return the candidates of each label held against the true boxes; None where these are not known."""
        if "boxes" not in example.ragged:
            return None
        return judging.checked(
            raw,
            np.asarray(example.ragged["boxes"], dtype=np.float64),
            np.asarray(example.ragged["labels"]),
            np.asarray(example.ragged["crowd"]),
            many=len(state.values["labels"]),
            flat=bool(state.values["flat"]),
        )

    def score(self, raw: Any, example: Example, state: State) -> Mapping[str, Any] | None:
        """Return the candidates of each label held against the truth, by its name."""
        found = self.checked(raw, example, state)
        return (
            None if found is None else {x.name: one for x, one in zip(labels_of(state), found, strict=True)}
        )

    def scored(self, figures: Sequence[Mapping[str, Any]]) -> float:
        """Return the mean over labels of the average precision, of the candidates of all cases together."""
        names = dict.fromkeys(name for each in figures for name in each)
        each = [
            judging.average_precision(judging.together([f[name] for f in figures if name in f]))
            for name in names
        ]
        known = [value for value in each if np.isfinite(value)]
        return float(np.mean(known)) if known else float("nan")

    def calibrate(
        self, raw: Sequence[Any], truths: Sequence[Any], *, state: State, plan: Plan
    ) -> dict[str, Any]:
        """Return, by label, a line of log-odds by which candidates are as often right as they say, and a threshold."""
        rule = judging.rule_of(_options(plan)["threshold"])
        held = [one for one in raw if one is not None]
        found = {x.name: judging.together([one[k] for one in held]) for k, x in enumerate(labels_of(state))}
        lines = judging.fitted(found)
        thresholds = {}
        for name, one in found.items():
            p = judging.mapped(one.p, lines[name])
            thresholds[name] = judging.threshold(judging.Checked(p, one.hit, one.n, one.cases), rule)
        return {"lines": lines, "thresholds": thresholds}

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with the boxes of the training case that is most like the others, as shares of an image."""
        names = [label.name for label in labels_of(state)]
        truths = [_shares(e, names) for e in examples if "boxes" in e.ragged]
        boxes, p = priors.baseline(truths)
        usual = [[b.label, *b.low, *b.high, float(x)] for b, x in zip(boxes, p, strict=True)]
        return State({**state.values, USUAL: usual}, state.arrays)

    def trivial(self, state: State, reference: Image) -> Boxes | None:
        """Return the boxes of the training case that is most like the others, stretched onto the image."""
        usual = state.values.get(USUAL)
        if usual is None:
            return None
        shape = np.array(reference.shape, dtype=np.float64)
        boxes = []
        for name, *corners, _ in usual:
            (a, b, c), (d, e, f) = (np.array(corners).reshape(2, 3) * shape).tolist()
            boxes.append(Box((a, b, c), (d, e, f), name))
        p = np.array([row[-1] for row in usual], dtype=np.float64)
        found = Boxes(boxes=tuple(boxes), p=p, labels=labels_of(state), thresholds={})
        return replace(found, parts={COUNTS: counts_of(found)})

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the logarithm of how sure a box is times how far it overlaps the one that is asked about, of the best.

        Without a box all count alike, and without a label boxes of any.
        """
        import torch
        from torch.nn import functional as F

        from vesalius.tasks import _overlap as overlap

        said = F.logsigmoid(raw[..., LOGIT])
        if ask.label is not None:
            said = torch.where(raw[..., LABEL] == ask.label, said, said.new_full((), -50.0))
        if ask.box is not None:
            asked = torch.as_tensor(np.asarray(ask.box), dtype=raw.dtype, device=raw.device)
            fit = overlap.iou(raw[..., :6].reshape(*raw.shape[:-1], 2, 3), asked)
            said = said + (fit + 1e-3).log()
        return said.amax(dim=-1)


def _frame(undo: Undo) -> Array:
    """Return where the image lies on the prepared grid, the rest of which is padding: low and high corner."""
    inner = inner_slices(undo)
    return np.array([[s.start for s in inner], [s.stop for s in inner]], dtype=np.float32)


def _shares(example: Example, names: Sequence[str]) -> tuple[Box, ...]:
    """Return the true boxes of a case as shares of its image."""
    low, high = np.asarray(example.ragged["frame"], dtype=np.float64)
    corners = (np.asarray(example.ragged["boxes"], dtype=np.float64) - low) / (high - low)
    about = zip(
        corners.tolist(), example.ragged["labels"].tolist(), example.ragged["crowd"].tolist(), strict=True
    )
    return tuple(Box(tuple(a), tuple(b), names[k], crowd) for (a, b), k, crowd in about)


def _boxes(value: Any) -> tuple[Box, ...]:
    if not isinstance(value, tuple) or not all(isinstance(b, Box) for b in value):
        raise DataError("the target is no tuple of boxes", found=type(value).__name__)
    return value


def _options(plan: Plan) -> dict[str, Any]:
    own = {name: value for name, value in plan.task.options.items() if name != OPTION}
    return options_of("tasks", "detect", own, where="task.options")


TASK = Detect()
