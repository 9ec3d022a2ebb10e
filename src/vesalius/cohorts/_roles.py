"""What each column of a table is, from what it is called and what it holds, each with a reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from vesalius import formats
from vesalius.cohorts._build import as_split
from vesalius.cohorts._courses import names_courses
from vesalius.cohorts._index import Index
from vesalius.cohorts._joined import names_in
from vesalius.cohorts._layout import CONSENSUS, ONE_EXPERT, Options, called, file_called, hows, target_roles
from vesalius.cohorts._report_columns import found_reports
from vesalius.cohorts._views import differs, looks_like_views
from vesalius.cohorts._visits import find_column
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.delimited import Table
from vesalius.core.errors import DataError, UnknownName

_TOGETHER = "no column names patients, and rows of one of these belong together"
TOLD = "as told"  # how the reason of a column ends whose role a person named
_NAMES: dict[str, str] = {  # of what is no target
    "patient": r"(patient|subject|participant|person|mrn|pid)([ _.-]?(id|uid|name|nr|no|number|key))?|sub[ _.-]?id",
    "split": r"(split|subset|partition|phase|set|fold|usage|dataset)",
    "id": r"(case|study|exam|accession|record)([ _.-]?(instance)?[ _.-]?(id|uid|name|nr|no|number|key))?|id",
    "report": r".*(report|impression|narrative).*",
}
ARM = "arm"  # the role of a column of treatments
LABEL = "label"  # the role that kinds of named targets share
AN_EXPERTS = "told as an expert's"  # the reason of a column that a person named so
EXPERT = "expert"  # the role of columns in which experts say the same thing, a column an expert
_OF_EXPERTS = re.compile(rf"{ONE_EXPERT}|{CONSENSUS}", re.I)
_MASK_NAME = re.compile(r"mask|seg|contour|annot|ground|truth|label|roi|lesion", re.I)
_LISTS = re.compile(r"[|;]")


@dataclass
class Roles:
    """Columns by role, with the reason for each column; `more` name images, too, and are not taken for any."""

    columns: dict[str, list[str]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    more: list[str] = field(default_factory=list)

    def first(self, role: str) -> str | None:
        """Return the column that has a role, or None."""
        return (self.columns.get(role) or [None])[0]  # type: ignore[list-item]

    def all(self, role: str) -> list[str]:
        """Return every column that has a role."""
        return self.columns.get(role, [])

    def give(self, role: str, column: str, reason: str) -> None:
        """Say what a column is."""
        self.columns.setdefault(role, []).append(column)
        self.reasons[column] = f"{role}: {reason}"

    def free(self, column: str) -> bool:
        """Return whether nothing is said of a column yet."""
        return column not in self.reasons


def infer(table: Table, index: Index, options: Options) -> Roles:
    """Roles as told, then by what cells hold, then by name. Raises UnknownName for a column that is not there."""
    roles = Roles()
    for role, text in options.columns.items():
        if text.startswith("re:") or role in hows() or (role == "image" and options.imageless):
            continue
        if role == "view" and options.unordered and text not in table:
            continue
        for column in [text] if text in table else [t.strip() for t in text.split(",")]:
            if column not in table:
                raise UnknownName("column", column, table)
            if role == EXPERT:
                roles.give(_said_by_expert(column, table, index), column, AN_EXPERTS)
            else:
                roles.give(role, column, TOLD)
    if (
        options.target in table
        and roles.free(options.target)
        and not _names_files(options.target, table, index)
    ):
        _give_target(options.target, table[options.target], roles)
    for column in names_in(options.target, table):
        if roles.free(column) and is_number(table[column]) and len(distinct(table[column])) > 2:
            roles.give("value", column, f"one of several targets, {TOLD}")
        elif roles.free(column) and not _names_files(column, table, index):
            _give_target(column, table[column], roles)
    _of_experts(table, index, roles)
    _soft(table, roles)
    if not options.imageless:
        _files_in(table, index, roles)
    _courses_in(table, index, roles)
    _images_of_patients(table, roles)
    _reports(table, index, roles)
    _by_name(table, roles)
    _in_several_columns(table, roles)
    _studies_stay_together(table, roles)
    _visits(table, roles)
    if not options.unordered:
        _views(table, roles)
    _called(table, roles)
    _labels(table, roles)
    _rest(table, roles)
    return roles


def _give_target(column: str, cells: list[str | None], roles: Roles) -> None:
    """Say whether the column named as the target holds numbers or classes, and how to have the other."""
    if not is_number(cells) or len(distinct(cells)) <= 2:
        roles.give("label", column, "named as the target")
    elif is_categorical(cells):
        roles.give("label", column, f"named as the target, {_as_classes(column, cells)}")
    else:
        roles.give("value", column, f"named as the target, {_as_numbers(column, cells)}")


def _as_classes(column: str, cells: list[str | None]) -> str:
    many = len(distinct(cells))
    return f"{many} different whole numbers as classes; --column value={column} takes them as numbers"


def _as_numbers(column: str, cells: list[str | None]) -> str:
    many = len(distinct(cells))
    return f"{many} different numbers; --column label={column} takes each as a class"


def may_be_codes(cells: list[str | None]) -> bool:
    """Return whether numbers may be codes of classes: whole ones from 0 to 20 of which some occur more than once."""
    held = [float(c) for c in cells if c is not None]
    return all(v.is_integer() and 0 <= v <= 20 for v in held) and 1 < len(set(held)) < len(held)


def distinct(cells: list[str | None]) -> list[str]:
    """Return the different values that are there, in order of appearance."""
    return list(dict.fromkeys(c for c in cells if c is not None))


def is_number(cells: list[str | None]) -> bool:
    """Return whether every value that is there is a number."""
    held = [c for c in cells if c is not None]
    try:
        return bool(held) and all(float(c) == float(c) for c in held)
    except ValueError:
        return False


def may_be_label(column: str, options: Options) -> bool:
    """Return whether a column may hold classes, as far as what was told of it and what it is called says."""
    told = {c.strip(): role for role, text in options.columns.items() for c in (text, *text.split(","))}
    if column in told or column == options.target:
        return told.get(column, LABEL) in kinds.named_roles()
    name, targets = column.strip().casefold(), called()
    if re.fullmatch(targets[LABEL], name):
        return True
    return not any(re.fullmatch(p, name) for p in (*_NAMES.values(), *targets.values()))


def is_list(cells: list[str | None]) -> bool:
    """Return whether some cells hold several names between bars or semicolons."""
    return any(c is not None and _LISTS.search(c) for c in cells)


def parts(cell: str) -> tuple[str, ...]:
    """Return the names in one cell."""
    return tuple(dict.fromkeys(p.strip() for p in _LISTS.split(cell) if p.strip()))


def _said_by_expert(column: str, table: Table, index: Index) -> str:
    """Return the role of an expert's column: its cells name masks, or labels."""
    return "mask" if _names_files(column, table, index) or called_like_files(table[column]) else LABEL


