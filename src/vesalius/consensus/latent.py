"""The latent truth behind what experts say: EM over patterns (Dawid and Skene 1979), also of experts who err alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from vesalius.consensus.patterns import UNSEEN
from vesalius.core.errors import DataError
from vesalius.core.image import Array

Block = tuple[int, ...]  # the places of experts whose calls are looked at together
ROUNDS = 2000
CLOSE = 1e-9  # of the log-likelihood a call: EM has ended
TABLE = 1024  # combinations of calls that one block may have


@dataclass(frozen=True, eq=False)
class Latent:
    """A fitted truth: `posterior` `(P, K)` of each pattern, `prior` `(K,)`, and for each block `(K, K^m)` of its calls.

    `terms` `(P,)` is the log-likelihood of one occurrence of each pattern. `settled` says whether EM came to an end.
    """

    posterior: Array
    prior: Array
    tables: tuple[Array, ...]
    blocks: tuple[Block, ...]
    terms: Array
    rounds: int
    settled: bool

    def skill(self, expert: int) -> Array:
        """Return `(K, K)`: the chance of each call of one expert (column), given the truth (row)."""
        labels = len(self.prior)
        for block, table in zip(self.blocks, self.tables, strict=True):
            if expert in block:
                axis = 1 + block.index(expert)
                whole = table.reshape(labels, *(labels,) * len(block))
                found: Array = whole.sum(tuple(a for a in range(1, whole.ndim) if a != axis))
                return found
        raise DataError("no such expert", found=str(expert))


def alone(experts: int) -> tuple[Block, ...]:
    """Return a block for each expert."""
    return tuple((k,) for k in range(experts))


def fit(
    calls: Array,
    counts: Array,
    *,
    labels: int,
    blocks: Sequence[Block] | None = None,
    smoothing: float = 1.0,
    start: Array | None = None,
    rounds: int = ROUNDS,
) -> Latent:
    """Return the truth that makes the calls `(P, E)`, each `counts` `(P,)` times, most likely.

    Experts in one block may err together in any way; blocks are independent given the truth. What an expert of
    a block does not say is summed out. `smoothing` is how many calls a row of an expert's table begins with, most of
    them right: it keeps chances off zero, and tells a label from its opposite. `start` `(P, K)` is where EM begins, by
    default the share of the votes, in which a block has one vote.

    Raises DataError for no calls, or for a block that is too large.
    """
    blocks = tuple(blocks) if blocks is not None else alone(calls.shape[1])
    if not len(calls) or labels < 2 or not counts.sum() > 0:
        raise DataError("nothing to join", found=f"{len(calls)} patterns, {labels} labels")
    if any(labels ** len(b) > TABLE for b in blocks):
        raise DataError("too many experts are looked at together", found=str(max(map(len, blocks))))
    held = [_consistent(calls, b, labels) for b in blocks]
    told = [h * (calls[:, list(b)] != UNSEEN).any(1)[:, None] for h, b in zip(held, blocks, strict=True)]
    anchors = [smoothing * _anchor(len(b), labels) for b in blocks]
    post = shares(calls, labels, blocks) if start is None else start
    tables = [_table(h, counts, post, a, None) for h, a in zip(told, anchors, strict=True)]
    prior = _prior(counts, post, smoothing)
    before, settled, done, terms = -np.inf, False, 0, np.zeros(len(calls))
    for done in range(1, rounds + 1):  # noqa: B007 - told below
        likely = [h @ t.T for h, t in zip(held, tables, strict=True)]  # each (P, K)
        logs = np.log(prior) + sum(np.log(np.maximum(x, 1e-300)) for x in likely)
        top = logs.max(1, keepdims=True)
        terms = top[:, 0] + np.log(np.exp(logs - top).sum(1))
        post = np.exp(logs - terms[:, None])
        now = float(counts @ terms) / float(counts.sum())
        tables = [
            _table(h, counts, post, a, (t, x))
            for h, a, t, x in zip(told, anchors, tables, likely, strict=True)
        ]
        prior = _prior(counts, post, smoothing)
        if abs(now - before) < CLOSE:
            settled = True
            break
        before = now
    return Latent(post, prior, tuple(tables), blocks, terms, done, settled)


def shares(calls: Array, labels: int, blocks: Sequence[Block] | None = None) -> Array:
    """Return the share of the votes for each label, `(P, K)`; a block has one vote. Even where nobody votes."""
    found = np.zeros((len(calls), labels))
    for block in blocks if blocks is not None else alone(calls.shape[1]):
        own = np.stack([(calls[:, list(block)] == k).sum(1) for k in range(labels)], axis=1).astype(float)
        many = own.sum(1, keepdims=True)
        found += np.divide(own, many, out=np.zeros_like(own), where=many > 0)
    total = found.sum(1, keepdims=True)
    made: Array = np.divide(found, total, out=np.full_like(found, 1 / labels), where=total > 0)
    return made


def _consistent(calls: Array, block: Block, labels: int) -> Array:
    """Return which combinations of a block's calls each pattern may stand for, `(P, K^m)` of 0 and 1."""
    every = np.array(list(product(range(labels), repeat=len(block))))  # (K^m, m)
    own = calls[:, list(block)]
    fits = (own[:, None, :] == every[None]) | (own[:, None, :] == UNSEEN)
    made: Array = fits.all(2).astype(np.float64)
    return made


def _anchor(experts: int, labels: int) -> Array:
    """Return the calls that each row of a block's table begins with, `(K, K^m)`, one in all."""
    one = np.full((labels, labels), 0.5 / labels) + 0.5 * np.eye(labels)
    found = one
    for _ in range(experts - 1):
        found = (found[:, :, None] * one[:, None, :]).reshape(labels, -1)
    made: Array = found
    return made


def _table(
    held: Array, counts: Array, post: Array, anchor: Array, before: tuple[Array, Array] | None
) -> Array:
    """Return a block's chances given the truth, `(K, K^m)`; a pattern that fits several combinations is shared out."""
    mass = counts[:, None] * post  # (P, K)
    if before is None:
        spread = held / np.maximum(held.sum(1, keepdims=True), 1)
        found = mass.T @ spread
    else:
        table, likely = before
        found = table * ((mass / np.maximum(likely, 1e-300)).T @ held)
    found = found + anchor
    made: Array = found / found.sum(1, keepdims=True)
    return made


def _prior(counts: Array, post: Array, smoothing: float) -> Array:
    mass = counts @ post + smoothing / post.shape[1]
    made: Array = mass / mass.sum()
    return made
