"""A bundle of what is normal as the guard of another: it looks at each case first, and what it calls is marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import DataError, MismatchError, PlanError
from vesalius.core.image import Image
from vesalius.core.learned import UNLIKE
from vesalius.infer.guard import declared, raised
from vesalius.infer.loading import Loaded
from vesalius.infer.session import EACH


class Looking(Protocol):
    """What looks at cases and answers them: a Predictor."""

    @property
    def bundle(self) -> Bundle:
        """The bundle."""

    @property
    def stages(self) -> tuple[Loaded, ...]:
        """Its stages, loaded."""

    @property
    def over_frames(self) -> str:
        """How frames that come one by one are answered."""

    @property
    def accepting(self) -> Looking:
        """The same, which looks at another kind of image than it learned from, too."""

    def __call__(self, case: Case) -> Answer:
        """Return the answer to a case."""


@dataclass(frozen=True, eq=False)
class Guard:
    """A loaded bundle that says of a case whether it is unlike what is normal; made by `guard_of`."""

    predictor: Looking

    @property
    def name(self) -> str:
        """What its bundle is called in words."""
        return self.predictor.bundle.name

    @property
    def hash(self) -> str:
        """The hash of its bundle."""
        return self.predictor.bundle.hash

    def said(
        self, case: Case, reference: Image | None, *, refuse: bool = False, accept_mismatch: bool = False
    ) -> tuple[str, ...]:
        """Return what the answer of another bundle says of a case by this guard: as of its own alarm, or nothing.

        `reference` is the case's reference image, read, where it has one. Raises MismatchError for a case that is
        called, with `refuse`, and for another kind of image than the guard learned from, unless that is accepted;
        DataError for an image that it cannot look at, as silence would say that nothing is strange.
        """
        looked = self._looked_at(case, reference)
        if looked is None:
            return (f"the guard '{self.name}': there is no image to look at",)
        try:
            outside = (self.predictor.accepting if accept_mismatch else self.predictor)(looked).outside
        except DataError as error:
            what, found = f"case {case.id}: the guard '{self.name}' cannot look at it", str(error)
            kind = MismatchError if isinstance(error, MismatchError) else DataError
            raise kind(what, found=found) from error
        called = [text.removeprefix(UNLIKE) for text in outside or () if raised((text,))]
        if called and refuse:
            raise MismatchError(
                f"case {case.id}: unlike the cases that the guard '{self.name}' learned from",
                found="; ".join(called),
                hint="where refuse_unlike is not asked for, it is answered and marked",
            )
        return (
            *(f"{UNLIKE}the guard '{self.name}': {text}" for text in called),
            *(f"the guard '{self.name}': {text}" for text in declared(outside)),
        )

    def _looked_at(self, case: Case, reference: Image | None) -> Case | None:
        """Return a case with the images that the guard looks at, and nothing else; None where it lacks one."""
        names = self.predictor.stages[-1].stage.plan.data.images
        if any(name not in case.images for name in names):
            return None
        images = {
            name: reference if reference is not None and name == case.reference else case.images[name]
            for name in names
        }
        return Case(
            case.id,
            images,
            reference=case.reference if case.reference in images else names[0],
            patient=case.patient,
            declared=case.declared if images.keys() == case.images.keys() else (),
        )


def guard_of(predictor: Looking) -> Guard:
    """Return a loaded bundle as a guard.

    Raises PlanError for one whose answers do not say by themselves, above a limit, that a case is strange.
    """
    last = predictor.stages[-1]
    if not last.task.guards(last.stage.calibration):
        raise PlanError(
            f"the bundle '{predictor.bundle.name}' guards no other one",
            found=f"task {last.stage.plan.task.name}",
            hint="a bundle of what is normal, with normal cases among its validation cases; see docs/anomaly.md",
        )
    return Guard(predictor)


def assert_guards(guard: Guard, of: Looking) -> None:
    """Raise PlanError where a guard cannot look at what another bundle is asked about."""
    if of.over_frames != EACH:
        raise PlanError(
            "a guard looks at images without time, one by one",
            found=f"the bundle '{of.bundle.name}', which answers cines",
            hint="no guard",
        )
    looked = guard.predictor.stages[-1].stage.plan.data.images
    there = of.stages[-1].stage.plan.data.images
    if lacking := [name for name in looked if name not in there]:
        raise PlanError(
            f"the guard '{guard.name}' looks at an image that the bundle '{of.bundle.name}' is not asked about",
            found=f"{', '.join(lacking)}, beside {', '.join(there) or 'no image'}",
            hint="a guard of the same images",
        )
    flat = [None if b.learned is None else b.learned.flat for b in (guard.predictor.bundle, of.bundle)]
    if set(flat) == {True, False}:
        first, second = ("planes" if each else "volumes" for each in flat)
        raise PlanError(
            f"the guard '{guard.name}' learned from other images than the bundle '{of.bundle.name}'",
            found=f"{first}, and {second}",
            hint="a guard of the same images",
        )
