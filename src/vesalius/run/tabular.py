"""Tables for a bundle that learned from covariates alone: read without images, with the columns that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vesalius import cohorts
from vesalius.cohorts import courses
from vesalius.core import course_io
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.core.words import listed
from vesalius.plan.tables import IMAGELESS
from vesalius.tasks import contract as tasks

LAYOUT = "courses"  # of files of time courses that no table names
_LOOKED = 1 << 16  # characters of a table
NO_IMAGES = {"image": ""}  # what is said of a table whose columns name no images


def is_bare(bundle: Bundle) -> bool:
    """Return whether a bundle answers cases without images, and learned from such."""
    last = bundle.stages[-1]
    if last.plan.sources.joined and not last.plan.fingerprint.get(IMAGELESS):
        return False  # images are among what it can do without
    return tasks.get(last.plan.task.name).geometry(Case("", {}, reference=None), last.state) is not None


def untold(bundle: Bundle, columns: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Return what is said of a table's columns: as told, and for a bundle without images that none names any.

    Where time courses tell a table, or columns name images or courses, it is as told.
    """
    if not is_bare(bundle) or bundle.stages[-1].plan.sources.courses or _sees(columns):
        return columns
    return {**NO_IMAGES, **(columns or {})}


def columns_of(bundle: Bundle, columns: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Return what a table's columns are: as told, and of a bundle without images else those that it learned from."""
    if not is_bare(bundle) or _sees(columns):
        return columns
    last = bundle.stages[-1]
    known = tasks.get(last.plan.task.name).known_covariates(last.state)
    return {**NO_IMAGES, **({"covariate": ",".join(known)} if known else {}), **(columns or {})}


def target_of_columns(bundle: Bundle, columns: Mapping[str, str] | None) -> str | None:
    """Return the target that a bundle without images learned; None where columns say themselves what is a truth."""
    roles = {role for own in cohorts.target_roles().values() for role in own}
    return None if roles & set(columns or ()) else bundle.stages[-1].plan.task.target


def _sees(columns: Mapping[str, str] | None) -> bool:
    """Return whether what was told of columns says itself which of them is looked at."""
    return bool(columns) and bool({"image", "course"} & set(columns or ()))


def with_sources(
    bundle: Bundle, source: Path | str | Cohort, columns: Mapping[str, str] | None
) -> Mapping[str, str] | None:
    """Return what is said of a table's columns, with those of a bundle of several images where no image is told."""
    if isinstance(source, Cohort) or _sees(columns):
        return columns
    return {**_columns_of_sources(bundle, Path(source)), **(columns or {})} or None


def _columns_of_sources(bundle: Bundle, source: Path) -> dict[str, str]:
    """Return what a table's columns are for a bundle of several images: those of its sources that are there.

    Without it a table is read by its looks, and all images but one are passed over. Nothing is said of other data.
    """
    last = bundle.stages[-1]
    plan = last.plan
    if not plan.sources.joined or len(plan.data.images) < 2:
        return {}
    known = {
        "image": plan.data.images,
        "text": plan.sources.texts,
        "course": plan.sources.courses,
        "covariate": tuple(tasks.get(plan.task.name).known_covariates(last.state)),
    }
    tables = [source] if source.is_file() else sorted(source.iterdir()) if source.is_dir() else []
    for path in tables:
        if path.suffix.lower() not in cohorts.TABLE_SUFFIXES:
            continue
        try:
            there = cohorts.read_cells(path).keys()
        except DataError:
            continue  # whoever reads the cohort says what is wrong with it
        if there & set(plan.data.images):
            held = {role: [name for name in names if name in there] for role, names in known.items()}
            return {role: ",".join(names) for role, names in held.items() if names}
    return {}


def assert_known_images(bundle: Bundle, cohort: Cohort) -> None:
    """Raise DataError where a bundle of several images knows none of those that the cases bring.

    It would answer from what else is known of them, as if they had no image.
    """
    plan = bundle.stages[-1].plan
    if not plan.sources.joined or len(plan.data.images) < 2:
        return
    known = {name.partition("#")[0] for name in (*plan.data.images, *plan.sources.apart)}
    brought = {name for case in cohort.cases for name in case.images}
    if brought and not known & {name.partition("#")[0] for name in brought}:
        raise DataError(
            "none of the images is one that this bundle looks at by name",
            found=f"{listed(sorted(brought), 5)}; it learned from {listed(sorted(known), 5)}",
            hint=f"a table that names them: --column image={','.join(plan.data.images)}",
        )


def read_for(
    bundle: Bundle, source: Path | str | Cohort, *, layout: str | None, columns: Mapping[str, str] | None
) -> Cohort:
    """Return a cohort that a bundle is to answer. Raises DataError for what cannot be read.

    Files of time courses that no table names are those of a bundle that looks at time courses; where it looks at one,
    they are called as it is.
    """
    names = bundle.stages[-1].plan.sources.courses
    if (
        layout is None
        and not columns
        and names
        and not isinstance(source, Cohort)
        and _holds_courses(source, bundle)
    ):
        layout, told = LAYOUT, None
    else:
        told = columns_of(bundle, columns)
        told = with_sources(bundle, source, told)
    found = cohorts.open_cohort(source, layout=layout, columns=told, max_set_aside=1.0)
    assert_known_images(bundle, found)
    if len(names) != 1 or found.layout != LAYOUT:
        return found
    cases = (
        replace(c, courses={names[0]: c.courses[courses.NAME]}) if courses.NAME in c.courses else c
        for c in found.cases
    )
    return replace(found, cases=tuple(cases))


def _holds_courses(source: Path | str, bundle: Bundle) -> bool:
    """Return whether a path is a file of a time course, or a folder of such without a table that names them.

    A table that cannot be read as a time course is a faulty one, where it names no files and a bundle knows no columns.
    """
    path = Path(source)
    if path.is_dir():
        return courses.detect(path) is not None
    if not path.is_file() or not course_io.is_course(path):
        return False
    try:
        course_io.read(Ref((path,)))
    except DataError:
        last = bundle.stages[-1]
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_LOOKED).casefold()
        named = any(suffix in text for suffix in course_io.SUFFIXES)
        return not named and not tasks.get(last.plan.task.name).known_covariates(last.state)
    return True
