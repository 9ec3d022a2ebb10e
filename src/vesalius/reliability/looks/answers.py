"""Texts that say the answer: a text that a model would read holds the name of the case's own class."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case
from vesalius.core.words import counted
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen

ORDER = 42
SHORTEST = 3  # letters of a class's name that is looked for
FEWEST, SHARE = 3, 0.1  # cases of a class, and of all of them, from which it is said


def find(seen: Seen) -> Iterator[Finding]:
    """Yield each text and class where the name of the class stands in the texts of many of its own cases."""
    cases = seen.cohort.cases
    for text in dict.fromkeys(name for c in cases for name in c.texts):
        for info in seen.cohort.targets.values():
            if seen.target not in (None, info.name):
                continue
            own: dict[str, list[Case]] = {}
            for case in cases:
                if info.name in case.targets and case.texts.get(text):
                    for label in kinds.of(info.kind).names_in(case.targets[info.name]):
                        own.setdefault(label, []).append(case)
            for label, held in own.items():
                yield from _said(text, info.name, label, held, cases)


def _said(text: str, target: str, label: str, held: list[Case], cases: tuple[Case, ...]) -> Iterator[Finding]:
    if len(label) < SHORTEST:
        return
    named = re.compile(rf"(?<!\w){re.escape(label.casefold())}(?!\w)")
    inside = tuple(c.id for c in held if named.search(c.texts[text].casefold()))
    if len(inside) < max(FEWEST, SHARE * len(held)):
        return
    own = {c.id for c in held}
    rest = [c for c in cases if c.id not in own and c.texts.get(text)]
    others = sum(bool(named.search(c.texts[text].casefold())) for c in rest)
    yield Finding(
        "warning",
        "text says the answer",
        inside,
        f"the text '{text}' holds '{label}' in {len(inside)} of {counted(len(held), 'case')} of that {target}, "
        f"and in {others} of {len(rest)} others",
        "was it written before the answer was known? If not, no model may be given it: --column text= without it",
    )
