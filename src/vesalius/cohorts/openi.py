"""IU X-ray reports as Open-i gives them: an XML file each, in a folder or a tar; sections, MeSH tags, problems."""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._build import class_labels
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._xml import LARGEST, parsed
from vesalius.core.case import Case, Ref, Target
from vesalius.core.cohort import Cohort, SetAside, TargetInfo
from vesalius.core.errors import DataError, FormatError
from vesalius.core.words import counted, listed
from vesalius.texts.plain import blanks, cleaned
from vesalius.texts.sections import LEAD, joined, opened

_ROOT = b"<eCitation"
_TARS = (".tgz", ".tar.gz", ".tar")
_MOST = 100_000  # files of a tar
_LOOKED = 4
UNINDEXED = ("No Indexing",)  # nobody gave it tags
NORMAL = "normal"
MESH, PROBLEMS, NORMALITY = "mesh", "problems", "normality"


@dataclass(frozen=True, slots=True)
class Report:
    """What one file says: its id, its sections, the tags that a person gave, and the ids of its images."""

    id: str
    sections: dict[str, str]
    tags: tuple[str, ...]
    images: tuple[str, ...]


def detect(root: Path) -> Detection | None:
    """Return XML files whose root is an eCitation, in a folder or in a tar."""
    base = _files.unwrap(root)
    try:
        names = [n for n, data in _first(base) if _ROOT in data[:4096]]
    except DataError as error:
        return Detection(0.5, f"a tar, though it cannot be read ({error.found})") if base.is_file() else None
    return Detection(0.96, f"reports of Open-i, such as {names[0]}") if names else None


def read(root: Path, *, options: Options) -> Cohort:
    """Return a case for each report, with its images where they lie below the same folder.

    Targets are the tags that a person gave in whole (`mesh`), what each of them begins with (`problems`), and whether
    a report is `normal`; a report without indexing has none of them. Files that cannot be read are set aside.
    """
    base = _files.unwrap(root)
    folder = base if base.is_dir() else base.parent
    pictures = (
        {formats.stem(p).casefold(): p for p in _files.images(_files.walk(folder))} if base.is_dir() else {}
    )
    aside: list[SetAside] = []
    cases: dict[str, Case] = {}
    counts: Counter[str] = Counter()
    for name, data in _all(base):
        try:
            report = report_in(data, Path(name))
        except DataError as error:
            aside.append(SetAside(PurePosixPath(name).stem, f"{error.what} ({error.found})"))
            continue
        if report.id in cases:
            aside.append(
                SetAside(f"{report.id} ({PurePosixPath(name).name})", "its id stands in another file, too")
            )
            continue
        cases[report.id] = _case(report, pictures, counts)
    found = [cases[name] for name in sorted(cases, key=_files.natural)]
    return Cohort(
        root=root,
        layout="openi",
        cases=tuple(found),
        targets=_targets(found),
        set_aside=tuple(aside),
        notes=tuple(_notes(found, counts)),
    )


def report_in(data: bytes, path: Path) -> Report:
    """Return the report in an XML file. Raises FormatError for damaged XML, and for one that is no report."""
    root = parsed(data, path)
    if root.tag != "eCitation":
        raise FormatError(f"{path}: no report of Open-i", found=f"<{root.tag}>")
    uid = root.find("uId")
    name = (uid.get("id") if uid is not None else None) or path.stem
    sections: dict[str, str] = {}
    for part in root.iter("AbstractText"):
        label = cleaned(part.get("Label") or "")
        text = cleaned(_text(part))
        section = opened("english").section_of(label) if label else LEAD
        if section is None:  # a heading that is not known stays with its text
            section, text = LEAD, f"{label}: {text}"
        sections[section] = "\n".join(t for t in (sections.get(section, ""), text) if t)
    tags = tuple(dict.fromkeys(t for x in root.iterfind("MeSH/major") if (t := " ".join(_text(x).split()))))
    images = tuple(i for x in root.iterfind("parentImage") if (i := x.get("id")))
    return Report(re.sub(r"[\\/]", "_", name), sections, tags, images)


