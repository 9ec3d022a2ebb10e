"""A table whose rows are cases: CSV, TSV, XLSX, Parquet or JSON, naming images, masks, labels, patients, reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vesalius.cohorts import _files
from vesalius.cohorts._build import as_split, some
from vesalius.cohorts._cells import Row, Rows
from vesalius.cohorts._courses import with_courses_read
from vesalius.cohorts._dataset_json import channel_names, labels_of, load, target_info
from vesalius.cohorts._follow import followed, visit_days
from vesalius.cohorts._index import Index
from vesalius.cohorts._layout import UNUSED, Detection, Options, target_roles
from vesalius.cohorts._prompts import parsed
from vesalius.cohorts._report_columns import report_of, text_in
from vesalius.cohorts._roles import ARM, TOLD, Roles, distinct, infer, is_number
from vesalius.cohorts._rows import of_images, rows_of_cases, slots
from vesalius.cohorts._several import together
from vesalius.cohorts._sure import doubts
from vesalius.cohorts._table_faults import cannot, is_of_reports, nearly, no_images
from vesalius.cohorts._table_io import read_table
from vesalius.cohorts._tables import cases_by_name, own_tables, tables_of, with_pictures_beside
from vesalius.cohorts._words import plain, settled
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case, Ref, Split, Target
from vesalius.core.cohort import Cohort, Question, SetAside, TargetInfo
from vesalius.core.delimited import Table
from vesalius.core.errors import DataError
from vesalius.core.image import Image

_MODALITY = re.compile(
    r"(image[ _.-]?)?(modality|modalities|imaging[ _.-]?(type|method))([ _.-]?(code|name))?", re.I
)


def detect(root: Path) -> Detection | None:
    """Return a table of which a column names image files below its folder; hardly, and why, where none does."""
    if root.is_file() and not _files.is_table(root):
        return None
    base = root if root.is_file() else _files.unwrap(root)
    if not _files.find_tables(base):
        return None
    index = Index.of(base if base.is_dir() else base.parent)
    tables = own_tables(base, index)
    best: Detection | None = None
    unused: list[str] = []
    for path in tables:
        try:
            table = plain(read_table(path), Options())
            roles = infer(table, index, Options())
        except DataError as error:
            unused.append(f"{path.name}, as it {cannot(error, path)}")
            continue
        image = roles.first("image") or roles.first("course")
        if image is None and is_of_reports(table, roles, index):
            text = f"'{roles.first('report')}' in {path.name} holds reports, without images"
            best = best or Detection(0.65 if root.is_file() else 0.55, text)
            continue
        if image is None:
            unused.append(f"{path.name}, as {no_images(table, index)}")
            continue
        learn = [c for role in target_roles() for c in roles.all(role)]
        learn = [k.name for k in kinds.with_own_tables() if k.in_own_table(path, table, "")] or learn
        what = "images" if roles.all("image") else "time courses"
        text = f"'{image}' in {path.name} names {what}"
        seen = Detection(0.94, f"{text}, {', '.join(map(repr, learn[:3]))} what to learn")
        if not learn:
            seen = Detection(0.5, text)
        if best is None or seen.confidence > best.confidence:
            best = seen
    if best is None and root.is_file():
        return Detection(0.6, "a table, though no column names images")
    return best or Detection(0.01, "; ".join(unused[:3]))


def read(root: Path, *, options: Options) -> Cohort:
    """Read one case per row, or per group of rows with one case id; files are looked for below the table's folder.

    Tables called train, val and test are put together. Raises DataError where no column names images or several
    tables would do, UnknownName for a column that is not there.
    """
    base = root if root.is_file() else _files.unwrap(root)
    index = Index.of(base if base.is_dir() else base.parent)
    table, source, own = tables_of(base, index, options)
    roles = infer(plain(table, options), index, options)
    bare = not roles.all("image") and not roles.all("course") and not options.imageless
    if bare and not is_of_reports(table, roles, index):
        raise DataError(
            f"no column of {source} names image files",
            found=nearly(table, index) or f"columns {', '.join(list(table)[:8])}",
            hint="--column image=NAME, with file names as they lie beside the table, or course=NAME for time courses; "
            "image= where there are no images",
        )
    notes = [f"{source}: {column} is {reason}" for column, reason in roles.reasons.items()]
    notes += ["no column names images: what the cases have are their reports"] if bare else []
    if more := [column for column in roles.more if roles.free(column)]:
        every = ",".join([*roles.all("image"), *more])
        notes.append(
            f"{some(more)} in {source} name images, too, and are not used; --column image={every} takes them"
        )
    used = {*source.split(", "), *(p.name for _, one in own for p in one.paths)}
    others = [p.name for p in own_tables(base, index) if p.name not in used]
    notes += [f"{UNUSED}{name}, as none of its columns names image files" for name in others]
    label_notes: list[str] = []
    table, questions = settled(table, roles, options, notes, label_notes)
    questions += _asked(table, roles, options)
    table, joined = together(table, roles, options, notes)
    infos = _infos(table, roles, options, notes, joined) | _named_masks(index.root, roles, notes)
    groups = rows_of_cases(table, roles)
    for column in of_images(table, roles.all("covariate"), groups):
        roles.columns["covariate"].remove(column)
        notes.append(
            f"'{column}' differs between the rows of a case: it describes images, and is no covariate"
        )
    named = slots(table, roles, groups, notes, unordered=options.unordered)
    channels = channel_names(load(index.root / "dataset.json", strict=False) or {})
    modality = None if channels else next((c for c in table if _MODALITY.fullmatch(c.strip())), None)
    numbers = frozenset(column for column in roles.all("covariate") if is_number(table[column]))
    seen = Rows(table, roles, index, named, _doubts(table, roles, index), modality, numbers)
    days = visit_days(seen, notes)
    cases, aside = _cases(groups, seen, infos, source)
    cases = followed(cases, seen, groups=groups, days=days, infos=infos, notes=notes)
    cohort = Cohort(
        root=root,
        layout="table",
        cases=tuple(cases),
        targets=infos,
        set_aside=tuple(aside),
        notes=(*notes, *label_notes),
        modalities=channels,
        questions=questions,
        label_notes=tuple(label_notes),
        covariates=tuple(
            c for c in roles.all("covariate") if roles.reasons[c].endswith(TOLD) and c not in roles.all(ARM)
        ),
        expected=named.expected,
    )
    cohort = with_courses_read(cohort, options)
    if any(source == one.name for _, one in own):
        cohort = with_pictures_beside(cohort)
    find = cases_by_name(cohort, index)
    for kind, one in own:
        cohort = kind.with_table(cohort, one, find)
    return cohort


def _cases(
    groups: Mapping[str, list[int]], seen: Rows, infos: Mapping[str, TargetInfo], source: str
) -> tuple[list[Case], list[SetAside]]:
    """Return a case for each group of rows, and what is set aside. Raises DataError where no row leads to an image."""
    cases: dict[str, Case] = {}
    aside: list[SetAside] = []
    for name, rows in groups.items():
        try:
            case = _case(name, rows, seen, infos)
        except DataError as error:
            aside.append(SetAside(name, str(error)))
            continue
        if case.id in cases:
            aside.append(SetAside(case.id, f"in {source} twice"))
            continue
        cases[case.id] = case
    if not cases and aside:
        raise DataError(
            f"no row of {source} leads to an image or a time course",
            found=f"'{aside[0].case}': {aside[0].reason}",
            hint="paths that begin at the table, or --column image=NAME",
        )
    return list(cases.values()), aside


def _asked(table: Table, roles: Roles, options: Options) -> tuple[Question, ...]:
    """Return what the kinds of target leave open of their columns."""
    columns = kinds.Columns(table, roles.columns, roles.reasons, options.columns)
    held = (
        (column, kinds.in_role(role, table[column])) for role in target_roles() for column in roles.all(role)
    )
    found = (
        kind.question(column, columns)
        for column, kind in held
        if kind.asks_anyway or not roles.reasons[column].endswith(TOLD)
    )
    return tuple(question for question in found if question is not None)


def _doubts(table: Table, roles: Roles, index: Index) -> dict[str, str]:
    columns = [c for role in ("image", "mask", "region") for c in roles.all(role)]
    return {cell: why for c in columns for cell, why in doubts(distinct(table[c]), index).items()}


def _case(name: str, rows: list[int], seen: Rows, infos: Mapping[str, TargetInfo]) -> Case:
    if name in seen.slots.faults:
        raise DataError(seen.slots.faults[name])
    roles = seen.roles
    images = _images(name, rows, seen) if roles.all("image") else {}
    courses = {c: seen.index.find_course(cell) for c in roles.all("course") if (cell := seen.one(rows, c))}
    texts = {c: text_in(t, seen.index) for c in roles.all("text") if (t := seen.one(rows, c)) is not None}
    targets: dict[str, Target] = {}
    for info in infos.values():
        value = kinds.of(info.kind).value(info, Row(seen, rows))
        if value is not None:
            targets[info.name] = value
    covariates: dict[str, float | str | None] = {}
    for column in roles.all("covariate"):
        cell = seen.one(rows, column)
        covariates[column] = float(cell) if cell is not None and column in seen.numbers else cell
    split: Split | None = None
    if (word := seen.one(rows, roles.first("split"))) is not None:
        split = as_split(word)
    if not images and not roles.all("image") and not courses and roles.all("course"):
        raise DataError(f"no time course named in row {rows[0] + 2}")
    told = [c for c in roles.all("covariate") if roles.reasons[c].endswith(TOLD)]
    others = courses or texts or any(covariates[c] is not None for c in told)
    if roles.all("image") and not images and not others:
        raise DataError(f"no image named in row {rows[0] + 2}")
    reports = {c: cell for c in roles.all("report") if (cell := seen.one(rows, c)) is not None}
    known = others or any(v is not None for v in covariates.values())
    if roles.all("report") and not (images or courses or known or reports):
        raise DataError("its report is empty")
    seen.one(rows, roles.first("visit"))
    patient = seen.one(rows, roles.first("patient"))
    field_of_view = seen.one(rows, roles.first("region"))
    inside = seen.file(field_of_view, "region") if field_of_view else None
    _apart(images, {**targets, "region": inside} if inside else targets)
    return Case(
        id=name,
        images=images,
        reference=next(iter(images), None),
        patient=patient,
        targets=targets,
        covariates=covariates,
        report=report_of(reports, seen.index),
        region=inside,
        split=split,
        declared=seen.declared(rows),
        texts=texts,
        prompts=parsed(seen.one(rows, roles.first("prompts"))),
        group=seen.one(rows, roles.first("group")),
        courses=courses,
    )


def _images(name: str, rows: list[int], seen: Rows) -> dict[str, Ref | Image]:
    found: dict[str, Ref | Image] = {}
    for base, cell in seen.slots.images[name].items():
        refs = seen.files(cell)
        for extra, ref in refs.items():
            key = extra or base
            found[key if key not in found else f"{base} {key}"] = ref
    return found


def _apart(images: Mapping[str, Ref | Image], others: Mapping[str, Target]) -> None:
    """Raise DataError where two images of a case are one file, or a mask or region is the image itself."""
    names: dict[Ref, str] = {}
    for name, ref in images.items():
        if isinstance(ref, Ref) and names.setdefault(ref, name) != name:
            raise DataError(f"'{names[ref]}' and '{name}' are the same file", found=str(ref))
    for name, target in others.items():
        if isinstance(target, Ref) and target in names:
            raise DataError(f"the {name} is the image itself", found=str(target))


def _infos(
    table: Table, roles: Roles, options: Options, notes: list[str], joined: TargetInfo | None
) -> dict[str, TargetInfo]:
    """Return the targets by name, each as the kind describes it that is surest of its column."""
    infos: dict[str, TargetInfo] = {} if joined is None else {joined.name: joined}
    columns = kinds.Columns(table, roles.columns, roles.reasons, options.columns)
    for role in target_roles():
        if joined is not None and role == "label":
            continue  # its columns are in the joined one
        for column in roles.all(role):
            info = kinds.in_role(role, table[column]).describe(column, columns, notes)
            if info is not None:
                infos[info.name] = info
    return infos


def _named_masks(folder: Path, roles: Roles, notes: list[str]) -> dict[str, TargetInfo]:
    """Return the columns of masks with their labels' names, where a dataset.json beside the table has them.

    It speaks of the one such column there is, or of those that it lists under `masks`.
    """
    columns, data = roles.all("mask"), load(folder / "dataset.json", strict=False)
    said = (data or {}).get("masks")  # the columns of which it speaks, where there are several
    chosen = [c for c in columns if c in said] if isinstance(said, list) else columns
    names = labels_of(data) if data is not None and (len(columns) == 1 or isinstance(said, list)) else None
    if names is None or not names.values or not chosen:
        return {}
    found = target_info(names, "", notes)
    why = "the labels' names are in dataset.json"
    return {c: replace(found, name=c, reason=f"{roles.reasons[c]}; {why}") for c in chosen}
