"""Decoding every case once: faulty ones are set aside by name, labels are counted, the data is hashed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from vesalius import formats
from vesalius.cohorts._build import some
from vesalius.cohorts._coding import Held, coding_of
from vesalius.cohorts._courses import read_course, strangers
from vesalius.cohorts._hashing import case_digest
from vesalius.cohorts._limits import enforce_fatal, enforce_limit
from vesalius.cohorts._masked import count, mapped, with_ignored, with_region, with_values
from vesalius.cohorts._visits import settled_visits
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import grids
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, Label, SetAside, TargetInfo, cohort_digest
from vesalius.core.course import Course
from vesalius.core.errors import DataError, GeometryError, UnknownName, VesaliusError
from vesalius.core.image import Image, pixel_fault
from vesalius.core.progress import Progress, Silent

MAX_LABELS = 256


@dataclass(frozen=True, eq=False)
class Decoded:
    """One case with its pixels: images, masks and the region by name; or the fault that stops its use.

    `words` are its targets as words, by name: those that are words, such as classes and numbers. `courses` are its time
    courses by name.
    """

    case: Case
    images: Mapping[str, Image] = field(default_factory=dict)
    masks: Mapping[str, Image] = field(default_factory=dict)
    region: Image | None = None
    values: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # voxels by label value, by mask
    digest: str = ""
    fault: SetAside | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    courses: Mapping[str, Course] = field(default_factory=dict)

    @property
    def reference(self) -> Image | None:
        """Return the case's reference image, or None where it has none."""
        return None if self.case.reference is None else self.images.get(self.case.reference)


Observer = Callable[[Decoded], None]


def check(
    cohort: Cohort,
    *,
    target: str | None = None,
    progress: Progress | None = None,
    max_set_aside: float = 0.10,
    workers: int = 1,
    observe: Observer | None = None,
    strict: bool = True,
    to_learn: bool = True,
) -> Cohort:
    """Decode every file to its end, one case (or `workers` of them) in memory at a time.

    Returns the cohort without its faulty cases, with the label values that its masks hold, and with its hash. Earlier
    visits that are no cases themselves are decoded, too; a faulty one is set aside and no case knows it. Cases whose
    time courses have other columns than those of most are set aside.
    `target` names the one that is to be learned. `observe` sees each case with its pixels, in order, faulty ones
    too, so that whatever else needs the pixels shares this pass. With `strict=False` nothing is raised: all is
    left in `set_aside`, `notes` and `questions`. What was decided of labels is told to `progress`, too. With
    `to_learn=False` nothing is learned from the cases, which may then hold none of the things that are looked for.

    Raises LeakError or GeometryError for what would corrupt a result, DataError when nothing usable is left,
    when more than `max_set_aside` is set aside, when the target never varies, or when it is not certain what its
    labels are.
    """
    cohort = with_ignored(cohort)
    if strict:
        enforce_fatal(cohort)
    progress = progress or Silent()
    good: list[Case] = []
    aside = list(cohort.set_aside)
    drawn = [name for name, info in cohort.targets.items() if kinds.of(info.kind).drawn]
    held: dict[str, dict[str, Held]] = {name: {} for name in drawn}
    digests: dict[str, str] = {}
    files: dict[Path, str] = {}
    courses: dict[str, dict[str, Course]] = {}
    visits = _only_visits(cohort.cases)
    progress.start("check", len(cohort.cases) + len(visits))
    try:
        for decoded in _decode_all(replace(cohort, cases=visits), files, max(workers, 1)):
            if decoded.fault is not None:
                aside.append(decoded.fault)
            progress.advance("check")
        cohort = settled_visits(replace(cohort, set_aside=tuple(aside)))
        for decoded in _decode_all(cohort, files, max(workers, 1)):
            for name, course in decoded.courses.items():
                courses.setdefault(name, {})[decoded.case.id] = _shape_alone(course)
            if observe is not None:
                observe(decoded)
            if decoded.fault is not None:
                aside.append(decoded.fault)
            else:
                good.append(with_region(decoded.case, decoded.region))
                digests[decoded.case.id] = decoded.digest
                for name, counts in decoded.values.items():
                    mask = decoded.masks[name]
                    one = Held(counts, mask.channels == (formats.COLOURS,), mask.display.get("palette", {}))
                    held.setdefault(name, {})[decoded.case.id] = one
            progress.advance("check")
    finally:
        progress.finish("check")
    strange = {s.case: s for s in strangers(courses)}
    digests = {name: digest for name, digest in digests.items() if name not in strange}
    checked = replace(
        cohort,
        cases=tuple(c for c in good if c.id not in strange),
        set_aside=(*aside, *strange.values()),
        hash=cohort_digest(digests),
        digests=digests,
    )
    checked = settled_visits(_coded(checked, held, strict))
    if strict:
        enforce_fatal(checked)
        enforce_limit(checked, max_set_aside)
        _answered(checked, target)
        for note in checked.label_notes:
            progress.note(note)
        for doubt in checked.doubts:
            if target is None or doubt.target == target:
                progress.note(f"{doubt.what} ({doubt.found}); {doubt.hint}")
        _varies(checked, target, to_learn=to_learn)
    return checked


