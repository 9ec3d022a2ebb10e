"""The truth behind calls: against an implementation of its own, and with experts who saw different cases."""

import numpy as np
import pytest

from vesalius.consensus.dawid_skene import dawid_skene
from vesalius.consensus.latent import fit
from vesalius.consensus.majority import TIED, majority
from vesalius.consensus.patterns import UNSEEN, of_classes
from vesalius.core.errors import DataError

ABC = ("a", "b", "c")


def drawn(seed, cases, right, *, labels=2, together=None, unseen=0.0):
    """Return truths and calls of experts of known accuracy; the second of `together` repeats the first."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, cases)
    wrong = (truth[:, None] + rng.integers(1, labels, (cases, len(right)))) % labels
    calls = np.where(rng.random((cases, len(right))) < np.array(right), truth[:, None], wrong)
    if together:
        calls[:, together[1]] = calls[:, together[0]]
    calls[rng.random(calls.shape) < unseen] = UNSEEN
    return truth, calls


def by_hand(calls, labels, rounds):
    """Return the posterior of Dawid and Skene 1979, eq. 2.3 to 2.5, case by case in loops."""
    many, experts = calls.shape
    post = np.array([[(c == k).sum() for k in range(labels)] for c in calls], float)
    post /= post.sum(1, keepdims=True)
    for _ in range(rounds):
        prior = post.mean(0)
        tables = np.zeros((experts, labels, labels))
        for c in range(many):
            for e in range(experts):
                if calls[c, e] >= 0:
                    tables[e, :, calls[c, e]] += post[c]
        tables /= tables.sum(2, keepdims=True)
        for c in range(many):
            row = prior.copy()
            for e in range(experts):
                if calls[c, e] >= 0:
                    row *= tables[e, :, calls[c, e]]
            post[c] = row / row.sum()
    return post


def test_em_is_that_of_dawid_and_skene_where_nothing_is_smoothed():
    _, calls = drawn(0, 60, (0.85, 0.8, 0.7), labels=3, unseen=0.15)
    calls = calls[(calls >= 0).any(1)]
    held = of_classes(calls, experts=ABC, labels="xyz")
    ours = fit(held.calls, held.totals(), labels=3, smoothing=1e-9, rounds=25)
    np.testing.assert_allclose(ours.posterior[held.at], by_hand(calls, 3, 25), atol=1e-5)


def test_skill_of_experts_who_saw_different_cases_is_recovered_within_five_hundredths():
    right = (0.92, 0.85, 0.75, 0.7, 0.6)
    truth, calls = drawn(1, 1500, right, unseen=0.3)
    held = of_classes(calls, experts="abcde", labels="xy")
    joined, found = dawid_skene(held)
    for e, share in enumerate(right):
        assert abs(np.diag(found.fitted.skill(e)).mean() - share) < 0.05
    votes = majority(held.calls, labels=2)
    assert (joined.label[held.at] == truth).mean() >= (votes.label[held.at] == truth).mean()


def test_a_tie_of_votes_is_said_and_not_broken():
    votes = majority(np.array([[0, 1], [1, 1], [0, UNSEEN], [UNSEEN, UNSEEN]]), labels=2)
    assert votes.label.tolist() == [TIED, 1, 0, TIED]
    np.testing.assert_allclose(votes.p, [[0.5, 0.5], [0, 1], [1, 0], [0.5, 0.5]])


def test_a_case_that_nobody_saw_is_tied():
    _, calls = drawn(2, 40, (0.9, 0.9, 0.9))
    calls[7] = UNSEEN
    held = of_classes(calls, experts=ABC, labels="xy")
    joined, _ = dawid_skene(held)
    assert joined.label[held.at[7]] == TIED


def test_a_copy_of_the_calls_changes_nothing_but_the_sum():
    _, calls = drawn(3, 80, (0.9, 0.8, 0.7))
    once, twice = (of_classes(c, experts=ABC, labels="xy") for c in (calls, np.repeat(calls, 2, axis=0)))
    one, two = (fit(h.calls, h.totals(), labels=2, smoothing=1e-9) for h in (once, twice))
    np.testing.assert_allclose(one.posterior, two.posterior, atol=1e-4)


def test_calls_that_are_no_labels_are_refused():
    with pytest.raises(DataError, match="places of labels"):
        of_classes(np.array([[0, 2]]), experts="ab", labels="xy")
    with pytest.raises(DataError, match="cases and experts"):
        of_classes(np.array([[0, 1]]), experts="abc", labels="xy")
