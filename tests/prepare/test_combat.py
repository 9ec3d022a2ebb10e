"""ComBat against a slow implementation of its paper, and what it does with sites, covariates and new sites."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.prepare.harmonise import combat

SITES = ["a"] * 40 + ["b"] * 30 + ["c"] * 20


def made(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features `(90, 6)` with shifts and scales of sites and an effect of age, and age `(90, 1)`."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 80, (90, 1))
    shift = {"a": rng.normal(0, 1, 6), "b": rng.normal(1, 1, 6), "c": rng.normal(-2, 1, 6)}
    scale = {"a": 1.0, "b": 2.0, "c": 0.5}
    noise = rng.normal(0, 1, (90, 6))
    y = np.array([shift[s] + scale[s] * n for s, n in zip(SITES, noise, strict=True)])
    return y + 0.05 * age * np.arange(6), age


def slow(y: np.ndarray, sites: list[str], x: np.ndarray) -> np.ndarray:
    """Johnson, Li and Rabinovic 2007, feature by feature, as their supplement's R code goes."""
    names = sorted(set(sites))
    n_site = [sites.count(s) for s in names]
    design = np.array([[float(s == k) for k in names] + list(row) for s, row in zip(sites, x, strict=True)])
    out = np.zeros_like(y)
    beta = np.linalg.solve(design.T @ design, design.T @ y)
    grand = np.array(n_site) / len(y) @ beta[: len(names)]
    sd = np.sqrt(((y - design @ beta) ** 2).mean(axis=0))
    stand = grand + x @ beta[len(names) :]
    z = (y - stand) / sd
    for s in names:
        rows = [k for k, t in enumerate(sites) if t == s]
        own = z[rows]
        g_hat, d_hat = own.mean(axis=0), own.var(axis=0, ddof=1)
        g_bar, t2 = g_hat.mean(), g_hat.var(ddof=1)
        m, s2 = d_hat.mean(), d_hat.var(ddof=1)
        a, b = (2 * s2 + m**2) / s2, (m * s2 + m**3) / s2
        for f in range(y.shape[1]):
            g, d = g_hat[f], d_hat[f]
            for _ in range(500):
                g = (t2 * len(rows) * g_hat[f] + d * g_bar) / (t2 * len(rows) + d)
                d = (0.5 * ((own[:, f] - g) ** 2).sum() + b) / (len(rows) / 2 + a - 1)
            out[rows, f] = (own[:, f] - g) / np.sqrt(d) * sd[f] + stand[rows, f]
    return out


def test_it_is_the_papers() -> None:
    y, age = made()
    learned = combat.fit(y, SITES, age, names=("age",))
    assert np.allclose(combat.apply(learned, y, SITES, age), slow(y, SITES, age), atol=1e-4)


def test_sites_come_together_and_age_stays() -> None:
    y, age = made()
    learned = combat.parse(combat.fit(y, SITES, age, names=("age",)).json())
    after = combat.apply(learned, y, SITES, age)
    plain = after - 0.05 * age * np.arange(6)

    def apart(x: np.ndarray) -> float:
        return float(np.array([x[[s == k for s in SITES]].mean(axis=0) for k in "abc"]).std(axis=0).max())

    assert apart(plain) < 0.25 < 0.9 < apart(y)
    slope = np.polyfit(age[:, 0], after[:, 5], 1)[0]
    assert slope == pytest.approx(0.25, abs=0.03)
    assert np.allclose(combat.undo(learned, after, SITES, age), y)


def test_an_unseen_site_is_refused_or_handled_as_stated() -> None:
    y, age = made()
    learned = combat.fit(y[:70], SITES[:70], age[:70], names=("age",))
    with pytest.raises(DataError, match=r"learned nothing of a site; found c; .*unseen=own"):
        combat.apply(learned, y, SITES, age)
    as_is = combat.apply(learned, y, SITES, age, unseen="as_is")
    assert np.allclose(as_is[70:], y[70:]) and not np.allclose(as_is[:70], y[:70])
    own = combat.apply(learned, y, SITES, age, unseen="own")

    def far(x: np.ndarray) -> float:
        plain = x - 0.05 * age * np.arange(6)
        return float(np.abs(plain[70:].mean(axis=0) - plain[:70].mean(axis=0)).max())

    assert far(own) < 0.4 < far(as_is)
    with pytest.raises(DataError, match="from 10 of its cases on"):
        combat.apply(learned, y[-5:], SITES[-5:], age[-5:], unseen="own")


def test_without_a_covariate_it_does_not_tell_it() -> None:
    y, age = made()
    learned = combat.fit(y, SITES, age, names=("age",))
    one, two = (combat.apply(learned, y[:5], SITES[:5], a) for a in (age[:5], age[:5] + 40))
    blind = combat.apply(learned, y[:5], SITES[:5])
    assert not np.allclose(one, two), "with it the answer would be in the features"
    assert np.array_equal(blind, combat.apply(learned, y[:5], SITES[:5], None))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda y, s, x: (y, ["a"] * len(s), x), "two sites"),
        (lambda y, s, x: (y, ["z", *s[1:]], x), "3 cases of each site"),
        (lambda y, s, x: (np.where(np.arange(6) == 2, 1.0, y), s, x), "does not vary"),
        (lambda y, s, x: (np.where(np.arange(6) == 2, np.nan, y), s, x), "empty cells"),
        (lambda y, s, x: (y, s, np.array([[float(k == "a")] for k in s])), "cannot be told from the sites"),
    ],
)
def test_what_cannot_be_learned_from(change: object, said: str) -> None:
    y, age = made()
    features, sites, x = change(y, SITES, age)  # type: ignore[operator]
    with pytest.raises(DataError, match=said):
        combat.fit(features, sites, x, names=("age",))
