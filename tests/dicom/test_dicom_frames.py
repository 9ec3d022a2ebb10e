"""Many frames in one file: stacks, times, cines, dose grids; and colour as RGB."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
from _studies import at, cine, enhanced, item, plane
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import EnhancedMRImageStorage

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.dicom.series import stack
from vesalius.formats import dicom


def test_stacks_of_one_file_are_series_of_their_own(tmp_path: Path) -> None:
    path = enhanced(tmp_path / "s.dcm", [at(z, StackID=s) for s in "12" for z in (4, 0, 2)])
    with pytest.raises(FormatError, match=r"several stacks; found 'stack 1 axial', 'stack 2 axial'.*member"):
        formats.read(path)
    found, _ = dicom.series([path])
    assert [s.part for s in found] == ["stack 1 axial", "stack 2 axial"]
    second = formats.read(found[1].ref)
    assert second.array[0, :, 0, 0].tolist() == [80, 100, 60] and second.affine[2, 2] == 2


def test_times_are_an_axis_where_they_are_said_and_stacks_where_they_are_not(tmp_path: Path) -> None:
    frames = [at(z, TemporalPositionIndex=t) for z in (0, 2) for t in (1, 2, 3)]
    bare = enhanced(tmp_path / "bare.dcm", frames)
    with pytest.raises(FormatError, match="several stacks; found 'time 1'"):
        formats.read(bare)
    for frame, t in zip(frames, (1, 2, 3) * 2, strict=True):
        frame.TemporalPositionSequence = [item(TemporalPositionTimeOffset=1.5 * t)]
    path = enhanced(tmp_path / "t.dcm", frames)
    image, head = formats.read(path), formats.header(path)
    assert image.array.shape == (3, 1, 2, 4, 5) and image.times_s == (0.0, 1.5, 3.0)
    assert (head.frames, head.shape, head.items) == (3, (2, 4, 5), 6)
    assert image.array[:, 0, :, 0, 0].tolist() == [[0, 60], [20, 80], [40, 100]]
    found, _ = dicom.series([path])
    assert [formats.read(s.ref).array[0, :, 0, 0].tolist() for s in found] == [[0, 60], [20, 80], [40, 100]]


def test_each_frame_has_its_own_rescale_and_b_values_are_told_apart(tmp_path: Path) -> None:
    frames = [at(z) for b in (0, 800) for z in (0, 2)]
    for k, frame in enumerate(frames):
        frame.MRDiffusionSequence = [item(DiffusionBValue=float(800 * (k // 2)))]
        frame.PixelValueTransformationSequence = [
            item(RescaleSlope=k + 1, RescaleIntercept=-1, RescaleType="US")
        ]
    path = enhanced(tmp_path / "b.dcm", frames)
    found, _ = dicom.series([path])
    assert [s.part for s in found] == ["b-value 0", "b-value 800"]
    image = formats.read(found[1].ref)
    assert image.array[0, :, 0, 0].tolist() == [40 * 3 - 1, 60 * 4 - 1] and image.unit is None


def test_a_colour_cine_has_times(tmp_path: Path) -> None:
    image = formats.read(cine(tmp_path / "c.dcm", FrameTime=40))
    assert image.array.shape == (4, 3, 1, 4, 5) and image.channels == ("red", "green", "blue")
    assert image.times_s == pytest.approx((0, 0.04, 0.08, 0.12)) and image.affine is None
    assert image.array[1, :, 0, 0, 0].tolist() == [60, 61, 62]
    vector = formats.read(cine(tmp_path / "v.dcm", FrameTimeVector=[0, 10, 20, 30]))
    assert vector.times_s == pytest.approx((0, 0.01, 0.03, 0.06))
    rate = formats.read(cine(tmp_path / "r.dcm", CineRate=25))
    assert rate.times_s == pytest.approx((0, 0.04, 0.08, 0.12))
    with pytest.raises(FormatError, match="without a place in space or a time"):
        formats.read(cine(tmp_path / "n.dcm"))


def test_ybr_and_palettes_become_rgb(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    ybr = convert_color_space(rgb, "RGB", "YBR_FULL")
    full = cine(
        tmp_path / "f.dcm", 1, PhotometricInterpretation="YBR_FULL", Columns=4, PixelData=ybr.tobytes()
    )
    assert np.abs(formats.read(full).array[:, 0].astype(int) - rgb[0].transpose(2, 0, 1)).max() <= 2
    half = ybr.reshape(-1, 2, 3)  # Y1 Y2 Cb Cr of each pair (PS3.3 C.7.6.3.1.2)
    half = np.stack([half[:, 0, 0], half[:, 1, 0], half[:, 0, 1], half[:, 0, 2]], 1)
    path = cine(
        tmp_path / "h.dcm", 1, PhotometricInterpretation="YBR_FULL_422", Columns=4, PixelData=half.tobytes()
    )
    first = formats.read(path).array[:, 0, :, ::2].astype(int)
    assert np.abs(first - rgb[0].transpose(2, 0, 1)[..., ::2]).max() <= 2
    table = {"Red": [0, 10, 20, 30], "Green": [1, 11, 21, 31], "Blue": [2, 12, 22, 32]}
    values = {f"{c}PaletteColorLookupTableDescriptor": [4, 0, 8] for c in table}
    values |= {f"{c}PaletteColorLookupTableData": bytes(v) for c, v in table.items()}
    pixels = np.arange(16, dtype=np.uint8) % 4
    path = cine(
        tmp_path / "p.dcm", 1, PhotometricInterpretation="PALETTE COLOR", SamplesPerPixel=1, Columns=4,
        PixelData=pixels.tobytes(), **values,
    )  # fmt: skip
    assert formats.read(path).array[:, 0, 0].tolist() == [[0, 10, 20, 30], [1, 11, 21, 31], [2, 12, 22, 32]]


def test_a_dose_grid_is_a_volume_in_gray(tmp_path: Path) -> None:
    data = plane(0, "1.3")
    data.Modality, data.NumberOfFrames, data.GridFrameOffsetVector = "RTDOSE", 3, [0, 3, 6]
    data.DoseUnits, data.DoseGridScaling = "GY", 0.5
    del data.RescaleSlope, data.RescaleIntercept
    data.PixelData = np.arange(60, dtype="<u2").tobytes()
    data.save_as(tmp_path / "d.dcm", enforce_file_format=True)
    image = formats.read(tmp_path / "d.dcm")
    assert (
        image.unit == "Gy"
        and image.array[0, :, 0, 1].tolist() == [0.5, 10.5, 20.5]
        and image.affine[2, 2] == 3
    )


def test_a_modality_lut_and_stray_bits(tmp_path: Path) -> None:
    data = plane(0, "1.3")
    del data.RescaleSlope, data.RescaleIntercept
    data.ModalityLUTSequence = [
        item(LUTDescriptor=[20, 0, 16], LUTData=np.arange(0, 200, 10, "<u2").tobytes(), ModalityLUTType="US")
    ]
    data.save_as(tmp_path / "l.dcm", enforce_file_format=True)
    assert formats.read(tmp_path / "l.dcm").array[0, 0, 0].tolist() == [0, 10, 20, 30, 40]
    data = plane(0, "1.3")
    data.PixelData = (np.arange(20, dtype="<u2") | 0xF000).tobytes()  # an old overlay above 12 stored bits
    data.save_as(tmp_path / "o.dcm", enforce_file_format=True)
    assert formats.read(tmp_path / "o.dcm").array[0, 0, 0].tolist() == [-1024, -1023, -1022, -1021, -1020]
    data.PixelRepresentation = 1
    data.PixelData = np.array([0x0FFF, 0x0800, *range(18)], "<u2").tobytes()  # a sign that was not extended
    data.save_as(tmp_path / "s.dcm", enforce_file_format=True)
    assert formats.read(tmp_path / "s.dcm").array[0, 0, 0, :3].tolist() == [-1025, -2048 - 1024, -1024]


def test_one_frame_is_placed_by_its_groups_as_many_are(tmp_path: Path) -> None:
    image = formats.read(enhanced(tmp_path / "one.dcm", [at(6)]))
    assert image.affine is not None and image.affine[2].tolist() == [0, 0, 2, 6]


def test_an_index_still_picks_one_frame(tmp_path: Path) -> None:
    assert formats.read(Ref((cine(tmp_path / "n.dcm"),), None, 2)).array.shape == (3, 1, 4, 5)


def test_every_slice_is_done_once_and_an_error_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack.os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    done: list[int] = []
    stack.each(done.append, 1000)
    assert sorted(done) == list(range(1000))
    tried: list[int] = []

    def fails(k: int) -> None:
        tried.append(k)
        if k == 20:
            raise FormatError("slice 20")
        time.sleep(0.001)

    with pytest.raises(FormatError, match="slice 20"):
        stack.each(fails, 100_000)
    assert len(tried) < 50_000


def test_an_object_s_own_dimensions_tell_its_frames_apart(tmp_path: Path) -> None:
    """As in nibabel's example of two times, in which every frame has a temporal position of its own."""
    frames = [at(z, TemporalPositionIndex=3 * t + k) for t in (1, 2) for k, z in enumerate((0, 2, 4))]
    for k, frame in enumerate(frames):
        frame.FrameContentSequence[0].DimensionIndexValues = [1, 1 + k % 3, 1 + k // 3]
    path = enhanced(tmp_path / "d.dcm", frames)
    data = pydicom.dcmread(path)
    pointers = (0x00209056, 0x00209057, 0x00209128)
    data.DimensionIndexSequence = [item(DimensionIndexPointer=p) for p in pointers]
    data.save_as(path)
    found, left = dicom.series([path])
    assert not left and [s.part[-1] for s in found] == ["1", "2"]
    assert [formats.read(s.ref).array[0, :, 0, 0].tolist() for s in found] == [[0, 20, 40], [60, 80, 100]]


@pytest.mark.parametrize("placed", [True, False])
def test_enhanced_files_of_one_frame_are_one_volume_or_none(tmp_path: Path, placed: bool) -> None:
    for k in (2, 0, 1):
        path = enhanced(tmp_path / f"e{k}.dcm", [at(3.0 * k)])
        data = pydicom.dcmread(path)
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.9.{k + 1}"
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
        data.PixelData = (np.arange(20, dtype="<u2") + 100 * k).tobytes()
        if not placed:
            del data.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
        data.save_as(path)
    found = dicom.sort(sorted(tmp_path.glob("*.dcm")))
    if not placed:
        ((paths, reason),) = found.refused
        assert not found.series and len(paths) == 3
        assert "3 slices of this series do not say where they lie" in reason
        assert "found no ImagePositionPatient;" in reason
        return
    (one,) = found.series
    image = formats.read(one.ref)
    assert image.array[0, :, 0, 0].tolist() == [0, 100, 200]
    assert image.affine is not None and np.array_equal(image.affine, np.diag([1.0, 1, 3, 1]))
