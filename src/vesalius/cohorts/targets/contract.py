"""The contract of a kind of target: how it is recognised, read, checked, spread over folds, summed up and aligned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

from vesalius.core import registry
from vesalius.core.case import Box, Case, Ref, Target
from vesalius.core.cohort import Cohort, Label, Question, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.words import listed

ROOM = "cohorts.targets"
Cells = list[str | None]
Thing = tuple[
    str, tuple[float, float, float]
]  # a label, and a size (z, y, x) in voxels of the reference image


@dataclass(frozen=True)
class Columns:
    """A table as a kind of target sees it: cells by column, columns by role, and why each has its role.

    `told` is what a person said of roles, and of how things are written, by `--column`.
    """

    table: Mapping[str, Cells]
    roles: Mapping[str, Sequence[str]]
    reasons: Mapping[str, str]
    told: Mapping[str, str] = field(default_factory=dict)

    def of(self, role: str) -> Sequence[str]:
        """Return the columns that have a role."""
        return self.roles.get(role, ())


Find = Callable[[str], str | None]


@dataclass(frozen=True)
class OwnTable:
    """A table of things, a row each, beside that of the cases; `text` is what a person said of how it is written.

    Its rows may come from several files, one for each split.
    """

    paths: tuple[Path, ...]
    table: Mapping[str, Cells]
    text: str = ""

    @property
    def name(self) -> str:
        """What its files are called."""
        return ", ".join(path.name for path in self.paths)


@dataclass(frozen=True, slots=True)
class Outlined:
    """A thing with its outline, as COCO's files have it, in pixels of which pixel k reaches from k to k + 1.

    Each of `polygons` is `(x0, y0, x1, y1, …)`. `runs` are lengths of stretches outside and inside by turns, down the
    columns, or the text that COCO packs them into; `size` `(rows, columns)` is what they are of.
    """

    label: str
    polygons: tuple[tuple[float, ...], ...] = ()
    runs: tuple[int, ...] | str = ()
    size: tuple[int, int] | None = None
    crowd: bool = False


class Row(Protocol):
    """One case in a table, which may have several of its rows."""

    def cell(self, column: str) -> str | None:
        """Return the case's one value in a column. Raises DataError where its rows contradict each other."""

    def file(self, cell: str, what: str) -> Ref:
        """Return the one file that a cell names. Raises DataError; `what` says in its words what was looked for."""

    def columns(self, role: str) -> Sequence[str]:
        """Return the columns that have a role."""


