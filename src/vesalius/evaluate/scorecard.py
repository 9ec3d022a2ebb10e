"""From rows of a metric file to a Scorecard: figures, intervals, the baseline beside them, and curves to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from vesalius import metrics
from vesalius.answers import contract
from vesalius.answers.contract import Handling, Judged
from vesalius.core.calling import calling
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.scorecard import Banner, Scorecard
from vesalius.evaluate import banners, selective
from vesalius.metrics import Rows


def scorecard(
    rows: Rows,
    answer: str,
    *,
    split: str,
    data_hash: str,
    patients: Sequence[str | None] | None = None,
    bundle: str = "",
    target: str | None = None,
    baseline: Rows | None = None,
    baseline_is: str = "",
    resamples: int = 1000,
    seed: int = 0,
    told: Sequence[Banner] = (),
    fixed: Mapping[str, Any] | None = None,
    colours: Mapping[str, str] | None = None,
) -> Scorecard:
    """Score `rows`, as the metric file of that kind of answer (`"Scores"`, `"Mask"`, …) made them.

    `patients` names each row's patient; where any is None, each case counts as a patient and the card says so.
    `baseline` are the trivial answer's rows to the same cases, in the same order. `told` are banners of the model,
    which come before those of the cases. `fixed` is what was fitted on validation cases, and `colours` are those of
    the labels. Raises DataError.
    """
    module, handling = metrics.for_answer(answer), contract.of(answer)
    who, known = _people(patients, len(rows))
    if baseline is not None and baseline.case_ids != rows.case_ids:
        raise DataError("the baseline must answer the same cases in the same order")
    if (
        baseline is not None and "positive" in rows.info
    ):  # a trivial answer knows no positive class of its own
        baseline = replace(baseline, info={**baseline.info, "positive": rows.info["positive"]})

    what = f"the metrics of {answer}"

    def bounded(
        summary: Callable[[Rows, Array], Mapping[str, float]], table: Rows = rows, **about: Any
    ) -> dict[str, metrics.Interval]:
        return metrics.bootstrap(table, summary, patients=who, n=resamples, seed=seed, **about)

    def judged(table: Rows) -> dict[str, metrics.Interval]:
        with calling(what, module, "counts"):
            counts = module.counts(table)
        with calling(what, module, "summary"):
            return bounded(module.summary, table, counts=counts, standing=metrics.standing(module, table))

    info, found = rows.info, judged(rows)
    made = Scorecard(
        answer=answer,
        split=split,
        n_patients=len(set(who)),
        n_cases=len(rows),
        patients_known=known,
        data_hash=data_hash,
        bundle=bundle,
        metrics=found,
        baseline=judged(baseline) if baseline is not None else {},
        baseline_is=baseline_is,
        target=target,
        labels=tuple(info.get("labels") or _labels_of(found)),
        unit=info.get("unit"),
        units=dict(info.get("units", {})),
        positive=info.get("positive"),
        thresholds=dict(info.get("thresholds", {})),
        tolerance_mm=info.get("tolerance_mm"),
        tolerance_px=info.get("tolerance_px"),
        resamples=resamples,
        seed=seed,
        excluded=module.excluded(rows),
        curves=handling.curves(rows),
        clinical=handling.clinical(rows, bounded, fixed or {}),
        colours=dict(colours or {}),
        cases=tuple({"case": case, **handling.case(rows, i)} for i, case in enumerate(rows.case_ids)),
        patients=dict(zip(rows.case_ids, who, strict=True)) if known else {},
        selective=_selective(rows, handling, bounded),
        banners=(
            *told,
            *banners.of_rows(rows, answer, split=split, patients=len(set(who)), known=known),
        ),
    )
    return replace(made, banners=(*made.banners, *banners.of_figures(made)))


def _selective(rows: Rows, handling: Handling[Any], judged: Judged) -> dict[str, Any]:
    """Return what becomes of the error where the least sure answers are left out; empty where no answer says how sure.

    Answers without a loss count for nothing.
    """
    sure, losses = handling.sureness(rows), handling.losses(rows)
    if sure is None or losses is None:
        return {}
    known = np.isfinite(sure) & np.isfinite(losses)
    if known.sum() < 2:
        return {}

    def summary(table: Rows, index: Array) -> dict[str, float]:
        sureness, loss = handling.sureness(table), handling.losses(table)
        if sureness is None or loss is None:
            return {}
        a, b = sureness[index], loss[index]
        fine = np.isfinite(a) & np.isfinite(b)
        return selective.figures(a[fine], b[fine]) if fine.any() else {}

    return {
        "error": handling.error,
        "n": int(known.sum()),
        "metrics": {name: asdict(found) for name, found in judged(summary).items()},
        "curve": selective.thinned(sure[known], losses[known]),
    }


def bare_scorecard(
    answer: str,
    *,
    split: str,
    data_hash: str,
    case_ids: Sequence[str],
    patients: Sequence[str | None] | None = None,
    bundle: str = "",
    target: str | None = None,
    banners: Sequence[Banner] = (),
) -> Scorecard:
    """Return the scorecard of answers that no metric judges: who was answered, and no figure."""
    who, known = _people(patients, len(case_ids))
    return Scorecard(
        answer=answer,
        split=split,
        n_patients=len(set(who)),
        n_cases=len(case_ids),
        patients_known=known,
        data_hash=data_hash,
        bundle=bundle,
        metrics={},
        target=target,
        cases=tuple({"case": case} for case in case_ids),
        banners=tuple(banners),
    )


def _labels_of(figures: Iterable[str]) -> tuple[str, ...]:
    """Return the labels that figures speak of, in their order: `apex` of `error/apex`."""
    return tuple(dict.fromkeys(name.partition("/")[2] for name in figures if "/" in name))


def _people(patients: Sequence[str | None] | None, n: int) -> tuple[list[str], bool]:
    """Return each row's patient, and whether they are known; where any is not, each row counts as one."""
    if patients is None or any(p is None for p in patients):
        return [str(i) for i in range(n)], False
    return [str(p) for p in patients], True
