"""Classes that are called as if nothing were known of them (`Unknown`, `todo`, `n/d`): kept, and named as doubts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from vesalius.core.cohort import Cohort, Question
from vesalius.core.delimited import WORDS
from vesalius.core.words import counted

_WORDS = WORDS | {
    "unknown", "unk", "unkn", "not known", "n/k", "nk", "unclear", "uncertain", "undetermined", "undefined",
    "undecided", "unspecified", "not specified", "not stated", "not reported", "not recorded", "not available",
    "not applicable", "not done", "not assessed", "not labeled", "not labelled", "unlabeled", "unlabelled",
    "unassigned", "unread",
    "n/d", "nd", "n.d.", "n.d", "n/s", "todo", "to do", "to be done", "tbd", "tba", "tbc", "pending", "blank", "empty",
    "nil", "no data", "no label", "error", "#value!", "#ref!", "#name?", "#div/0!", "#num!", "#null!",
    "unbekannt", "keine angabe", "k.a.", "inconnu", "desconocido", "sconosciuto", "s/d",
}  # fmt: skip
_SIGNS = re.compile(r"[\W_]+")
_GRADES = re.compile(r"[+±-]+")  # `+`, `++` and `-` are results of tests


def is_doubtful(name: str) -> bool:
    """Return whether a class is called as if nothing were known of it, or by signs alone (`??`)."""
    word = " ".join(name.casefold().replace("_", " ").split())
    bare = name.strip()
    return word in _WORDS or bool(_SIGNS.fullmatch(bare) and not _GRADES.fullmatch(bare))


def doubted(cohort: Cohort, target: str, counts: Mapping[str, int], decided: set[str]) -> Cohort:
    """Return the cohort with a doubt for each such class of a target that nobody decided and no note names yet."""
    doubts = list(cohort.doubts)
    for name, n in counts.items():
        named = any(f"'{name}'" in note for note in cohort.label_notes)
        if name in decided or name.strip() in decided or named or not is_doubtful(name):
            continue
        doubts.append(
            Question(
                target,
                f"{target}: '{name}' is taken as a class",
                counted(n, "case"),
                f"--labels '{name}=' if it means that nothing is known, --labels '{name}={name}' if it is one",
            )
        )
    return replace(cohort, doubts=tuple(doubts))
