"""Losses of times to events: against the room of survival, cases worked by hand, and what each must not heed."""

from __future__ import annotations

import numpy as np
import torch

from vesalius.survival.cox import partial_likelihood
from vesalius.survival.observed import observed
from vesalius.tasks import _hazards as hazards

ENDS = torch.tensor([10.0, 20.0, 30.0])


def batch(n: int = 40, causes: int = 1, seed: int = 0) -> torch.Tensor:
    """Times with ties, causes and late entries."""
    rng = np.random.default_rng(seed)
    time = rng.integers(1, 31, n).astype(float)
    entry = np.where(rng.random(n) < 0.4, time * rng.random(n), 0.0)
    return torch.tensor(np.stack([time, rng.integers(0, causes + 1, n), entry], axis=1), dtype=torch.float32)


def test_the_partial_likelihood_is_that_of_the_room_of_survival_with_ties_and_late_entry() -> None:
    events, logs = batch(), torch.randn(40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    time, cause, entry = events.double().unbind(dim=1)
    seen = observed(time.numpy(), cause.numpy(), entry_days=entry.numpy())
    ours = hazards.partial_likelihood(logs, time, cause > 0, entry)
    theirs = partial_likelihood(logs.numpy(), seen)
    torch.testing.assert_close(float(ours) * int((cause > 0).sum()), -float(theirs), rtol=1e-5, atol=1e-5)
    shifted = hazards.partial_likelihood(logs + 3, time, cause > 0, entry)
    torch.testing.assert_close(ours, shifted, rtol=1e-5, atol=1e-5)


def test_efrons_ties_by_hand() -> None:
    """Two of three cases have the event on day 1, the third on day 2: denominators a+b+c, (a+b)/2 + c, and c."""
    logs = torch.tensor([0.0, 1.0, -1.0])
    a, b, c = logs.exp().tolist()
    wanted = -(0.0 + 1.0 - 1.0) + np.log(a + b + c) + np.log((a + b) / 2 + c) + np.log(c)
    found = hazards.partial_likelihood(
        logs, torch.tensor([1.0, 1.0, 2.0]), torch.tensor([True] * 3), torch.zeros(3)
    )
    assert abs(3 * float(found) - wanted) < 1e-5


def test_who_enters_later_is_not_at_risk_before() -> None:
    time, happened = torch.tensor([5.0, 9.0]), torch.tensor([True, False])
    late = hazards.partial_likelihood(torch.tensor([0.0, 2.0]), time, happened, torch.tensor([0.0, 6.0]))
    assert float(late) == 0.0, "alone at risk"
    early = hazards.partial_likelihood(torch.tensor([0.0, 2.0]), time, happened, torch.zeros(2))
    assert abs(float(early) - np.log(1 + np.exp(2.0))) < 1e-5


def test_a_batch_without_events_or_without_anything_known_passes_a_gradient_of_nought() -> None:
    for events in (torch.tensor([[5.0, 0.0, 0.0]] * 3), torch.full((3, 3), float("nan"))):
        for loss in (
            lambda x, e: hazards.cox(x[:, :1], e),
            lambda x, e: hazards.discrete(x[:, :3], e, ENDS, 1),
            lambda x, e: hazards.deephit(x[:, :4], e, ENDS, 1),
        ):
            x = torch.zeros(3, 4, requires_grad=True)
            loss(x, events).backward()
            assert x.grad is not None and torch.isfinite(x.grad).all()


def test_competing_causes_have_risk_sets_of_their_own() -> None:
    events = batch(causes=2)
    logits = torch.randn(40, 2, generator=torch.Generator().manual_seed(2))
    time, cause, entry = events.unbind(dim=1)
    each = [hazards.partial_likelihood(logits[:, k], time, cause == k + 1, entry) for k in range(2)]
    centre = hazards.CENTRE * logits.mean(dim=0).square().sum()
    torch.testing.assert_close(hazards.cox(logits, events), sum(each) + centre)


def test_discrete_hazards_by_hand() -> None:
    """Of three intervals: an event in the second; censored after its middle, and before it; one who entered late."""
    events = torch.tensor(
        [[15.0, 1, 0], [16.0, 0, 0], [14.0, 0, 0], [25.0, 1, 12.0], [28.0, 1, 17.0], [99.0, 1, 0]]
    )
    through, inside = hazards.intervals(events, ENDS)
    assert through.int().tolist() == [[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 1]]
    assert inside.int().tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]
    logits = torch.tensor([[-1.0, 0.5, 2.0]])
    p = torch.sigmoid(logits[0])
    found = hazards.discrete(logits, events[:1], ENDS, 1)
    torch.testing.assert_close(found, -((1 - p[0]).log() + p[1].log()))


def test_one_late_entry_within_the_interval_of_its_event_counts() -> None:
    event = torch.tensor([[19.0, 1.0, 18.0]])
    through, inside = hazards.intervals(event, ENDS)
    assert through.tolist() == inside.tolist() == [[False, True, False]]
    assert torch.isfinite(hazards.deephit(torch.zeros(1, 4), event, ENDS, 1))


def test_deephits_likelihood_by_hand() -> None:
    events = torch.tensor([[15.0, 2.0, 0.0], [16.0, 0.0, 0.0]])
    logits = torch.randn(2, 7, generator=torch.Generator().manual_seed(3))
    p = logits.softmax(dim=1)
    first = p[0, 3].log()  # cause 2 of interval 2
    second = (p[1, 4] + p[1, 5] + p[1, 6]).log()  # interval 3, or none: its own was more than half over
    incidence = p[:, 1::2].cumsum(dim=1)
    ranking = ((incidence[1, 1] - incidence[0, 1]) / hazards.SPREAD).exp()
    wanted = -(first + second) / 2 + hazards.RANKING * ranking
    torch.testing.assert_close(hazards.deephit(logits, events, ENDS, 2), wanted)


def test_the_risk_of_each_model_rises_with_its_hazards() -> None:
    low, high = torch.full((1, 6), -2.0), torch.full((1, 6), -1.0)
    low7, high7 = (torch.cat([x, torch.zeros(1, 1)], dim=1) for x in (low, high))
    for kind, one, two in (("cox", low[:, :2], high[:, :2]), ("hazard", low, high), ("deephit", low7, high7)):
        said = [hazards.summed_risk(x, kind=kind, causes=2, shares=(0.5, 0.5), upto=1) for x in (one, two)]
        assert float(said[0]) < float(said[1])
