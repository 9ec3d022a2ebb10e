"""Is anything here that normal cases do not have? Learned from normal cases alone, with a map of where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import anomalies
from vesalius.core import registry
from vesalius.core.answers import Answer
from vesalius.core.answers.scores import Scores
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import PlanError
from vesalius.core.image import Array, Image
from vesalius.core.options import options_of
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.plan import weights, whole
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared
from vesalius.prepare.geometry import Undo
from vesalius.tasks import _abnormal, _normals
from vesalius.tasks._normals import ABNORMAL, NORMAL
from vesalius.tasks.contract import Nets, Sampler, Task, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from vesalius.anomalies.contract import Normality

NAMES = {"anomaly": "What normal cases do not have, learned from these alone, with a map of where"}
OPTIONS = {"normal": "", "column": "", "lesions": "", "rate": 0.05, "slices": False}
LIMITS = {"rate": {"gt": 0, "lt": 1}}
FEWEST = 4  # normal cases to learn from
IS_NORMAL = "normal"  # among the targets of an example
SIDE_3D = 96  # of a slice, at most


class Anomaly(Task):
    """A model of what is normal; the answer is where a case stands among normal ones that the model never saw.

    `task.options.normal` is the label of normal cases, in `task.options.column` where several columns have it; without
    it all training cases are taken for normal, and data with classes are refused. Abnormal cases are never learned
    from, and neither are those of which nobody knows; in validation and test they are for figures alone, and
    `task.options.lesions` names a target of masks that a map is held against. A case is called above the score that
    `task.options.rate` of normal cases exceed. How it is learned is the recipe: patchcore, padim, student or vae.
    """

    name: ClassVar[str] = "anomaly"
    answer: ClassVar[type[Answer]] = Scores
    targets: ClassVar[tuple[str, ...]] = ()
    roles: ClassVar[tuple[str, ...]] = ("encoder",)
    run: ClassVar[str] = "whole"
    primary: ClassVar[str] = "auc"
    recipe: ClassVar[str] = "vae"
    needs_target: ClassVar[bool] = False
    begins_from_weights: ClassVar[bool] = True

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        """Return the choices for whole images, which are not changed at random: a change is no normal image."""
        draft = Draft()
        whole.images(draft, prints, machine)
        if not prints.flat and _proposed(prints, machine) is not None:
            _slices(draft, prints, machine)
        whole.encoder(draft, machine)
        draft.set("net.dropout", 0.0, "a frozen encoder drops nothing")
        draft.set("augment.probability", 0.0, "what is changed at random is no normal image")
        draft.set("augment.flip_axes", [], "a mirror image is no normal one where organs have a side")
        whole.batches(draft, prints)
        draft.set("infer.mirror", [], "a map speaks of places")
        draft.set("infer.novelty", "none", "the answer itself says how strange a case is")
        draft.set("loss.name", "own", "each way to learn what is normal has its own")
        draft.set("train.members", 1, "distances of several models have no common scale")
        draft.set("train.select", "last", "to choose by abnormal cases would be to learn from them")
        return draft

    def trained_by(self, prints: Fingerprint, machine: Machine, *, start: bool) -> tuple[str, str]:
        """Return PatchCore where there are weights to begin from, else the auto-encoder, which needs none."""
        if start:
            return (
                "patchcore",
                "the weights to begin from show what places look like, so nothing need be trained",
            )
        chosen = _proposed(prints, machine)
        if chosen is not None:
            return "patchcore", f"{chosen} shows what places look like, so nothing need be trained"
        return (
            self.recipe,
            "without weights to begin from, features would be random: images are drawn again instead",
        )

    def check(self, cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
        """Require images of a few cases; which of them are normal is known with the plan (`state`)."""
        n = sum(bool(c.images) for c in cohort.cases)
        return () if n >= FEWEST else (f"an image of at least {FEWEST} cases ({n} found)",)

    def check_plan(self, plan: Plan, target: TargetInfo | None) -> None:
        """Refuse recipes that do not learn what is normal, several members, several images, and mirror images."""
        options_of("tasks", self.name, plan.task.options, where="task.options")
        ways = registry.names(anomalies.KIND)
        if plan.train.recipe not in ways:
            raise PlanError(
                f"recipe '{plan.train.recipe}' does not learn what is normal",
                hint=" or ".join(f"--set train.recipe={way}" for way in ways),
            )
        if plan.train.members > 1:
            raise PlanError(
                "distances of several models have no common scale",
                found=f"train.members={plan.train.members}",
                hint="--set train.members=1",
            )
        if len(plan.data.images) != 1:
            raise PlanError(
                "one image is looked at, of one channel or several",
                found=", ".join(plan.data.images),
                hint="--set data.images",
            )
        if plan.augment.mixup:
            raise PlanError("a mixture of two images is no normal one", hint="--set augment.mixup=0")

    def summary(self, cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
        """Return how many cases have which label in which column."""
        return _normals.summary(cases)

    def state(self, summary: Statistics, target: TargetInfo | None, plan: Plan) -> State:
        """Return by which column and label cases are normal, and how many are. Raises DataError for too few."""
        options = options_of("tasks", self.name, plan.task.options, where="task.options")
        column, many = _normals.column_of(
            summary, column=str(options["column"]), normal=str(options["normal"])
        )
        _normals.assert_enough(many, FEWEST)
        labels = [{"value": k, "name": name} for k, name in enumerate((NORMAL, ABNORMAL))]
        return State(
            {
                "labels": labels,
                "column": column,
                "normal": str(options["normal"]),
                "lesions": str(options["lesions"]),
                "cases": many,
            }
        )

    def encode(self, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
        """Return the image, and whether it is normal where the data say so."""
        known = _normals.truth_of(case, state.values)
        targets = {} if known is None else {IS_NORMAL: np.array([known == NORMAL], dtype=np.float32)}
        return Example(case.id, {"image": prepared.array}, targets)

    def normals(self, examples: Sequence[Example], plan: Plan) -> tuple[int, ...]:
        """Return the places of the examples that are learned from: those that are known to be normal, or all."""
        if not plan.task.options.get("normal"):
            return tuple(range(len(examples)))
        return tuple(
            k for k, e in enumerate(examples) if IS_NORMAL in e.targets and e.targets[IS_NORMAL][0] > 0.5
        )

    def sampler(self, examples: Sequence[Example], plan: Plan) -> Sampler | None:
        """Return what draws normal cases alone."""
        return _normals.Drawn(self.normals(examples, plan), plan.train.batch)

    def build(self, plan: Plan, state: State, nets: Nets) -> nn.Module:
        """Return the planned way to learn what is normal, over the planned encoder; of slices one of two dimensions."""
        from vesalius.anomalies import build

        z, y, x = plan.data.size
        options = options_of("tasks", self.name, plan.task.options, where="task.options")
        flat = bool(options["slices"]) and plan.data.dims == 3
        net = _flat_net(plan, nets) if flat else planned_net(plan, nets)
        return build(
            plan.train.recipe,
            net,
            size=(z, y, x),
            channels=plan.data.inputs,
            cases=int(state.values["cases"]),
            options=plan.train.recipe_options,
        )

    def normality(self, model: nn.Module) -> Normality:
        """Return the model itself."""
        return model  # type: ignore[return-value]

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the way's own terms."""
        return self.normality(model).loss(batch.images["image"], generator)

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the score in a first plane, and how far each place is from normal: `(B, 1 + z, y, x)`."""
        found: Tensor = model(batch.images["image"])
        return found

    def calibrate(
        self, raw: Sequence[Array], truths: Sequence[Any], *, state: State, plan: Plan
    ) -> dict[str, Any]:
        """Return the scores of normal validation cases, and the rate of false alarms that is asked for."""
        options = options_of("tasks", self.name, plan.task.options, where="task.options")
        wanted = NORMAL if state.values["column"] else None
        scores = [_abnormal.score_of(r) for r, t in zip(raw, truths, strict=True) if t == wanted]
        return _normals.calibration(scores, float(options["rate"]))

    def guards(self, calibration: Mapping[str, Any]) -> bool:
        """Return whether there is a limit above which a case is called."""
        return _normals.judged(0.0, calibration)[1] is not None

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Scores:
        """Return where the case stands among normal ones, and the map of where it is not like these."""
        return _abnormal.answer(raw, state, calibration, reference, undo)

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the score, or of `normal` less the score."""
        score = raw[:, 0, 0, 0]
        return score if ask.place == 1 else -score

    def remember(
        self, model: nn.Module, examples: Sequence[Example], state: State, *, cases: Sequence[Case]
    ) -> State:
        """Return the state with the usual brightness and the mean image of normal cases, which the plain ways need."""
        return State(state.values, _abnormal.usual(cases, state))

    def trivial(self, state: State, reference: Image) -> Scores:
        """Return that every case is normal, as all are that were learned from."""
        return _abnormal.always_normal()

    def rivals(self, answer: Answer, truth: Any, state: State) -> Mapping[str, Answer]:
        """Return what a case's brightness alone says, and its distance to the mean image."""
        return _abnormal.rivals(answer)

    def regions(self, case: Case, state: State) -> Mapping[str, Any]:
        """Return the lesions' mask where the plan names it; nothing of an abnormal case that has none."""
        name = str(state.values["lesions"])
        if not name:
            return {}
        if name in case.targets:
            return {_abnormal.PART: case.targets[name]}
        return {_abnormal.PART: None} if self.truth(case, state) == NORMAL else {}

    def truth(self, case: Case, state: State) -> str | None:
        """Return whether the case is normal, as its column says; None where it does not, or no column is known."""
        return _normals.truth_of(case, state.values)


