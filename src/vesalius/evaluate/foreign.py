"""Any tool's predictions as answers: masks by file name, or a CSV of classes, probabilities or numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from vesalius import formats
from vesalius.cohorts import TABLE_SUFFIXES, read_cells
from vesalius.core import grids
from vesalius.core.answers import Answer
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.value import Value
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.file_names import file_names
from vesalius.core.image import Array, Image
from vesalius.evaluate.naming import Names, mask_files, mirrored, only_answer
from vesalius.plan.positive import positive_of

CASE_COLUMNS = ("case", "case_id", "id", "name", "image", "file", "filename")
MOST_COLOURS = 32  # of a palette that is one of labels
ANSWER_COLUMNS = ("answer", "prediction", "predicted", "pred", "class", "label", "value")


class LazyMasks(Mapping[str, Answer]):
    """Masks by case, each read when it is asked for, in the label values of the truth."""

    def __init__(self, places: Mapping[str, Path], target: TargetInfo) -> None:
        self.places, self.target = places, target
        self.strange: set[int] = set()  # the highest values of answers that hold no label's
        self.known = False  # whether some answer holds a label's value

    def __getitem__(self, case: str) -> Answer:
        image = _labelled(Ref((self.places[case],)), self.target.labels)
        if any((image.array == x.value).any() for x in self.target.labels):
            self.known = True
        elif image.array.any():
            self.strange.add(int(image.array.max()))
        return Mask(image=image, labels=self.target.labels, case_id=case)

    def assert_known(self) -> None:
        """Raise DataError where answers were read and hold values, but none that a label has."""
        if self.strange and not self.known:
            raise DataError(
                f"no answer holds a value of the labels of '{self.target.name}'",
                found=f"{sorted(self.strange)[0]}, where {self.target.labels[0].name} is "
                f"{self.target.labels[0].value}",
                hint="answers in the values of the truth, or --labels for the truth's",
            )

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def _labelled(ref: Ref, labels: Sequence[Label]) -> Image:
    """A mask in the values of `labels`: colours as the truth has them, and one label of 0/255 where it has 0/1."""
    mask = formats.read_mask(ref)
    colours = {int(x.colour[1:], 16): x.value for x in labels if x.colour is not None}
    shown = _in_colours(mask, ref, colours) if colours and len(colours) == len(labels) else None
    if shown is not None:
        return shown
    value = labels[0].value if len(labels) == 1 else 0
    if value == 0 or not ((mask.array != 0) & (mask.array != value)).any():
        return mask
    held, counts = np.unique(mask.array, return_counts=True)
    edges = formats.blurred(dict(zip(held.tolist(), counts.tolist(), strict=True)))
    if edges:
        return formats.recoded(mask, tuple((v, value if v >= 128 else 0) for v in range(1, 256)))
    if edges is not None:
        raise DataError(
            f"{ref} holds values between 0 and 255, where the truth has one label, {labels[0].name}",
            found=f"{len(held)} values",
            hint="a mask cut at a threshold",
        )
    if value in (1, 255) and set(held.tolist()) == {0, 256 - value}:
        return formats.recoded(mask, ((256 - value, value),))
    return mask


def _in_colours(mask: Image, ref: Ref, colours: Mapping[int, int]) -> Image | None:
    """A mask whose file speaks in some of the truth's colours, in the truth's values; None where it does not.

    Such a file's other colours are other labels than the truth's. A large palette is a program's own, none of labels.
    """
    palette = mask.display.get("palette", {})
    listed = set(palette.values()) - {0}
    if listed & set(colours) and len(listed) <= MOST_COLOURS:
        return formats.recoded(mask, tuple((v, colours.get(c, 0)) for v, c in palette.items()))
    seen = formats.read_colours(ref)
    held = set() if seen is None else set(np.unique(seen.array).tolist())
    if seen is None or not (held <= {0, *colours} or (held & set(colours) and mask.channels)):
        return None
    return formats.recoded(seen, tuple((c, colours.get(c, 0)) for c in held))


def foreign_answers(path: Path, cases: Sequence[Case], target: TargetInfo) -> Mapping[str, Answer]:
    """Answers by case id. Masks are matched by file name, rows by a case column.

    Raises DataError where there is none, where a case is answered twice, and for a table that cannot be read.
    """
    if target.kind == "mask":
        return _masks(path, cases, target)
    return _rows(_table_at(path), cases, target)


def _table_at(path: Path) -> Path:
    """The table at a path: itself, `answers.csv` in a folder, or the only one there. Raises DataError."""
    if path.is_file():
        return path
    if (path / "answers.csv").is_file():
        return path / "answers.csv"
    tables = [p for p in sorted(path.iterdir()) if p.suffix.lower() in TABLE_SUFFIXES]
    if not tables:
        raise DataError(f"no CSV of predictions in {path}", hint="a CSV with a column 'case' and one a class")
    if len(tables) > 1:
        listed = ", ".join(p.name for p in tables[:4]) + (" …" if len(tables) > 4 else "")
        raise DataError(f"several tables in {path} could hold the predictions", found=listed, hint="its path")
    return tables[0]


def assert_drawn_on(reference: Image, answer: Answer, case_id: str) -> None:
    """Raise DataError where another tool's mask does not lie on the image that it answers."""
    fault = grids.mask_fault(reference, answer.image) if isinstance(answer, Mask) else None
    if fault is not None:
        raise DataError(f"case {case_id}: the answer lies on another grid than its image", found=fault)


