"""Images and masks side by side: in sibling folders, or in one folder under names that differ by an ending."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._build import as_split, some
from vesalius.cohorts._instances import mask_of, table_beside
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._looks import is_field_of_view, is_ids_like, is_mask_like
from vesalius.cohorts._matching import Place, match, origin_of
from vesalius.core.case import Case, Ref, Split, Target
from vesalius.core.cohort import Cohort, SetAside, TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Image
from vesalius.core.words import counted

_MOST_ROLES = 8
ENOUGH = 0.5  # the share of images for which a mask must be found


@dataclass(frozen=True, slots=True)
class _Group:
    """Files that play one role: the images, or one kind of mask."""

    name: str
    files: tuple[Path, ...]
    places: tuple[str, ...] = ()  # where each lies apart from that: `day1`, `train`


@dataclass(frozen=True)
class _Pairing:
    images: tuple[_Group, ...]
    masks: tuple[_Group, ...]
    matches: Mapping[str, Mapping[Path, Path]]  # by group, the reference image → that group's file


def detect(root: Path) -> Detection | None:
    """Return files that hold few whole values and match other images by name."""
    if not root.is_dir():
        return None
    pairing = _pair(root, frozenset())
    if pairing is None:
        return None
    count = max(len(pairing.matches[g.name]) for g in pairing.masks)
    beside = all(map(_has_table, pairing.masks)) and bool(_files.find_tables(_files.unwrap(root)))
    return Detection(
        0.49
        if beside
        else 0.9,  # a table that names the images knows more of the cases, and finds such masks itself
        f"{count} of {counted(len(pairing.images[0].files), 'image')} in '{pairing.images[0].name}' "
        f"{'has' if count == 1 else 'have'} a mask of the same name in "
        f"{', '.join(repr(g.name) for g in pairing.masks)}",
    )


def claims(root: Path, options: Options) -> Detection | None:
    """Return that a person named folders of masks of ids, whose many values do not look like masks by themselves.

    A table that names the images knows more of the cases, and none of these folders: there it is for the table to say.
    """
    told = _told(options)
    if not told or not root.is_dir() or _files.find_tables(_files.unwrap(root)):
        return None
    pairing = _pair(root, told)
    if pairing is None or not told <= {g.name for g in pairing.masks}:
        return None
    return Detection(1.0, f"masks of ids in {some(sorted(told))}, as was said")


def read(root: Path, *, options: Options) -> Cohort:
    """Read one case per image; masks become targets named after their folder or ending.

    Masks that look like a field of view, where there are others, become the cases' region. Raises UnknownName
    if `target` names no group of masks.
    """
    told = _told(options)
    pairing = _pair(root, told)
    if pairing is None:
        raise DataError(f"no images with masks of the same name in {root}", hint="another --layout")
    masks = {g.name: g for g in pairing.masks}
    for name in told - set(masks):
        raise UnknownName("folder of masks", name, masks)
    if options.target is not None and options.target not in masks:
        raise UnknownName("target", options.target, masks)
    region, why = _region(masks, options.target)
    notes = [f"'{region}' is taken as the field of view: {why}; only inside it is counted"] if region else []
    targets = {name: g for name, g in masks.items() if name != region}
    ids = {name for name, g in targets.items() if _of_ids(g, told)}
    infos = {
        name: TargetInfo(name, "instances" if name in ids else "mask", (), _reason(name, pairing, region))
        for name in targets
    }
    if len(pairing.images) > 1:
        listed = some([g.name for g in pairing.images])
        notes.append(f"files of one name in {listed} are read as several images of one case")
    cases = _cases(root, pairing, targets, region, ids)
    bare = [c.id for c in cases if not c.targets]
    if bare:
        notes.append(f"images without a mask, kept for prediction: {some(bare)}")
    return Cohort(
        root=root,
        layout="paired",
        cases=tuple(cases),
        targets=infos,
        set_aside=_masks_alone(masks, pairing),
        notes=tuple(notes),
    )


def _cases(
    root: Path, pairing: _Pairing, targets: Iterable[str], region: str | None, numbered: Set[str]
) -> list[Case]:
    """Return a case for each image of the first group, with its masks of the groups `targets`."""
    reference, *others = pairing.images
    ids = _files.case_ids(reference.files, root)
    splits = _splits(root, reference.files)
    cases = []
    for path in reference.files:
        images: dict[str, Ref | Image] = {"image" if not others else reference.name: Ref((path,))}
        for group in others:
            if path in pairing.matches[group.name]:
                images[group.name] = Ref((pairing.matches[group.name][path],))
        refs = {
            name: Ref((pairing.matches[name][path],)) for name in targets if path in pairing.matches[name]
        }
        held: dict[str, Target] = {
            name: mask_of(ref) if name in numbered else ref for name, ref in refs.items()
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
    return cases


def _masks_alone(masks: Mapping[str, _Group], pairing: _Pairing) -> tuple[SetAside, ...]:
    """Return the masks that belong to no image, each with the reason."""
    aside: list[SetAside] = []
    for name, group in masks.items():
        used = set(pairing.matches[name].values())
        why = f"a mask in '{name}' without an image"
        aside += [SetAside(formats.stem(p), why) for p in group.files if p not in used]
    return tuple(aside)


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


def _told(options: Options) -> frozenset[str]:
    """Return the folders whose masks a person said to hold ids."""
    return frozenset(t.strip() for t in options.columns.get("instances", "").split(",") if t.strip())


def _of_ids(group: _Group, told: Set[str]) -> bool:
    """Return whether masks hold ids: a person says so, or a table of their labels lies beside them."""
    return group.name in told or _has_table(group)


def _pair(root: Path, told: Set[str]) -> _Pairing | None:
    groups = _groups(root)
    if len(groups) < 2:
        return None
    largest = max(len(g.files) for g in groups)
    groups = [g for g in groups if len(g.files) >= 0.1 * largest]
    masks = [g for g in groups if g.name in told or _holds_masks(g)]
    images = _gathered([g for g in groups if g not in masks])
    if not masks or not images:
        return None
    matches: dict[str, dict[Path, Path]] = {}
    images.sort(key=lambda g: (not _named_image(g.name), -len(g.files)))
    reference = images[0]
    for group in (*images[1:], *masks):
        found = match(reference.files, group.files, place=_places(reference, group))
        if len(found) >= ENOUGH * min(len(reference.files), len(group.files)):
            matches[group.name] = found
    paired = tuple(g for g in masks if g.name in matches)
    if not paired or max(len(matches[g.name]) for g in paired) < 0.1 * len(reference.files):
        return None
    beside = tuple(g for g in images[1:] if g.name in matches)
    return _Pairing((reference, *beside), paired, matches)


def _holds_masks(group: _Group) -> bool:
    return _has_table(group) or is_mask_like(group.files) or is_ids_like(group.files)


def _has_table(group: _Group) -> bool:
    own = table_beside(group.files[0])
    return own is not None and own.parent == group.files[0].parent


def _gathered(images: list[_Group]) -> list[_Group]:
    """Image groups of sub-folders of one folder, as one where no two hold files of one name: no channels, but parts."""
    families: dict[str, list[_Group]] = {}
    for group in images:
        families.setdefault(group.name.rpartition("/")[0] or group.name, []).append(group)
    found: list[_Group] = []
    for parent, parts in families.items():
        pairs = [(a, b) for k, a in enumerate(parts) for b in parts[:k]]
        if not pairs or any(match(a.files, b.files, place=lambda path: "") for a, b in pairs):
            found += parts
            continue
        files = tuple(p for g in parts for p in g.files)
        found.append(_Group(parent, files, tuple(w for g in parts for w in g.places)))
    return found


def _named_image(name: str) -> bool:
    return any(
        word in name.casefold() for word in ("image", "img", "photo", "picture", "scan", "input", "original")
    )


def _places(one: _Group, other: _Group) -> Place:
    """Return where a file of two groups lies, if both have files in the same places; else one place for all."""
    if not set(one.places) & set(other.places):
        return lambda path: ""
    where = dict(zip((*one.files, *other.files), (*one.places, *other.places), strict=True))
    return where.__getitem__


def _groups(root: Path) -> list[_Group]:
    """Return files by what their folders say without the words for splits, then by what their names end in.

    Of folders such as `images/day1`, `masks/day1` and `images/day2` the level that tells images from masks counts, and
    the other is where the files lie, as the splits are.
    """
    folders: dict[str, list[Path]] = {}
    splits: dict[Path, list[str]] = {}
    for path in _files.walk(root):
        if _files.is_image(path) and not _files.is_dicom(path):
            own = path.relative_to(root).parts[:-1]
            splits[path] = [p for p in own if as_split(p) is not None]
            folders.setdefault("/".join(p for p in own if as_split(p) is None), []).append(path)
    shared = len(_common(list(folders))) if len(folders) > 1 else 0
    parts = {folder: Path(folder).parts[shared:] for folder in folders}
    level = _level_of_roles(parts, folders)
    groups: dict[str, list[tuple[Path, str]]] = {}
    for folder, paths in folders.items():
        own = parts[folder]
        name, rest = ("/".join(own), ()) if level is None else (own[level], own[:level] + own[level + 1 :])
        for ending, listed in _by_ending(paths).items():
            full = "/".join(p for p in (name, ending) if p) or root.name
            groups.setdefault(full, []).extend((p, "/".join((*rest, *splits[p]))) for p in listed)
    return [
        _Group(name, tuple(p for p, _ in held), tuple(place for _, place in held))
        for name, held in groups.items()
    ]


def _level_of_roles(parts: Mapping[str, tuple[str, ...]], folders: Mapping[str, list[Path]]) -> int | None:
    """Return the level of equally deep folders that tells images from masks, where the same others lie below or above
    each.
    """
    depth = len(next(iter(parts.values()), ()))
    if len(parts) < 3 or depth < 2 or any(len(p) != depth for p in parts.values()):
        return None
    for k in range(depth):
        rests: dict[tuple[str, ...], set[str]] = {}
        values: dict[str, list[Path]] = {}
        for folder, own in parts.items():
            rests.setdefault(own[:k] + own[k + 1 :], set()).add(own[k])
            values.setdefault(own[k], []).extend(folders[folder])
        several = sum(len(v) > 1 for v in rests.values())
        if len(rests) < 2 or 2 * several < len(rests) or len(values) > _MOST_ROLES:
            continue
        masks = {value for value, files in values.items() if is_mask_like(files)}
        both = sum(bool(v & masks) and bool(v - masks) for v in rests.values())
        if both and 2 * both >= len(rests):
            return k
    return None


def _common(folders: list[str]) -> tuple[str, ...]:
    parts = [Path(f).parts for f in folders]
    common = []
    for column in zip(*parts, strict=False):
        if len(set(column)) > 1:
            break
        common.append(column[0])
    return tuple(common)


def _by_ending(paths: list[Path]) -> dict[str, list[Path]]:
    """Return the files of one folder by ending: '' for plain names, '1stHO' for `x_1stHO` where there is an `x`.

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
