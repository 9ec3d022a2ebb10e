"""Real-world value mappings, worked out by hand: where the rescale says nothing, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from _studies import at, enhanced, item, plane, series
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from vesalius import formats
from vesalius.core.answers.map import Map
from vesalius.core.errors import FormatError
from vesalius.core.image import Image


def mapping(unit: str = "mm2/s", *, scheme: str = "UCUM", **values: object) -> Dataset:
    """0 to 4095 to `0.5 x - 3`, unless told otherwise."""
    said = {
        "RealWorldValueFirstValueMapped": 0,
        "RealWorldValueLastValueMapped": 4095,
        "RealWorldValueSlope": 0.5,
        "RealWorldValueIntercept": -3.0,
    } | values
    code = item(CodeValue=unit, CodingSchemeDesignator=scheme, CodeMeaning=unit)
    return item(
        MeasurementUnitsCodeSequence=[code],
        LUTLabel="x",
        **{k: v for k, v in said.items() if v is not None},
    )


def one(folder: Path, *mappings: Dataset, **values: object) -> Image:
    """One MR plane of 0 … 19 without a rescale, with these mappings, read."""
    data = plane(0, "1.3")
    data.Modality = "MR"
    del data.RescaleSlope, data.RescaleIntercept
    for name, value in values.items():
        setattr(data, name, value)
    data.RealWorldValueMappingSequence = list(mappings)
    for element in data.RealWorldValueMappingSequence:
        for name in ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"):
            if name in element:
                element[name].VR = "US" if data.PixelRepresentation == 0 else "SS"
    data.save_as(folder / "r.dcm", enforce_file_format=True)
    image = formats.read(folder / "r.dcm")
    head = formats.header(folder / "r.dcm")
    assert (head.shape, head.dtype) == (image.shape, image.array.dtype.name)
    return image


STORED = np.arange(20).reshape(4, 5)


def test_a_slope_gives_values_with_their_unit_and_drops_windows_of_other_values(tmp_path: Path) -> None:
    image = one(tmp_path, mapping())
    assert np.array_equal(image.array[0, 0], 0.5 * STORED - 3) and image.array.dtype == np.float32
    assert image.unit == "mm2/s" and "window" not in image.display and image.display["real_world"] is True


def test_a_whole_slope_stays_whole_and_units_have_our_names(tmp_path: Path) -> None:
    values = {"RealWorldValueSlope": 1.0, "RealWorldValueIntercept": -1024.0}
    image = one(tmp_path, mapping("[hnsf'U]", **values))
    assert image.unit == "HU" and image.array.dtype == np.int16
    assert np.array_equal(image.array[0, 0], STORED - 1024)
    assert one(tmp_path, mapping("{SUVbw}g/ml")).unit == "SUVbw"


def test_a_table_maps_value_by_value_and_what_it_leaves_out_is_not_a_number(tmp_path: Path) -> None:
    table = [10.0, 20.5, 40.0]
    image = one(
        tmp_path,
        mapping(
            "s",
            RealWorldValueFirstValueMapped=2,
            RealWorldValueLastValueMapped=4,
            RealWorldValueLUTData=table,
            RealWorldValueSlope=None,
            RealWorldValueIntercept=None,
        ),
    )
    values = image.array[0, 0].ravel()
    assert values[2:5].tolist() == table and np.isnan(values).sum() == 17 and image.unit == "s"


def test_beyond_the_mapped_range_there_is_no_value(tmp_path: Path) -> None:
    values = one(tmp_path, mapping(RealWorldValueFirstValueMapped=5, RealWorldValueLastValueMapped=9)).array[
        0, 0
    ]
    inside = (STORED >= 5) & (STORED <= 9)
    assert np.array_equal(np.isfinite(values), inside)
    assert np.array_equal(values[inside], 0.5 * STORED[inside] - 3)


@pytest.mark.parametrize(
    ("values", "expected", "unit"),
    [
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024}, STORED - 1024, "HU"),
        ({"RescaleSlope": 2, "RescaleIntercept": 1, "RescaleType": "US"}, 0.5 * STORED - 3, "mm2/s"),
        (
            {"Modality": "PT", "Units": "BQML", "RescaleSlope": 2, "RescaleIntercept": 0},
            0.5 * STORED - 3,
            "mm2/s",
        ),
    ],
)
def test_a_rescale_with_a_unit_comes_first_and_one_without_comes_last(
    tmp_path: Path, values: dict[str, object], expected: np.ndarray, unit: str
) -> None:
    image = one(tmp_path, mapping(), **values)
    assert np.array_equal(image.array[0, 0], expected) and image.unit == unit


@pytest.mark.parametrize(
    "mappings",
    [
        (mapping(), mapping("s")),  # two, and nothing says which
        (mapping("1"),),  # no unit, and a rescale that does something
        (mapping("xyz", scheme="99OTHER"),),  # a scheme that is not known
    ],
)
def test_what_does_not_say_more_than_the_rescale_leaves_it(
    tmp_path: Path, mappings: tuple[Dataset, ...]
) -> None:
    image = one(tmp_path, *mappings, RescaleSlope=2, RescaleIntercept=1)
    assert np.array_equal(image.array[0, 0], 2 * STORED + 1) and image.unit is None


def test_each_frame_has_its_own_mapping(tmp_path: Path) -> None:
    frames = [at(z) for z in (0, 2)]
    for k, frame in enumerate(frames):
        frame.RealWorldValueMappingSequence = [mapping(RealWorldValueSlope=float(k + 1))]
        for end in ("First", "Last"):
            frame.RealWorldValueMappingSequence[0][f"RealWorldValue{end}ValueMapped"].VR = "US"
    image = formats.read(enhanced(tmp_path / "e.dcm", frames))
    assert image.array[0, :, 0, 1].tolist() == [1 - 3, 2 * 21 - 3] and image.unit == "mm2/s"
    del frames[1].RealWorldValueMappingSequence
    image = formats.read(enhanced(tmp_path / "p.dcm", frames))
    assert image.array[0, :, 0, 1].tolist() == [1, 21] and image.unit is None  # not of one kind: as stored


def test_a_series_without_explicit_value_representations(tmp_path: Path) -> None:
    def implicit(data: Dataset, k: int) -> None:
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        data.Modality = "MR"
        del data.RescaleSlope, data.RescaleIntercept
        data.RealWorldValueMappingSequence = [mapping()]
        for end in ("First", "Last"):
            data.RealWorldValueMappingSequence[0][f"RealWorldValue{end}ValueMapped"].VR = "US"

    image = formats.read(series(tmp_path, 3, implicit))
    assert image.unit == "mm2/s" and image.array[0, :, 0, 0].tolist() == [-3, 47, 97]


@pytest.mark.parametrize(
    "values",
    [
        {"RealWorldValueFirstValueMapped": 9, "RealWorldValueLastValueMapped": 3},
        {"RealWorldValueLUTData": [1.0, 2.0]},
        {"RealWorldValueSlope": float("nan")},
    ],
)
def test_a_faulty_mapping_is_refused(tmp_path: Path, values: dict[str, object]) -> None:
    with pytest.raises(FormatError, match=r"r\.dcm"):
        one(tmp_path, mapping(**values))


def test_a_map_comes_back_with_its_unit(ct: Image, tmp_path: Path) -> None:
    field = np.linspace(-2, 5, ct.array[0].size, dtype=np.float32).reshape(1, *ct.shape)
    for unit in ("mm2/s", "furlong"):
        made = Image(array=field, affine=ct.affine, source=ct.source)
        path = formats.write(
            Map(image=made, quantity="ADC", unit=unit, source=ct.source), tmp_path / "m.pm.dcm"
        )
        back = formats.read(path)
        assert back.unit == unit and np.array_equal(back.array, field)


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore")
def test_a_perfusion_map_is_not_in_hounsfield_units(shared_data: Path) -> None:
    path = next((shared_data / "dicom_zoo").rglob("eCT_Supplemental.dcm"))
    assert formats.read(path).unit == "ml/100ml/s"
