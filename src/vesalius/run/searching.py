"""Asking an opened index: with an image, with words, or with both; who is left out, and what must be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vesalius import cohorts
from vesalius.core.answers.ranking import Ranking
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.errors import BundleError, DataError
from vesalius.core.index import Entry, Index
from vesalius.core.index_file import open_index
from vesalius.core.progress import Silent
from vesalius.core.words import counted
from vesalius.reliability.marks import Marks
from vesalius.retrieve.search import Hits, Without, ranking_of, searched, whose
from vesalius.retrieve.ways import Way, way_of
from vesalius.retrieve.where import chosen
from vesalius.run.tabular import read_for
from vesalius.run.vectors import Located, Vectors

BUNDLE = "bundle"  # the folder in an index that holds the bundle which made it


@dataclass(frozen=True, eq=False)
class Query:
    """A case that is asked with, and the marks of its pixels."""

    case: Case
    marks: frozenset[str]


@dataclass(frozen=True, eq=False)
class Reply:
    """What was found, and what must be said of it; see `Found` of the verb `find`."""

    ranking: Ranking
    entries: tuple[Entry, ...]
    hits: Hits
    what: str
    left_out: int
    chosen: int | None
    patients: str
    unread: tuple[str, ...]
    recall: float | None
    unknown: int = 0

    def notes(self, cases: int) -> list[str]:
        """Return in sentences what a reader must know of how these were found among `cases`, beside `outside`."""
        found = []
        if self.unread:
            words = ", ".join(self.unread)
            found.append(f"words that count for nothing, as the model does not know them: {words}")
        if self.patients:
            found.append(self.patients)
        if self.chosen is not None:
            blank = f"; of {self.unknown} it is not known whether they fit" if self.unknown else ""
            left = counted(self.chosen, "case")
            found.append(f"looked at {left} of {cases}, which the conditions leave{blank}")
        return found


@dataclass(frozen=True, eq=False)
class Opened:
    """An index that is ready to be asked, with its bundle's model and the way in which it is searched."""

    index: Index
    vectors: Vectors
    way: Way

    def ask(
        self,
        query: Query | None,
        words: str = "",
        *,
        count: int,
        weight: float = 0.5,
        where: Mapping[str, str] | None = None,
        patient: str | None = None,
        own_patient: bool = False,
        exact: bool = False,
        located: Located | None = None,
    ) -> Reply:
        """Return the cases nearest to an image, to words, or to both. `located` is where the image is seen, if known.

        Raises DataError, PlanError and MismatchError as the verb `find` says.
        """
        known = self.index
        if not words.strip() and query is None:
            raise DataError("nothing is looked for", hint="words, --image FILE, or both")
        if known.of == "reports" and query is not None and not self.vectors.reads:
            raise DataError("reports are found by a bundle that reads words")
        left = None if not where else chosen(known, where)
        said = self.vectors.of_texts([words])[0] if words.strip() else None
        if query is not None and located is None:
            located = self.vectors.located(query.case)
        marks = frozenset[str]() if query is None else query.marks
        named = patient if patient is not None else None if query is None else query.case.patient
        patients = frozenset[str]() if own_patient else whose(known, marks, named)
        out = (
            Without(marks=marks)
            .places(known)
            .union(*(Without(patient=one).places(known) for one in patients))
        )
        among = None if left is None else left.places
        hits = searched(
            known,
            None if located is None else located.vector,
            said,
            count=count,
            weight=weight,
            way=way_of(known, exact=True) if exact else self.way,
            out=out,
            among=among,
        )
        ranking = ranking_of(known, hits.places, hits.distances)
        if query is not None and located is not None:
            ranking = replace(ranking, case_id=query.case.id, outside=located.outside)
        return Reply(
            ranking,
            tuple(known.entries[int(k)] for k in hits.places),
            hits,
            _what(words, query),
            len(out) if among is None else int(np.isin(among, list(out)).sum()),
            None if left is None else len(left.places),
            "" if own_patient or query is None else _unknown(known, patients),
            self.vectors.unread(words) if words.strip() else (),
            self.way.recall,
            0 if left is None else left.unknown,
        )


def open_folder(folder: Path, *, device: str | None = None, accept_mismatch: bool = False) -> Opened:
    """Return an index that can be asked.

    Raises BundleError where it or its bundle is damaged, or where they do not belong together.
    """
    known = open_index(folder)
    if not (folder / BUNDLE).is_dir():
        raise BundleError(
            f"the index in {folder} holds no bundle to ask with", hint="vesalius index BUNDLE DATA -o INDEX"
        )
    bundle = open_bundle(folder / BUNDLE)
    if bundle.hash != known.bundle:
        raise BundleError(
            f"the bundle in {folder} is not the one that made the index",
            found=f"{bundle.hash[:12]}, for {known.bundle[:12]}",
            hint="vesalius index BUNDLE DATA -o INDEX",
        )
    middle = known.tiles == "middle"
    vectors = Vectors(bundle, device=device, accept_mismatch=accept_mismatch, middle=middle)
    return Opened(known, vectors, way_of(known))


def asked_with(
    opened: Opened,
    image: Path | str | Case,
    *,
    layout: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Query:
    """Return the case that is asked with, and the marks of its pixels. Raises DataError where it is not one."""
    marks = Marks()
    if isinstance(image, Case):
        read = Cohort(root=Path(), layout="given", cases=(image,))
    else:
        read = read_for(opened.vectors.bundle, image, layout=layout, columns=columns)
    checked = cohorts.check(read, progress=Silent(), max_set_aside=1.0, observe=marks, strict=False)
    if len(checked.cases) != 1:
        reason = checked.set_aside[0].reason if checked.set_aside else counted(len(checked.cases), "case")
        raise DataError(
            "the image that is asked with is not one case", found=reason, hint="one file, or one folder"
        )
    return Query(checked.cases[0], marks.pixels().get(checked.cases[0].id, frozenset()))


def _unknown(index: Index, patients: frozenset[str]) -> str:
    """Return what is not known of whose the cases are, in a sentence; empty where all is known."""
    nobodys = sum(e.patient is None for e in index.entries)
    if nobodys == len(index.entries):
        return "the index does not know whose its cases are: some may be of the same patient"
    if not patients:
        return "nobody said whose the image is: cases of the same patient may be among those that were found"
    if nobodys:
        return f"of {counted(nobodys, 'case')} of the index nobody said whose they are: some may be the same patient's"
    return ""


def _what(words: str, query: Query | None) -> str:
    parts = [
        f"image {query.case.id}" if query is not None else "",
        f"'{words.strip()}'" if words.strip() else "",
    ]
    return " with ".join(p for p in parts if p)