def _proposed(prints: Fingerprint, machine: Machine) -> str | None:
    """Return the installed weights that the rules begin from; None where there are none, or none that fit."""
    if prints.flat:
        draft = Draft()
        weights.propose(draft, prints, machine)
        found: str | None = draft.values.get("net.init")
        return found
    channels = (1 if prints.grey else prints.channels) * len(prints.images)
    return weights.first_of(machine.weights or ()) if channels in weights.CHANNELS else None


def _slices(draft: Draft, prints: Fingerprint, machine: Machine) -> None:
    """Plan a volume's slices as pictures, each as fine as this machine can afford."""
    draft.set("net.init", _proposed(prints, machine), "slices are seen as pictures are")
    draft.set("task.options", {"slices": True}, "weights of pictures see slices")
    z, y, x = prints.shape_median
    share = min(1.0, SIDE_3D / max(y, x))
    sides = [max(32, round(n * share / 16) * 16) for n in (y, x)]
    draft.set(
        "data.size", [int(min(z, SIDE_3D)), *sides], f"every slice, up to {SIDE_3D} a side and in number"
    )


def _flat_net(plan: Plan, nets: Nets) -> Any:
    """Return the planned net in two dimensions."""
    return nets.build(
        plan.net.name,
        dims=2,
        in_channels=plan.data.inputs,
        scale=plan.net.scale,
        dropout=plan.net.dropout,
        size=plan.data.size[-2:],
        options=plan.net.options,
    )


TASK = Anomaly()
