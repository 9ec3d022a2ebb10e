"""Prognosis from a table, nsclc_radiomics: Cox beside stage alone and Kaplan-Meier, and what radiomics add."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import _fits, _lung_table, _quick
from benchmarks._figures import Figure, at_most
from benchmarks._lung_table import CLINIC, STAGE, VOLUME, Table
from benchmarks._signatures import dealt, filled, ridge, signature
from vesalius.core.image import Array
from vesalius.metrics import bounds, resample
from vesalius.survival.added import likelihood_ratio, reclassification
from vesalius.survival.calibration import calibration_at, d_calibration
from vesalius.survival.cox import Cox, fit_cox
from vesalius.survival.curves import kaplan_meier
from vesalius.survival.logrank import logrank
from vesalius.survival.observed import Observed
from vesalius.survival.scores import auc_at, harrell_c, integrated_brier, uno_c

SECTION = "Prognosis and benefit"
SOAK = False
SEEDS = (0,)
DRAWS, FOLDS = 1000, 5
YEARS = (365.0, 730.0)
GRID = np.arange(30.0, 1096.0, 35.5)  # of the integrated Brier score, to three years
SAME = 1e-4  # how near lifelines has to be
Score = Callable[[Observed, Array], float]  # of what was seen of patients, and of their places


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Five folds of patients a seed, scored out of fold. Quick: a made-up table without radiomics, 20 draws."""
    path = _lung_table.made_up(folder) if quick else _fits.shared("nsclc_radiomics") / "clinical.csv"
    table = _lung_table.clinical(path)
    rows = _like_lifelines(table)
    for seed in _quick.SEEDS if quick else seeds:
        rows += _of_clinic(table, seed, draws=20 if quick else DRAWS)
        if not quick:
            rows += _of_radiomics(table, path.with_name("extracted_features.xlsx"), seed)
    return rows


@dataclass(frozen=True, eq=False)
class Said:
    """What a model said of patients out of fold: risk `(N,)`, and survival at GRID, at YEARS and at their own times."""

    risk: Array
    curve: Array
    years: Array
    own: Array


def _of_clinic(table: Table, seed: int, *, draws: int) -> list[Figure]:
    folds = dealt(len(table.ids), FOLDS, seed)
    stage = [CLINIC.index(n) for n in STAGE]
    said = {
        "Cox of the clinic": _out_of_fold(
            table, folds, lambda t, x: fit_cox(x, t.seen, names=CLINIC), slice(None)
        ),
        "Cox of stage alone": _out_of_fold(table, folds, lambda t, x: fit_cox(x, t.seen, names=STAGE), stage),
        "Kaplan-Meier": _out_of_fold(table, folds, None, stage),
    }
    drawn = resample(table.ids, np.random.default_rng(seed), draws)
    test = logrank(table.seen, table.clinic[:, stage] @ [1, 2, 3])
    note = "all patients: whether stage can tell anything here"
    rows = [Figure("stages by the log-rank test, p", f"{test.p:.3f}", seed=str(seed), note=note)]
    for name, one in said.items():
        rows += _scored(name, one, table.seen, folds, drawn, seed)
    best = said["Cox of the clinic"]
    for rival in ("Cox of stage alone", "Kaplan-Meier"):
        other = said[rival]
        if rival != "Kaplan-Meier":
            gain = _paired(_more(best.risk, other.risk, folds), table.seen, drawn)
            rows.append(_shown(f"the clinic less {rival}: C", *gain, len(table.ids), seed))
        lost = _paired(_brier_less(best.curve, other.curve), table.seen, drawn)
        rows.append(_shown(f"the clinic less {rival}: integrated Brier", *lost, len(table.ids), seed))
    return rows


def _within(score: Callable[[Array, Observed], float], risk: Array, folds: Array) -> Score:
    """Return a score as the mean over folds: risks of different fits are not held against each other."""

    def scored(seen: Observed, index: Array) -> float:
        parts = [np.flatnonzero(folds[index] == k) for k in range(FOLDS)]
        values = [score(risk[index[p]], seen.where(p)) for p in parts]
        return float(np.average(values, weights=[len(p) for p in parts]))

    return scored


def _more(first: Array, second: Array, folds: Array) -> Score:
    one, other = _within(harrell_c, first, folds), _within(harrell_c, second, folds)
    return lambda seen, index: one(seen, index) - other(seen, index)


