"""Losses of metric learning against loops over triplets and pairs, written out as the papers have them."""

import math

import pytest
import torch
from torch.nn import functional as F

from vesalius import losses
from vesalius.core.errors import PlanError

LABELS = [0, 0, 1, 1, 2]


@pytest.fixture(scope="module")
def held():
    vectors = F.normalize(
        torch.randn(5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64), dim=1
    )
    alike = torch.tensor([[float(a == b) for b in LABELS] for a in LABELS])
    alike.fill_diagonal_(-1)
    return vectors, alike


def test_triplet_takes_the_hardest_of_each_row(held):
    """Hermans et al. 2017, eq. 5, on squared distances of unit vectors, which are 2 - 2 s."""
    vectors, alike = held
    terms = []
    for a in range(4):  # the fifth has no other of its label
        far = [
            float((vectors[a] - vectors[p]).square().sum())
            for p in range(5)
            if p != a and LABELS[p] == LABELS[a]
        ]
        near = [float((vectors[a] - vectors[n]).square().sum()) for n in range(5) if LABELS[n] != LABELS[a]]
        terms.append(max(0.0, 2 * 0.2 + max(far) - min(near)) / 2)
    found = losses.build("triplet")(vectors @ vectors.T, alike)
    assert float(found) == pytest.approx(sum(terms) / 4, abs=1e-6) and float(found) > 0


def test_triplet_lets_near_grades_lie_nearer():
    likeness = torch.tensor([[0.0, 0.5, 0.45]])  # itself, one of its grade, one of another
    assert float(losses.build("triplet")(likeness, torch.tensor([[-1.0, 1.0, 0.0]]))) == pytest.approx(0.15)
    assert float(losses.build("triplet")(likeness, torch.tensor([[-1.0, 1.0, 0.75]]))) == pytest.approx(0.0)


def test_a_row_without_a_positive_counts_nothing_and_has_no_slope():
    likeness = torch.tensor([[0.3, 0.9], [0.2, 0.1]], requires_grad=True)
    for name in ("triplet", "triplet-soft"):
        found = losses.build(name)(likeness, torch.tensor([[-1.0, 0.0], [0.0, -1.0]]))
        found.backward()
        assert float(found.detach()) == 0 and not likeness.grad.any()


def test_pair_is_hadsells(held):
    """Hadsell et al. 2006, eq. 4, with the two halves balanced."""
    vectors, alike = held
    same, other = [], []
    for a in range(5):
        for b in range(5):
            d = float((vectors[a] - vectors[b]).norm())
            if a != b:
                (same if LABELS[a] == LABELS[b] else other).append(
                    d**2 if LABELS[a] == LABELS[b] else max(0.0, 1.0 - d) ** 2
                )
    wanted = 0.5 * (sum(same) / len(same) + sum(other) / len(other))
    assert float(losses.build("pair")(vectors @ vectors.T, alike)) == pytest.approx(wanted, abs=1e-6)


def test_pair_has_a_finite_slope_where_two_cases_coincide():
    likeness = torch.ones(2, 2, requires_grad=True)
    losses.build("pair")(likeness, torch.tensor([[-1.0, 0.0], [0.0, -1.0]])).backward()
    assert torch.isfinite(likeness.grad).all()


def test_proxy_anchor_is_kims(held):
    """Kim et al. 2020, eq. 4, divided by its scale; a proxy without a case in the batch is no anchor."""
    vectors, _ = held
    proxies = F.normalize(
        torch.randn(4, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64), dim=1
    )
    s, alpha, delta = vectors @ proxies.T, 16.0, 0.1
    hot = torch.tensor([[float(k == label) for k in range(4)] for label in LABELS])
    own = [
        math.log1p(sum(math.exp(-alpha * (float(s[i, k]) - delta)) for i in range(5) if LABELS[i] == k))
        for k in range(3)
    ]
    others = [
        math.log1p(sum(math.exp(alpha * (float(s[i, k]) + delta)) for i in range(5) if LABELS[i] != k))
        for k in range(4)
    ]
    wanted = (sum(own) / 3 + sum(others) / 4) / alpha
    assert float(losses.build("proxy-anchor")(s, hot)) == pytest.approx(wanted, rel=1e-5)
    unknown = torch.cat([hot, torch.full((1, 4), -1.0)])
    beside = torch.cat([s, torch.full((1, 4), 0.9, dtype=s.dtype)])
    assert float(losses.build("proxy-anchor")(beside, unknown)) == pytest.approx(wanted, rel=1e-5)


def test_proxy_cosine_without_a_margin_is_cross_entropy_of_scaled_cosines(held):
    vectors, _ = held
    s = (vectors @ vectors[:3].T).float()
    hot = F.one_hot(torch.tensor(LABELS), 3).float()
    plain = losses.build("proxy-cosine", options={"margin": 0.0})(s, hot)
    assert float(plain) == pytest.approx(float(F.cross_entropy(16 * s, torch.tensor(LABELS))), rel=1e-6)
    assert losses.build("proxy-cosine")(s, hot) > plain
    with pytest.raises(PlanError, match="one label a case"):
        losses.build("proxy-cosine")(s, torch.ones(5, 3))


@pytest.mark.parametrize("name", ["triplet", "pair", "proxy-anchor"])
def test_none_learns_labels_of_cases(name):
    with pytest.raises(PlanError, match="learns no labels"):
        losses.build(name, multilabel=True)
    with pytest.raises(PlanError, match="smoothed"):
        losses.build(name, smoothing=0.1)


def test_what_cases_are_held_against_is_read_from_the_file():
    assert losses.holds("triplet-soft") == losses.holds("contrastive") == "cases"
    assert losses.holds("proxy-cosine") == "proxies" and not losses.holds("focal") and not losses.holds("own")
