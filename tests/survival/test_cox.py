"""Cox models: against lifelines, against plain loops, and where they have to refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.survival._lung import NAMES, lung

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.survival.cox import Cox, fit_cox, partial_likelihood
from vesalius.survival.observed import Observed, observed


def made_up(n: int = 80, seed: int = 0, *, whole: bool = True, late: bool = False) -> tuple[Array, Observed]:
    """Return two columns and times that depend on them; on whole days there are ties."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(50, 10, n), rng.random(n) < 0.4])
    time = rng.exponential(20 * np.exp(-0.05 * (x[:, 0] - 50) - 0.7 * x[:, 1])) + 0.1
    time = np.ceil(time) if whole else time
    entry = np.where(rng.random(n) < 0.5, np.floor(time * rng.random(n) * 0.9 * 4) / 4, 0.0) if late else None
    return x, observed(time, rng.random(n) < 0.7, entry_days=entry)


def peer(
    x: Array,
    seen: Observed,
    *,
    strata: Any = None,
    weights: Any = None,
    penalizer: float = 0.0,
    robust: bool = False,
) -> Any:
    """Return lifelines' model of the same table."""
    import lifelines
    import pandas

    table = pandas.DataFrame(x, columns=[f"c{k}" for k in range(x.shape[1])])
    table["time"], table["event"], table["entry"] = seen.time_days, seen.happened, seen.entry_days
    words: dict[str, object] = {}
    if strata is not None:
        table["stratum"], words["strata"] = strata, ["stratum"]
    if weights is not None:
        table["weight"], words["weights_col"] = weights, "weight"
    if seen.entry_days.any():
        words["entry_col"] = "entry"
    else:
        table = table.drop(columns="entry")
    fitter = lifelines.CoxPHFitter(penalizer=penalizer)
    return fitter.fit(table, "time", "event", robust=robust, fit_options={"precision": 1e-12}, **words)


@pytest.mark.realdata
@pytest.mark.parametrize("stratified", [False, True])
def test_it_equals_lifelines_on_lung_cancer(shared_data: Path, stratified: bool) -> None:
    x, seen, histology = lung(shared_data)
    strata = histology if stratified else None
    cox, other = fit_cox(x, seen, names=NAMES, strata=strata), peer(x, seen, strata=strata)
    assert (
        cox.patients > 390
        and cox.events == seen.happened.sum()
        and len(np.unique(seen.time_days)) < len(seen)
    )
    assert cox.coefficients == pytest.approx(other.params_.to_numpy(), abs=1e-6)
    assert cox.errors == pytest.approx(other.standard_errors_.to_numpy(), abs=1e-6)
    assert cox.log_likelihood == pytest.approx(other.log_likelihood_, abs=1e-4)
    summary = other.summary
    ratios = cox.hazard_ratios()
    assert [r.p for r in ratios] == pytest.approx(summary["p"].to_list(), abs=1e-6)
    assert [r.low for r in ratios] == pytest.approx(summary["exp(coef) lower 95%"].to_list(), abs=1e-5)
    if stratified:
        assert set(cox.baseline) == set(histology)
    else:
        base = other.baseline_cumulative_hazard_.iloc[:, 0]
        assert cox.baseline["all"].at(base.index.to_numpy()) == pytest.approx(base.to_numpy(), rel=1e-5)
        days = base.index.to_numpy()[[60, 200]]  # lifelines draws lines between days
        theirs = other.predict_survival_function(x[:5], times=days).to_numpy().T
        assert cox.survival(x[:5], days) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("late", [False, True])
def test_small_tables_with_ties_and_late_entry_equal_lifelines(late: bool) -> None:
    x, seen = made_up(late=late)
    cox, other = fit_cox(x, seen, names=("a", "b")), peer(x, seen)
    assert cox.coefficients == pytest.approx(other.params_.to_numpy(), abs=1e-6)
    assert cox.errors == pytest.approx(other.standard_errors_.to_numpy(), abs=1e-6)


def test_whole_weights_count_patients() -> None:
    x, seen = made_up(whole=False)
    weights = np.arange(80) % 3 + 1.0
    often = np.repeat(np.arange(80), weights.astype(int))
    weighted = fit_cox(x, seen, names=("a", "b"), weights=weights, ties="breslow")
    repeated = fit_cox(x[often], seen.where(often), names=("a", "b"), ties="breslow")
    assert weighted.coefficients == pytest.approx(repeated.coefficients)
    assert weighted.covariance == pytest.approx(repeated.covariance)
    assert weighted.log_hazard(x[:3]) == pytest.approx(repeated.log_hazard(x[:3]))
    assert weighted.baseline["all"].values == pytest.approx(repeated.baseline["all"].values)
    assert not weighted.robust
    other = peer(x, seen, weights=weights, robust=True)
    assert fit_cox(x, seen, names=("a", "b"), weights=weights, robust=True).errors == pytest.approx(
        other.standard_errors_.to_numpy(), abs=1e-4
    )


def test_the_sandwich_is_how_coefficients_move_with_each_patients_weight() -> None:
    x, seen = made_up(40, late=True)
    weights = 0.5 + np.arange(40) / 40
    names = ("a", "b")
    strata = np.arange(40) % 2
    cox = fit_cox(x, seen, names=names, weights=weights, ties="breslow", strata=strata)
    moves = []
    for k in range(40):
        ends = []
        for d in (1e-4, -1e-4):
            changed = weights + d * (np.arange(40) == k)
            ends.append(
                fit_cox(x, seen, names=names, weights=changed, ties="breslow", strata=strata).coefficients
            )
        moves.append((ends[0] - ends[1]) / 2e-4 * weights[k])
    assert cox.robust
    assert cox.covariance == pytest.approx(np.array(moves).T @ np.array(moves), rel=1e-4)
    pairs = np.arange(40) // 2
    summed = np.array(moves).reshape(20, 2, 2).sum(1)
    grouped = fit_cox(x, seen, names=names, weights=weights, ties="breslow", strata=strata, cluster=pairs)
    assert grouped.covariance == pytest.approx(summed.T @ summed, rel=1e-4)
    with pytest.raises(DataError, match="clusters"):
        fit_cox(x, seen, names=names, cluster=pairs, robust=False)


