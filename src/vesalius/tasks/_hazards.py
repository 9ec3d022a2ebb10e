"""Losses of times to an event: Cox's partial likelihood, discrete hazards, and DeepHit with its ranking. Torch.

What is known of a batch's events is `(B, 3)`: the time in days, the number of the cause (0 where nothing had happened)
and the day of entry; NaN where a case is not known. Loss values are means over cases, so that they do not grow with a
batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

CENTRE = 0.02  # how strongly the mean log hazard of a batch is held at 0, where its baseline begins
RANKING, SPREAD = (
    0.2,
    0.1,
)  # DeepHit's weight of its ranking, and the width of its exponential (Lee et al. 2018)


def known(events: Tensor) -> Tensor:
    """Return of which cases `(B, 3)` anything is known, `(B,)` bool."""
    return ~events[:, 0].isnan()


def partial_likelihood(log_hazard: Tensor, time: Tensor, happened: Tensor, entry: Tensor) -> Tensor:
    """Return minus the log of Cox's partial likelihood of a batch, over its events; with Efron's ties.

    All are `(B,)`. A case is at risk from after its entry to its time, that day included (Cox 1972; Efron 1977). It is
    a zero that gradients pass where nothing happened in the batch.
    """
    if not bool(happened.any()):
        return 0.0 * log_hazard.sum()
    logs = log_hazard.float()
    top = logs.max().detach()
    weight = (logs - top).exp()
    at_risk = ((time[None] >= time[:, None]) & (entry[None] < time[:, None])).to(
        weight.dtype
    )  # (event, case)
    tied = ((time[None] == time[:, None]) & happened[None] & happened[:, None]).to(weight.dtype)
    before = tied.tril(diagonal=-1).sum(dim=1)  # how many of the tied ones are taken as earlier
    share = before / tied.sum(dim=1).clamp_min(1)
    total = at_risk @ weight - share * (tied @ weight)
    tiny = torch.finfo(weight.dtype).tiny
    each = total.clamp_min(tiny).log() + top - logs
    return each[happened].sum() / happened.sum()


def cox(logits: Tensor, events: Tensor) -> Tensor:
    """Return the loss of log hazards of each cause `(B, C)`: each cause's own, the others taken as censored.

    It ends with a small penalty on their mean, without which every member would have a baseline of its own.
    """
    there = known(events)
    if not bool(there.any()):
        return 0.0 * logits.sum()
    said, (time, cause, entry) = logits[there], events[there].unbind(dim=1)
    terms = [
        partial_likelihood(said[:, k], time, cause == k + 1, entry)
        for k in range(said.shape[1])
        if bool((cause == k + 1).any())
    ]
    centre = CENTRE * said.float().mean(dim=0).square().sum()
    return torch.stack([*terms, centre]).sum()


def intervals(events: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Return which intervals `(B, K)` each case was seen through, and in which each event `(B, K)` happened.

    Interval k is (end k - 1, end k]. A case that was censored in an interval was seen through it where it was there for
    more than half of it, as one that entered late was (Gensheimer and Narasimhan 2019). An event after the last end
    is one that did not happen in any of them.
    """
    begins = torch.cat([ends.new_zeros(1), ends[:-1]])
    middle = (begins + ends) / 2
    time, cause, entry = (column[:, None] for column in events.unbind(dim=1))
    inside = (time > begins) & (time <= ends) & (cause > 0)
    through = torch.where(cause > 0, time > begins, time >= middle)
    return through & ((entry < middle) | inside), inside


def discrete(logits: Tensor, events: Tensor, ends: Tensor, causes: int) -> Tensor:
    """Return minus the log likelihood of discrete hazards, a mean over cases (Gensheimer and Narasimhan 2019).

    `logits` `(B, K·C)` are of each cause in each interval against none; of one cause a logistic regression in each.
    """
    there = known(events)
    if not bool(there.any()):
        return 0.0 * logits.sum()
    said = logits[there].float().reshape(-1, len(ends), causes)
    through, inside = intervals(events[there], ends)
    logs = hazards(said)  # (B, K, 1 + C): none, and each cause
    cause = events[there][:, 1].long()
    came = torch.where(inside, cause[:, None], torch.zeros_like(cause)[:, None])
    each = logs.gather(2, came[..., None])[..., 0]
    return -(each * through).sum(dim=1).mean()


