"""A survival curve as measurement groups of TID 1500: one of its risk, and one of each arm.

An arm's group has its median, its mean up to the curve's end, and its value after 1, 2, 3, 5 and 10 years and at its
end, each with the bounds of its band; of several causes how likely each has ended the time by then. Codes are private
where DICOM has none, and each says in words up to when it speaks. PS3.16 TID 1501.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from highdicom import sr
from pydicom.sr.coding import Code

from vesalius.core.answers.curve import Curve
from vesalius.core.errors import OutputError
from vesalius.core.horizons import named, years_until
from vesalius.core.image import Array
from vesalius.dicom.values import terms
from vesalius.dicom.write import study as studies
from vesalius.dicom.write.sr_parts import (
    ABSENT,
    PRESENT,
    begun_with,
    measurement,
    source_images,
    unit_of,
)


def curve_groups(answer: Curve, study: studies.ResultStudy, lead: str) -> list[Any]:
    """Return the groups of a curve; `lead` begins their names. Raises OutputError for a curve without times.

    A curve holds between its times what it had at the last of them.
    """
    if not len(answer.times_days):
        raise OutputError("a survival curve without times")
    made = _risk(answer, study, lead)
    for arm in answer.survival:
        name = f"{lead}{answer.called}" if arm == "all" else f"{lead}{answer.called}, {arm}"
        said = None
        if answer.given is not None and len(answer.survival) > 1:
            had = PRESENT if arm == answer.given else ABSENT
            said = [sr.QualitativeEvaluation(_private("Arm that the patient had"), had)]
        made.append(
            sr.MeasurementsAndQualitativeEvaluations(
                **begun_with(name, None, study),
                measurements=[*_measured(answer, arm), *(_promised(answer) if arm == answer.arm else ())],
                qualitative_evaluations=said,
                source_images=source_images(study),
            )
        )
    return made


def _risk(answer: Curve, study: studies.ResultStudy, lead: str) -> list[Any]:
    """Return the group of the risk beside that of the training cases; none where the answer tells of none."""
    known = {
        "log hazard over the average training case": answer.risk,
        "share of training cases with a lower risk": answer.rank,
    }
    told = [measurement(_private(name), x, unit_of(None)) for name, x in known.items() if x is not None]
    if not told:
        return []
    name = f"{lead}risk" if answer.event is None else f"{lead}risk of {answer.event}"
    return [
        sr.MeasurementsAndQualitativeEvaluations(
            **begun_with(name, None, study), measurements=told, source_images=source_images(study)
        )
    ]


def _measured(answer: Curve, arm: str) -> Iterator[Any]:
    """Yield the numbers of one arm: median, mean, chances after years with their bounds, incidences."""
    end = float(answer.times_days[-1])
    median = answer.median_days(arm)
    if median is not None:
        yield measurement(_private("median survival"), median, unit_of("days"))
    if end > 0:
        mean = answer.restricted_mean_days(arm=arm)
        yield measurement(_private(f"mean survival up to {named(end)}"), mean, unit_of("days"))
    causes = (answer.incidence or {}).get(arm, {})
    for day in dict.fromkeys((*years_until(end), end)):
        when = named(day)
        if (answer.times_days <= day).any():
            yield measurement(
                _private(f"survival after {when}"), answer.at(day, arm), unit_of(None)
            )  # before the first time it is one, and nobody measured it
        for side, band in (("lower", answer.low), ("upper", answer.high)):
            bound = _held(answer, band, arm, day)
            if bound is not None:
                share = "" if answer.share is None else f", {100 * answer.share:g} %"
                yield measurement(
                    _private(f"{side} bound of survival after {when}{share}"), bound, unit_of(None)
                )
        for cause in causes:
            chance = _held(answer, {arm: causes[cause]}, arm, day)
            if chance is not None:
                yield measurement(_private(f"{cause} within {when}"), chance, unit_of(None))


def _promised(answer: Curve) -> Iterator[Any]:
    """Yield the time before which the event comes in few cases, where one is promised."""
    if answer.promise is not None and answer.promise.interval is not None:
        least = answer.promise.interval[0]
        name = f"lower bound of the time to the event, {answer.promise.share}"
        if least is not None:
            yield measurement(_private(name), least, unit_of("days"))


def _held(answer: Curve, curves: Mapping[str, Array] | None, arm: str, day: float) -> float | None:
    """Return what a curve beside the arm's has at a day; None where there is none, or it begins later."""
    place = int(np.searchsorted(answer.times_days, day, side="right")) - 1
    if curves is None or arm not in curves or place < 0:
        return None
    return float(curves[arm][place])


def _private(name: str) -> Code:
    return Code(*terms.private(name))
