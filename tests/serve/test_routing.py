"""Rules: what they take, what they never take, and what is said of a file that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from vesalius.core.errors import DataError, FormatError, PlanError
from vesalius.serve.node.routing import Routes, SeriesAttributes, series_attributes
from vesalius.serve.node.settings import load

GOOD = """
destinations:
  pacs: {host: 127.0.0.1, port: 4242, aet: ORTHANC}
rules:
  - bundle: liver            # relative to this file
    destination: pacs
    modality: [CT, PT]
    body_part: abdomen
    series_description: portal|axial
    min_instances: 10
  - {bundle: any, destination: pacs, modality: ct}
"""
CT = SeriesAttributes(modality="CT", body_part="ABDOMEN", series_description="Axial 3 mm", instances=12)


@pytest.fixture
def routes(tmp_path: Path) -> Routes:
    (tmp_path / "routes.yaml").write_text(GOOD)
    return load(tmp_path / "routes.yaml")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, ["liver", "any"]),
        ({"modality": "PT"}, ["liver"]),
        ({"modality": "MR"}, []),
        ({"body_part": "HEAD"}, ["any"]),
        ({"series_description": "Sagittal"}, ["any"]),
        ({"instances": 9}, ["any"]),
        ({"modality": "SEG"}, []),
    ],
)
def test_rules_take_what_they_say(routes: Routes, change: dict[str, object], names: list[str]) -> None:
    found = routes.of(CT.model_copy(update=change))
    assert [Path(r.bundle).name for r in found] == names


def test_a_rule_that_says_nothing_takes_all_but_what_holds_no_image(routes: Routes) -> None:
    only = routes.model_copy(update={"rules": (routes.rules[1].model_copy(update={"modality": None}),)})
    assert only.of(SeriesAttributes(modality="US")) and not only.of(SeriesAttributes(modality="SR"))


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("destination: pacs\n", "destination: elsewhere\n", "elsewhere"),
        ("portal|axial", '"("', "regular expression"),
        ("min_instances", "minimum", "minimum"),
        ("4242", "0", "port"),
        ("rules:", "rules: [", "no YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, before: str, after: str, says: str) -> None:
    (tmp_path / "r.yaml").write_text(GOOD.replace(before, after))
    with pytest.raises(PlanError, match=says) as caught:
        load(tmp_path / "r.yaml")
    assert "\n" not in str(caught.value)
    with pytest.raises(PlanError, match="no settings at"):
        load(tmp_path / "absent.yaml")


def test_facts_come_from_the_headers(series: list[Path], tmp_path: Path) -> None:
    found = series_attributes(series)
    assert (found.modality, found.body_part, found.series_description, found.instances) == (
        "CT", "ABDOMEN", "Axial", len(series),
    )  # fmt: skip
    with pytest.raises(DataError, match="without instances"):
        series_attributes([])
    (tmp_path / "x.dcm").write_bytes(b"nothing")
    with pytest.raises(FormatError):
        series_attributes([tmp_path / "x.dcm"])
