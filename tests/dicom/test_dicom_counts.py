"""Counts in DICOM: a coded measurement a label with the ends of its interval, and a density as a parametric map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom

from vesalius import formats
from vesalius.core.answers.map import Map
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
from vesalius.core.image import Image
from vesalius.core.promise import Promise

Errors = Callable[[Path], list[str]]


def test_a_count_is_a_coded_measurement_with_its_interval(
    ct: Image, tmp_path: Path, dciodvfy: Errors
) -> None:
    promise = Promise(0.9, "x", interval=(0.0, 6.5), unit="1", n=60)
    parts = {
        "red cell": Value(x=2.5, unit="1", quantity="red cell count", least=0.0, promise=promise),
        "white cell": Value(x=0.25, unit="1", quantity="white cell count", least=0.0),
    }
    answer = Numbers(parts=parts, source=ct.source, bundle="ab" * 32)
    path = formats.write(answer, tmp_path / "a.sr.dcm")
    assert dciodvfy(path) == []
    groups = hd.sr.srread(path).content.get_image_measurement_groups()
    said = {}
    for group in groups:
        told = [
            (m.name.meaning, m.value, m.unit.value, m.unit.scheme_designator)
            for m in group.get_measurements()
        ]
        said[group.tracking_identifier] = told
    assert said == {
        "red cell": [
            ("Count of entities", 2.5, "1", "UCUM"),
            ("lower bound of red cell count, 90 %", 0.0, "1", "UCUM"),
            ("upper bound of red cell count, 90 %", 6.5, "1", "UCUM"),
        ],
        "white cell": [("Count of entities", 0.25, "1", "UCUM")],
    }
    first = groups[0].get_measurements()[0].name
    assert (first.value, first.scheme_designator) == ("410681005", "SCT")
    assert [g.finding_type.meaning for g in groups] == ["red cell", "white cell"]


def test_a_density_is_a_map_whose_sum_is_the_count(ct: Image, tmp_path: Path, dciodvfy: Errors) -> None:
    field = np.random.default_rng(0).random((1, *ct.shape)).astype(np.float32) * 1e-4
    image = replace(ct, array=field, unit=None, channels=())
    answer = Map(image=image, quantity="red cell density", unit="1/voxel", source=ct.source, bundle="ab" * 32)
    path = formats.write(answer, tmp_path / "a.pm.dcm", source=ct)
    assert dciodvfy(path) == []
    data = pydicom.dcmread(path)
    mapping = data.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    unit = mapping.MeasurementUnitsCodeSequence[0]
    assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("/{voxel}", "UCUM")
    back = formats.read(path)
    assert float(back.array.sum(dtype=np.float64)) == float(field.sum(dtype=np.float64))
