"""Which things are in the image, each with a mask of its own, where they touch, too?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import losses
from vesalius.core import isotonic
from vesalius.core.answers import Answer
from vesalius.core.answers.instances import COUNTS, Instances
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case, Instance
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.core.things import Things
from vesalius.metrics import instances as judge
from vesalius.plan import patches
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared
from vesalius.prepare.geometry import Undo
from vesalius.prepare.things import load_things, prepared_ids
from vesalius.tasks import _otsu as otsu
from vesalius.tasks._label_map import kept, labels_of
from vesalius.tasks._splitting import STEPS, Split, depths, split
from vesalius.tasks.contract import Nets, Task, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {"instances": "A mask for each thing, touching ones too"}
DEFAULT_FOR = ("instances",)
SEEDS = (
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
)  # depths from which on a thing has its seed, of which calibration takes the best
USUAL = 0.5  # the one that is taken before
SMALLEST = 0.25  # of the first percentile of training things: what is smaller is no thing
FEWEST = 20  # things of a label that were called out of fold, from which on it has a threshold of its own
DEPTH = 2.0  # weight of the depth's term beside that of the labels


class SplitThings(Task):
    """Labels by soft-max and the depth inside a thing, blended over tiles; watershed splits the whole field.

    The depth is the distance to a thing's edge over the largest of that thing: it has no direction, so that mirror
    images can be flipped back and joined, and it is the same after turning and zooming.
    """

    name: ClassVar[str] = "instances"
    answer: ClassVar[type[Answer]] = Instances
    targets: ClassVar[tuple[str, ...]] = ("instances", "mask")
    roles: ClassVar[tuple[str, ...]] = ("dense",)
    run: ClassVar[str] = "dense"
    primary: ClassVar[str] = "pq"
    mirrors: ClassVar[bool] = True
    checks: ClassVar[bool] = True

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for patches and overlap, with Dice and cross-entropy for the labels."""
        draft = Draft()
        fits = patches.images(draft, prints, machine)
        patches.dense_net(draft, prints, machine)
        draft.set("loss.name", "dice-ce", "overlap is the goal and cross-entropy steadies it")
        draft.set("loss.class_weights", "none", "Dice counts each label alike")
        patches.augmentation(draft, prints)
        patches.batches(draft, prints, machine, fits=fits)
        return draft

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """At least two cases with a mask, and at least one thing in them."""
        if target is None:
            return ("a mask of ids, or a mask, for each case",)
        n = sum(target.name in c.targets for c in cohort.cases)
        missing = [f"at least two cases with a mask '{target.name}' ({n} found)"] if n < 2 else []
        if n and not target.labels:
            missing.append(f"a thing with a label (every mask '{target.name}' is empty)")
        return tuple(missing)

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the labels: place in the network's output → value and name in the data."""
        if target is None:
            raise DataError("instances need a mask of ids, or a mask", hint="--target NAME")
        return State(
            {
                "target": target.name,
                "labels": kept(target.labels),
            }
        )

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return labels and ids as `mask` `(2, Z, Y, X)`, -1 where nothing is known, and the `depth` `(1, Z, Y, X)`.

        Labels are 0 for nothing and k for the k-th; ids are those of the mask.
        """
        item = case.targets.get(state.values["target"])
        if item is None:
            return Example(case.id, {"image": prepared.array})
        labels = labels_of(state)
        things = load_things(item, labels)
        ids = prepared_ids(things, reference, prepared.undo, case_id=case.id)
        mask = np.stack([_places(things, labels)[np.maximum(ids, 0)], ids]).astype(np.int32)
        mask[0][ids < 0] = -1
        ids = np.where(mask[0] > 0, ids, np.minimum(ids, 0))
        depth = depths(ids, spacing=_spacing(prepared.undo))
        targets = {"mask": mask, "depth": depth[None]}
        return Example(case.id, {"image": prepared.array}, targets, on_grid=frozenset(targets))

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return a dense net with heads for labels and depth, and the planned loss of the labels."""
        from vesalius.tasks._segmenter import Segmenter

        criterion = losses.build(plan.loss.name, smoothing=plan.loss.smoothing, options=plan.loss.options)
        outputs = len(state.values["labels"]) + 2  # background, labels, depth
        return Segmenter(planned_net(plan, nets), outputs, criterion, deep=False)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the planned loss of the labels, and the mean error of the depth within things and outside alike."""
        import torch
        from torch.nn import functional as F

        raw = model(batch.images["image"]).float()
        if "mask" not in batch.targets:
            return {"mask": 0.0 * raw.sum()}
        label = batch.targets["mask"][:, 0].long()
        terms = {"mask": model.criterion(raw[:, :-1], label)}  # type: ignore[operator]
        error = F.smooth_l1_loss(
            raw[:, -1].sigmoid(), batch.targets["depth"][:, 0], reduction="none", beta=0.1
        )
        means = [
            (error * where).sum() / where.sum().clamp_min(1)
            for where in (label > 0, label == 0)
            if bool(where.any())
        ]
        terms["depth"] = DEPTH * torch.stack(means).mean() if means else 0.0 * raw.sum()
        return terms

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Logits of background, labels and depth, `(B, K + 2, Z, Y, X)`."""
        raw: Tensor = model(batch.images["image"])
        return raw

    def point(self, raw: Tensor) -> Mapping[str, Tensor]:
        """Return three fields of bytes: the likeliest label, how likely it is, and the depth."""
        import torch

        sure, label = raw[:-1].softmax(dim=0).max(dim=0)
        steps = torch.stack([sure, raw[-1].sigmoid()]).mul(STEPS).round().to(torch.uint8)
        return {"label": label.to(torch.uint8), "sure": steps[0], "depth": steps[1]}

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Instances:
        """Return the things that the fields are split into, in the reference's geometry."""
        found = _split(raw, state, calibration, grown=_grown(undo))
        p = _calibrated(found.sure, calibration)
        return _answer(found, p, labels_of(state), reference, thresholds=calibration.get("thresholds"))

    def score(self, raw: Any, example: Example, state: State) -> dict[str, tuple[float, float]] | None:
        """Return what a case adds to the panoptic quality of each label, by its value, on the prepared grid.

        It is the sum of overlaps of things that are found, and what this is divided by: the found ones and half of the
        missed and the false ones.
        """
        truth = _truth(example, state)
        if truth is None:
            return None
        found = judge.row(_plain(_split(raw, state, {}), state), truth)["sums"]
        figures = {}
        for label in labels_of(state):
            of = found.get(label.name, dict.fromkeys(("iou", "hits", "false", "true"), 0.0))
            figures[str(label.value)] = (of["iou"], of["hits"] + (of["false"] + of["true"] - of["hits"]) / 2)
        return figures

    def scored(self, figures: Sequence[Mapping[str, Any]]) -> float:
        """Return the panoptic quality of all things of the cases together, the mean over labels."""
        names = dict.fromkeys(name for each in figures for name in each)
        sums = [np.sum([each[name] for each in figures if name in each], axis=0) for name in names]
        known = [float(overlap / every) for overlap, every in sums if every > 0]
        return float(np.mean(known)) if known else float("nan")

    def checked(self, raw: Any, example: Example, state: State) -> Array:
        """Return what calibration needs of one case `(N, 4)`: seed's place, label's place, surety, IoU if it was found.

        A row of which the seed is -1 says how many true things of a label there are, in place of the surety.
        """
        truth = _truth(example, state)
        if truth is None:
            return np.zeros((0, 4))
        labels = labels_of(state)
        names = [x.name for x in labels]
        rows = [(-1.0, float(k), float(truth.counts().get(n, 0)), 0.0) for k, n in enumerate(names)]
        for k, seed in enumerate(SEEDS):
            found = _split(raw, state, {"seed": seed})
            overlaps = judge.best_overlaps(_plain(found, state), truth)
            rows += [
                (float(k), float(place), float(sure), overlap)
                for place, sure, overlap in zip(found.place, found.sure, overlaps, strict=True)
                if np.isfinite(overlap)
            ]
        return np.array(rows, dtype=np.float64).reshape(-1, 4)

    def calibrate(
        self, raw: Sequence[Array], truths: Sequence[Any], *, state: State, plan: Plan
    ) -> dict[str, Any]:
        """Return the depth of seeds, the map of surety to how often a thing is one, and thresholds, all out of fold.

        A thing is one where it overlaps a true one of its label by an IoU of .5 or more. The seed and the thresholds
        are those of the best panoptic quality, the mean over labels.
        """
        rows = np.concatenate([np.zeros((0, 4)), *raw])
        if not len(rows):
            return {}
        names = [x.name for x in labels_of(state)]
        true = np.array([rows[(rows[:, 0] < 0) & (rows[:, 1] == k), 2].sum() for k in range(len(names))])
        qualities = [float(np.mean(_qualities(rows[rows[:, 0] == k], true))) for k in range(len(SEEDS))]
        best = max(range(len(SEEDS)), key=lambda k: (qualities[k], -abs(SEEDS[k] - USUAL)))
        chosen = rows[rows[:, 0] == best]
        found: dict[str, Any] = {"seed": SEEDS[best]}
        knots = isotonic.fit_knots(chosen[:, 2], chosen[:, 3] >= 0.5) if len(chosen) else None
        if knots is not None:
            found["knots"] = knots
        p = _calibrated(chosen[:, 2], found)
        limits = {}
        for k, name in enumerate(names):
            own = chosen[:, 1] == k
            if own.sum() >= FEWEST and true[k]:
                limits[name] = _threshold(p[own], chosen[own, 3], float(true[k]))
        return {**found, "thresholds": limits} if limits else found

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with how large things are at least, and with what the trivial answer needs."""
        sizes: list[int] = []
        for example in examples:
            if "mask" in example.targets:
                ids = np.asarray(example.targets["mask"][1])
                sizes += np.bincount(ids[ids > 0])[1:].tolist() if (ids > 0).any() else []
        held = [n for n in sizes if n]
        least = SMALLEST * float(np.percentile(held, 1)) if held else 0.0
        learned = otsu.learned(cases, state.values["target"], labels_of(state))
        return State({**state.values, "least": least, "trivial": learned}, state.arrays)

    def trivial(self, state: State, reference: Image) -> Instances | None:
        """Return what Otsu's threshold calls, split by watershed, all of the commonest label."""
        learned = state.values.get("trivial")
        return None if not learned else otsu.answer(learned, reference, labels_of(state))

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the mean logit of the label over the things that are asked about, or the voxels where it wins."""
        import torch

        place = ask.place + 1  # after the background
        if ask.where is None:
            inside = (raw[:, :-1].argmax(dim=1) == place).to(raw)
        else:
            inside = torch.as_tensor(ask.where).to(raw).expand(len(raw), *raw.shape[2:])
        total = inside.sum(dim=(1, 2, 3)).clamp_min(1.0)
        return (raw[:, place] * inside).sum(dim=(1, 2, 3)) / total


def perfect(truth: Things, labels: Sequence[Label], reference: Image, *, case_id: str = "") -> Instances:
    """Return what the task makes of the true labels and depths of a case: the best that its way of splitting can be."""
    label = _places(truth, labels)[truth.ids].astype(np.uint8)
    spacing = (1.0, 1.0, 1.0) if reference.spacing_mm is None else reference.spacing_mm[::-1]
    depth = np.round(STEPS * depths(np.where(label > 0, truth.ids, 0), spacing=spacing)).astype(np.uint8)
    sure = np.full(label.shape, STEPS, dtype=np.uint8)
    found = split(label, depth, sure, labels=len(labels), at=USUAL)
    return replace(_answer(found, found.sure, labels, reference), case_id=case_id)


def _answer(
    found: Split,
    p: Array,
    labels: Sequence[Label],
    reference: Image,
    *,
    thresholds: Mapping[str, float] | None = None,
) -> Instances:
    """Return what was split as an answer in the reference's geometry, with the part that counts it."""
    pairs = enumerate(zip(found.place.tolist(), p.tolist(), strict=True), start=1)
    things = tuple(Instance(k, labels[place].name, float(chance)) for k, (place, chance) in pairs)
    image = Image(
        found.ids.astype(np.uint16 if len(things) < 65536 else np.uint32)[None],
        affine=reference.affine,
        spacing_mm=reference.spacing_mm,
        spacing_at=reference.spacing_at,
        modality="SEG",
        source=reference.source,
    )
    limits = dict(thresholds) if thresholds else None
    answer = Instances(image=image, things=things, labels=tuple(labels), thresholds=limits)
    return replace(answer, parts={COUNTS: answer.counts()})


