"""JSON answers: every kind comes back bit for bit with its parts; other JSON and false claims are refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vesalius import formats
from vesalius.core.answers import Answer, kinds
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.instances import Instances
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.picture import Picture
from vesalius.core.answers.ranking import Ranking
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.surface import Surface
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.case import Box, Instance
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError
from vesalius.core.image import Image, Source

LABELS = (Label(0, "benign"), Label(5, "malignant", code=("86049000", "SCT", "Malignant"), colour="#ff0000"))
IMAGE = Image(
    array=np.arange(24, dtype=np.int16).reshape(1, 2, 3, 4),
    affine=np.diag([0.1, 0.2, 0.3, 1.0]),
    unit="HU",
    modality="CT",
    display={"window": (40.0, 400.0)},
    source=Source("1.2", "1.3", "1.4", ("1.5", "1.6")),
)
EVERY = (
    Scores(labels=LABELS, p=np.array([0.1, 0.9]), positive="malignant", thresholds={"malignant": 1 / 3}),
    Value(x=0.1 + 0.2, unit="mm"),
    Mask(image=IMAGE, labels=LABELS),
    Instances(image=IMAGE, things=(Instance(3, "benign", 0.1), Instance(5, "malignant")), labels=LABELS),
    Map(
        image=dataclasses.replace(IMAGE, array=np.full((1, 1, 2, 2), np.nan, ">f4")),
        quantity="dose",
        unit="Gy",
    ),
    Boxes(boxes=(Box((0.0, 1.5, 2.0), (3.0, 4.0, 5.0), "RBC"),), p=np.array([0.7]), labels=LABELS),
    Boxes(boxes=(), p=np.zeros(0), labels=()),
    Curve(
        times_days=np.array([1.0, 30.0]),
        survival={"kind": np.array([1.0, 0.5]), "all": np.array([1, np.nan])},
    ),
    Text(sections={"kind": "Image", "Findings": "Kein Befund. ∅ « »", "Impression": ""}),
    Numbers(parts={"left": Value(x=1.0, unit="ml"), "right": Value(x=2.0)}),
    Ranking(case_ids=("a", "b"), distances=np.array([0.0, 1e-300])),
    Picture(image=IMAGE),
    Surface(vertices_mm=np.zeros((0, 3)), faces=np.array([[0, 1, 2]], np.int32), spacing_mm=(1.0, 2.0, 3.0)),
)


RANKING = '{"vesalius": 1, "kind": "Ranking", "case_ids": [], "distances": ARRAY}'


def same(a: Any, b: Any) -> bool:
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)
        )
    if isinstance(a, np.ndarray):
        return (
            a.shape == b.shape
            and a.dtype.newbyteorder("=") == b.dtype
            and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        )
    if isinstance(a, dict):
        return set(a) == set(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("answer", EVERY, ids=lambda a: type(a).__name__)
def test_every_kind_comes_back_bit_for_bit(tmp_path: Path, answer: Answer) -> None:
    answer = dataclasses.replace(
        answer, case_id="c 1", bundle="abc", source=Source("1.2"), parts={"kind": EVERY[1]}
    )
    path = formats.write(answer, tmp_path / "a.json")
    assert same(answer, formats.read_answer(path))
    plain = json.loads(path.read_text(encoding="utf-8"))
    assert plain["kind"] == type(answer).__name__ and plain["case_id"] == "c 1"


def test_every_kind_of_answer_is_tried_here() -> None:
    assert {type(a) for a in EVERY} == set(kinds())


def test_scores_are_readable_by_eye(tmp_path: Path) -> None:
    plain = json.loads(formats.write(EVERY[0], tmp_path / "a.json").read_text())
    assert plain["p"] == [0.1, 0.9] and plain["labels"][1]["name"] == "malignant"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '{"a": 1}',
        '{"vesalius": 1}',
        '{"vesalius": 1, "kind": "Label", "value": 1, "name": "a"}',
        '{"vesalius": 1, "kind": "Nonsense"}',
        '{"vesalius": 1, "kind": "Value"}',
        '{"vesalius": 1, "kind": "Value", "x": 1, "extra": 2}',
        '{"vesalius": 2, "kind": "Value", "x": 1}',
        RANKING.replace("ARRAY", '{"array": "<f8", "shape": [30000, 30000, 30000], "zlib": "eJw="}'),
        RANKING.replace("ARRAY", '{"array": "|O", "shape": [1], "zlib": "eJw="}'),
        "[" * 100_000,
    ],
)
def test_other_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError, match=r"a\.json|array"):
        formats.read_answer(tmp_path / "a.json")


def test_pixels_and_answers_are_not_mixed_up(tmp_path: Path) -> None:
    path = formats.write(EVERY[1], tmp_path / "a.json")
    for what in (formats.read, formats.header, formats.read_mask):
        with pytest.raises(FormatError, match="read_answer"):
            what(path)
    with pytest.raises(FormatError, match=r"formats\.read"):
        formats.read_answer(formats.write(IMAGE, tmp_path / "a.nii"))
