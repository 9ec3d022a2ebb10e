"""Words in a table that may stand for a missing value, decided column by column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from vesalius.cohorts._build import some
from vesalius.cohorts._grading import orders_of
from vesalius.cohorts._layout import Options
from vesalius.cohorts._roles import TOLD, Roles, is_categorical, is_list, is_number, may_be_label, parts
from vesalius.cohorts._several import NO, YES
from vesalius.cohorts.targets.contract import in_any_role, named_roles
from vesalius.core.cohort import Question
from vesalius.core.delimited import ABSENT, WORDS, Table, cleaned
from vesalius.core.words import counted

NOTHING = "|"  # a list without a name in it

Cells = list[str | None]


def plain(table: Table, options: Options) -> Table:
    """Return the table for finding its columns' roles: without such words, except in columns that may hold classes."""
    return {
        column: cells if _may_hold(column, cells, options) else without(cells)
        for column, cells in table.items()
    }


def without(cells: Cells, *, keep: Collection[str] = ()) -> Cells:
    """Return the cells with None for every word that may mean a missing value, but those of `keep`."""
    absent = set(WORDS) - set(keep)
    return cleaned([None if c is None or c.casefold() in absent else c for c in cells])


def _said(column: str, cells: Cells, roles: Roles) -> set[str]:
    """Return which of such words say something in a column, as the kind of target says that has it."""
    kinds = {role: kind for role, kind in in_any_role().items() if column in roles.all(role)}
    words = {c.casefold() for c in cells if c is not None} & set(WORDS) if kinds else set()
    others = without(cells) if words else []
    return {w for w in words if any(kind.keeps(role, w, others) for role, kind in kinds.items())}


def settled(
    table: Table, roles: Roles, options: Options, notes: list[str], label_notes: list[str]
) -> tuple[Table, tuple[Question, ...]]:
    """Return the table in which every such word is a class or None, as its column decides; and what must be asked.

    In numbers, files, names and times they are None. Among classes "None" is a class, what programs write for
    nothing (nan, null) is None, and of the others a person must say which they are. What is decided is added to
    `label_notes`, of other columns to `notes`.
    """
    done: Table = {}
    empty: dict[str, list[str]] = {}
    questions: list[Question] = []
    several = [c for c in roles.all("label") if roles.reasons[c].endswith(TOLD)]
    together = len(several) > 1 and all(_yes_no(without(table[c])) for c in several)
    orders = orders_of(options.labels)
    named = {column for role in named_roles() for column in roles.all(role)}
    for column, cells in table.items():
        found = Counter(c for c in cells if c is not None and c.casefold() in WORDS)
        if column not in named or (together and column in several):
            kept_words = _said(column, cells, roles)
            done[column] = without(cells, keep=kept_words)
            for word in found if not roles.free(column) else ():
                if word.casefold() in kept_words:
                    continue
                empty.setdefault(word, []).append(f"{column} ({found[word]})")
            continue
        kept: dict[str, str] = {}
        for word, count in found.items():
            meaning = _meaning(word, cells, options, orders.get(column, ()))
            if meaning != "absent":
                kept[word] = NOTHING if meaning == "nothing" else word
            said = f"{column}: '{word}' ({counted(count, 'cell')})"
            if meaning == "absent":
                label_notes.append(
                    f"{said} is taken as an empty cell; --labels '{word}={word}' makes it a class"
                )
            elif meaning == "nothing":
                label_notes.append(
                    f"{said} is taken as none of the labels; --labels '{word}=' if it is not known"
                )
            elif meaning == "class":
                label_notes.append(
                    f"{said} is taken as a class; --labels '{word}=' if it means that nothing is known"
                )
            elif meaning == "unclear":
                questions.append(
                    Question(
                        column,
                        f"'{word}' in column '{column}' may be a class, or mean that nothing is known",
                        f"{count} of {len(cells)} cells",
                        f"--labels '{word}={word}' if it is a class, --labels '{word}=' if it is not known",
                    )
                )
        done[column] = cleaned([kept.get(c) if c is not None and c.casefold() in WORDS else c for c in cells])
    notes += [f"'{word}' is an empty cell in {some(columns, 12)}" for word, columns in empty.items()]
    return done, tuple(questions)


def _meaning(word: str, cells: Cells, options: Options, order: Collection[str]) -> str:
    """Return what a word among labels is: 'told', 'class', 'nothing' (none of several labels), 'absent' or
    'unclear'.

    `order` holds the grades that a person named.
    """
    plain_word, others = word.casefold(), without(cells)
    if word in options.labels or plain_word in {name.casefold() for name in order}:
        return "told"
    if plain_word in ABSENT:
        return "absent"
    if plain_word == "none" and is_list(others):
        return "nothing"
    if plain_word == "none":
        return "unclear" if is_number(others) else "class"
    if plain_word == "-" and "+" in others:
        return "class"
    return "absent" if is_number(others) else "unclear"


def _may_hold(column: str, cells: Cells, options: Options) -> bool:
    if not any(c is not None and c.casefold() in WORDS for c in cells):
        return False
    others = without(cells)
    if not may_be_label(column, options) or (is_number(others) and not _told(cells, options)):
        return False
    return is_categorical([c for c in cells if c is None or c.casefold() not in ABSENT]) or is_list(others)


def _told(cells: Cells, options: Options) -> bool:
    return any(c in options.labels for c in cells if c is not None and c.casefold() in WORDS)


def _yes_no(cells: Cells) -> bool:
    held = {part.casefold() for c in cells if c is not None for part in parts(c)}
    return bool(held) and held <= YES | NO