def _brier_less(first: Array, second: Array) -> Score:
    def differ(seen: Observed, index: Array) -> float:
        return integrated_brier(first[index], seen, GRID) - integrated_brier(second[index], seen, GRID)

    return differ


def _scored(
    name: str, said: Said, seen: Observed, folds: Array, drawn: Sequence[Array], seed: int
) -> list[Figure]:
    ranks = bool(np.ptp(said.risk) > 0)
    scores: dict[str, Score] = {
        "integrated Brier to 3 years": lambda s, i: integrated_brier(said.curve[i], s, GRID)
    }
    if ranks:
        scores = {
            "Harrell's C": _within(harrell_c, said.risk, folds),
            "Uno's C, to 3 years": _within(lambda r, s: uno_c(r, s, until=float(GRID[-1])), said.risk, folds),
            "AUC at 1 year": _within(lambda r, s: float(auc_at(r, s, YEARS[0])), said.risk, folds),
            "AUC at 2 years": _within(lambda r, s: float(auc_at(r, s, YEARS[1])), said.risk, folds),
        } | scores
    rows = [
        _shown(f"{name}: {what}", *_paired(f, seen, drawn), len(seen), seed) for what, f in scores.items()
    ]
    if ranks:
        index = calibration_at(said.years[:, 1], seen, YEARS[1]).ici
        shape = d_calibration(said.own, seen)
        words = "not defined" if index is None else f"{index:.3f}"
        rows.append(Figure(f"{name}: calibration index at 2 years", words, seed=str(seed)))
        rows.append(Figure(f"{name}: D-calibration, p", f"{shape.p:.3f}", seed=str(seed)))
    return rows


def _of_radiomics(table: Table, path: Path, seed: int) -> list[Figure]:
    names, features = _lung_table.radiomics(path)
    some = table.of(np.array([i for i, p in enumerate(table.ids) if p in features]))
    radiomics = np.array([features[p] for p in some.ids])
    volume = np.log(radiomics[:, [names.index(VOLUME)]])
    folds = dealt(len(some.ids), FOLDS, seed)
    clinic, told, both, alone = (np.zeros(len(some.ids)) for _ in range(4))
    chosen = []
    chances = np.zeros((2, len(some.ids)))
    for held in range(FOLDS):
        train, test = np.flatnonzero(folds != held), np.flatnonzero(folds == held)
        seen = some.seen.where(train)
        x, y = filled(some.clinic[train], some.clinic[test])
        inner, marks, many = signature(radiomics[train], radiomics[test], seen, seed)
        chosen.append(str(many))
        first = last = ridge(x, seen, CLINIC, seed)
        z, two = y, np.array([YEARS[1]])
        if np.ptp(inner) > 0:
            z = np.column_stack([y, marks])
            last = ridge(np.column_stack([x, inner]), seen, (*CLINIC, "signature"), seed)
        clinic[test], both[test], told[test] = first.log_hazard(y), last.log_hazard(z), marks
        chances[0, test], chances[1, test] = first.survival(y, two)[:, 0], last.survival(z, two)[:, 0]
        alone[test] = fit_cox(volume[train], seen, names=("volume",)).log_hazard(volume[test])
    drawn = resample(some.ids, np.random.default_rng(seed), DRAWS)
    n, rows = len(some.ids), []
    risks = {
        "the clinic": clinic,
        "radiomics": told,
        "the tumour's volume": alone,
        "clinic and radiomics": both,
    }
    for name, risk in risks.items():
        figure = _paired(_within(harrell_c, risk, folds), some.seen, drawn)
        rows.append(_shown(f"{n} patients with radiomics, {name}: Harrell's C", *figure, n, seed))
    words = ", ".join(chosen)
    rows.append(Figure("components of radiomics that inner folds chose, by fold", words, seed=str(seed)))
    added = _paired(_more(both, clinic, folds), some.seen, drawn)
    rows.append(_shown("radiomics added to the clinic: C", *added, n, seed))
    net = _paired(
        lambda s, i: reclassification(chances[0, i], chances[1, i], s, YEARS[1]).total, some.seen, drawn
    )
    rows.append(_shown("radiomics added to the clinic: net reclassification at 2 years", *net, n, seed))
    rows.append(_ratio(some, told, seed))
    return rows


