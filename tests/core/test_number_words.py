"""Words in messages: a number agrees with its noun, no word stands twice, a comma in a name makes no two of it."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from _source import texts, walk
from vesalius.cli._inspection import counts, some
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.words import counted, listed, quoted


def test_a_number_agrees_with_its_noun() -> None:
    assert [counted(n, "case") for n in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]
    assert (
        counted(1, "mask is", "masks are") == "1 mask is"
        and counted(9, "mask is", "masks are") == "9 masks are"
    )


def test_a_name_with_a_comma_is_one_name() -> None:
    names = ["malignant", "normal, benign"]
    assert listed(names) == "malignant, 'normal, benign'"
    assert listed([*names, "c"], 2) == "malignant, 'normal, benign' … (3 in all)"
    assert listed([]) == "" and quoted("smooth muscle") == "smooth muscle"
    assert [quoted(n) for n in ("a and b", "a; b", " a", "", "sandor")] == [
        *("'a and b'", "'a; b'", "' a'", "''", "sandor")
    ]
    assert str(UnknownName("class", "x", names)).endswith("one of malignant, 'normal, benign'")
    assert (
        some(names) == listed(names) and counts({"normal, benign": 2, "b": 1}) == "'normal, benign': 2, b: 1"
    )


def test_a_library_that_says_found_itself_is_not_told_twice() -> None:
    error = DataError("a.csv cannot be read", found="found more fields than defined in 'Schema'")
    assert str(error) == "a.csv cannot be read; found more fields than defined in 'Schema'"


@functools.cache
def strings() -> tuple[tuple[str, int, str], ...]:
    """Every string of the source, f-strings with a hole as `{}`, by file and line."""
    return tuple(_strings())


def _strings() -> Iterator[tuple[str, int, str]]:
    for name, source in texts().items():
        for node in walk(ast.parse(source)):
            if isinstance(node, ast.JoinedStr):
                parts = [str(x.value) if isinstance(x, ast.Constant) else "{}" for x in node.values]
                yield name, node.lineno, "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield name, node.lineno, node.value


TWICE = re.compile(r"\b([a-z]{2,}) \1\b", re.IGNORECASE)
OWN = ("nrrd.py",)  # `long long` is a type's name


def test_no_word_stands_twice() -> None:
    found = [
        (name, line, m[0])
        for name, line, text in strings()
        if (m := TWICE.search(text)) and not name.endswith(OWN)
    ]
    assert found == []


ROOMS = (
    "cli",
    "cohorts",
    "core",
    "evaluate",
    "infer",
    "prepare",
    "reliability",
    "run",
    "tasks",
    "verbs",
)
NOUNS = "case|file|patient|image|mask|fold|row|column|object|structure|zip|entrie|line|model|step|frame|studie|member"
MANY = re.compile(rf"\{{\}} (?:different )?({NOUNS})s\b")
NEVER_ONE = {
    "cli/_inspection.py: cases have no id",  # of these some have one
    "cohorts/_check.py: different values",
    "run/archive/lead.py: studies can be answered",  # 20 of them
    "run/archive/lead.py: studies/s",
    "run/scaling/grid.py: steps",  # the fewest that learn anything
    "cohorts/_dicom_targets.py: structures, of which",
    "cohorts/_dealing.py: folds, as",
    "cohorts/_dealing.py: patients",
    "cohorts/_limits.py: cases are set aside",  # where none is left, that is said otherwise
    "cohorts/_rows.py: cases only",  # half of several
    "cohorts/_series.py: files)",
    "cohorts/medmnist.py: columns of labels",
    "run/plan_scores.py: steps",  # the minimum, of several
    "core/growth.py: cases of the",  # 5 at least
    "evaluate/banners.py: cases with",  # fewer than 5
    "evaluate/cards/filling.py: images of",  # the hole is a word
    "evaluate/cards/filling.py: members, each",  # one is told otherwise
    "evaluate/cards/model_card.py: images like those",  # the hole is a verb
    "evaluate/fairness.py: patients",  # the smallest group is of several
    "evaluate/promising.py: cases have no thresholds",  # 50 at least
    "evaluate/subgroup_page.py: patients",
    "infer/alarm.py: cases at least",
    "infer/layers.py: rows of",
    "prepare/harmonise/combat.py: cases of each",  # 3 at least
    "reliability/looks/across.py: cases here and",
    "reliability/looks/duplicates.py: cases are too many",
    "reliability/looks/targets.py: cases have no patient id",
    "reliability/told.py: patients on",  # 10 at least
    "run/harmonise/features.py: cases",  # 8
    "run/harmonise/looks.py: images are looked at",  # of several
    "run/budgeting.py: steps at",  # 20 at least
    "run/members.py: steps)",  # of one step no half is missing
    "run/reporting.py: models together",
    "run/reporting.py: images like those",  # the hole is a verb
    "run/wanted.py: cases can be answered",  # one is told its own error
    "run/planning.py: folds are more",  # 2 at least
    "run/novelty.py: cases would take",
    "tasks/anomaly.py: cases (",  # several at least
    "verbs/index.py: cases: a graph",  # 100,000 at least
    "verbs/card.py: models",  # one may be told of
}


def test_a_number_that_may_be_one_goes_through_counted() -> None:
    found = []
    for name, line, text in strings():
        if name.partition("/")[0] not in ROOMS:
            continue
        for m in MANY.finditer(text):
            rest = text[m.start() + 3 :]
            known = any(
                name == k.partition(": ")[0] and rest.startswith(k.partition(": ")[2]) for k in NEVER_ONE
            )
            if not known:
                found.append(f"{name}:{line}: {rest[:40]}")
    assert found == [], "counted(n, 'case') says `1 case`; or it is never one: NEVER_ONE"


@pytest.mark.parametrize("cases", [1, 2])
def test_findings_agree_with_how_many_cases_they_name(cases: int, tmp_path: Path) -> None:
    from PIL import Image

    from vesalius.cohorts import read
    from vesalius.reliability.inspect import inspect

    rng = np.random.default_rng(0)
    for k in range(8):
        label = "ill" if k % 2 else "well, as far as is known"
        place = tmp_path / label / f"{k}.png"
        place.parent.mkdir(exist_ok=True)
        pixels = np.full((16, 16), 7) if k < cases else rng.integers(0, 255, (16, 16))
        Image.fromarray(pixels.astype(np.uint8)).save(place)
    said = {f.text for f in inspect(read(tmp_path)).findings}
    expected = {1: "1 image has the same value everywhere", 2: "2 images have the same value everywhere"}
    assert expected[cases] in said
    assert any("'well, as far as is known'" in text for text in said)