def _case(report: Report, pictures: dict[str, Path], counts: Counter[str]) -> Case:
    """Return the case of a report; `counts` takes up what is said of all."""
    counts["images"] += len(report.images)
    counts["blanks"] += sum(map(blanks, report.sections.values()))
    paths = [p for i in report.images if (p := pictures.get(i.casefold())) is not None]
    images = {f"view#{k}": Ref((p,)) for k, p in enumerate(paths, 1)}
    counts["found"] += len(paths)
    targets: dict[str, Target] = {}
    tags = tuple(t for t in report.tags if t not in UNINDEXED)
    if tags:
        normal = tags == (NORMAL,)
        problems = dict.fromkeys(t.partition("/")[0].strip() for t in tags if t != NORMAL)
        targets = {MESH: tags, PROBLEMS: tuple(problems), NORMALITY: NORMAL if normal else "abnormal"}
    return Case(
        id=report.id,
        images=images,
        reference=next(iter(images), None),
        targets=targets,
        report=joined(report.sections),
    )


def _targets(cases: list[Case]) -> dict[str, TargetInfo]:
    """Return the targets that some case has."""
    why = {
        MESH: "the tags of MeSH that a person gave, in whole",
        PROBLEMS: "what each tag of MeSH begins with; none where a report is normal",
        NORMALITY: "whether 'normal' is the only tag of MeSH",
    }
    infos = {}
    for name, reason in why.items():
        held = [c.targets[name] for c in cases if name in c.targets]
        names = {n for v in held for n in (v if isinstance(v, tuple) else (v,)) if isinstance(n, str)}
        if held:
            infos[name] = TargetInfo(
                name, "class" if name == NORMALITY else "multilabel", class_labels(names), reason
            )
    return infos


def _notes(cases: list[Case], counts: Counter[str]) -> Iterator[str]:
    yield "no file says which patient it is of"
    if counts["images"]:
        yield f"the files name {counted(counts['images'], 'image')}, of which {counts['found']} are here"
    if counts["blanks"]:
        yield f"{counted(counts['blanks'], 'blank')} of de-identification (XXXX) stand in the reports as they came"
    if bare := [c.id for c in cases if not c.targets]:
        yield f"{counted(len(bare), 'report')} without indexing: they have no tags, {listed(bare, 3)}"


def _text(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def _is_tar(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(_TARS)


def _source(base: Path) -> Path:
    """Return a folder of XML files, or the tar that is given or that lies in it alone."""
    if base.is_dir():
        tars = [p for p in sorted(base.iterdir()) if _is_tar(p)]
        if len(tars) == 1 and not any(p.suffix.lower() == ".xml" for p in _files.walk(base)):
            return tars[0]
    return base


def _first(base: Path) -> list[tuple[str, bytes]]:
    """Return the first few XML files. Raises FormatError for a damaged tar."""
    found = []
    for item in _all(base):
        found.append(item)
        if len(found) == _LOOKED:
            break
    return found


def _all(base: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the XML files of a folder or a tar, each by its name; nothing is unpacked. Raises FormatError."""
    source = _source(base)
    if source.is_dir():
        for path in _files.walk(source):
            if path.suffix.lower() == ".xml" and path.stat().st_size <= LARGEST:
                yield path.relative_to(source).as_posix(), path.read_bytes()
    elif source.suffix.lower() == ".xml":
        yield source.name, source.read_bytes()
    elif _is_tar(source):
        yield from _in_tar(source)


def _in_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as tar:
            for number, member in enumerate(tar):
                if number >= _MOST:
                    raise FormatError(f"{path}: a tar of too many files", found=f"more than {_MOST:,}")
                if not member.isfile() or not member.name.lower().endswith(".xml") or member.size > LARGEST:
                    continue
                file = tar.extractfile(member)
                if file is not None:
                    yield member.name, file.read(LARGEST)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise FormatError(f"{path}: not a tar that can be read", found=str(error)[:120] or None) from error
