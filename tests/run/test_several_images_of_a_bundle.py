"""A bundle of several images reads a table by the columns that it learned from, and refuses images of other names."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vesalius.core.bundle import State
from vesalius.core.errors import DataError
from vesalius.core.plan import SourcesPlan
from vesalius.run import tabular


@pytest.fixture
def bundle(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(tabular, "is_bare", lambda bundle: False)
    plan = SimpleNamespace(
        sources=SourcesPlan(
            apart={"front": (1, 8, 8), "side": (1, 8, 8)}, texts=("note",), fusion="attention"
        ),
        data=SimpleNamespace(images=("front", "side")),
        task=SimpleNamespace(name="classify"),
    )
    return SimpleNamespace(
        stages=[SimpleNamespace(plan=plan, state=State({"covariates": {"age": {}, "bmi": {}}}))]
    )


def table(folder: Path, head: str, *rows: str) -> Path:
    (folder / "images").mkdir(exist_ok=True)
    for name in "abcd":
        Image.fromarray(np.full((8, 8), ord(name), np.uint8)).save(folder / f"images/{name}.png")
    (folder / "cohort.csv").write_text("\n".join((head, *rows)) + "\n")
    return folder / "cohort.csv"


def test_all_images_of_a_row_are_read_and_an_empty_cell_is_a_missing_one(tmp_path: Path, bundle: Any) -> None:
    path = table(
        tmp_path, "case,front,side,age,note", "one,images/a.png,images/b.png,61,well", "two,,images/d.png,7,"
    )
    for source in (path, tmp_path):  # by its looks alone, a table has one image: `front`
        one, two = tabular.read_for(bundle, source, layout=None, columns=None).cases
        assert set(one.images) == {"front", "side"} and set(two.images) == {"side"}
        assert one.covariates["age"] == 61 and dict(one.texts) == {"note": "well"}


def test_what_is_told_of_images_counts_and_unknown_ones_are_refused(tmp_path: Path, bundle: Any) -> None:
    path = table(tmp_path, "case,anterior,age", "one,images/a.png,61", "two,images/b.png,7")
    with pytest.raises(DataError, match="none of the images is one that this bundle looks at"):
        tabular.read_for(bundle, path, layout=None, columns=None)
    with pytest.raises(DataError, match="it learned from front, side; try: .*--column image=front,side"):
        tabular.read_for(bundle, tmp_path / "images/a.png", layout=None, columns=None)