def _by_one_expert(column: str, roles: Roles) -> bool:
    """Return whether a column is what a single expert says, by its name or as told."""
    return bool(re.fullmatch(ONE_EXPERT, column.strip(), re.I)) or roles.reasons[column].endswith(AN_EXPERTS)


def _of_experts(table: Table, index: Index, roles: Roles) -> None:
    """Columns called `expert NAME`, and `consensus`: what each expert says, and what all say together."""
    for column, cells in table.items():
        if not roles.free(column) or not _OF_EXPERTS.fullmatch(column.strip()):
            continue
        role = _said_by_expert(column, table, index)
        if role != LABEL or (is_categorical(cells) or len(distinct(cells)) == 2):
            roles.give(role, column, "by its name, what experts say")


def _soft(table: Table, roles: Roles) -> None:
    """Columns whose names a kind of target knows and whose cells may be files, which are no images then."""
    for role, pattern in file_called().items():
        for column in table:
            if roles.free(column) and re.fullmatch(pattern, column.strip().casefold()):
                roles.give(role, column, "by its name")


def _files_in(table: Table, index: Index, roles: Roles) -> None:
    found: dict[str, float] = {}
    for column, cells in table.items():
        if not roles.free(column):
            continue
        share = _files_share(cells, index)
        sure = not any(map(index.is_unsure, distinct(cells)[:40]))
        if share >= 0.5 or (share and sure and called_like_files(cells)):
            found[column] = share
        elif _MASK_NAME.search(column) and called_like_files(cells):
            roles.reasons[column] = f"not used: none of its files is here, such as '{distinct(cells)[0]}'"
    told = bool(roles.all("image"))
    masks = [c for c in found if _MASK_NAME.search(c) and not re.match(r"(image|img|file)", c, re.I)]
    if len(masks) == len(found) and not told:
        masks = masks[1:]
    for column in found:
        why = f"{found[column]:.0%} of its first values name images"
        if column in masks and "mask" not in _told(roles):
            roles.give("mask", column, f"{why}, and it is called so")
    images = [c for c in found if c not in masks]
    if told or not images:
        return
    best = max(images, key=lambda c: (bool(re.search(r"image|img|file|path|scan", c, re.I)), found[c]))
    family = re.sub(r"[ _.-]?[^ _.-]*$", "", best).casefold()
    for column in images:
        same = bool(family) and column.casefold().startswith(family) and _family(column)
        if column == best or (same and _family(best)):
            roles.give("image", column, f"{found[column]:.0%} of its first values name images")
        else:
            roles.more.append(column)