def _split(
    raw: Mapping[str, Array], state: State, calibration: Mapping[str, Any], *, grown: float = 1.0
) -> Split:
    """Return the things in the fields; `grown` is how many voxels of their grid one of the prepared grid is."""
    return split(
        raw["label"],
        raw["depth"],
        raw["sure"],
        labels=len(state.values["labels"]),
        at=float(calibration.get("seed", USUAL)),
        least=float(state.values.get("least", 0.0)) * grown,
    )


def _plain(found: Split, state: State) -> Instances:
    """Return what was split as an answer on its grid, with the surety as it is."""
    return _answer(found, found.sure, labels_of(state), Image(found.ids[None]))


def _truth(example: Example, state: State) -> Things | None:
    """Return the things of an example on its prepared grid; None where nobody knows them."""
    if "mask" not in example.targets:
        return None
    label, ids = np.asarray(example.targets["mask"])
    labels = labels_of(state)
    held, first = np.unique(ids, return_index=True)
    places = label.ravel()[first]
    named = {
        int(k): labels[n - 1].name for k, n in zip(held, places.tolist(), strict=True) if k > 0 and n > 0
    }
    return Things(np.where(label > 0, ids, 0), named, unknown=label < 0)


def _calibrated(sure: Array, calibration: Mapping[str, Any]) -> Array:
    knots = calibration.get("knots")
    sure = np.asarray(sure, dtype=np.float64)
    return np.interp(sure, knots["x"], knots["y"]) if knots else np.clip(sure, 0, 1)


