"""Comparing two visits: both answered by one bundle and registered, and what is measured held against one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.growth import Changed
from vesalius.core.image import Image
from vesalius.evaluate.own_card import own_scorecard
from vesalius.infer.predictor import Predictor
from vesalius.prepare.between import Between
from vesalius.prepare.case import with_reference
from vesalius.prepare.registering import is_same, register
from vesalius.run.change.result import Change
from vesalius.run.change.visit import assert_one_patient, days_between, differences, visit_of

Watch = Callable[[float], None]


def compared(
    predictor: Predictor,
    earlier: Case,
    later: Case,
    *,
    days: float | None = None,
    told_days: float | None = None,
    registration: str | None = None,
    accept: bool = False,
    watch: Watch | None = None,
) -> Change:
    """Return what changed between two visits. `told_days` is what a cohort's table says of the time between them.

    Raises DataError for two patients and for visits in the wrong order, MismatchError for another modality, unless that
    is accepted; and what answering raises.
    """
    cases = tuple(with_reference(case) for case in (earlier, later))
    images = tuple(_image_of(case) for case in cases)
    visits = visit_of(cases[0], images[0]), visit_of(cases[1], images[1])
    notes = list(assert_one_patient(*visits, accept=accept))
    apart = days_between(*visits, days, told=told_days, accept=accept)
    answers = []
    for k, case in enumerate(cases):
        part = None if watch is None else _part(watch, k)
        answers.append(replace(predictor(case, watch=part), on=images[k]))
    found = register(images[1], images[0], way=registration)
    same = is_same(images[1], images[0])
    between = Between(images[0], images[1], found, own_scorecard(predictor.bundle), same)
    changed = _changed(answers[0], answers[1], between)
    if same:
        notes.append("both visits are the same image, voxel by voxel")
    if not found.fits:
        notes.append(f"the images are not registered: {found.why}")
    outside = [f"{when} visit: {text}" for when, one in zip(("earlier", "later"), answers, strict=True)
               for text in one.outside or ()]  # fmt: skip
    notes += [*found.notes, *apart.notes, *differences(*visits, (images[0], images[1])), *outside]
    notes += () if changed is None else changed.notes
    return Change(
        visits,
        (answers[0], answers[1]),
        apart,
        found,
        changed,
        tuple(dict.fromkeys(notes)),
        predictor.bundle.hash,
        predictor.bundle.name,
        between,
        registered=found.json(images[1]),
    )


def _changed(earlier: Answer, later: Answer, between: Between) -> Changed | None:
    withheld = [one.withheld for one in (earlier, later) if one.withheld is not None]
    if withheld:
        return Changed(notes=(f"an answer is withheld, so that nothing is compared: {withheld[0]}",))
    return contract.changed(earlier, later, between)


def _image_of(case: Case) -> Image:
    if not isinstance(case.image, Image):
        raise DataError(
            f"case {case.id} has no image, so that its change cannot be seen", hint="cases with images"
        )
    return case.image


def _part(watch: Watch, k: int) -> Watch:
    return lambda share: watch((k + share) / 2.2)  # the rest is for registering
