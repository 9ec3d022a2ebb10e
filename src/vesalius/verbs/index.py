"""index: the images, or the reports, of a cohort as vectors in which the nearest are found."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.bundle import Bundle
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.disk import assert_apart, held, new_folder, output_errors
from vesalius.core.errors import BundleError, DataError, OutputError, PlanError, VesaliusError
from vesalius.core.index import Index
from vesalius.core.index_file import Part, head_of, open_index, parts_of, write_index
from vesalius.core.progress import Progress, watched
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.retrieve.journal import Journal
from vesalius.retrieve.ways import MANY, with_way
from vesalius.run.finished import Run, bundle_of
from vesalius.run.indexing import Of, Reader, read_cases
from vesalius.run.searching import BUNDLE
from vesalius.run.vectors import Vectors


@dataclass(frozen=True)
class Indexed(Shown):
    """What `index` made: where it lies, how many cases are in it, of what the vectors are, and what was set aside.

    `reads` says whether it can be asked in words. `new` is how many of the cases came this time, `already` how many of
    the data were in it before. `way` is how the nearest are found, `exact` or `graph`, `why` says why, and `recall` is
    the share of the nearest cases that a graph was seen to find.
    """

    path: Path
    cases: int
    of: Of
    reads: bool
    made_of: str
    bundle: str
    data_hash: str
    set_aside: tuple[SetAside, ...] = ()
    new: int = 0
    already: int = 0
    way: str = "exact"
    why: str = ""
    recall: float | None = None

    def __str__(self) -> str:
        return f"an index of the {self.of} of {counted(self.cases, 'case')} in {self.path}"


def index(
    bundle: Run | Bundle | Path | str,
    data: Path | str | Cohort,
    out: Path | str,
    *,
    of: Of = "images",
    add: bool = False,
    resume: bool = False,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    progress: Progress | bool | None = None,
) -> Indexed:
    """Write an index of a cohort: a vector of each case, by which `find` finds the nearest to an image or to words.

    A bundle that compares images with words (`--task align`) makes one that can be asked in words, too; of any other
    the vectors are the features of its net. The index holds no pixels and no report. It names cases, patients and
    files, and holds a copy of the bundle, so that it is asked by itself, wherever it lies.

    Each vector is on the disk once it is made, so that `resume` goes on where a run was stopped. With `add` cases come
    into an index that is there; until all of them have a vector it stays what it was.

    Args:
        bundle: A bundle, the run that holds it, or the path of either.
        data: A cohort, or its path as for `read`.
        out: A new folder; with `add` or `resume` the index.
        of: `images`, or `reports`, in which the nearest reports to an image or to words are found.
        add: Add the cases to the index in `out`, which the same bundle made; those that are in it are passed over.
        resume: Go on with an index whose making was stopped; finished ones are left as they are.
        target: Which target is named beside a case that is found, where there are several.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Take images of another modality or unit than the bundle learned from, too.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        Where it lies, what is in it, and what is not, and why.

    Raises:
        DataError: There is no image, or no report, that could be indexed.
        PlanError: Reports are to be indexed by a bundle that reads no words.
        BundleError: The index that is added to is damaged, or of another bundle.
        OutputError: `out` holds something else, or cannot be written.
    """
    if of not in ("images", "reports"):
        raise DataError("an index is of images or of reports", found=repr(of))
    shown, opened, folder = watched(progress), bundle_of(bundle), Path(out)
    if isinstance(data, str | Path):
        assert_apart(Path(data), folder)
    before = _before(folder, opened, of) if add else None
    vectors = Vectors(opened, device=device, accept_mismatch=accept_mismatch)
    if of == "reports" and not vectors.reads:
        raise PlanError(
            f"the bundle '{opened.name}' reads no words, so no reports", hint="a bundle of `fit --task align`"
        )
    reader = read_cases(vectors, data, of, target=target, columns=columns, layout=layout, progress=shown)
    named = before.target if before is not None else reader.target
    if target is not None and target != named:
        raise DataError(f"the index in {folder} names the target '{named}'", found=target)
    reader = replace(reader, target=named)
    begin = {
        "bundle": opened.hash,
        "of": of,
        "target": named,
        "data": reader.cohort.hash,
        "onto": before.data_hash if before is not None else "",
    }
    _ready(folder, opened, add=add, resume=resume)
    with held(folder):
        _assert_same(folder, before)
        journal = Journal(folder, begin)
        journal.open(resume=resume or (add and journal.fits))
        try:
            already, aside = _filled(journal, reader, before, shown)
        except DataError:  # there is nothing to go on with
            journal.remove()
            if not add:
                shutil.rmtree(folder / BUNDLE, ignore_errors=True)
            raise
        finally:
            journal.close()
        made = _sealed(folder, journal, before, _empty(opened, reader, vectors, of, named), shown)
        journal.remove()
    return Indexed(
        folder,
        len(made.entries),
        of,
        vectors.reads,
        made.made_of,
        opened.hash,
        made.data_hash,
        tuple(aside),
        len(made.entries) - (len(before.entries) if before is not None else 0),
        already,
        str(made.search["way"]),
        str(made.search["why"]),
        made.search.get("recall"),
    )


def _before(folder: Path, bundle: Bundle, of: Of) -> Index:
    """Return the index that is added to. Raises BundleError where there is none of that bundle, DataError."""
    found = open_index(folder, bundle=bundle.hash)
    if not (folder / BUNDLE).is_dir():
        raise BundleError(
            f"the index in {folder} holds no bundle, so nothing is added to it",
            hint="an index of `vesalius index`",
        )
    if not found.told:
        raise DataError(
            f"the index in {folder} is of an earlier Vesalius, so nothing is added to it",
            hint="vesalius index BUNDLE DATA -o INDEX makes it anew",
        )
    if found.of != of:
        raise DataError(f"the index in {folder} is of {found.of}, not of {of}", hint=f"--of {found.of}")
    return found


def _assert_same(folder: Path, before: Index | None) -> None:
    """Raise OutputError where another process added cases while these were read: its cases would be lost."""
    if before is not None and open_index(folder).data_hash != before.data_hash:
        raise OutputError(f"{folder} has changed since it was read", hint="the same command again")


def _ready(folder: Path, bundle: Bundle, *, add: bool, resume: bool) -> None:
    """Make the folder, with the bundle in it. Raises OutputError where it holds something else."""
    if add:
        return
    begun = Journal(folder, {}).there
    if not (resume and begun):
        if resume and folder.exists() and any(folder.iterdir()):
            raise OutputError(f"{folder} holds no index that was begun", hint="--add, or another -o")
        new_folder(folder, default="")
    with output_errors(folder):
        if (folder / BUNDLE).is_dir() and not begun:
            shutil.rmtree(folder / BUNDLE)
        if not (folder / BUNDLE).is_dir():
            copied = folder / f".{BUNDLE}"
            shutil.rmtree(copied, ignore_errors=True)
            shutil.copytree(bundle.path, copied)
            copied.rename(folder / BUNDLE)


def _filled(
    journal: Journal, reader: Reader, before: Index | None, progress: Progress
) -> tuple[int, list[SetAside]]:
    """Give every case a vector that has none yet; return how many were in the index, and what was set aside.

    Raises DataError where no case has one.
    """
    old = {} if before is None else {e.case: e for e in before.entries}
    there = old | {e.case: e for e in journal.entries}
    already, aside = 0, [*reader.cohort.set_aside]
    progress.start("index", len(reader.cohort.cases))
    try:
        for case in reader.cohort.cases:
            entry = reader.entry(case)
            same = there.get(case.id)
            if same is None:
                try:
                    journal.add(entry, reader.vector(case))
                except OutputError:
                    raise
                except VesaliusError as error:
                    aside.append(SetAside(case.id, str(error)))
            elif same.marks != entry.marks:
                aside.append(SetAside(case.id, "another case of this id is in the index, with other pixels"))
            else:
                already += case.id in old
            progress.advance("index")
    finally:
        progress.finish("index")
    if not journal.entries and not already:
        raise DataError("no case can be indexed", found=aside[0].reason if aside else "no case")
    return already, aside


def _empty(bundle: Bundle, reader: Reader, vectors: Vectors, of: Of, target: str) -> Index:
    """Return an index of that kind without cases."""
    return Index(
        bundle.hash,
        reader.cohort.hash,
        f"{of} as the bundle '{bundle.name}' sees them: {vectors.made_of}",
        np.empty((0, 1), np.float32),
        (),
        of=of,
        centred=not vectors.compares,
        tiles="all",
        target=target,
    )


def _sealed(folder: Path, journal: Journal, before: Index | None, empty: Index, progress: Progress) -> Index:
    """Write the index of what was there and what came, and return it as it says of itself."""
    if before is not None and not journal.entries:
        return before
    count = (len(before.entries) if before is not None else 0) + len(journal.entries)
    added = (*(before.added if before is not None else ()), (empty.data_hash, len(journal.entries)))
    data_hash = _joined([one for one, _ in added])
    entries = (*(before.entries if before is not None else ()), *journal.entries)

    def parts() -> Iterator[Part]:
        if before is not None:
            yield from parts_of(before.vectors, before.entries)
        yield from journal.parts()

    made = replace(empty, data_hash=data_hash, added=added, entries=entries)
    if count >= MANY:  # a graph is made of all vectors at once
        progress.note(f"{count:,} cases: a graph is made, in which the nearest are found")
        made = replace(made, vectors=np.concatenate([rows for rows, _ in parts()]))
    made = with_way(made)
    write_index(folder, head_of(made), parts(), graph=made.graph)
    return made


def _joined(hashes: list[str]) -> str:
    """Return the hash of the data of an index: that of the one cohort, or of the hashes of several."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def told_of(made: Indexed) -> dict[str, Any]:
    """Return what was made, as JSON holds it."""
    return {
        "path": made.path,
        "cases": made.cases,
        "new": made.new,
        "already": made.already,
        "of": made.of,
        "reads_words": made.reads,
        "made_of": made.made_of,
        "bundle": made.bundle,
        "data_hash": made.data_hash,
        "search": {"way": made.way, "why": made.why, "recall": made.recall},
        "set_aside": [{"case": item.case, "reason": item.reason} for item in made.set_aside],
    }
