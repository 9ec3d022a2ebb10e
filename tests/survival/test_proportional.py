"""The test of proportional hazards: against lifelines, and where it does not hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.survival._lung import NAMES, lung
from tests.survival.test_cox import made_up, peer

from vesalius.core.errors import DataError
from vesalius.survival.cox import fit_cox
from vesalius.survival.observed import observed
from vesalius.survival.proportional import proportional_hazards


@pytest.mark.realdata
def test_it_equals_lifelines_on_lung_cancer(shared_data: Path) -> None:
    import pandas
    from lifelines.statistics import proportional_hazard_test

    x, seen, _ = lung(shared_data)
    keep = np.unique(seen.time_days, return_index=True)[
        1
    ]  # without ties; with them lifelines takes another mean
    x, seen = x[keep], seen.where(keep)
    table = pandas.DataFrame(x, columns=[f"c{k}" for k in range(x.shape[1])])
    table["time"], table["event"] = seen.time_days, seen.happened
    theirs = proportional_hazard_test(peer(x, seen), table, time_transform=["rank", "identity"])
    cox = fit_cox(x, seen, names=NAMES)
    for scale, called in (("rank", "rank"), ("days", "identity")):  # its Kaplan-Meier is not that just before
        found = proportional_hazards(cox, x, seen, scale=scale)  # type: ignore[arg-type]
        expected = [theirs.summary.loc[(f"c{k}", called), "test_statistic"] for k in range(len(NAMES))]
        assert [f.chi2 for f in found[:-1]] == pytest.approx(expected, abs=1e-6)
        assert found[-1].name == "all" and found[-1].df == len(NAMES)


def test_a_hazard_ratio_that_turns_is_found_and_one_that_stays_is_not() -> None:
    rng = np.random.default_rng(0)
    arm = (np.arange(400) % 2).astype(float)
    early = rng.exponential(np.where(arm == 1, 5, 20))
    late = 10 + rng.exponential(np.where(arm == 1, 80, 10))
    time = np.where(early < 10, early, late)  # harm at first, then gain
    x = np.column_stack([arm, rng.normal(size=400)])
    turned = observed(time, np.ones(400))
    found = proportional_hazards(fit_cox(x, turned, names=("arm", "noise")), x, turned)
    assert found[0].p < 1e-6 < 0.01 < found[1].p and found[2].p < 1e-6
    steady = observed(rng.exponential(np.exp(-arm)), rng.random(400) < 0.8)
    assert proportional_hazards(fit_cox(x, steady, names=("arm", "noise")), x, steady)[0].p > 0.01


def test_another_table_than_that_of_the_fit_is_refused() -> None:
    x, seen = made_up()
    cox = fit_cox(x, seen, names=("a", "b"))
    with pytest.raises(DataError, match="not the table"):
        proportional_hazards(cox, x[::-1], seen)
    with pytest.raises(DataError, match="penalised"):
        proportional_hazards(fit_cox(x, seen, names=("a", "b"), penalty=0.1), x, seen)
    with pytest.raises(DataError, match="scaled by"):
        proportional_hazards(cox, x, seen, scale="weeks")  # type: ignore[arg-type]