def _courses_in(table: Table, index: Index, roles: Roles) -> None:
    """Columns whose cells name files of time courses that are here."""
    for column, cells in table.items() if not roles.all("course") else ():
        if not roles.free(column) or not names_courses(cells):
            continue
        sample = distinct(cells)[:40]
        share = sum(index.has_course(c) for c in sample) / len(sample)
        if share >= 0.5 and len(sample) >= min(2, len(cells)):
            roles.give("course", column, f"{share:.0%} of its first values name files of time courses")


def _reports(table: Table, index: Index, roles: Roles) -> None:
    """Columns of reports, of their sections and of names of text files, where a person named none."""
    if "report" in _told(roles):
        return
    for column, why in found_reports(table, index, roles.free).items():
        roles.give("report", column, why)


def _visits(table: Table, roles: Roles) -> None:
    """The column that says when each row of a patient was. Raises DataError where one is told and no patient is known.

    Where it tells the rows of one id apart and nobody names patients, the ids are those of patients.
    """
    told, by_id = roles.first("visit"), roles.first("id")
    if (
        told is not None
        and by_id is not None
        and not roles.all("patient")
        and any(differs(table[told], rows) for rows in _by_cell(table[by_id]).values())
    ):
        del roles.columns["id"], roles.reasons[by_id]
        roles.give("patient", by_id, f"rows with one '{by_id}' are visits on different days, by '{told}'")
    patient = roles.first("patient")
    if told is not None:
        if patient is None:
            raise DataError(
                "visits are those of a patient, and no column names patients",
                found=f"columns {', '.join(list(table)[:8])}",
                hint="--column patient=NAME beside --column visit=NAME",
            )
        return
    if patient is None or roles.reasons.get(patient, "").endswith(_TOGETHER):
        return
    rows = list(_by_cell(table[patient]).values())
    if by_id is not None:  # rows with one id are one case, of one day
        rows = [list({table[by_id][k] or str(k): k for k in reversed(listed)}.values()) for listed in rows]
    found = find_column(table, [c for c in table if roles.free(c)], rows)
    if found is not None:
        roles.give("visit", *found)


def _by_cell(cells: list[str | None]) -> dict[str, list[int]]:
    """Return the rows by what stands in a column; rows with an empty cell are left out."""
    rows: dict[str, list[int]] = {}
    for row, cell in enumerate(cells):
        if cell is not None:
            rows.setdefault(cell, []).append(row)
    return rows


