"""Reading a cohort: look with every layout, take the surest, read, and check what headers alone can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from vesalius.cohorts import _files
from vesalius.cohorts._build import matched
from vesalius.cohorts._courses import assert_axes
from vesalius.cohorts._features import with_features
from vesalius.cohorts._findings import with_findings
from vesalius.cohorts._grading import graded, orders_of
from vesalius.cohorts._headers import screen
from vesalius.cohorts._instances import with_instances
from vesalius.cohorts._joined import with_joined
from vesalius.cohorts._layout import FEATURES, HEADINGS, LEFT, UNUSED, Detection, Options, hows, known_roles
from vesalius.cohorts._limits import enforce_limit
from vesalius.cohorts._reports import told_of_reports, with_headings, with_reports_beside
from vesalius.cohorts._spelling import one_spelling
from vesalius.cohorts._splits import apply_split_file
from vesalius.cohorts._table_io import read_cells
from vesalius.cohorts._visits import settled_visits
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import registry
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, NoImages, UnknownName
from vesalius.core.words import counted, listed

_TIE = 0.005
_UNREAD_TABLES = (".xls", ".xlsm", ".xlsb", ".ods", ".numbers", ".feather", ".sav", ".dta")
_LIKELY = 0.6  # from here on another layout is worth naming


def detect(path: Path | str) -> dict[str, Detection]:
    """Return what every layout says of a path, the surest first. Raises DataError if there is nothing there."""
    root = Path(path)
    _files.require(root)
    found = {}
    for name in registry.names("cohorts"):
        seen = registry.lookup("cohorts", name).detect(root)
        if seen is not None:
            found[name] = seen
    return dict(sorted(found.items(), key=lambda item: -item[1].confidence))


def read(
    path: Path | str,
    *,
    layout: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: Path | str | None = None,
    labels: Mapping[str, str] | None = None,
    max_set_aside: float = 0.10,
) -> Cohort:
    """Read a file or a folder into a Cohort, by the layout that fits best or by the one named.

    `columns` says which column has which role (`{"image": "file", "label": "dx"}`); a value `re:PATTERN` is
    searched in the case's name instead (`{"patient": r"re:^(Image_\\d+)"}`). `split` is a CSV `case,split` that
    wins over what the data declares. `labels` says what stands for what among classes and masks' values:
    `{"benign": "Benign", "NA": "", "255": "1"}`, nothing where the label is not known; `{"severity": "none<mild"}`
    puts the labels of a target in order, which makes them grades.
    Only headers are read here; `check` decodes everything.

    Raises DataError when nothing is found, when layouts tie, or when more than `max_set_aside` (a share; 1.0
    turns this off) is set aside; UnknownName for a layout, role, label or case that does not exist.
    """
    cohort = read_unscreened(
        path, layout=layout, target=target, columns=columns, split=split, labels=labels, screened=True
    )
    enforce_limit(cohort, max_set_aside)
    return cohort


def read_unscreened(
    path: Path | str,
    *,
    layout: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: Path | str | None = None,
    labels: Mapping[str, str] | None = None,
    screened: bool = False,
) -> Cohort:
    """Read as `read` does, but leave every case in its place: also those that headers, or two splits, rule out.

    It is for who then takes cases out for reasons of their own. Raises what `read` raises, but for the limit.
    """
    root = Path(path)
    _files.require(root)
    options = Options(target=target, columns=dict(columns or {}), labels=dict(labels or {}))
    for role in options.columns:
        if role not in known_roles():
            raise UnknownName("role", role, known_roles())
        if options.columns[role].startswith("re:") and role != "patient":
            raise DataError(
                f"re: patterns are for --column patient only; '{role}' needs the name of a column",
                found=f"{role}={options.columns[role]}",
                hint=f"--column {role}=NAME, or --column patient=re:PATTERN",
            )
    said = {role: text for role, text in options.columns.items() if role not in hows()}
    assert_axes(options)
    if layout is None and any(_names_column(text, root) for text in said.values()):
        cohort = _read_as("table", root, options, "columns were named")
    elif layout is None and (claim := _claimed(root, options)) is not None:
        cohort = _read_as(claim[0], root, options, claim[1].reason)
    elif layout is None:
        cohort = _surest(root, detect(root), options)
    else:
        cohort = _read_as(layout, root, options, "chosen by --layout")
    if not cohort.cases and not cohort.set_aside:
        left = [note for note in cohort.notes if note.startswith(LEFT)]
        raise NoImages(f"no images found in {root}", left=left, hint="another folder, or --layout")
    orders = {n: order for n, order in orders_of(options.labels).items() if n in cohort.targets}
    words = {word: text for word, text in options.labels.items() if word not in orders}
    cohort = graded(one_spelling(_patients(cohort, options), words), orders)
    if split is not None:
        cohort = apply_split_file(cohort, Path(split))
    cohort = settled_visits(screen(cohort) if screened else cohort)
    if FEATURES in options.columns:
        cohort = with_features(cohort, options.columns[FEATURES])
    if len(said) < len(options.columns):
        for role, kind in kinds.hows().items():
            cohort = kind.made(cohort, options.columns[role]) if role in options.columns else cohort
    return cohort


def _names_column(text: str, root: Path) -> bool:
    """Return whether what a role was given names a column of a table: not a pattern, nor only a folder of masks."""
    base = _files.unwrap(root) if root.is_dir() else root
    folder = bool(text) and (base / text).is_dir()
    return not text.startswith("re:") and not (folder and not _has_column(base, text))


def _has_column(base: Path, name: str) -> bool:
    for path in _files.find_tables(base):
        try:
            if name in read_cells(path):
                return True
        except DataError:
            continue
    return False


def _choose(root: Path, found: Mapping[str, Detection]) -> tuple[str, str]:
    if not found:
        raise DataError(
            f"no images found in {root}",
            found=_contents(root),
            hint="images, class folders, a table, an .npz or DICOM; or --layout",
        )
    ranked = list(found.items())
    name, best = ranked[0]
    tied = [n for n, d in ranked[1:] if best.confidence - d.confidence < _TIE]
    if tied:
        both = "; ".join(f"{n}: {found[n].reason}" for n in (name, *tied))
        raise DataError(
            f"{root} fits more than one layout",
            found=both,
            hint=" or ".join(f"--layout {n}" for n in (name, *tied)),
        )
    return name, best.reason


def _claimed(root: Path, options: Options) -> tuple[str, Detection] | None:
    """Return the layout that what was told of columns is about, where one says so (`claims` of its file)."""
    for name in registry.names("cohorts") if options.columns else ():
        claims = getattr(registry.lookup("cohorts", name), "claims", None)
        found = claims(root, options) if claims is not None else None
        if found is not None:
            return name, found
    return None


def _surest(root: Path, found: Mapping[str, Detection], options: Options) -> Cohort:
    """Read by the surest layout; where it has not the target asked for, by the next that has."""
    name, reason = _choose(root, found)
    others = [n for n, d in found.items() if n != name and d.confidence >= _LIKELY]
    first: Cohort | None = None
    refusal: UnknownName | None = None
    try:
        also = f" (it also reads as {', '.join(others)}: --layout)" if others else ""
        first = _read_as(name, root, options, f"{reason}{also}")
        if name != "table" and "table" not in others:
            unused = [found["table"].reason] if "table" in found else []
            unused += _elsewhere(root) if name == "plain" else []
            first = replace(first, notes=(*first.notes, *(UNUSED + why for why in unused)))
    except UnknownName as error:
        refusal = error
    if first is not None and (options.target is None or options.target in first.targets):
        return first
    for other in others:
        try:
            cohort = _read_as(other, root, options, f"it has the target '{options.target}'")
        except (DataError, UnknownName):
            continue
        if options.target in cohort.targets:
            return cohort
    if first is None:
        raise refusal or DataError(f"nothing could be read from {root}")
    return first


def _elsewhere(root: Path) -> list[str]:
    """Return tables below a folder that nobody looks for there, and files of tables that are not read."""
    base = _files.unwrap(root)
    found = []
    for path in _files.walk(base) if base.is_dir() else ():
        where, suffix = str(path.relative_to(base)), path.suffix.lower()
        if suffix in _files.TABLE_SUFFIXES and path.parent != base:
            found.append(f"{where}, as a table is looked for directly in {base.name}: move it there")
        elif suffix in _UNREAD_TABLES or (suffix == ".txt" and _tabular(path)):
            found.append(f"{where}, as {suffix} is not read: save it as XLSX or CSV")
    return found[:3]


def _tabular(path: Path) -> bool:
    """Return whether a text's first lines have one count of commas, semicolons or tabs, one at least."""
    with path.open("rb") as file:
        lines = [line for line in file.read(4096).splitlines()[:4] if line.strip()]
    counts = [{line.count(sign) for line in lines[:3]} for sign in (b",", b";", b"\t")]
    return len(lines) > 1 and any(len(c) == 1 and c != {0} for c in counts)