def _only_visits(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Return the earlier visits that are no cases of the cohort themselves, each once."""
    known = {c.id for c in cases}
    found = {v.case.id: v.case for c in cases for v in c.earlier if v.case.id not in known}
    return tuple(replace(case, earlier=()) for case in found.values())


def _shape_alone(course: Course) -> Course:
    """Return a time course with one row, for what its columns are is all that is compared between cases."""
    return replace(course, values=course.values[:1].copy(), times=(), parents=course.parents and (-1,))


def decode(
    case: Case, *, infos: Mapping[str, TargetInfo] | None = None, files: dict[Path, str] | None = None
) -> Decoded:
    """Read every file of one case and look for faults.

    `infos` are the cohort's targets; `files` keeps the SHA-256 of containers already read.
    """
    infos = infos or {}
    words = kinds.words(case, infos)
    try:
        images = {name: _image(item) for name, item in case.images.items()}
        masks = {n: _mask(t) for n, t in kinds.drawings(case, infos).items()}
        region = None if case.region is None else _mask(case.region)
        courses = {name: read_course(item) for name, item in case.courses.items()}
        digest = case_digest(case, {} if files is None else files)
    except VesaliusError as error:
        return Decoded(case, fault=SetAside(case.id, str(error)), words=words)
    except OSError as error:
        return Decoded(case, fault=SetAside(case.id, f"cannot be opened: {error}"), words=words)
    values = {name: count(mask.array) for name, mask in masks.items()}
    fault = _fault(case, images, masks, region, values) or _unusable(case, images, infos)
    return Decoded(case, images, masks, region, values, digest, fault, words, courses)


def geometry_fault(image: Image, mask: Image) -> str | None:
    """Return in one line how an image and a mask drawn on it contradict each other; None if they agree."""
    return grids.mask_fault(image, mask)


def _fault(
    case: Case,
    images: Mapping[str, Image],
    masks: Mapping[str, Image],
    region: Image | None,
    values: Mapping[str, Mapping[int, int]],
) -> SetAside | None:
    reference = None if case.reference is None else images.get(case.reference)
    if reference is None:
        return SetAside(case.id, f"there is no image '{case.reference}'") if images else None
    for name, mask in masks.items():
        fault = geometry_fault(reference, mask)
        if fault:
            return SetAside(case.id, f"'{name}' has {fault}", fatal=True)
        if len(values[name]) > MAX_LABELS:
            many = f"'{name}' holds {len(values[name])} different values, too many for a mask of labels"
            return SetAside(case.id, f"{many}; where each is one thing, --column instances={name}")
    fault = geometry_fault(reference, region) if region is not None else None
    if fault:
        return SetAside(case.id, f"the field of view has {fault}", fatal=True)
    for name, image in images.items():
        bad = pixel_fault(image, name)
        if bad:
            return SetAside(case.id, bad)
    return None


def _unusable(case: Case, images: Mapping[str, Image], infos: Mapping[str, TargetInfo]) -> SetAside | None:
    """Return why a case must be set aside, as the kinds of its targets say."""
    reference = images.get(case.reference or "")
    for name, value in case.targets.items():
        if name not in infos:
            continue
        try:
            why = kinds.of(infos[name].kind).fault(value, reference)
        except GeometryError as error:
            return SetAside(case.id, str(error), fatal=True)
        if why is not None:
            return SetAside(case.id, f"the {name} {why}")
    return None


def _decode_all(cohort: Cohort, files: dict[Path, str], workers: int) -> Iterator[Decoded]:
    infos = cohort.targets
    if workers == 1:
        for case in cohort.cases:
            yield decode(case, infos=infos, files=files)
        return
    waiting: list[Future[Decoded]] = []
    with ThreadPoolExecutor(workers) as pool:
        for case in cohort.cases:
            waiting.append(pool.submit(decode, case, infos=infos, files=files))
            if len(waiting) > workers:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _image(item: Ref | Image) -> Image:
    return formats.read(item) if isinstance(item, Ref) else item


def _mask(item: Ref | Image) -> Image:
    return formats.read_mask(item) if isinstance(item, Ref) else item


def _coded(cohort: Cohort, held: Mapping[str, Mapping[str, Held]], strict: bool) -> Cohort:
    """Return the cohort with what its masks' values stand for, and the labels that they hold.

    Raises UnknownName where the user named a label that no mask holds.
    """
    notes, questions, decided = list(cohort.notes), list(cohort.questions), list(cohort.label_notes)
    targets, left = dict(cohort.targets), dict(cohort.told)
    pairs: dict[str, dict[str, tuple[tuple[int, int], ...]]] = {}
    for name, info in cohort.targets.items():
        if name not in held:
            continue
        coding = coding_of(info, held[name], cohort.told)
        notes += coding.notes
        decided += coding.notes
        questions += coding.questions
        left = {word: text for word, text in left.items() if word not in coding.used}
        total: dict[int, int] = {}
        for case, one in held[name].items():
            for value, n in mapped(one.counts, coding.values.get(case, ())).items():
                total[value] = total.get(value, 0) + n
        for case, new in coding.values.items():
            pairs.setdefault(case, {})[name] = new
        targets[name] = _with_values(coding.info, total, notes)
    if left and strict:
        names = {n for t in targets.values() for x in t.labels for n in (x.name, str(x.value))}
        raise UnknownName("label", next(iter(left)), names)
    cases = tuple(with_values(c, pairs[c.id]) if c.id in pairs else c for c in cohort.cases)
    return replace(
        cohort,
        cases=cases,
        targets=targets,
        notes=tuple(notes),
        questions=tuple(questions),
        label_notes=tuple(decided),
        told={},
    )


def _answered(cohort: Cohort, target: str | None) -> None:
    """Raise DataError where the labels of the target to be learned are uncertain."""
    info = cohort.targets.get(target or "")
    names = {target} | {part.name for part in (info.parts if info else ())}
    for question in cohort.questions:
        if target is None or question.target in names:
            raise DataError(question.what, found=question.found, hint=question.hint)


def _with_values(info: TargetInfo, counts: Mapping[int, int], notes: list[str]) -> TargetInfo:
    """Return the target with a label for every value found; values that nothing names are named by their number."""
    named = {label.value: label for label in info.labels}
    found = [v for v in counts if v != 0]
    strangers = sorted(v for v in found if v not in named)
    if named and strangers:
        notes.append(f"{info.name}: values that nothing names: {some(map(str, strangers))}")
    missing = [label.name for v, label in named.items() if v not in counts]
    if missing and counts:
        notes.append(f"{info.name}: labels that no mask holds: {some(missing)}")
    for value in strangers:
        named[value] = Label(value, str(value))
    return replace(info, labels=tuple(named[v] for v in sorted(named)))


def _varies(cohort: Cohort, name: str | None, *, to_learn: bool) -> None:
    """Raise DataError if the target that is to be learned, or scored where that needs it, is the same in every case."""
    if name is None and len(cohort.targets) == 1:
        name = next(iter(cohort.targets))
    if name is None or name not in cohort.targets:
        return
    info = cohort.targets[name]
    held = [c.targets[name] for c in cohort.cases if name in c.targets]
    if not held:
        raise DataError(f"no case is left that has the target '{name}'", hint="look with `inspect`")
    kind = kinds.of(info.kind)
    if kind.scored_without and not to_learn:
        return
    same = kind.nothing_to_learn(info, held)
    if same is not None:
        raise DataError(f"nothing to learn from '{name}'", found=same[0], hint=same[1])
