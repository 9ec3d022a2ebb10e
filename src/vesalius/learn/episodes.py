"""Episodes: small tasks of a few classes and shots, with queries of other patients, drawn again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array
from vesalius.core.seeds import seed_of
from vesalius.core.words import counted


@dataclass(frozen=True, eq=False)
class Episode:
    """A task: the places of its `support` cases, which are learned from, and of its `query` cases, and their classes.

    Classes count from 0 among `ways`, which are places in the list of all. No patient is in both.
    """

    ways: tuple[int, ...]
    support: Array
    query: Array
    learned: Array
    truth: Array


@dataclass(frozen=True, eq=False)
class Pool:
    """What episodes are drawn from: the class `label` `(N,)` and the patient `who` `(N,)` of each case.

    `able` are the classes that may be drawn, of which an episode has `ways`.
    """

    label: Array
    who: Array
    able: tuple[int, ...]
    ways: int
    shots: int
    queries: int

    def episode(self, rng: np.random.Generator) -> Episode:
        """Return one episode; its rarest class draws first, as a patient may have cases of several.

        Raises DataError where patients of several classes leave too few.
        """
        chosen = sorted(int(k) for k in rng.choice(self.able, self.ways, replace=False))
        used: set[str] = set()
        support: dict[int, list[int]] = {}
        for k in sorted(chosen, key=lambda k: int((self.label == k).sum())):
            own: list[int] = []
            for place in rng.permutation(np.flatnonzero(self.label == k)):
                if len(own) < self.shots and self.who[place] not in used:
                    own.append(int(place))
                    used.add(str(self.who[place]))
            support[k] = own
        query = {
            k: [int(p) for p in rng.permutation(np.flatnonzero(self.label == k)) if self.who[p] not in used][
                : self.queries
            ]
            for k in chosen
        }
        short = [k for k in chosen if len(support[k]) < self.shots or not query[k]]
        if short:
            raise DataError(
                "patients of several classes leave too few for an episode",
                found=f"{counted(len(support[short[0]]), 'shot')} of {self.shots}, or no query",
                hint="fewer --shots",
            )
        return Episode(
            tuple(chosen),
            np.array([p for k in chosen for p in support[k]]),
            np.array([p for k in chosen for p in query[k]]),
            np.array([n for n, k in enumerate(chosen) for _ in support[k]]),
            np.array([n for n, k in enumerate(chosen) for _ in query[k]]),
        )


def draw(
    classes: Sequence[str],
    patients: Sequence[str],
    *,
    shots: int,
    ways: int | None = None,
    episodes: int = 100,
    queries: int = 15,
    seed: int = 0,
) -> tuple[Episode, ...]:
    """Return episodes: `ways` classes each, `shots` cases a class to learn from and up to `queries` to be asked about.

    `classes` and `patients` say whose and what each case is. A class is drawn where more than `shots` patients have it;
    the shots of an episode are of different patients, and its queries of patients that are none of these. By default
    all classes are in every episode. The n-th episode depends on the seed and n alone.

    Raises DataError where a class has too few patients, naming it; PlanError for more ways than classes.
    """
    names = sorted(set(classes))
    if len(names) < 2:
        raise DataError(
            "episodes need two classes at least", found=f"{counted(len(names), 'class', 'classes')}"
        )
    if ways is not None and not 2 <= ways <= len(names):
        raise PlanError(
            f"{ways} ways are not to be had",
            found=f"{counted(len(names), 'class', 'classes')}: {', '.join(names[:6])}",
            hint=f"--ways {len(names)}, or any from 2 to that",
        )
    label = np.array([names.index(c) for c in classes])
    who = np.array(patients)
    many = [len(np.unique(who[label == k])) for k in range(len(names))]
    able = [k for k, n in enumerate(many) if n > shots]
    wanted = len(names) if ways is None else ways
    if len(able) < wanted:
        few = min(range(len(names)), key=many.__getitem__)
        raise DataError(
            f"class '{names[few]}' has too few patients for {counted(shots, 'shot')} and a query",
            found=f"{counted(many[few], 'patient')} of it among the cases that may be asked about",
            hint=f"--shots {max(1, many[few] - 1)}" + (f", or --ways {len(able)}" if len(able) > 1 else ""),
        )
    pool = Pool(label, who, tuple(able), wanted, shots, queries)
    return tuple(pool.episode(np.random.default_rng(seed_of(seed, "episode", n))) for n in range(episodes))