def _read_as(name: str, root: Path, options: Options, reason: str) -> Cohort:
    cohort: Cohort = registry.lookup("cohorts", name).read(root, options=options)
    base = _files.unwrap(root) if root.is_dir() else root.parent
    cohort = with_reports_beside(with_instances(cohort, base), base, whole=root.is_dir())
    if HEADINGS in options.columns:
        cohort = with_headings(cohort, options.columns[HEADINGS])
    cohort = with_findings(told_of_reports(cohort), base)
    cases = tuple(replace(c, declared=c.declared or cohort.modalities) for c in cohort.cases)
    targets = {
        info.name: kinds.of(info.kind).labelled(
            info, [c.targets[info.name] for c in cases if info.name in c.targets]
        )
        for info in cohort.targets.values()
    }
    notes = (f"layout {name}: {reason}", *cohort.notes)
    told = replace(cohort, cases=cases, targets=targets, notes=notes)
    return with_joined(told, options.target)


def _contents(root: Path) -> str:
    if root.is_file():
        return f"a file '{root.name}'"
    names = sorted(p.name for p in root.iterdir())
    if not names:
        return "an empty folder"
    return f"{counted(len(names), 'entry', 'entries')} such as {', '.join(repr(n) for n in names[:3])}"


def _patients(cohort: Cohort, options: Options) -> Cohort:
    pattern = options.columns.get("patient", "")
    if pattern.startswith("re:"):
        found = matched(pattern, (c.id for c in cohort.cases))
        missed = [c.id for c in cohort.cases if c.id not in found]
        if missed:
            raise DataError(
                f"the patient pattern '{pattern}' does not match every case",
                found=f"no match in '{missed[0]}' ({len(missed)} such)",
                hint="a pattern that does",
            )
        cases = tuple(replace(c, patient=found[c.id]) for c in cohort.cases)
        cohort = replace(cohort, cases=cases)
    known = bool(cohort.cases) and all(c.patient is not None for c in cohort.cases)
    notes = (*cohort.notes, *_alike_patients(c.patient for c in cohort.cases if c.patient is not None))
    return replace(cohort, patients_known=known, notes=notes)


def _alike_patients(patients: Iterable[str]) -> list[str]:
    """Return a note of patients whose ids differ only in capitals, spaces and signs: one might be in train and test."""
    spelled: dict[str, set[str]] = {}
    for patient in patients:
        spelled.setdefault("".join(c for c in patient.casefold() if c.isalnum()), set()).add(patient)
    several = [sorted(ids) for key, ids in spelled.items() if key and len(ids) > 1]
    if not several:
        return []
    such = f" ({counted(len(several), 'such group')})" if len(several) > 1 else ""
    return [f"patients {listed(several[0], 3)} count as different people{such}; spell one person in one way"]
