"""Reading what several experts say: each is a target of the cohort, from a column or from a folder of masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vesalius.cohorts import _files
from vesalius.cohorts._matching import match
from vesalius.cohorts._open import Data, open_cohort
from vesalius.cohorts._roles import is_number
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.words import counted, listed


@dataclass(frozen=True)
class Experts:
    """A cohort, and by each expert's name the target of it that holds what the expert says; `drawn` says: masks."""

    cohort: Cohort
    targets: Mapping[str, str]
    drawn: bool

    @property
    def infos(self) -> tuple[TargetInfo, ...]:
        """Return the target of each expert, in order."""
        return tuple(self.cohort.targets[t] for t in self.targets.values())


def open_experts(
    data: Data,
    experts: Mapping[str, str],
    *,
    layout: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: Path | str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Experts:
    """Return the cohort with a target for each of `experts`, by name: one that it has, a column, or a folder of masks.

    A folder is looked for below the data, too; its masks belong to the images of the same name. Raises DataError for
    fewer than two experts, for one named twice, for masks beside labels, and for a folder whose masks fit no image;
    UnknownName for what is neither target nor column nor folder.
    """
    if len(experts) < 2:
        raise DataError(
            "a consensus needs two experts or more",
            found=listed(experts) or "none",
            hint="--expert A=COLUMN --expert B=COLUMN, or folders of masks",
        )
    twice = [n for n, s in experts.items() if list(experts.values()).count(s) > 1]
    if twice:
        raise DataError("two experts cannot be one column or folder", found=listed(twice))
    told = {"layout": layout, "split": split, "labels": labels, "max_set_aside": 1.0}
    cohort = open_cohort(data, columns=columns, **told)  # type: ignore[arg-type]
    folders = {n: f for n, s in experts.items() if (f := _folder(s, cohort)) is not None}
    missing = [s for n, s in experts.items() if n not in folders and not _said(cohort, s)]
    if missing and not isinstance(data, Cohort):
        every = ",".join(s for n, s in experts.items() if n not in folders)
        cohort = open_cohort(data, columns={**(columns or {}), "expert": every}, **told)  # type: ignore[arg-type]
    for name, folder in folders.items():
        cohort = _with_folder(cohort, name, folder)
    targets = {n: n if n in folders else s for n, s in experts.items()}
    lost = next((t for t in targets.values() if not _said(cohort, t)), None)
    if lost is not None and lost not in cohort.targets:
        raise UnknownName("column or folder of an expert", lost, cohort.targets)
    lost = lost or next((t for t in targets.values() if _measures(cohort.targets[t])), None)
    if lost is not None:
        raise DataError(
            f"'{lost}' is neither a class of each case nor a mask",
            found="numbers"
            if _measures(cohort.targets[lost])
            else f"a target of kind {cohort.targets[lost].kind}",
            hint="columns of classes, or masks",
        )
    drawn = {kinds.of(cohort.targets[t].kind).drawn for t in targets.values()}
    if len(drawn) > 1:
        raise DataError(
            "experts who draw masks cannot be joined with such who name classes", found=listed(targets)
        )
    return Experts(cohort, targets, drawn.pop())


def _said(cohort: Cohort, name: str) -> bool:
    """Return whether a target of the cohort is one that experts can be joined in: a mask, or one name a case."""
    info = cohort.targets.get(name)
    if info is None:
        return False
    kind = kinds.of(info.kind)
    return kind.drawn or (kind.named and not kind.several)


def _measures(info: TargetInfo) -> bool:
    """Return whether the names of a target's classes are numbers of which some are not whole: measured, not called."""
    names = [x.name for x in info.labels]
    if kinds.of(info.kind).drawn or not is_number([*names]):
        return False
    return not all(float(n).is_integer() for n in names)


def _folder(said: str, cohort: Cohort) -> Path | None:
    """Return the folder that is meant; None where a target has that name, or no folder."""
    if said in cohort.targets:
        return None
    root = cohort.root if cohort.root.is_dir() else cohort.root.parent
    return next((p for p in (Path(said), root / said) if p.is_dir()), None)


def _with_folder(cohort: Cohort, name: str, folder: Path) -> Cohort:
    """Return the cohort with the masks of a folder as the target `name`. Raises DataError where none fits an image."""
    if name in cohort.targets:
        raise DataError(f"the data have a target '{name}' already", hint="another name for the expert")
    masks = [p for p in _files.walk(folder) if _files.is_image(p)]
    owners = {c.image.paths[0]: c for c in cohort.cases if isinstance(c.image, Ref)}
    found = match(list(owners), masks)
    if not found:
        raise DataError(
            f"no mask in {folder} has the name of an image",
            found=f"{counted(len(masks), 'file')} such as {listed([m.name for m in masks], 2)}"
            if masks
            else "no image file",
            hint="files called as their images are, or columns of a table",
        )
    by_case = {owners[image].id: mask for image, mask in found.items()}
    left = len(masks) - len(found)
    notes = [
        f"expert '{name}': {counted(len(found), 'mask')} of {folder.name}, matched to the images by name"
    ]
    notes += [f"expert '{name}': {counted(left, 'file')} of {folder.name} belong to no image"] if left else []
    info = TargetInfo(name, _drawn_kind(), (), notes[0])
    return replace(
        cohort,
        cases=tuple(_with_mask(c, name, by_case.get(c.id)) for c in cohort.cases),
        targets={**cohort.targets, name: info},
        notes=(*cohort.notes, *notes),
    )


def _with_mask(case: Case, name: str, path: Path | None) -> Case:
    return case if path is None else replace(case, targets={**case.targets, name: Ref((path,))})


def _drawn_kind() -> str:
    """Return the kind of target that masks are."""
    return kinds.in_role("mask", []).name