def positive_class(cases: Sequence[Case], target: TargetInfo) -> str | None:
    """The class that sensitivity speaks of where there are two, by the rule that plans follow; a CSV names none."""
    names = [x.name for x in target.labels]
    if target.kind != "class" or len(names) != 2:
        return None
    seen = Counter(str(c.targets.get(target.name)) for c in cases)
    return positive_of({name: seen[name] for name in names})


def _masks(path: Path, cases: Sequence[Case], target: TargetInfo) -> Mapping[str, Answer]:
    files = mask_files(path)
    places: dict[str, Path] = {}
    taken: dict[Path, str] = {}
    names = file_names(c.id for c in cases)
    for case in cases:
        ways = (names[case.id], case.id, case.id.rsplit("/", 1)[-1])
        named = next((files[n] for n in ways if n in files), None) or mirrored(case, files, path)
        if not named:
            continue
        place = only_answer(named, case.id)
        if taken.setdefault(place, case.id) != case.id:
            raise DataError(f"{place} could answer two cases", found=f"{taken[place]} and {case.id}")
        places[case.id] = place
    if not places:
        raise DataError(
            f"no mask in {path} is named as a case is",
            found=", ".join(list(files)[:4]) or "no images",
            hint=f"files such as {names[cases[0].id]}.nii.gz",
        )
    return LazyMasks(places, target)


def _rows(table: Path, cases: Sequence[Case], target: TargetInfo) -> Mapping[str, Answer]:
    cells = read_cells(table)
    columns = list(cells)
    key = next((c for c in columns if c.strip().lower() in CASE_COLUMNS), None)
    if key is None:
        raise DataError(f"{table} has no column that names the case", found=", ".join(columns), hint="'case'")
    positive = positive_class(cases, target)
    case_of = Names(cases)
    found: dict[str, Answer] = {}
    rows: dict[str, dict[str, str | None]] = {}
    for values in zip(*cells.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        case = case_of(row[key] or "")
        if case is not None:
            if rows.setdefault(case, row) != row:
                raise DataError(
                    f"{table} answers case {case} twice, differently",
                    found=str(row[key]),
                    hint="one row a case",
                )
            found[case] = _answer(row, columns, key, target, table, case, positive)
    if not found:
        raise DataError(f"no row of {table} names a case", found=str(cells[key][0]))
    return found


def _answer(
    row: Mapping[str, str | None],
    columns: Sequence[str],
    key: str,
    target: TargetInfo,
    table: Path,
    case: str,
    positive: str | None,
) -> Answer:
    lower = {c.strip().lower(): c for c in columns}
    said = next((lower[c] for c in ANSWER_COLUMNS if c in lower and lower[c] != key), None)
    if target.kind == "number":
        if said is None:
            raise DataError(f"{table} has no column of values", found=", ".join(columns), hint="'value'")
        return Value(x=_number(row[said], table, case), case_id=case)
    names = [x.name for x in target.labels]
    given = {n: lower[k] for n in names for k in (f"p_{n}".lower(), n.lower()) if k in lower}
    p: Array
    if len(given) == len(names):
        p = np.array([_number(row[given[n]], table, case) for n in names])
    elif len(names) == 2 and len(given) == 1:
        name, column = next(iter(given.items()))
        one = _number(row[column], table, case)
        p = np.array([one if n == name else 1 - one for n in names])
    elif said is not None:
        if not (row[said] or "").strip():
            raise DataError(f"{table}: case {case} has no answer", found=f"an empty cell in '{said}'")
        called = _classes_of(str(row[said]), names, several=target.kind == "multilabel")
        p = np.array([float(n in called) for n in names])
    else:
        raise DataError(
            f"{table} has neither probabilities nor classes",
            found=", ".join(columns),
            hint=f"'p_{names[0]}' …",
        )
    if (p < -1e-6).any() or (p > 1 + 1e-6).any():
        raise DataError(f"{table}: case {case} has probabilities outside 0 to 1", found=str(p.tolist()))
    kind = "multilabel" if target.kind == "multilabel" else "exclusive"
    if kind == "exclusive" and p.sum() > 0:
        p = p / p.sum()
    return Scores(labels=target.labels, p=p, kind=kind, positive=positive, case_id=case)  # type: ignore[arg-type]


def _classes_of(text: str, names: Sequence[str], *, several: bool) -> set[str]:
    """The classes that a cell names: one, or several between bars or semicolons, of which 'none' is none."""
    if not several:
        return {_class_of(text, names)}
    words = [w.strip() for w in re.split(r"[|;]", text) if w.strip()]
    if len(words) == 1 and words[0].casefold() == "none" and words[0] not in names:
        return set()
    return {_class_of(w, names) for w in words}


def _class_of(word: str, names: Sequence[str]) -> str:
    """The class that a word names; another case or blanks around it do no harm where only one can be meant."""
    if word in names:
        return word
    alike = [n for n in names if n.strip().casefold() == word.strip().casefold()]
    if len(alike) != 1:
        raise UnknownName("class", word, names)
    return alike[0]


def _number(text: str | None, table: Path, case: str) -> float:
    try:
        return float(str(text))
    except ValueError as error:
        raise DataError(f"{table}: case {case} has no number", found=repr(text)) from error