def _images_of_patients(table: Table, roles: Roles) -> None:
    """The column of images is that of patients too, where it is called so and no other is told."""
    images = roles.all("image")
    if len(images) == 1 and re.fullmatch(_NAMES["patient"], images[0].strip().casefold()):
        others = [
            c for c in table if c not in images and re.fullmatch(_NAMES["patient"], c.strip().casefold())
        ]
        if not roles.all("patient") and not others:
            roles.columns["patient"] = images


def _files_share(cells: list[str | None], index: Index) -> float:
    """Return how many of a column's first values name images; none where there is a single value for many cases."""
    sample = distinct(cells)[:40]
    if len(sample) < min(2, len(cells)):
        return 0.0
    return sum(index.has(c) for c in sample) / max(len(sample), 1)


def called_like_files(cells: list[str | None]) -> bool:
    """Return whether a column's cells are names of image files, be they here or not."""
    sample = distinct(cells)[:40]
    return bool(sample) and all(c.casefold().endswith(formats.known_suffixes()) for c in sample)


def _names_files(column: str, table: Table, index: Index) -> bool:
    return _files_share(table[column], index) >= 0.5


def _told(roles: Roles) -> set[str]:
    """Roles that a person gave to some column."""
    return {r.partition(":")[0] for r in roles.reasons.values() if r.endswith(TOLD)}


def _family(column: str) -> bool:
    return re.match(r"(image|img|file|path|scan)[ _.-]?\w", column, re.I) is not None


def _by_name(table: Table, roles: Roles) -> None:
    told = _told(roles)
    for column, cells in table.items():
        if not roles.free(column):
            continue
        name = column.strip().casefold()
        for role in ("patient", "split", "id", "report"):
            if role in told or (roles.all(role) and role != "report"):
                continue
            if re.fullmatch(_NAMES[role], name) and _holds(role, cells):
                roles.give(role, column, "by its name and values")
                break


def _in_several_columns(table: Table, roles: Roles) -> None:
    """Targets that lie in several columns, such as a time and an event, where a column is there for each role."""
    patterns = called()
    for kind, needed in kinds.in_several_columns().items():
        fitting: dict[str, list[str]] = {}
        for role in needed:
            others = {c for columns in fitting.values() for c in columns}
            named = [c for c in table if roles.free(c) and re.fullmatch(patterns[role], c.strip().casefold())]
            fitting[role] = roles.all(role) or [
                c for c in named if kind.holds(role, table[c]) and c not in others
            ]
        told = [role for role in needed if any(c in _told_columns(roles) for c in roles.all(role))]
        lacking = [role for role in needed if not fitting[role]]
        if told and lacking:
            raise DataError(
                f"'{fitting[told[0]][0]}' is the {told[0]}, and no column is the {lacking[0]} beside it",
                found=f"columns {', '.join(list(table)[:8])}",
                hint=f"--column {lacking[0]}=NAME",
            )
        if lacking:
            continue
        chosen = fitting if told == list(needed) else kind.choose(fitting)
        for role, columns in chosen.items():
            for place, column in enumerate(columns):
                if roles.free(column):
                    beside = {r: c[min(place, len(c) - 1)] for r, c in chosen.items()}
                    roles.give(role, column, kind.why(role, beside))


def _studies_stay_together(table: Table, roles: Roles) -> None:
    """Without patients, a column of studies keeps images of one study on one side of a split, if cases are images."""
    if roles.all("patient") or not roles.all("id") or "patient" in _told(roles):
        return
    for column, cells in table.items():
        name = column.strip().casefold()
        several = 10 * len(distinct(cells)) >= len(cells)  # "study" may also be a trial of many patients
        if roles.free(column) and name != "id" and re.fullmatch(_NAMES["id"], name) and several:
            roles.give("patient", column, _TOGETHER)
            return


