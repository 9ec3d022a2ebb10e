"""What DICOM objects say of the images that they refer to: segmentations, structure sets and reports as targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vesalius.cohorts._build import class_labels
from vesalius.cohorts._files import natural
from vesalius.cohorts._report_columns import section_of
from vesalius.core import registry
from vesalius.core.case import Ref, Target
from vesalius.core.cohort import Label, SetAside, TargetInfo
from vesalius.core.errors import VesaliusError
from vesalius.core.words import counted
from vesalius.texts.sections import LEAD, joined

if TYPE_CHECKING:
    from vesalius.dicom.read.sr import Content
    from vesalius.dicom.series.grouping import Document, Series

MOST_TARGETS = 64


@dataclass
class Said:
    """What is said of each image (by its place in the list): targets and reports; and what was noticed on the way."""

    targets: list[dict[str, Target]]
    reports: list[list[str]]
    infos: dict[str, TargetInfo] = field(default_factory=dict)
    bad: list[SetAside] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def collect(series: Sequence[Series], documents: Sequence[Document]) -> Said:
    """Return each series' targets from the objects that refer to it; a note names objects that refer to none."""
    said = Said([{} for _ in series], [[] for _ in series])
    meant = {d.path: _meant(d, series) for d in documents}
    lost = [d for d in documents if d.code in ("SEG", "RTSTRUCT", "SR") and not meant[d.path]]
    if lost:
        said.notes.append(
            f"{len(lost)} segmentations or reports speak of no image here, such as {lost[0].path.name}"
        )
    segmentations = [d for d in documents if d.code == "SEG" and meant[d.path]]
    structures = [d for d in documents if d.code == "RTSTRUCT" and meant[d.path]]
    _masks(said, series, segmentations, meant, joint=True)
    _masks(said, series, structures, meant, joint=False)
    _reports(said, [d for d in documents if d.code == "SR" and meant[d.path]], meant)
    return said


def _meant(document: Document, series: Sequence[Series]) -> list[int]:
    """Return the series that an object refers to: by its instances or else by its series UID, among those present."""
    by_sop = [k for k, s in enumerate(series) if document.of_sops & set(s.sop_uids)]
    return by_sop or [k for k, s in enumerate(series) if s.series_uid in document.of_series]


def _masks(
    said: Said,
    series: Sequence[Series],
    documents: Sequence[Document],
    meant: Mapping[Path, list[int]],
    *,
    joint: bool,
) -> None:
    """A target `mask` of all segments together; or, where structures may overlap as in a plan, one for each."""
    from vesalius.dicom.read import rt, seg
    from vesalius.dicom.series import grid as grids

    names_in = seg.segments if joint else rt.structures
    held: list[tuple[Document, tuple[Label, ...]]] = []
    for document in documents:
        try:
            held.append((document, names_in(document.path)))
        except VesaliusError as error:
            said.bad.append(SetAside(document.path.stem, str(error)))
    named: dict[str, Label] = {}
    for _, labels in held:
        for label in labels:
            named.setdefault(grids.plain(label.name), label)
    names = sorted(named, key=natural)
    if not joint and len(names) > MOST_TARGETS:
        said.notes.append(f"{len(names)} structures, of which the first {MOST_TARGETS} are targets")
        names = names[:MOST_TARGETS]
    wanted = {"mask": names} if joint else {name: [name] for name in names}
    for document, labels in held:
        here = {grids.plain(label.name) for label in labels}
        for target, members in wanted.items():
            if not here & set(members):
                continue
            for k in meant[document.path]:
                key = _key(target, said.targets[k], document)
                member = grids.BETWEEN.join(members)
                said.targets[k][key] = Ref((document.path, *series[k].ref.paths), member)
                kind = "segmentations" if joint else "structure sets"
                found = tuple(Label(n + 1, name, named[name].code) for n, name in enumerate(members))
                said.infos.setdefault(key, TargetInfo(key, "mask", found, f"from DICOM {kind}"))


def _key(target: str, taken: Mapping[str, Target], document: Document) -> str:
    """Return the target's name; of a second object of the same image, such as another reader's, with its
    description.
    """
    if target not in taken:
        return target
    base = f"{target} ({document.description or document.path.stem})"
    return base if base not in taken else f"{base} {document.path.stem}"


def of_reports_alone(documents: Sequence[Document]) -> Said:
    """Return what structured reports say of themselves, where there is no image: each is a case of its own."""
    said = Said([{} for _ in documents], [[] for _ in documents])
    _reports(said, documents, {d.path: [k] for k, d in enumerate(documents)})
    return said


def _report(content: Content) -> str:
    """Return a report's texts in sections, as its containers or the texts themselves are called; else `name: text`."""
    sections: dict[str, str] = {}
    for container, name, text in content.placed:
        section = section_of(container) or section_of(name)
        words = text if section is not None else f"{name}: {text}"
        key = LEAD if section is None else section
        before = sections.get(key, "")
        between = " " if section is not None and before.endswith((".", "!", "?")) else "\n"
        sections[key] = f"{before}{between}{words}" if before else words
    return joined(sections)


def _reports(said: Said, documents: Iterable[Document], meant: Mapping[Path, list[int]]) -> None:
    """Numbers and codes of reports as targets, their texts as the case's report.

    A report that this software wrote and nobody has read, and one that another replaces, is nothing to learn from.
    """
    from vesalius.dicom.values.ucum import word_of

    module = registry.lookup("formats", "dicom_sr")
    numbers: dict[str, set[str | None]] = {}
    codes: dict[str, set[str]] = {}
    read: list[tuple[Document, Content]] = []
    for document in documents:
        try:
            read.append((document, module.content(document.path)))
        except VesaliusError as error:
            said.bad.append(SetAside(document.path.stem, str(error)))
    replaced = {uid for _, content in read for uid in content.replaces}
    drafts = sum(content.draft for _, content in read)
    if drafts:
        said.notes.append(
            f"{counted(drafts, 'report')} of a model that nobody has read: nothing to learn from"
        )
    for document, content in read:
        if content.draft or content.uid in replaced:
            continue
        for k in meant[document.path]:
            for name, (value, unit) in content.numbers.items():
                said.targets[k].setdefault(name, float(value))
                numbers.setdefault(name, set()).add(unit)
            for name, meaning in content.codes.items():
                said.targets[k].setdefault(name, meaning)
                codes.setdefault(name, set()).add(meaning)
            said.reports[k] += [text] if (text := _report(content)) else []
    for name, units in numbers.items():
        if len(units) > 1:
            said.notes.append(f"'{name}' has several units in the reports and is no target: {units}")
            for targets in said.targets:
                targets.pop(name, None)
        elif name not in said.infos:
            unit = next(iter(units))
            why = f"from DICOM reports, in {unit or 'no unit'}"
            said.infos[name] = TargetInfo(name, "number", (), why, unit=word_of(unit) if unit else None)
    for name, meanings in codes.items():
        if name not in said.infos:
            said.infos[name] = TargetInfo(name, "class", class_labels(meanings), "from DICOM reports")
