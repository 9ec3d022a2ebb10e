"""Experts who err together: found by how much likelier the calls become if they may, and then counted as fewer votes.

Given the truth, experts who err independently agree only by chance where they are wrong. Two who err together (one
learned from the other, both use one tool) agree more often, and EM over independent experts takes that for skill. So
each pair is given one joint table, and the pair that makes the calls most likely is kept if the gain is more than its
further numbers explain (Schwarz 1978) in most patients (Vuong 1989), and if the errors correlate by REACH or more.
Four experts cannot tell which of two pairs it is, and three none at all: that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from vesalius.consensus.latent import TABLE, Block, Latent, fit
from vesalius.consensus.patterns import Patterns
from vesalius.core.image import Array

REACH = 0.2  # correlation of errors from which experts are taken to err together
Z = 1.64  # one-sided 5 %
FEWEST = 4  # experts of whom it can be asked
SURE = 5  # experts of whom it can be told which pair it is


@dataclass(frozen=True)
class Pair:
    """Two experts, and the correlation of their errors given the truth; `joined` says that they count as one block."""

    experts: tuple[int, int]
    correlation: float | None
    joined: bool = False


@dataclass(frozen=True, eq=False)
class Dependence:
    """The truth fitted with the blocks that were found, the correlation of every pair's errors, and what is said."""

    fitted: Latent
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()


def fitted(
    patterns: Patterns, *, smoothing: float = 1.0, look: bool = True, weights: Array | None = None
) -> Dependence:
    """Return the truth behind the patterns, with experts who err together found where `look` is True."""
    labels, experts = len(patterns.labels), len(patterns.experts)
    counts = patterns.totals() if weights is None else weights
    best = fit(patterns.calls, counts, labels=labels, smoothing=smoothing)
    notes: list[str] = []
    if look and experts >= FEWEST:
        while True:
            better, note = _better(patterns, counts, best, smoothing)
            notes += [note] if note else []
            if better is None:
                break
            best = better
    elif look and experts == FEWEST - 1:
        notes.append("Three experts cannot show whether two of them err together.")
    return Dependence(best, correlations(patterns, counts, best), tuple(notes))


def _better(patterns: Patterns, counts: Array, now: Latent, smoothing: float) -> tuple[Latent | None, str]:
    """Return the fit in which two more blocks are one, where that is warranted; and what must be said."""
    labels = len(patterns.labels)
    if len(now.blocks) < FEWEST:
        return None, ""
    tried: list[tuple[float, Block, Latent]] = []
    for a, b in combinations(now.blocks, 2):
        if labels ** len(a + b) > TABLE:
            continue
        blocks = (*(x for x in now.blocks if x not in (a, b)), a + b)
        made = fit(patterns.calls, counts, labels=labels, blocks=blocks, smoothing=smoothing)
        tried.append((float(counts @ (made.terms - now.terms)), a + b, made))
    if not tried:
        return None, ""
    tried.sort(key=lambda t: -t[0])
    gain, block, made = tried[0]
    if not _warranted(patterns, now, made) or _together(made, block) < REACH:
        return None, ""
    if len(now.blocks) < SURE:
        rival = next((t for t in tried[1:] if not set(t[1]) & set(block)), None)
        if any(len(b) > 1 for b in now.blocks):
            return None, ""  # what is left of five experts cannot show more
        if rival is not None and rival[0] > 0.8 * gain:
            names = [" and ".join(patterns.experts[k] for k in one) for one in (block, rival[1])]
            return None, f"Either {names[0]} err together, or {names[1]}: four experts cannot tell which."
    return made, ""


def _warranted(patterns: Patterns, now: Latent, made: Latent) -> bool:
    """Return whether a fit with more numbers is better by more than these explain, in patients taken by themselves."""
    more = sum(t.size - len(t) for t in made.tables) - sum(t.size - len(t) for t in now.tables)
    each = patterns.by_case(made.terms - now.terms)
    _, who = np.unique(np.array(patterns.patients), return_inverse=True)
    each = np.bincount(np.ravel(who), weights=each)
    each = each - 0.5 * more * np.log(max(len(each), 2)) / len(each)
    spread = each.std(ddof=1) * np.sqrt(len(each)) if len(each) > 1 else np.inf
    return bool(each.sum() > Z * spread)


def _together(made: Latent, block: Sequence[int]) -> float:
    """Return the greatest correlation of the errors of two experts of a block, given the truth."""
    place = made.blocks.index(tuple(block))
    labels = len(made.prior)
    table = made.tables[place].reshape(labels, *(labels,) * len(block))
    found = [0.0]
    for i, j in combinations(range(len(block)), 2):
        both = table.sum(tuple(1 + k for k in range(len(block)) if k not in (i, j)))  # (K, K, K)
        wrong = np.array([np.arange(labels) != t for t in range(labels)], float)
        one = np.einsum("tab,ta->t", both, wrong)
        two = np.einsum("tab,tb->t", both, wrong)
        joint = np.einsum("tab,ta,tb->t", both, wrong, wrong)
        found.append(_phi(made.prior, one, two, joint))
    return max(found)


def _phi(share: Array, one: Array, two: Array, joint: Array) -> float:
    """Return the correlation of two errors within each truth, pooled over truths."""
    spread = np.sqrt((share @ (one * (1 - one))) * (share @ (two * (1 - two))))
    return float(share @ (joint - one * two) / spread) if spread > 1e-12 else 0.0


def correlations(patterns: Patterns, counts: Array, made: Latent) -> tuple[Pair, ...]:
    """Return the correlation of the errors of every two experts in what both said; None where they have no errors."""
    labels, found = len(patterns.labels), []
    block_of = {e: b for b in made.blocks for e in b}
    for i, j in combinations(range(len(patterns.experts)), 2):
        both = patterns.seen[:, i] & patterns.seen[:, j]
        mass = (counts * both)[:, None] * made.posterior  # (P, K)
        total = mass.sum(0)
        wrong_i = patterns.calls[:, i][:, None] != np.arange(labels)
        wrong_j = patterns.calls[:, j][:, None] != np.arange(labels)
        with np.errstate(invalid="ignore", divide="ignore"):
            one = np.nan_to_num((mass * wrong_i).sum(0) / total)
            two = np.nan_to_num((mass * wrong_j).sum(0) / total)
            joint = np.nan_to_num((mass * wrong_i * wrong_j).sum(0) / total)
        share = total / total.sum() if total.sum() > 0 else total
        spread = (share @ (one * (1 - one))) * (share @ (two * (1 - two)))
        value = _phi(share, one, two, joint) if spread > 1e-12 else None
        found.append(Pair((i, j), value, joined=block_of[i] is block_of[j]))
    return tuple(found)
