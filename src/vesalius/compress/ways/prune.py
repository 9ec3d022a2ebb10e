"""Pruning: filters, blocks or single weights that count least are removed, and the rest is trained on for a while."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from vesalius.compress.contract import TORCH, Member, Model, Source, Variant, Way
from vesalius.compress.learning import Asking, Clock, asking, loaded, recipe_of, tuned
from vesalius.compress.pruning.blocks import blocks_of, cut_out, least
from vesalius.compress.pruning.choosing import by_loss, chosen
from vesalius.compress.pruning.groups import Groups, groups_of, removed
from vesalius.compress.pruning.weights import share_of_zeros, zeroed
from vesalius.core.bundle import State
from vesalius.core.errors import PlanError
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.core.words import counted, listed
from vesalius.infer.shapes import Form, form_of, with_form

NAMES = {
    "prune-filters": "Whole filters and neurons are removed until half of the operations are left; the rest trains on",
    "prune-layers": "Whole blocks are removed until half of the operations are left; the rest trains on",
    "prune-weights": "Four of five weights become zero, which makes the file smaller and nothing faster",
}
GOAL = 0.5  # of the operations that are left
LITTLE = 0.9  # of the operations: what leaves more is not worth its loss
SHARES = (
    0.08,
    0.08,
    0.08,
    0.26,
)  # of the steps of the original's training: so long the rest is trained on, by round
RATE = 0.5  # of the planned learning rate
ZEROS = 0.8  # of the weights
TRAINED = (
    "supervised",
    "distil",
    "sparse",
    "meanteacher",
    "fixmatch",
    "crosspseudo",
)  # what learns from a task's loss


class _Pruning(Way):
    """What the three share: what can be trained on, and in which turns."""

    cost: ClassVar[float] = 30.0
    combines: ClassVar[bool] = True

    def suits(self, source: Source) -> str:
        """Return why it cannot be pruned: nothing trains its kind of model on, or it is no torch model any more."""
        model = source.model
        if model.runtime != TORCH or any(m.graph is not None for m in model.members):
            return "pruning trains on, which a graph does not: prune first, then quantise"
        recipe = model.plan.train.recipe
        if recipe not in TRAINED:
            return (
                f"it was trained by the recipe {recipe}, and pruning goes on with the loss of the task alone"
            )
        return ""

    def rounds(
        self,
        source: Source,
        members: Sequence[Member],
        state: State,
        *,
        to: Path,
        name: str,
        progress: Progress,
        number: int,
        clock: Clock,
    ) -> tuple[Member, ...]:
        """Train each member on for the share of a round, with the model before as its teacher where that can be."""
        plan, share = source.model.plan, SHARES[number]
        teachers = {m.number: m.module for m in source.model.members}
        settings = {
            **recipe_of(source, sparse=name == "prune-weights"),
            "train.steps": max(1, round(share * plan.train.steps)),
            "train.lr": RATE * plan.train.lr,
        }
        found = []
        for one in members:
            weights = tuned(
                source,
                plan,
                state,
                one.number,
                start=_weights(one.module),
                teacher=teachers[one.number],
                settings=settings,
                name=f"{name}-{number}",
                to=to,
                progress=progress,
                deadline=clock.deadline(share),
            )
            found.append(Member(one.number, loaded(one.module, weights)))
        return tuple(found)


class PruneFilters(_Pruning):
    """Filters, neurons and what reads them are removed, in rounds, by what the loss would lose (see `choosing.py`)."""

    name: ClassVar[str] = "prune-filters"

    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        """Return the narrower model."""
        members, state, clock = source.model.members, source.model.state, _clock(source)
        asked = {m.number: asking(source, m.number) for m in members}
        first = _groups(members[0], asked)
        if not first.groups:
            raise _stays(source, first)
        whole = first.operations
        for k in range(len(SHARES)):
            goal = whole * GOAL ** ((k + 1) / len(SHARES))
            groups = [_groups(m, asked) for m in members]
            scores = [
                by_loss(source, state, m.number, _weights(m.module), g)
                for m, g in zip(members, groups, strict=True)
            ]
            gone = chosen(groups[0], scores, goal)
            cut, form = [], Form()
            for member, units in zip(members, gone, strict=True):
                left, form = removed(member.module, units, asked[member.number].raw)
                cut.append(Member(member.number, left))
            state = with_form(state, (form_of(state) or Form()).then(form))
            members = self.rounds(
                source, cut, state, to=to, name=self.name, progress=progress, number=k, clock=clock
            )
        last = _groups(members[0], asked)
        share = last.operations / whole
        if share > LITTLE:
            raise _stays(source, first)
        return _variant(
            self.name, source, members, state, share, "filters and neurons were removed, each member its own"
        )


class PruneLayers(_Pruning):
    """Blocks whose output has the shape of their input are taken out, the one first that the loss misses least."""

    name: ClassVar[str] = "prune-layers"
    cost: ClassVar[float] = 120.0

    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        """Return the shallower model."""
        members, state, clock = source.model.members, source.model.state, _clock(source)
        asked = {m.number: asking(source, m.number) for m in members}
        whole = _groups(members[0], asked).operations
        gone: list[str] = []
        for k in range(len(SHARES)):
            goal = whole * GOAL ** ((k + 1) / len(SHARES))
            while _groups(members[0], asked).operations > goal:
                found = blocks_of(members[0].module, asked[members[0].number].raw)
                block = least(source, members, found)
                if block is None:
                    break
                members = tuple(Member(m.number, cut_out(m.module, block)) for m in members)
                gone.append(block)
            state = with_form(source.model.state, _without(source.model.state, gone))
            members = self.rounds(
                source, members, state, to=to, name=self.name, progress=progress, number=k, clock=clock
            )
        share = _groups(members[0], asked).operations / whole
        if share > LITTLE:
            raise PlanError(
                f"net '{source.model.plan.net.name}' has no blocks that can be taken out",
                found=f"{share:.0%} of the operations would be left",
                hint="prune-filters or distil",
            )
        return _variant(self.name, source, members, state, share, f"{listed(gone)} were taken out")


class PruneWeights(_Pruning):
    """The smallest weights become zero and stay so, more of them each round (Zhu and Gupta 2017, arXiv 1710.01878)."""

    name: ClassVar[str] = "prune-weights"
    cost: ClassVar[float] = 140.0

    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        """Return the model with zeros, which are not written."""
        members, clock = source.model.members, _clock(source)
        for k in range(len(SHARES)):
            share = ZEROS * (1 - (1 - (k + 1) / len(SHARES)) ** 3)
            cut = [Member(m.number, zeroed(m.module, share)) for m in members]
            members = self.rounds(
                source,
                cut,
                source.model.state,
                to=to,
                name=self.name,
                progress=progress,
                number=k,
                clock=clock,
            )
        zeros = share_of_zeros(members[0].module)
        said = (
            f"{zeros:.0%} of the weights are zero and are not written; the operations stay as many, so that nothing is "
            "faster",
        )
        model = Model(source.model.plan, source.model.state, members, TORCH, source.model.extras)
        return Variant(self.name, model, said, {"share of weights that are zero": zeros})


def _groups(member: Member, asked: dict[int, Asking]) -> Groups:
    own = asked[member.number]
    return groups_of(member.module, own.raw, also=own.loss)


def _weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: t.detach().clone() for name, t in module.state_dict().items()}


def _clock(source: Source) -> Clock:
    return Clock(source.until, [share for share in SHARES for _ in source.model.members])


def _without(state: State, gone: Sequence[str]) -> Form:
    return (form_of(state) or Form()).then(Form(without=tuple(gone)))


def _stays(source: Source, groups: Groups) -> PlanError:
    """Return why a net cannot be made narrower."""
    why = next(
        (f"{many} units stay: {text}" for text, many in groups.reasons.items()), "no filters were found"
    )
    return PlanError(
        f"the filters of net '{source.model.plan.net.name}' cannot be removed",
        found=why,
        hint="distil, prune-weights",
    )


def _variant(
    name: str, source: Source, members: Sequence[Member], state: State, share: float, what: str
) -> Variant:
    before, after = (
        sum(p.numel() for p in m[0].module.parameters()) for m in (source.model.members, members)
    )
    said = (
        f"{what}: {share:.0%} of the operations and {after / before:.0%} of the parameters are left",
        f"{counted(len(members), 'member')} trained on for {sum(SHARES):.0%} of the steps of the first training, on "
        "the cases that each had learned from",
    )
    figures = {"share of operations left": share, "share of parameters left": after / before}
    plan: Plan = source.model.plan
    why = f"{plan.reasons.get('net.name', 'planned')}; {name}: {share:.0%} of its operations are left"
    plan = plan.model_copy(update={"reasons": {**plan.reasons, "net.name": why}})
    return Variant(name, Model(plan, state, tuple(members), TORCH, source.model.extras), said, figures)


WAYS: dict[str, Way] = {way.name: way for way in (PruneFilters(), PruneLayers(), PruneWeights())}
