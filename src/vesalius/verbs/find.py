"""find: the cases of an index that are nearest to words, to an image, or to an image with words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.core.answers.ranking import Ranking
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.errors import BundleError, DataError
from vesalius.core.image import Array
from vesalius.core.index import Entry, Index, open_index
from vesalius.core.progress import Silent
from vesalius.core.shown import Shown, cut, some
from vesalius.core.words import counted
from vesalius.reliability.marks import Marks
from vesalius.retrieve.search import Without, likeness, ranked
from vesalius.run.tabular import read_for
from vesalius.run.vectors import Vectors
from vesalius.verbs.index import BUNDLE


@dataclass(frozen=True, eq=False)
class Found(Shown):
    """The cases that `find` found, the nearest first: a Ranking, and what the index says of each.

    `what` says in words what was looked for, `of` how many cases the index has, `left_out` how many of them were left
    out as the patient's own or the image itself.
    """

    ranking: Ranking
    entries: tuple[Entry, ...]
    what: str
    made_of: str
    of: int
    left_out: int = 0

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
    patient: str | None = None,
    own_patient: bool = False,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
) -> Found:
    """Return the cases of an index that are nearest to words, to an image, or to both.

    Every case is compared, so that the same question always has the same answer. Never found are the image that is
    asked with, known again by its pixels, and other cases of the same patient, as far as patients are known.

    Args:
        index: The folder that `index` wrote.
        words: What is looked for, in words that the bundle's training reports have: `left effusion`.
        image: The image that is asked with: a file or a folder of one case, or a case.
        count: How many cases are returned.
        weight: The share of the words where there are both, from 0 to 1.
        patient: Whose image it is, where the data do not say so.
        own_patient: Find other cases of the same patient, too.
        columns: What a table's columns are, where their names do not tell.
        layout: How the image is read, where it could be read in several ways; one of `vesalius layouts`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Take an image of another modality or unit than the bundle learned from, too.

    Returns:
        The cases with their distances, the nearest first.

    Raises:
        BundleError: The index, or the bundle in it, is damaged.
        PlanError: The bundle of the index reads no words.
        DataError: Nothing is looked for, the model has never read the words, or the image is not one case.
    """
    folder = Path(index)
    known, vectors = _opened(folder, device=device, accept_mismatch=accept_mismatch)
    if not words.strip() and image is None:
        raise DataError("nothing is looked for", hint="words, --image FILE, or both")
    case, marks = (None, frozenset[str]()) if image is None else _asked(vectors, image, layout, columns)
    seen: Array | None = None if case is None else vectors.of_case(case)
    said: Array | None = vectors.of_texts([words])[0] if words.strip() else None
    if known.of == "reports" and seen is not None and not vectors.reads:
        raise DataError("reports are found by a bundle that reads words")
    own = patient if patient is not None else None if case is None else case.patient
    without = Without(marks=marks) if own_patient else Without(own, marks=marks)
    like = likeness(known, seen, said, weight=weight)
    ranking, entries = ranked(known, like, count=count, without=without)
    return Found(
        ranking,
        entries,
        _what(words, case),
        known.made_of,
        len(known.entries),
        sum(without.out(e) for e in known.entries),
    )


def _opened(folder: Path, *, device: str | None, accept_mismatch: bool) -> tuple[Index, Vectors]:
    """Return an index and what asks its bundle. Raises BundleError where either is damaged, or they do not belong."""
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
    return known, Vectors(bundle, device=device, accept_mismatch=accept_mismatch)


def _asked(
    vectors: Vectors, image: Path | str | Case, layout: str | None, columns: Mapping[str, str] | None
) -> tuple[Case, frozenset[str]]:
    """Return the case that is asked with, and the marks of its pixels. Raises DataError where it is not one."""
    marks = Marks()
    if isinstance(image, Case):
        read = Cohort(root=Path(), layout="given", cases=(image,))
    else:
        read = read_for(vectors.bundle, image, layout=layout, columns=columns)
    checked = cohorts.check(read, progress=Silent(), max_set_aside=1.0, observe=marks, strict=False)
    if len(checked.cases) != 1:
        reason = checked.set_aside[0].reason if checked.set_aside else counted(len(checked.cases), "case")
        raise DataError(
            "the image that is asked with is not one case", found=reason, hint="one file, or one folder"
        )
    return checked.cases[0], marks.pixels().get(checked.cases[0].id, frozenset())


def _what(words: str, case: Case | None) -> str:
    parts = [f"image {case.id}" if case is not None else "", f"'{words.strip()}'" if words.strip() else ""]
    return " with ".join(p for p in parts if p)
