"""Classes that are called as if nothing were known of them: named as doubts, with the option that drops them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.cohorts._doubtful import is_doubtful
from vesalius.core.cohort import Cohort
from vesalius.core.progress import Silent
from vesalius.reliability.inspect import inspect


class Notes(Silent):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def drawn(root: Path, names: list[str], *, folders: bool) -> Path:
    """Pictures in a folder a class, or beside a table with a row a picture."""
    rng = np.random.default_rng(0)
    rows = ["image,diagnosis"]
    for k, name in enumerate(names):
        path = root / name / f"x{k}.png" if folders else root / f"x{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(rng.integers(0, 255, (9, 8), dtype=np.uint8)).save(path)
        rows.append(f"{path.name},{name}")
    if not folders:
        (root / "cases.csv").write_text("\n".join(rows) + "\n")
    return root


def counts(cohort: Cohort) -> dict[object, int]:
    (name,) = cohort.targets
    held = [c.targets.get(name) for c in cohort.cases]
    return {v: held.count(v) for v in dict.fromkeys(held)}


@pytest.mark.parametrize("folders", [False, True])
@pytest.mark.parametrize("word", ["Unknown", "todo", "not_done", "UNK"])
def test_it_is_a_class_and_a_warning_until_a_person_says_what_it_is(
    tmp_path: Path, word: str, folders: bool
) -> None:
    root = drawn(tmp_path, ["Mass"] * 5 + ["Cyst"] * 4 + [word] * 3, folders=folders)
    notes, cohort = Notes(), cohorts.read(root)
    (target,) = cohort.targets
    assert counts(cohorts.check(cohort, progress=notes))[word] == 3
    said = f"{target}: '{word}' is taken as a class (3 cases)"
    assert [n for n in notes.said if "is taken as a class" in n and f"--labels '{word}='" in n and said in n]
    found = [f for f in inspect(cohort).findings if f.severity == "warning" and "as a class" in f.text]
    assert [(f.kind, f.text) for f in found] == [("labels", said)] and f"--labels '{word}='" in found[0].hint
    dropped = cohorts.check(cohorts.read(root, labels={word: ""}))
    assert counts(dropped) == {"Mass": 5, "Cyst": 4, None: 3} and not dropped.doubts
    kept = cohorts.check(cohorts.read(root, labels={word: word}))
    assert counts(kept)[word] == 3 and not kept.doubts


def test_what_is_said_already_and_the_results_of_tests_are_no_doubts(tmp_path: Path) -> None:
    cohort = cohorts.read(drawn(tmp_path, ["None"] * 5 + ["Cyst"] * 4, folders=False))
    assert not cohort.doubts and sum("'None' (5 cells) is taken as a class" in n for n in cohort.notes) == 1
    for word in ("+", "++", "Normal", "No finding", "other", "T2", "1"):
        assert not is_doubtful(word), word
    for word in ("n/d", "N.D.", "??", "...", "#VALUE!", "not applicable", " To Do ", "NA"):
        assert is_doubtful(word), word