def _qualities(rows: Array, true: Array) -> Array:
    """Return the panoptic quality of each label that is there, of the things in `rows`."""
    found = []
    for k, many in enumerate(true.tolist()):
        own = rows[rows[:, 1] == k]
        hits = own[:, 3] > 0.5
        every = hits.sum() + ((~hits).sum() + many - hits.sum()) / 2
        if every:
            found.append(float(own[hits, 3].sum() / every))
    return np.array(found or [0.0])


def _threshold(p: Array, overlap: Array, true: float) -> float:
    """Return the probability from which on things are called for the best panoptic quality; 0 where all should be."""
    order = np.argsort(-p, kind="stable")
    p, overlap = p[order], overlap[order]
    hits = overlap > 0.5
    found, many = np.cumsum(hits), np.arange(1, len(p) + 1)
    quality = np.cumsum(overlap * hits) / (found + (many - found + true - found) / 2)
    quality[:-1][p[:-1] == p[1:]] = -1.0  # things of one probability are called together
    best = len(quality) - 1 - int(np.argmax(quality[::-1]))
    if best == len(p) - 1:
        return 0.0
    return float((p[best] + p[best + 1]) / 2)


def _places(things: Things, labels: Sequence[Label]) -> Array:
    """Return the place of the label of each id, from 1 on; 0 for labels that were not learned."""
    place = {label.name: k for k, label in enumerate(labels, start=1)}
    table = np.zeros(int(things.ids.max(initial=0)) + 1, dtype=np.int32)
    for thing, name in things.labels.items():
        table[thing] = place.get(name, 0)
    return table


def _spacing(undo: Undo) -> tuple[float, float, float]:
    """Return the spacing of the prepared grid, `(z, y, x)`; of one that says none 1."""
    if undo.turned_spacing_mm is None:
        return (1.0, 1.0, 1.0)
    z, y, x = (s * a / b for s, a, b in zip(undo.turned_spacing_mm, undo.seen, undo.inner, strict=True))
    return (float(z), float(y), float(x))


def _grown(undo: Undo | None) -> float:
    return 1.0 if undo is None else float(np.prod(undo.seen) / np.prod(undo.inner))


TASK = SplitThings()