def hazards(logits: Tensor) -> Tensor:
    """Return the logs of nothing's and each cause's probability in each interval: `(…, K, C)` → `(…, K, 1 + C)`."""
    none = torch.zeros_like(logits[..., :1])
    return torch.cat([none, logits], dim=-1).log_softmax(dim=-1)


def deephit(logits: Tensor, events: Tensor, ends: Tensor, causes: int) -> Tensor:
    """Return DeepHit's loss: minus the log likelihood of first events, and how wrongly cases are ranked (Lee 2018).

    `logits` `(B, K·C + 1)` are of each cause in each interval, and of no event in any; their softmax adds up to one.
    """
    there = known(events)
    if not bool(there.any()):
        return 0.0 * logits.sum()
    said, seen = logits[there].float(), events[there]
    logs = said.log_softmax(dim=1)
    mass = logs[:, :-1].reshape(-1, len(ends), causes)  # (B, K, C)
    _, inside = intervals(seen, ends)
    cause = seen[:, 1].long()
    came = inside.any(dim=1)
    place = torch.bucketize(seen[:, 0].contiguous(), ends).clamp_max(len(ends) - 1)
    rows = torch.arange(len(said), device=said.device)
    event = mass[rows, place, (cause - 1).clamp_min(0)]
    begins = torch.cat([ends.new_zeros(1), ends[:-1]])
    after = ((begins + ends) / 2)[None] > seen[:, :1]  # intervals in which it may still have happened
    still = _log_mass(logs, after, causes)
    entered = (((begins + ends) / 2)[None] > seen[:, 2:3]) | inside  # what a late entry leaves open
    likelihood = torch.where(came, event, still) - _log_mass(logs, entered, causes)
    ranking = _ranking(mass, seen, place, came, cause)
    return -likelihood.mean() + RANKING * ranking


def _log_mass(logs: Tensor, where: Tensor, causes: int) -> Tensor:
    """Return the log of the probability of what is in some intervals `(B, K)`, or in none at all, `(B,)`."""
    bits = torch.cat([where.repeat_interleave(causes, dim=1), where.new_ones(len(where), 1)], dim=1)
    return logs.masked_fill(~bits, -torch.inf).logsumexp(dim=1)


def _ranking(mass: Tensor, seen: Tensor, place: Tensor, came: Tensor, cause: Tensor) -> Tensor:
    """Return how far cases with an event stand behind those that were still without it, a mean over such pairs."""
    total, pairs = mass.new_zeros(()), mass.new_zeros(())
    rows = torch.arange(len(mass), device=mass.device)
    for k in range(mass.shape[2]):
        incidence = mass[..., k].exp().cumsum(dim=1)
        own = incidence[rows, place]
        theirs = incidence[:, place].T  # (event, other): the other's incidence by the event's time
        later = (seen[None, :, 0] > seen[:, None, 0]) & (seen[None, :, 2] < seen[:, None, 0])
        pair = (later & (came & (cause == k + 1))[:, None]).to(mass.dtype)
        total = total + (pair * ((theirs - own[:, None]) / SPREAD).exp()).sum()
        pairs = pairs + pair.sum()
    return total / pairs.clamp_min(1)


def summed_risk(logits: Tensor, *, kind: str, causes: int, shares: Sequence[float], upto: int) -> Tensor:
    """Return one log hazard of each case, `(…,)`, from logits of all causes `(…, W)`; gradients pass.

    Of `cox` it is the log of the causes' hazards, weighted by how often each happens; of the others the log of the
    cumulative hazard by the end of interval `upto`.
    """
    if kind == "cox":
        logs = logits + logits.new_tensor(list(shares)).clamp_min(1e-6).log()
        return logits[..., 0] if causes == 1 else logs.logsumexp(dim=-1)
    if kind == "hazard":
        intervals_ = logits.reshape(*logits.shape[:-1], logits.shape[-1] // causes, causes)
        hazard = -hazards(intervals_)[..., : upto + 1, 0].sum(dim=-1)
    else:
        logs = logits.log_softmax(dim=-1)
        rest = logs[..., (upto + 1) * causes :].logsumexp(dim=-1)
        hazard = -rest
    return hazard.clamp_min(1e-6).log()
