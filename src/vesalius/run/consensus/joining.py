"""Joining what experts said by a method, with their skill and agreement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vesalius.consensus import agreement as agreements
from vesalius.consensus import staple as stapled
from vesalius.consensus.agreement import Agreement
from vesalius.consensus.crowd import crowd
from vesalius.consensus.dawid_skene import dawid_skene
from vesalius.consensus.dependence import Dependence
from vesalius.consensus.majority import Joined, majority
from vesalius.consensus.skill import Skill, skills
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.core.words import listed
from vesalius.run.consensus.reading import Said

OF_CLASSES = ("dawid-skene", "majority", "crowdlab")
OF_MASKS = ("staple", "staple-together", "majority")


@dataclass(frozen=True, eq=False)
class Found:
    """What experts say together: the consensus by pattern, or by case where `by_case`; skill, agreement, dependence.

    `together` are the correlations of every two experts' errors by label, '' for all labels; `joined` the names of
    experts who count as one. `weights` are those of experts and of `model`, where a model has a vote.
    """

    joined: Joined
    by_case: bool
    method: str
    skills: tuple[Skill, ...]
    agreement: Agreement
    together: Mapping[str, Dependence]
    weights: Mapping[str, float]
    notes: tuple[str, ...]


def method_of(method: str | None, said: Said, p: Array | None) -> str:
    """Return the method that was named, or the usual one. Raises UnknownName, or DataError where it lacks something."""
    known = OF_MASKS if said.drawn else OF_CLASSES
    chosen = method or (known[0] if p is None else "crowdlab")
    if chosen not in known:
        raise UnknownName("way of joining " + ("masks" if said.drawn else "classes"), chosen, known)
    if (chosen == "crowdlab") != (p is not None):
        raise DataError(
            "crowdlab joins experts with a model's probabilities, and nothing else takes them",
            found=f"{chosen} {'without' if p is None else 'with'} probabilities",
            hint="--probabilities FILE --method crowdlab",
        )
    return chosen


def join(
    said: Said, *, method: str, p: Array | None = None, look: bool = True, resamples: int, seed: int
) -> Found:
    """Return what experts say together. `p` `(C, K)` are a model's probabilities, in the order of the labels."""
    patterns = said.patterns
    if said.drawn:
        fit = stapled.staple(patterns, look=look)
        fits, joined = fit.fits, fit.joined
        if method == "staple-together":
            joined = stapled.together(patterns, look=look).joined
        together = {patterns.labels[k]: one for k, one in fits.items()}
        agreed = agreements.of_masks(patterns, resamples=resamples, seed=seed)
        known = _of_masks(said, fits, resamples=resamples, seed=seed)
    else:
        joined, found = dawid_skene(patterns, look=look)
        together = {"": found}
        agreed = agreements.of_classes(patterns, resamples=resamples, seed=seed)
        known = skills(patterns, found, resamples=resamples, seed=seed)
    if method == "majority":
        joined = majority(patterns.calls, labels=len(patterns.labels))
    weights: dict[str, float] = {}
    if p is not None:
        made = crowd(patterns.calls[patterns.at], p)
        joined = made.joined
        weights = dict(zip(patterns.experts, map(float, made.weights), strict=True)) | {"model": made.model}
    return Found(
        joined,
        p is not None,
        method,
        known,
        agreed,
        together,
        weights,
        (*_told(said, together), *_poor(known)),
    )


def _of_masks(said: Said, fits: Mapping[int, Dependence], *, resamples: int, seed: int) -> tuple[Skill, ...]:
    """Return the skill of each expert over all labels of masks."""
    found: dict[str, Skill] = {}
    for place, fit in fits.items():
        name = said.patterns.labels[place]
        region = stapled.bounded(said.patterns.of_label(place))
        for one in skills(region, fit, resamples=resamples, seed=seed):
            own = {name: next(iter(one.labels.values()))}
            before = found.get(one.expert)
            found[one.expert] = (
                replace(one, labels=own)
                if before is None
                else replace(before, labels={**before.labels, **own})
            )
    return tuple(found.values())


def _told(said: Said, together: Mapping[str, Dependence]) -> list[str]:
    """Return what must be said of experts who err together, of too few of them, and of a fit that did not settle."""
    names, notes = said.patterns.experts, []
    for label, one in together.items():
        of = f"In '{label}', " if label and len(together) > 1 else ""
        for pair in one.pairs:
            if pair.joined:
                a, b = (names[e] for e in pair.experts)
                text = f"{a} and {b} err together (correlation {pair.correlation or 0:.2f}) and count as one expert."
                notes.append(of + text)
        notes += [of + note for note in one.notes]
        if not one.fitted.settled:
            notes.append(f"{of}EM did not settle in {one.fitted.rounds} rounds.".strip())
    if len(names) == 2:
        notes.append(
            "Two experts: where they differ, nothing tells who is right, and neither's skill is known."
        )
    return list(dict.fromkeys(notes))


def _poor(known: tuple[Skill, ...]) -> list[str]:
    """Return who is no better than chance, by label."""
    found = []
    for one in known:
        worse = [
            label
            for label, figures in one.labels.items()
            if (figures["sensitivity"].value or 0) + (figures["specificity"].value or 0) < 1
            and figures["sensitivity"].value is not None
            and figures["specificity"].value is not None
        ]
        if worse:
            found.append(
                f"{one.expert} is no better than chance in {listed(worse, 5)}: look at what is meant there."
            )
    return found


def disputed(said: Said) -> Array:
    """Return how far experts differ in each case, `(C,)`: of masks the share of marked voxels on which they do.

    Of classes it is the share of calls that are not the most frequent one.
    """
    patterns = said.patterns
    seen, calls = patterns.seen, patterns.calls
    if not said.drawn:
        votes = np.stack([(calls == k).sum(1) for k in range(len(patterns.labels))], axis=1)
        each: Array = 1 - votes.max(1) / np.maximum(seen.sum(1), 1)
        return np.asarray(each[patterns.at])
    top = np.where(seen, calls, -1).max(1, initial=-1)
    low = np.where(seen, calls, np.iinfo(np.int16).max).min(1, initial=np.iinfo(np.int16).max)
    differ, marked = patterns.by_case((top > low) * 1.0), patterns.by_case((top > 0) * 1.0)
    found: Array = np.divide(differ, marked, out=np.zeros(len(marked)), where=marked > 0)
    return found


def levels(said: Said) -> Array:
    """Return how far experts differ by pattern, 0 to 255: the share of calls that are not the most frequent one."""
    calls, seen = said.patterns.calls, said.patterns.seen
    votes = np.stack([(calls == k).sum(1) for k in range(len(said.patterns.labels))], axis=1)
    found = 1 - votes.max(1) / np.maximum(seen.sum(1), 1)
    made: Array = np.round(255 * found).astype(np.uint8)
    return made