class TargetKind:
    """What is asked of one kind of target. Every default suits a target that has no labels and lies in one column.

    `name` is its registered name, the stem of its file. `drawn`: a value is a file or an Image of label values on the
    grid of the case's image. `named`: a value is the name of a label, or where `several` hold at once a tuple of names.
    `ordered`: the labels' order means something. `in_every_fold`: there are only as many folds as each stratum has
    patients, so that it is in each of them. `spelled`: a value that is not `named` holds things with labels, as people
    spell and rename them. `asks_anyway`: what `question` asks of a column that nobody named is asked of one that a
    person named, too. `ahead`: a value says what happens after the images were taken, so that nobody knew it then.
    `beside`: it says more of another target, and is not learned by itself. `scored_without`: answers can be scored
    where no case holds anything, by what they find all the same.
    """

    name: ClassVar[str]
    drawn: ClassVar[bool] = False
    named: ClassVar[bool] = False
    several: ClassVar[bool] = False
    ordered: ClassVar[bool] = False
    in_every_fold: ClassVar[bool] = True
    spelled: ClassVar[bool] = False
    asks_anyway: ClassVar[bool] = False
    ahead: ClassVar[bool] = False
    beside: ClassVar[bool] = False
    scored_without: ClassVar[bool] = False

    @property
    def nominal(self) -> bool:
        """Return whether a value is one of several names without an order."""
        return self.named and not self.several and not self.ordered

    # --- recognised and read

    def fits(self, cells: Cells) -> float:
        """Return how sure it is, 0 to 1, that a column whose role it claims holds such targets: kinds share roles."""
        return 1.0

    def holds(self, role: str, cells: Cells) -> bool:
        """Return whether a column whose name fits may have this role, by its cells; for kinds with several columns."""
        return True

    def choose(self, fitting: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Return which of the columns that fit each role have it, by role; by default the first of each."""
        return {role: list(columns[:1]) for role, columns in fitting.items()}

    def keeps(self, role: str, word: str, others: Cells) -> bool:
        """Return whether a word that elsewhere means an empty cell says something in a column of this role.

        `others` are the column's other cells.
        """
        return False

    def why(self, role: str, found: Mapping[str, str]) -> str:
        """Return why a column of `found`, by role, has this role, where a kind lies in several columns."""
        return "by its name"

    def describe(self, column: str, columns: Columns, notes: list[str]) -> TargetInfo | None:
        """Return the target that a column holds; None where it holds none. What is worth knowing goes into `notes`.

        Raises DataError where the column cannot hold such targets.
        """
        return TargetInfo(column, self.name, (), columns.reasons[column])

    def value(self, info: TargetInfo, row: Row) -> Target | None:
        """Return a case's target from a table; None where it has none. Raises DataError."""
        cell = row.cell(info.name)
        return None if cell is None else self.parsed(cell, row)

    def parsed(self, cell: str, row: Row) -> Target:
        """Return what one cell says. Raises DataError."""
        return cell

    def given(self, value: Any, *, classes: Sequence[str], image: Image) -> Target | None:
        """Return what an item of somebody's dataset holds beside its image, as a target; None where it is no such one.

        `value` is a text, a sequence of texts, or an array of any number of axes. `classes` names classes or label
        values by their number. Raises DataError for what is of this kind and cannot be.
        """
        return None

    def labelled(self, info: TargetInfo, values: Sequence[Target]) -> TargetInfo:
        """Return the target with the labels that the cases' values name, of a kind whose columns name none."""
        return info

    def as_json(self, value: Target) -> Any:
        """Return a target that is neither a file nor drawn as JSON takes it."""
        return value

    def of_json(self, value: Any) -> Target:
        """Return the target that `as_json` gave. Raises TypeError, ValueError or KeyError for something else."""
        return tuple(map(str, value)) if isinstance(value, list) else cast(Target, value)

    def of_outlines(self, things: Sequence[Outlined], size: tuple[int, int]) -> Target | None:
        """Return the target that outlines of things in a picture of `size` `(rows, columns)` make; None where none.

        A kind that is made of outlines says `OUTLINES = True` in its file, and is read where it is named as the target
        (`--target NAME`). Raises DataError.
        """
        return None

    def question(self, column: str, columns: Columns) -> Question | None:
        """Return what a person must answer before a column is learned from that nobody named; None for nothing."""
        return None

    # --- made of several targets of another kind, which the literal JOINS names

    def describe_joined(self, parts: Sequence[TargetInfo]) -> TargetInfo:
        """Return the target that some others make together, named by their names, parted by commas."""
        raise NotImplementedError(f"targets of kind {self.name} are not made of others")

    def joined(self, values: Mapping[str, Target]) -> Target | None:
        """Return a case's value from those of the targets it is made of, by name; None where it has none."""
        raise NotImplementedError(f"targets of kind {self.name} are not made of others")

    def made(self, cohort: Cohort, text: str) -> Cohort:
        """Return the cohort with such targets made of others, as `--column HOW=text` says; `HOW` is the file's literal.

        Layouts that read such targets heed the option themselves. Raises UnknownName or DataError.
        """
        return cohort

    def in_own_table(self, path: Path, table: Mapping[str, Cells], text: str) -> bool:
        """Return whether a table beside that of the cases holds such targets, a thing in each row.

        A kind that has such tables says `OWN_TABLE = True` in its file. `text` is what `--column HOW=text` says.
        """
        return False

    def of_things(self, table: Mapping[str, Cells], text: str) -> tuple[str, ...]:
        """Return the columns of such a table that speak of its things and not of their cases."""
        return ()

    def with_table(self, cohort: Cohort, own: OwnTable, find: Find) -> Cohort:
        """Return the cohort with the targets that a table of their own holds. Raises DataError.

        `find` returns the id of the case that a cell means, by its own name or by its image's; None for none.
        """
        return cohort

    # --- checked

    def fault(self, value: Target, reference: Image | None) -> str | None:
        """Return in words why a case with this value must be set aside; None where nothing is wrong with it.

        What is drawn is checked against its image in any case.
        """
        return None

    def nothing_to_learn(self, info: TargetInfo, held: Sequence[Target]) -> tuple[str, str] | None:
        """Return what all cases have alike, and what to try, where there is nothing to tell apart; else None."""
        return None

    # --- spread over folds

    def strata(self, values: Mapping[str, Target]) -> dict[str, str]:
        """Return for each case the stratum that is spread evenly over the folds; '' for none."""
        return dict.fromkeys(values, "")

    # --- summed up

    def names_in(self, value: Target) -> tuple[str, ...]:
        """Return the names of the labels that a value holds."""
        return ()

    def number_of(self, value: Target) -> float | None:
        """Return the number by which a value is summed up."""
        return None

    def word(self, value: Target) -> str | None:
        """Return a value as a word, by which duplicates are compared and pictures captioned; None where it is none."""
        return None

    def tally(self, values: Iterable[Target]) -> Counter[str]:
        """Return in how many values each label is named, in the order of appearance."""
        return Counter(name for value in values for name in self.names_in(value))

    def things(self, values: Iterable[Target]) -> Counter[str] | None:
        """Return how many things of each label all values hold together; None where a value holds a label once."""
        return None

    def told(self, values: Sequence[Target]) -> list[tuple[str, str]]:
        """Return what is worth knowing of all values together: what it is, and in words how much of it there is."""
        return []

    def frames(self, value: Target) -> tuple[Box, ...]:
        """Return the boxes that a value marks on its image, for pictures of it."""
        return ()

    def shown(self, value: Target, info: TargetInfo) -> Image | None:
        """Return the label values that a value marks on its image, for pictures of it; None where it draws no mask.

        It is asked of kinds that are not `drawn`, whose values are label values themselves. Raises what reading raises.
        """
        return None

    def apart(self, one: Target, other: Target) -> float | None:
        """Return how far two values lie apart: of names the share that they have not in common, of numbers their
        difference; None where nothing says.
        """
        first, second = set(self.names_in(one)), set(self.names_in(other))
        if self.named or first or second:
            return 1 - len(first & second) / len(first | second) if first | second else 0.0
        a, b = self.number_of(one), self.number_of(other)
        return None if a is None or b is None else abs(a - b)

    def around(self, value: Target, shape: tuple[int, int, int]) -> Array | None:
        """Return bits of the voxels in and about the things that a value places in an image of that shape `(Z, Y, X)`.

        By their intensities a plan chooses which ones to tell apart. None of kinds that place nothing, and of none.
        """
        return None

    def extents(self, value: Target) -> tuple[Thing, ...]:
        """Return each thing that a value places in the image, by its label and its size; none of other kinds."""
        return ()

    # --- held against answers

    def renamed(self, value: Target, new: Mapping[str, str]) -> Target | None:
        """Return a value with some of its labels under other names; None where nothing is known of it any more.

        A label that becomes '' is not known.
        """
        if isinstance(value, str):
            return new.get(value, value) or None
        if isinstance(value, tuple):
            names = [new.get(v, v) for v in value if isinstance(v, str)]
            kept = tuple(dict.fromkeys(n for n in names if n))
            return kept if kept or not names else None
        return value

    def assert_learned(self, info: TargetInfo, learned: Sequence[str]) -> None:
        """Raise DataError where the data have a label that a bundle did not learn."""
        strange = [x.name for x in info.labels if x.name not in learned] if learned else []
        if strange:
            raise DataError(
                f"the bundle did not learn the class '{strange[0]}' of target '{info.name}'",
                hint=f"--labels '{strange[0]}=NAME' with one that it learned ({listed(learned)}), or "
                f"'{strange[0]}=' where it is not known",
            )

    def aligned(self, cohort: Cohort, target: str, learned: Sequence[Label]) -> Cohort:
        """Return the cohort with its truth in the labels that a bundle learned. Raises DataError."""
        return cohort


def hows() -> dict[str, TargetKind]:
    """Return the kinds whose values are written in several ways, by the role that says in which: `--column ROLE=…`."""
    files = {stem: registry.literals(ROOM, stem).get("HOW") for stem in registry.stems(ROOM)}
    return {str(role): of(stem) for stem, role in files.items() if role}


def of_outlines(name: str | None) -> TargetKind | None:
    """Return the kind of that name, where it is made of outlines."""
    known = name is not None and name in registry.stems(ROOM)
    return of(name) if name is not None and known and registry.literals(ROOM, name).get("OUTLINES") else None


def with_own_tables() -> list[TargetKind]:
    """Return the kinds that may lie in a table of their own, beside that of the cases."""
    return [of(stem) for stem in registry.stems(ROOM) if registry.literals(ROOM, stem).get("OWN_TABLE")]


def of(kind: str) -> TargetKind:
    """Return the kind of target of that name. Raises UnknownName."""
    return cast(TargetKind, registry.lookup(ROOM, kind).KIND)


def in_role(role: str, cells: Cells) -> TargetKind:
    """Return the kind of target that a column of this role holds: the one that is surest of its cells."""
    claims = [
        stem for stem in registry.stems(ROOM) if role in registry.literals(ROOM, stem).get("ROLES", ())[:1]
    ]
    return max((of(stem) for stem in claims), key=lambda kind: kind.fits(cells))


def in_order() -> TargetKind:
    """Return the kind of target whose values are one name of several that have an order."""
    every = map(of, registry.stems(ROOM))
    return next(kind for kind in every if kind.named and kind.ordered and not kind.several)


def in_any_role() -> dict[str, TargetKind]:
    """Return the kinds that lie in several columns by each of their roles."""
    files = {stem: registry.literals(ROOM, stem) for stem in registry.stems(ROOM)}
    return {
        role: of(stem)
        for stem, text in files.items()
        if isinstance(text.get("CALLED"), dict)
        for role in text["ROLES"]
    }


def named_roles() -> set[str]:
    """Return the roles of columns whose cells are names of labels, as their kinds say."""
    files = {stem: registry.literals(ROOM, stem).get("ROLES", ())[:1] for stem in registry.stems(ROOM)}
    return {role for stem, roles in files.items() for role in roles if of(stem).named}


def in_several_columns() -> dict[TargetKind, tuple[str, ...]]:
    """Return the kinds that lie in several columns whose names they know, each with the roles of these.

    A role that `CALLED` does not know may be without a column.
    """
    files = {stem: registry.literals(ROOM, stem) for stem in registry.stems(ROOM)}
    known = {stem: text["CALLED"] for stem, text in files.items() if isinstance(text.get("CALLED"), dict)}
    return {of(stem): tuple(roles) for stem, roles in known.items()}


def drawings(case: Case, infos: Mapping[str, TargetInfo]) -> dict[str, Ref | Image]:
    """Return what is drawn on a case's image, by target: files and images, but those whose kind is not drawn."""
    return {
        name: value
        for name, value in case.targets.items()
        if isinstance(value, Ref | Image) and (name not in infos or of(infos[name].kind).drawn)
    }


def words(case: Case, infos: Mapping[str, TargetInfo]) -> dict[str, str]:
    """Return a case's targets as words, by name: those that are words."""
    found = {n: of(infos[n].kind).word(v) for n, v in case.targets.items() if n in infos}
    return {name: word for name, word in found.items() if word is not None}
