"""Images and masks side by side: in sibling folders, or in one folder under names that differ by an ending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._build import as_split, some
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._looks import is_field_of_view, is_mask_like
from vesalius.cohorts._matching import match, origin_of
from vesalius.core.case import Case, Ref, Split, Target
from vesalius.core.cohort import Cohort, SetAside, TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Image
from vesalius.core.words import counted

ENOUGH = 0.5  # the share of images for which a mask must be found


@dataclass(frozen=True, slots=True)
class _Group:
    """Files that play one role: the images, or one kind of mask."""

    name: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class _Pairing:
    images: tuple[_Group, ...]
    masks: tuple[_Group, ...]
    matches: Mapping[str, Mapping[Path, Path]]  # by group, the reference image → that group's file


def detect(root: Path) -> Detection | None:
    """Files that hold few whole values and match other images by name."""
    if not root.is_dir():
        return None
    pairing = _pair(root)
    if pairing is None:
        return None
    count = max(len(pairing.matches[g.name]) for g in pairing.masks)
    return Detection(
        0.9,
        f"{count} of {counted(len(pairing.images[0].files), 'image')} in '{pairing.images[0].name}' "
        f"{'has' if count == 1 else 'have'} a mask of the same name in "
        f"{', '.join(repr(g.name) for g in pairing.masks)}",
    )


def read(root: Path, *, options: Options) -> Cohort:
    """A case an image; masks become targets named after their folder or ending.

    Masks that look like a field of view, where there are others, become the cases' region. Raises UnknownName
    if `target` names no group of masks.
    """
    pairing = _pair(root)
    if pairing is None:
        raise DataError(f"no images with masks of the same name in {root}", hint="another --layout")
    masks = {g.name: g for g in pairing.masks}
    if options.target is not None and options.target not in masks:
        raise UnknownName("target", options.target, masks)
    region, why = _region(masks, options.target)
    notes = [f"'{region}' is taken as the field of view: {why}; only inside it is counted"] if region else []
    targets = {name: g for name, g in masks.items() if name != region}
    infos = {name: TargetInfo(name, "mask", (), _reason(name, pairing, region)) for name in targets}
    reference, *others = pairing.images
    ids = _files.case_ids(reference.files, root)
    splits = _splits(root, reference.files)
    cases = []
    for path in reference.files:
        images: dict[str, Ref | Image] = {"image" if not others else reference.name: Ref((path,))}
        for group in others:
            if path in pairing.matches[group.name]:
                images[group.name] = Ref((pairing.matches[group.name][path],))
        held: dict[str, Target] = {
            name: Ref((pairing.matches[name][path],)) for name in targets if path in pairing.matches[name]
        }
        inside = pairing.matches[region].get(path) if region else None
        cases.append(
            Case(
                id=ids[path],
                images=images,
                reference=next(iter(images)),
                targets=held,
                region=Ref((inside,)) if inside else None,
                split=splits.get(path),
            )
        )
    aside = []
    for name, group in masks.items():
        used = set(pairing.matches[name].values())
        aside += [
            SetAside(formats.stem(p), f"a mask in '{name}' without an image")
            for p in group.files
            if p not in used
        ]
    bare = [c.id for c in cases if not c.targets]
    if bare:
        notes.append(f"images without a mask, kept for prediction: {some(bare)}")
    return Cohort(
        root=root,
        layout="paired",
        cases=tuple(cases),
        targets=infos,
        set_aside=tuple(aside),
        notes=tuple(notes),
    )


def _reason(name: str, pairing: _Pairing, region: str | None) -> str:
    text = f"{counted(len(pairing.matches[name]), 'mask')} in '{name}', matched to the images by name"
    return f"{text}; '{region}' is the field of view" if region else text


def _region(masks: Mapping[str, _Group], target: str | None) -> tuple[str | None, str]:
    if len(masks) < 2:
        return None, ""
    found = {name: is_field_of_view(g.files) for name, g in masks.items() if name != target}
    views = {name: why for name, why in found.items() if why}
    if len(views) != 1 or len(views) == len(masks):
        return None, ""
    name, why = next(iter(views.items()))
    return name, why


def _pair(root: Path) -> _Pairing | None:
    groups = _groups(root)
    if len(groups) < 2:
        return None
    largest = max(len(g.files) for g in groups)
    groups = [g for g in groups if len(g.files) >= 0.1 * largest]
    masks = [g for g in groups if is_mask_like(g.files)]
    images = [g for g in groups if g not in masks]
    if not masks or not images:
        return None
    matches: dict[str, dict[Path, Path]] = {}
    images.sort(key=lambda g: (not _named_image(g.name), -len(g.files)))
    reference = images[0]
    for group in (*images[1:], *masks):
        found = match(reference.files, group.files)
        if len(found) >= ENOUGH * min(len(reference.files), len(group.files)):
            matches[group.name] = found
    paired = tuple(g for g in masks if g.name in matches)
    if not paired or max(len(matches[g.name]) for g in paired) < 0.1 * len(reference.files):
        return None
    beside = tuple(g for g in images[1:] if g.name in matches)
    return _Pairing((reference, *beside), paired, matches)


def _named_image(name: str) -> bool:
    return any(
        word in name.casefold() for word in ("image", "img", "photo", "picture", "scan", "input", "original")
    )


def _groups(root: Path) -> list[_Group]:
    """Files by what their folders say without the words for splits, then by what their names end in."""
    folders: dict[str, list[Path]] = {}
    for path in _files.walk(root):
        if _files.is_image(path) and not _files.is_dicom(path):
            parts = [p for p in path.relative_to(root).parts[:-1] if as_split(p) is None]
            folders.setdefault("/".join(parts), []).append(path)
    shared = Path(*_common(list(folders))) if len(folders) > 1 else None
    groups: dict[str, list[Path]] = {}
    for folder, paths in folders.items():
        name = folder if shared is None else "/".join(Path(folder).parts[len(shared.parts) :])
        for ending, listed in _by_ending(paths).items():
            full = "/".join(p for p in (name, ending) if p) or root.name
            groups.setdefault(full, []).extend(listed)
    return [_Group(name, tuple(paths)) for name, paths in groups.items()]


def _common(folders: list[str]) -> tuple[str, ...]:
    parts = [Path(f).parts for f in folders]
    common = []
    for column in zip(*parts, strict=False):
        if len(set(column)) > 1:
            break
        common.append(column[0])
    return tuple(common)


def _by_ending(paths: list[Path]) -> dict[str, list[Path]]:
    """The files of one folder by ending: '' for those named plainly, '1stHO' for `x_1stHO` where there is an `x`.

    Where plain names come in two file types (`x.jpg` and `x.png`), the types are the endings.
    """
    by_folder: dict[Path, set[str]] = {}
    for p in paths:
        by_folder.setdefault(p.parent, set()).add(formats.stem(p))
    found: dict[str, list[Path]] = {}
    for path in paths:
        origin = origin_of(formats.stem(path), by_folder[path.parent])
        found.setdefault(origin[1] if origin else "", []).append(path)
    endings = [e for e in found if e]
    if len(endings) > 8:  # numbers that happen to continue another name, not kinds of file
        return {"": paths}
    plain = found.get("", [])
    types = {p.suffix.lower() for p in plain}
    if len(types) == 2 and len({p.with_suffix("") for p in plain}) <= 0.75 * len(plain):
        del found[""]
        for path in plain:
            found.setdefault(path.suffix.lower().lstrip("."), []).append(path)
    return found


def _splits(root: Path, paths: tuple[Path, ...]) -> dict[Path, Split]:
    found: dict[Path, Split] = {}
    for path in paths:
        words = [as_split(p) for p in path.relative_to(root).parts[:-1]]
        named = [w for w in words if w is not None]
        if named:
            found[path] = named[0]
    return found if len(set(found.values())) > 1 else {}