def test_efrons_scores_sum_to_nothing_at_the_largest_value() -> None:
    from vesalius.survival.partial import partial

    x, seen = made_up(60, late=True)
    cox = fit_cox(x, seen, names=("a", "b"))
    scores = partial(x, seen).scores(cox.coefficients)
    assert scores.sum(0) == pytest.approx([0, 0], abs=1e-5) and np.abs(scores).max() > 0.1
    gradient, information = partial(x, seen).slopes(cox.coefficients + 0.01)
    for k in range(2):  # slopes are those of the value
        step = np.eye(2)[k] * 1e-5
        up, down = (partial(x, seen).value(cox.coefficients + 0.01 + s) for s in (step, -step))
        assert gradient[k] == pytest.approx((up - down) / 2e-5, rel=1e-4)
        ends = [partial(x, seen).slopes(cox.coefficients + 0.01 + s)[0] for s in (step, -step)]
        assert information[k] == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-4)


def test_a_ridge_equals_lifelines_and_claims_no_interval() -> None:
    x, seen = made_up()
    cox, other = fit_cox(x, seen, names=("a", "b"), penalty=0.1), peer(x, seen, penalizer=0.1 * 79 / 80)
    assert cox.coefficients == pytest.approx(other.params_.to_numpy(), abs=1e-5)
    assert cox.hazard_ratios()[0].low is None and cox.hazard_ratios()[0].p is None
    plain = fit_cox(x, seen, names=("a", "b"))
    assert np.abs(cox.coefficients[0]) < np.abs(plain.coefficients[0])


def test_the_partial_likelihood_by_hand() -> None:
    # day 1: two events among three; day 2: one among one
    seen = observed(np.array([1.0, 1.0, 2.0]), np.array([1, 1, 1]))
    logs = np.log(np.array([1.0, 2.0, 3.0]))
    efron = np.log(1 / 6) + np.log(2 / (6 - 1.5)) + np.log(3 / 3)
    assert partial_likelihood(logs, seen) == pytest.approx(efron)
    assert partial_likelihood(logs, seen, ties="breslow") == pytest.approx(np.log(2 / 36))
    assert partial_likelihood(logs + 900, seen) == pytest.approx(efron)
    alone = partial_likelihood(logs, seen, strata=["a", "a", "b"])
    assert alone == pytest.approx(np.log(1 / 3) + np.log(2 / 1.5))
    late = observed(
        seen.time_days, seen.happened, entry_days=np.array([0.0, 0.0, 1.0])
    )  # in only after day 1
    assert partial_likelihood(logs, late) == pytest.approx(alone)


def test_survival_of_strata_and_of_days_beyond_the_follow_up() -> None:
    x, seen = made_up()
    strata = np.where(x[:, 1] > 0, "yes", "no")
    cox = fit_cox(x[:, :1], seen, names=("age",), strata=strata)
    end = min(step.end_days for step in cox.baseline.values())
    both = cox.survival(np.repeat(x[:1, :1], 2, 0), np.array([5.0, end]), strata=["no", "yes"])
    assert both.shape == (2, 2) and both[0, 0] != both[1, 0] and (np.diff(both) < 0).all()
    with pytest.raises(DataError, match="stratum"):
        cox.survival(x[:1, :1], np.array([5.0]))
    with pytest.raises(DataError, match="does not tell of day"):
        cox.survival(x[:2, :1], np.array([1e4]), strata=["no", "yes"])
    with pytest.raises(DataError, match="age"):
        cox.log_hazard(x)


def test_what_cannot_be_fitted_is_refused() -> None:
    x, seen = made_up()
    dead = seen.happened & (seen.time_days < np.median(seen.time_days))

    def refused(table: Array, match: str, *, given: Observed = seen, **how: object) -> Cox | None:
        with pytest.raises(DataError, match=match):
            return fit_cox(table, given, names=[f"c{k}" for k in range(table.shape[1])], **how)  # type: ignore[arg-type]
        return None

    early = np.column_stack([x, dead & (np.arange(80) % 2 == 0)])
    rank = -seen.time_days  # those who die sooner always have more
    refused(rank[:, None] * 1.0, "grow without end: c0")
    never = np.column_stack([x, (~seen.happened) & (np.arange(80) % 3 == 0)])
    refused(never, "grow without end: c2")
    fit_cox(never, seen, names=("a", "b", "c"), penalty=0.01)
    fit_cox(early, seen, names=("a", "b", "c"))
    refused(np.column_stack([x, np.ones(80)]), "'c2' has one value")
    refused(np.column_stack([x, x[:, 0] - 2 * x[:, 1]]), "is told by the other columns")
    refused(np.column_stack([x, x[:, 1]]), "'c1' is the same", strata=x[:, 1])
    refused(np.where(np.arange(80)[:, None] == 3, np.nan, x), "'c0' holds values that are not finite")
    refused(x, "nobody has the event", given=observed(seen.time_days, np.zeros(80)))
    refused(x[:40], "need columns, a weight and a stratum")
    refused(x, "ties", ties="exact")
    refused(x, "not negative", weights=-np.ones(80))
    refused(x, "penalty", penalty=-1.0)
