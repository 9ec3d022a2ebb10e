"""What several experts say is read as a target an expert: from columns, by their names or as told, and from folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.core.case import Ref
from vesalius.core.errors import DataError, UnknownName


def picture(path: Path, value: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.full((6, 6), value, np.uint8)).save(path)
    return path.name


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four images, two columns of yes and no, one of grades in words, and masks of two experts in folders."""
    rows = ["case,image,ann,bob,cyr,diagnosis,p(yes),p(no)"]
    for k in range(4):
        picture(tmp_path / "images" / f"s{k}.png", 40 * k + 20)
        for expert in "ab":
            picture(tmp_path / f"masks_{expert}" / f"s{k}_{expert}.png", 1 if k % 2 else 0)
        said = "yes" if k % 2 else "no"
        rows.append(f"s{k},images/s{k}.png,{said},{'yes' if k else 'no'},{said},{said},0.{k}5,0.{9 - k}5")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_columns_of_yes_and_no_are_experts_and_not_several_labels_at_once(data: Path) -> None:
    found = cohorts.open_experts(data / "table.csv", {"A": "ann", "B": "bob"})
    assert not found.drawn and found.targets == {"A": "ann", "B": "bob"}
    assert [i.kind for i in found.infos] == ["class", "class"]
    assert found.cohort.case("s2").targets["bob"] == "yes"
    assert "diagnosis" in found.cohort.targets, "what is no expert's is still a label"


def test_folders_of_masks_are_matched_to_images_by_name(data: Path) -> None:
    (data / "masks_b" / "s3_b.png").unlink()
    found = cohorts.open_experts(data / "table.csv", {"A": "masks_a", "B": "masks_b"})
    assert found.drawn
    item = found.cohort.case("s1").targets["B"]
    assert isinstance(item, Ref) and item.paths[0].name == "s1_b.png"
    assert "B" not in found.cohort.case("s3").targets


@pytest.mark.parametrize(
    ("experts", "error", "text"),
    [
        ({"A": "ann"}, DataError, "two experts or more"),
        ({"A": "ann", "B": "ann"}, DataError, "cannot be one column"),
        ({"A": "ann", "B": "masks_a"}, DataError, "draw masks cannot be joined"),
        ({"A": "ann", "B": "zed"}, UnknownName, "zed"),
        ({"A": "p(yes)", "B": "p(no)"}, DataError, "neither a class"),
    ],
)
def test_what_cannot_be_joined_is_refused(
    data: Path, experts: dict[str, str], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        cohorts.open_experts(data / "table.csv", experts)


def test_columns_called_so_are_experts_and_beside_a_consensus_they_are_not_what_is_learned(
    data: Path,
) -> None:
    table = data / "table.csv"
    table.write_text(table.read_text().replace("ann,bob,cyr", "expert ann,expert bob,consensus"))
    cohort = cohorts.read(table)
    assert {n for n, t in cohort.targets.items() if t.kind == "class"} == {
        "expert ann",
        "expert bob",
        "consensus",
    }
    assert cohorts.select_target(cohort).name == "consensus"
    assert cohort.targets["p(yes)"].kind == "soft" and cohort.case("s2").targets["p(yes)"] == 0.25


def test_a_probability_above_one_sets_its_case_aside(data: Path) -> None:
    table = data / "table.csv"
    table.write_text(table.read_text().replace("0.25,", "1.25,"))
    cohort = cohorts.read(table, max_set_aside=1.0)
    assert [(s.case, "between 0 and 1" in s.reason) for s in cohort.set_aside] == [("s2", True)]


def test_names_of_labels_are_those_of_the_columns_that_a_dataset_json_lists(data: Path) -> None:
    rows = ["case,image,expert a,consensus"]
    rows += [f"s{k},images/s{k}.png,masks_a/s{k}_a.png,masks_b/s{k}_b.png" for k in range(4)]
    (data / "table.csv").write_text("\n".join(rows) + "\n")
    about = {"labels": {"background": 0, "cyst": 1, "ignore": 255}, "masks": ["consensus"]}
    (data / "dataset.json").write_text(json.dumps(about))
    cohort = cohorts.read(data / "table.csv")
    assert [x.name for x in cohort.targets["consensus"].labels] == ["cyst"]
    assert cohort.targets["consensus"].ignore == (255,) and cohort.targets["expert a"].ignore == ()
