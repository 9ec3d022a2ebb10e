"""Which known cases is an image like? Vectors in which cases of one label lie near, and the nearest of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import losses
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import registry
from vesalius.core.answers import Answer
from vesalius.core.answers.ranking import Kin, Ranking
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array, Image
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.positive import positive_of, why_positive
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.geometry import Undo
from vesalius.tasks import _nearby
from vesalius.tasks._beside import plan_covariates
from vesalius.tasks._by_label import ByLabel
from vesalius.tasks._labels import Labels, names_in
from vesalius.tasks._sources import check_sources, input_of, net_of
from vesalius.tasks.contract import Nets, Sampler

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NAMES = {
    "embed": "Vectors in which cases of one label lie near: the nearest known cases, and a label by them"
}
OPTIONS = {
    "dims": 128,
    "each": 4,
    "nearest": 10,
    "neighbours": 20,
    "temperature": 0.1,
    "most": 20000,
    "covariates": "",
    "categories": "",
}
LIMITS = {
    "dims": {"ge": 2, "le": 4096},
    "each": {"ge": 2},
    "nearest": {"ge": 0},
    "neighbours": {"ge": 1},
    "temperature": {"gt": 0},
    "most": {"ge": 1},
}


class Embed(Labels):
    """Metric learning: one net makes a unit vector of each case, and cases of one label come to lie near (Siamese).

    The answer is the nearest of the cases that the net learned from, whose vectors the bundle holds without a name, and
    in its part `label` the probability of each label by them. The planned loss says what cases are held against: one
    another (`contrastive`, `triplet`, `pair`), or a learned vector of each label (`proxy-anchor`, `proxy-cosine`).
    Cases of one patient are never held against one another.
    """

    name: ClassVar[str] = "embed"
    answer: ClassVar[type[Answer]] = Ranking
    targets: ClassVar[tuple[str, ...]] = ("class", "multilabel", "ordinal")
    primary: ClassVar[str] = "map@10"

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for whole images whose vectors are compared."""
        draft = super().defaults(prints, machine, target)
        if target is not None and kinds.of(target.kind).ordered:
            draft.set("loss.name", "pair", "near grades come to lie nearer than far ones")
        else:
            draft.set("loss.name", "proxy-anchor", "each case is held against all labels in each step")
        draft.set("loss.class_weights", "none", "each batch has as many cases of each label that it draws")
        if not prints.imageless:
            draft.set("augment.mixup", 0.0, "a mixture of two cases is like neither")
            draft.set("infer.mirror", [], "one look, as the known cases had")
            draft.set(
                "train.batch", 32 if prints.flat else 8, "each case is held against the others of its batch"
            )
        draft.set("train.members", 1, "vectors of several nets are not comparable")
        return draft

    def several(self, state: State) -> bool:
        """Return whether several labels may hold of one case."""
        return bool(state.values["several"])

    def choose(self, draft: Draft, prints: Fingerprint, target: TargetInfo | None) -> None:
        """Set the positive one of two classes, and the covariates."""
        if target is not None and len(target.labels) == 2 and kinds.of(target.kind).nominal:
            counts = {x.name: prints.classes.get(x.name, 0) for x in target.labels}
            positive = positive_of(counts)
            draft.set("task.positive", positive, why_positive(positive, counts))
        if prints.covariates:
            plan_covariates(draft, prints)

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """At least two labels, and two patients of one of them."""
        if target is None:
            return ("a label for each case (a folder a class, a label column, …)",)
        held: dict[Any, set[str]] = {}
        for case in cohort.cases:
            if (value := case.targets.get(target.name)) is not None:
                for name in names_in(value) or ("",):
                    held.setdefault(name, set()).add(case.patient or f"case {case.id}")
        if len(held) < 2:
            return (f"a second label ({len(held)} found)",)
        return () if max(map(len, held.values())) > 1 else ("a label that two patients have",)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse several members, cases that are mixed, and a loss that is not about how alike cases are."""
        check_sources(plan, target)
        if not losses.holds(plan.loss.name):
            raise PlanError(
                f"the loss '{plan.loss.name}' does not say how alike cases should be",
                hint=f"--set loss.name={' or '.join(_fitting())}",
            )
        if plan.loss.name == "proxy-cosine" and target is not None and kinds.of(target.kind).several:
            raise PlanError(
                "the loss 'proxy-cosine' takes one label a case", hint="--set loss.name=proxy-anchor"
            )
        if plan.train.members > 1 or plan.augment.mixup:
            raise PlanError(
                "vectors of several nets are not comparable, and a mixture of two cases is like neither",
                found=f"train.members={plan.train.members}, augment.mixup={plan.augment.mixup:g}",
                hint="--set train.members=1 --set augment.mixup=0",
            )

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return the label map, how often each label occurs, and how cases are compared."""
        found = super().state(summary, target, plan)
        options = {**OPTIONS, **plan.task.options}
        beside: dict[str, Any] = {
            k: options[k] for k in ("dims", "nearest", "neighbours", "temperature", "most")
        }
        if target is not None:
            kind = kinds.of(target.kind)
            beside |= {"several": kind.several, "ordered": kind.ordered}
        return State({**found.values, **beside}, found.arrays)

    def sampler(self, examples: Sequence[Example], plan: Plan) -> Sampler | None:
        """Return what draws a few cases of each of several labels; several at once without any are a label, too."""
        labels: list[Sequence[int]] = []
        for example in examples:
            held = example.targets.get("label")
            labels.append(() if held is None else [int(k) for k in np.flatnonzero(held)] or [-1])
        if not any(labels):
            return None
        options: dict[str, Any] = {**OPTIONS, **plan.task.options}
        return ByLabel(
            labels, [e.patient for e in examples], batch=plan.train.batch, each=int(options["each"])
        )

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return a net with its projection, the planned loss, and the vectors of known cases once there are any."""
        import torch

        from vesalius.tasks._embedded import Embedder, Way

        held, about = state.arrays.get(_nearby.VECTORS), _about(plan)
        net, _ = net_of(plan, state, nets)
        return Embedder(
            net,
            int(state.values["dims"]),
            losses.build(plan.loss.name, smoothing=plan.loss.smoothing, options=plan.loss.options),
            Way(
                several=self.several(state),
                ordered=bool(state.values["ordered"]),
                proxies=losses.holds(plan.loss.name) == "proxies",
                graded=about.get("GRADED", False),
                logits=about.get("LOGITS", False),
                temperature=float(state.values["temperature"]),
            ),
            labels=len(state.values["labels"]),
            references=None if held is None else torch.from_numpy(np.array(held, np.float32)),
        )

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return how badly cases of one label lie together, and apart from others."""
        from vesalius.tasks._embedded import term_of
        from vesalius.tasks._together import shown

        return {"alike": term_of(model, shown(model, batch, generator))}

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the cosines with the known cases, then the vector: `(B, N + D)`."""
        raw: Tensor = model(input_of(batch, model))
        return raw

    def image_vectors(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the unit vectors `(B, D)` of cases."""
        found: Tensor = model.vectors(input_of(batch, model))  # type: ignore[operator]
        return found

    def figures_among(
        self, raws: Sequence[Any], examples: Sequence[Example], state: State
    ) -> Sequence[Mapping[str, float]]:
        """Return how far in front cases of the same labels stand, of each case among the others."""
        return _nearby.together(raws, examples, int(state.values["dims"]))

    def remember(
        self,
        model: nn.Module,
        examples: Sequence[Example],
        state: State,
        *,
        cases: Sequence[Case],
        held: frozenset[str] = frozenset(),
    ) -> State:
        """Return the state with the vectors and labels of the cases that the net learned from, in no order of theirs.

        Those that it never saw (`held`) are no references, as the calibration is fitted on them.
        """
        from vesalius.tasks._embedded import vectors_of

        known = [e for e in examples if "label" in e.targets and e.case_id not in held]
        if not known:
            raise DataError("no training case has a label, so that none can be found")
        known = known[:: -(-len(known) // int(state.values["most"]))]
        vectors = vectors_of(self, model, known).numpy()
        labels = np.stack([e.targets["label"] for e in known]).astype(np.uint8)
        order = np.lexsort((*vectors.T[::-1], *labels.T[::-1]))
        found = {_nearby.VECTORS: vectors[order], _nearby.LABELS: labels[order]}
        return State(state.values, {**state.arrays, **found})

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Ranking:
        """Return the nearest known cases, and a label by them."""
        return _nearby.answer(state, calibration, _nearby.vector_of(raw, int(state.values["dims"])))

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the cosine with one known case."""
        return raw[:, ask.place]

    def calibrate(
        self,
        raw: Sequence[Array],
        truths: Sequence[Any],
        *,
        state: State,
        plan: Plan,
        patients: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Return a temperature of the label's probabilities, and thresholds of one half."""
        return _nearby.fitted(state, raw, truths, positive=plan.task.positive, patients=patients)

    def plain(self, example: Example, state: State) -> None:
        """Return nothing: a plain model of covariates ranks no cases."""
        return

    def trivial(self, state: State, reference: Image) -> Ranking:  # type: ignore[override]
        """Return all known cases as equally near, which counts as the mean over all orders; labels as they occur."""
        many = len(state.arrays.get(_nearby.VECTORS, ()))
        return Ranking(
            case_ids=tuple(map(_nearby.name_of, range(many))),
            distances=np.ones(many),
            among=many,
            parts={_nearby.LABEL: super().trivial(state, reference)},
        )

    def truth(self, case: Case, state: State) -> Kin | None:
        """Return the known cases that share a label with a case, by how much they share."""
        return _nearby.kin(state, super().truth(case, state))

    def held_against(self, state: State) -> tuple[str, ...]:
        """Return the kinds of target with as many labels a case as were learned."""
        several = self.several(state)
        return tuple(k for k in self.targets if kinds.of(k).several == several)


def _about(plan: Plan) -> dict[str, Any]:
    """Return the literals of the planned loss's file."""
    return registry.literals("losses", registry.stem_of("losses", plan.loss.name))


def _fitting() -> list[str]:
    """Return the losses that say how alike cases should be."""
    return sorted(name for name in registry.names("losses") if losses.holds(name))


TASK = Embed()