def _ratio(some: Table, told: Array, seed: int) -> Figure:
    """Return the likelihood ratio of the signature, said of each patient out of fold, over the clinic's risk."""
    x, _ = filled(some.clinic, some.clinic)
    if not np.ptp(told) > 0:
        return Figure(
            "radiomics added to the clinic: likelihood ratio", "no signature was chosen", seed=str(seed)
        )
    small = fit_cox(x, some.seen, names=CLINIC)
    large = fit_cox(np.column_stack([x, told]), some.seen, names=(*CLINIC, "signature"))
    found = likelihood_ratio(small, large)
    ratio = large.hazard_ratios()[-1]
    note = (
        f"hazard ratio {ratio.ratio:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] for one unit of its log hazard"
    )
    p = "p < 0.001" if found.p < 0.001 else f"p {found.p:.3f}"
    words = f"{found.chi2:.2f} on {found.df}, {p}"
    return Figure("radiomics added to the clinic: likelihood ratio", words, seed=str(seed), note=note)


def _out_of_fold(
    table: Table, folds: Array, fit: Callable[[Table, Array], Cox] | None, columns: Sequence[int] | slice
) -> Said:
    n = len(table.ids)
    risk, curve, years, own = np.zeros(n), np.zeros((n, len(GRID))), np.zeros((n, len(YEARS))), np.zeros(n)
    for held in range(FOLDS):
        train, test = np.flatnonzero(folds != held), np.flatnonzero(folds == held)
        x, y = (v[:, columns] for v in filled(table.clinic[train], table.clinic[test]))
        times = table.seen.time_days[test]
        if fit is None:
            step = kaplan_meier(table.seen.where(train))
            curve[test], years[test], own[test] = step.at(GRID), step.at(np.array(YEARS)), step.at(times)
            continue
        cox = fit(table.of(train), x)
        risk[test] = cox.log_hazard(y)
        curve[test], years[test] = cox.survival(y, GRID), cox.survival(y, np.array(YEARS))
        end = cox.baseline["all"].end_days  # none dies after it in training
        own[test] = np.diag(cox.survival(y, np.minimum(times, end)))
    return Said(risk, curve, years, own)


def _paired(score: Score, seen: Observed, drawn: Sequence[Array]) -> tuple[float, Array]:
    whole = np.arange(len(seen))
    return score(seen, whole), np.array([score(seen.where(d), d) for d in drawn])


def _shown(what: str, value: float, values: Array, n: int, seed: int) -> Figure:
    found = bounds(value, values, n)
    ends = "" if found.low is None or found.high is None else f" [{found.low:.3f}, {found.high:.3f}]"
    return Figure(what, f"{value:.3f}{ends}", seed=str(seed), note=f"{n} patients")


def _like_lifelines(table: Table) -> list[Figure]:
    """Return how far coefficients, standard errors and C are from lifelines', with strata and without."""
    import lifelines
    import pandas

    x, _ = filled(table.clinic, table.clinic)
    strata = np.argmax(np.column_stack([np.full(len(x), 0.5), x[:, -4:]]), axis=1)  # of histology
    rows = []
    for called, wide, groups in (("ties", len(CLINIC), None), ("ties and strata", len(CLINIC) - 4, strata)):
        frame = pandas.DataFrame(x[:, :wide], columns=list(CLINIC[:wide]))
        frame["time"], frame["dead"], frame["stratum"] = table.seen.time_days, table.seen.happened, strata
        frame = frame if groups is not None else frame.drop(columns="stratum")
        other = lifelines.CoxPHFitter().fit(
            frame,
            "time",
            "dead",
            strata=None if groups is None else ["stratum"],
            fit_options={"precision": 1e-10},
        )
        cox = fit_cox(x[:, :wide], table.seen, names=CLINIC[:wide], strata=groups)
        far = max(
            float(np.abs(cox.coefficients - other.params_.to_numpy()).max()),
            float(np.abs(cox.errors - other.standard_errors_.to_numpy()).max()),
        )
        rows.append(at_most(f"coefficients and errors beside lifelines, {called}", far, SAME, digits=8))
        if groups is None:
            c = harrell_c(cox.log_hazard(x[:, :wide]), table.seen)
            rows.append(at_most("C beside lifelines", abs(c - other.concordance_index_), SAME, digits=8))
    return rows
