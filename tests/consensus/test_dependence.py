"""Experts who err together are found, cost less than they do in a vote, and are said where they cannot be told."""

import numpy as np
import pytest
from tests.consensus.test_latent import drawn

from vesalius.consensus.dawid_skene import dawid_skene
from vesalius.consensus.majority import majority
from vesalius.consensus.patterns import of_classes

FIVE = (0.9, 0.85, 0.8, 0.65, 0.65)


def shares_right(truth, calls):
    held = of_classes(calls, experts="abcde"[: calls.shape[1]], labels="xy")
    joined, found = dawid_skene(held)
    plain, _ = dawid_skene(held, look=False)
    vote = majority(held.calls, labels=2)
    return [(x.label[held.at] == truth).mean() for x in (joined, plain, vote)], found


@pytest.mark.parametrize("seed", range(3))
def test_two_poor_experts_of_five_who_err_together_cost_less_than_in_a_vote(seed):
    (ours, plain, vote), found = shares_right(*drawn(seed, 300, FIVE, together=(3, 4)))
    assert [p.experts for p in found.pairs if p.joined] == [(3, 4)]
    assert ours > vote + 0.02
    assert ours > plain  # which takes the pair for skill


@pytest.mark.parametrize("seed", range(3))
def test_independent_experts_are_left_apart_and_no_worse_than_a_vote(seed):
    (ours, plain, vote), found = shares_right(*drawn(seed, 300, FIVE))
    assert not any(p.joined for p in found.pairs)
    assert ours == plain >= vote


def test_four_experts_of_whom_two_err_together_are_said_and_not_guessed():
    _, found = shares_right(*drawn(0, 400, (0.85, 0.85, 0.65, 0.65), together=(2, 3)))
    assert not any(p.joined for p in found.pairs)
    assert any("cannot tell which" in note for note in found.notes)


def test_three_experts_say_that_it_cannot_be_asked():
    _, found = shares_right(*drawn(0, 200, (0.85, 0.85, 0.65)))
    assert found.notes == ("Three experts cannot show whether two of them err together.",)


def test_the_errors_of_experts_who_copy_correlate_wholly():
    _, found = shares_right(*drawn(1, 400, FIVE, together=(3, 4)))
    pair = next(p for p in found.pairs if p.experts == (3, 4))
    assert pair.correlation == pytest.approx(1.0)
    assert max(abs(p.correlation) for p in found.pairs if p.experts != (3, 4)) < np.sqrt(1 / 400) * 4
