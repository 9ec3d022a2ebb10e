"""find: the cases of an index that are nearest to words, to an image, or to an image with words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vesalius.core.answers.ranking import Ranking
from vesalius.core.case import Case
from vesalius.core.index import Entry
from vesalius.core.shown import Shown, cut, some
from vesalius.run.searching import Opened, asked_with, open_folder


@dataclass(frozen=True, eq=False)
class Found(Shown):
    """The cases that `find` found, the nearest first: a Ranking, and what the index says of each.

    `what` says in words what was looked for, `of` how many cases the index has, `left_out` how many of them were left
    out as the patient's own or the image itself, and `chosen` how many the conditions `where` left to be looked at,
    where there were any. `unread` are words that count for nothing, as the model has never read them, `patients` says
    what is not known of whose the cases are, and `notes` are all that must be said. `exact` says whether every case
    that was looked at was compared, `why` why, and `recall` is the share of the nearest cases that a graph was seen to
    find, where one was asked.
    """

    ranking: Ranking
    entries: tuple[Entry, ...]
    what: str
    made_of: str
    of: int
    left_out: int = 0
    chosen: int | None = None
    unread: tuple[str, ...] = ()
    patients: str = ""
    exact: bool = True
    why: str = ""
    recall: float | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def outside(self) -> tuple[str, ...] | None:
        """In what the image that was asked with lies outside of what the bundle learned from."""
        return self.ranking.outside

    def remarks(self) -> list[str]:
        """Return in sentences what a reader must know of how these were found."""
        return [*(f"the image that is asked with: {text}" for text in self.outside or ()), *self.notes]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each case: its rank from 1, its id, its distance, its target and where its image lies."""
        return [
            {
                "rank": k,
                "case": e.case,
                "distance": round(float(far), 6),
                "target": e.target,
                "image": None if e.image is None else str(e.image),
            }
            for k, (e, far) in enumerate(zip(self.entries, self.ranking.distances, strict=True), start=1)
        ]

    def _words(self) -> Iterable[str]:
        yield f"nearest to {self.what}"
        yield some((f"{cut(r['case'])} {r['distance']:.3g}" for r in self.rows()), len(self.entries))


def find(
    index: Path | str,
    words: str = "",
    *,
    image: Path | str | Case | None = None,
    count: int = 10,
    weight: float = 0.5,
    where: Mapping[str, str] | None = None,
    patient: str | None = None,
    own_patient: bool = False,
    exact: bool = False,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
) -> Found:
    """Return the cases of an index that are nearest to words, to an image, or to both.

    The same question always has the same answer: every case is compared, or where there are 100,000 of them or more a
    graph is asked that is part of the index. Never found are the image that is asked with, known again by its pixels,
    and other cases of the same patient, as far as patients are known.

    Args:
        index: The folder that `index` wrote.
        words: What is looked for, in words that the bundle's training reports have: `left effusion`.
        image: The image that is asked with: a file or a folder of one case, or a case.
        count: How many cases are returned.
        weight: The share of the words where there are both, from 0 to 1.
        where: Which cases are looked at: `{"sex": "F", "age": "40..60"}`, by covariates, `modality` and the target.
        patient: Whose image it is, where the data do not say so.
        own_patient: Find other cases of the same patient, too.
        exact: Compare every case, also where the index has a graph.
        columns: What a table's columns are, where their names do not tell.
        layout: How the image is read, where it could be read in several ways; one of `vesalius layouts`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Take an image of another modality or unit than the bundle learned from, too.

    Returns:
        The cases with their distances, the nearest first.

    Raises:
        BundleError: The index, or the bundle in it, is damaged.
        PlanError: The bundle of the index reads no words.
        DataError: Nothing is looked for, the model has never read the words, the image is not one case, or a condition
            names what no case has.
    """
    opened: Opened = open_folder(Path(index), device=device, accept_mismatch=accept_mismatch)
    case = None if image is None else asked_with(opened, image, layout=layout, columns=columns)
    got = opened.ask(
        case,
        words,
        count=count,
        weight=weight,
        where=where,
        patient=patient,
        own_patient=own_patient,
        exact=exact,
    )
    return Found(
        got.ranking,
        got.entries,
        got.what,
        opened.index.made_of,
        len(opened.index.entries),
        got.left_out,
        got.chosen,
        got.unread,
        got.patients,
        got.hits.exact,
        got.hits.why,
        None if got.hits.exact else got.recall,
        dict(where or {}),
        tuple(got.notes(len(opened.index.entries))),
    )