def _holds(role: str, cells: list[str | None]) -> bool:
    values = distinct(cells)
    if role == "split":
        return bool(values) and all(as_split(v) is not None for v in values)
    if role == "report":
        return bool(values) and sum(map(len, values)) / len(values) > 30
    if role == "patient":
        return bool(values)
    return len(values) == len(cells) or role == "id"


def _views(table: Table, roles: Roles) -> None:
    """Columns that say which view of its study an image is: they differ between images of one."""
    column = roles.first("id")
    if column is None or not roles.all("image") or roles.all("view"):
        return
    studies = _by_cell(table[column])
    images = roles.all("image")
    several = [r for r in studies.values() if len({tuple(table[c][k] for c in images) for k in r}) > 1]
    for free in [c for c in table if roles.free(c)]:
        if looks_like_views(free, table[free]) and any(differs(table[free], rows) for rows in several):
            roles.give("view", free, "it differs between the images of a case, and is called or filled so")


def _called(table: Table, roles: Roles) -> None:
    """Columns whose names a kind of target knows, and whose cells it takes."""
    alone = [role for role, needed in target_roles().items() if len(needed) == 1 and role != LABEL]
    for role, pattern in called().items():
        if role not in alone:
            continue
        for column, cells in table.items() if not roles.all(role) else ():
            known = roles.free(column) and re.fullmatch(pattern, column.strip().casefold())
            if known and kinds.in_role(role, cells).fits(cells) > 0:
                roles.give(role, column, "by its name")


def _labels(table: Table, roles: Roles) -> None:
    """Columns that are called as labels are: classes, or numbers where there are too many of them."""
    pattern = called()[LABEL]
    if roles.all("value") or any(not _by_one_expert(c, roles) for c in roles.all("label")):
        return
    names = {c.strip().casefold() for c in table}
    for column, cells in table.items():
        name = column.strip().casefold()
        if not roles.free(column) or not re.fullmatch(pattern, name) or (name == "y" and "x" in names):
            continue  # of x and y, y is a place
        if is_list(cells):
            roles.give("label", column, "by its name; several names in a cell")
        elif is_categorical(cells):
            many = len(distinct(cells))
            codes = is_number(cells) and many > 2
            how = _as_classes(column, cells) if codes else f"with {many} different values"
            roles.give("label", column, f"by its name, {how}")
        elif is_number(cells):
            roles.give("value", column, f"by its name, {_as_numbers(column, cells)}")
    if any(roles.all(role) for role in target_roles()):
        return
    left = [c for c in table if roles.free(c) and is_categorical(table[c])]
    if len(left) == 1:
        roles.give("label", left[0], "the only column left that sorts the cases into classes")


def is_categorical(cells: list[str | None]) -> bool:
    """Return whether values repeat enough to be classes: 2 to 100 of them, at most half as many as rows."""
    values = distinct(cells)
    if is_number(cells) and (len(values) > 20 or not all(float(v).is_integer() for v in values)):
        return False
    return 2 <= len(values) <= min(100, max(2, len(cells) // 2))


def _rest(table: Table, roles: Roles) -> None:
    told = bool(roles.all("covariate"))
    for column in roles.all(ARM):  # a treatment is a covariate of the cases, too
        if column not in roles.all("covariate"):
            roles.columns.setdefault("covariate", []).append(column)
    if told:
        return
    for column, cells in table.items():
        if roles.free(column) and (is_number(cells) or is_categorical(cells)):
            roles.give("covariate", column, "numbers" if is_number(cells) else "a few different values")
        elif column in roles.all("visit") and column not in _told_columns(roles) and is_number(cells):
            roles.columns.setdefault("covariate", []).append(column)  # as bundles of before may ask for it


def _told_columns(roles: Roles) -> set[str]:
    """Columns whose role a person named."""
    return {column for column, reason in roles.reasons.items() if reason.endswith(TOLD)}


def describe(roles: Roles) -> Mapping[str, str]:
    """Return the reason for each column, to be shown."""
    return dict(roles.reasons)
