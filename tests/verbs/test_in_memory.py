"""predict on what is in memory: a file and its pixels have one answer, and what is unknown is said or refused."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import polars
import pytest
import torch
from PIL import Image as Pillow

import vesalius as vs
from vesalius import formats
from vesalius.core.answers import Answer
from vesalius.core.case import Ref
from vesalius.core.errors import (
    DataError,
    GeometryError,
    MismatchError,
    MissingExtra,
    OutputError,
    UnknownName,
)
from vesalius.infer.given import asked, is_many


def study(volumes: Any) -> Path:
    return sorted((volumes.data / "imagesTr").glob("*.nii.gz"))[2]


def scans(pictures: Any, count: int = 4) -> list[Path]:
    return sorted(pictures.data.parent.rglob("*.png"))[:count]


def same(one: Any, other: Any) -> bool:
    return (
        np.array_equal(one.p, other.p)
        if hasattr(one, "p")
        else np.array_equal(one.image.array, other.image.array)
    )


# ---------------------------------------------------------------------------------------- volumes


def test_a_file_and_its_array_with_the_same_affine_have_one_answer(volumes: Any) -> None:
    path = study(volumes)
    want = vs.predict(volumes.bundle, path)
    held, theirs = formats.read(Ref((path,))), nib.load(path)
    ours = vs.image(held.array[0], axes="zyx", affine=held.affine, world="LPS")
    others = vs.image(np.asarray(theirs.dataobj), axes="xyz", affine=theirs.affine, world="RAS")
    for image in (held, ours, others):
        found: Any = vs.predict(volumes.bundle, image)
        assert same(found, want) and np.array_equal(found.image.affine, want.image.affine)  # type: ignore[attr-defined]
        assert found.outside == want.outside and found.bundle == want.bundle
    tensor = vs.image(torch.from_numpy(held.array.copy()), axes="czyx", affine=held.affine, world="LPS")
    assert same(vs.predict(volumes.bundle, tensor), want)


def test_a_volume_of_which_nobody_says_the_spacing_is_refused(volumes: Any) -> None:
    assert volumes.run.plan.data.spacing_mm is not None
    array = formats.read(Ref((study(volumes),))).array
    with pytest.raises(GeometryError, match="no spacing"):
        vs.predict(volumes.bundle, array[0])
    found = vs.predict(volumes.bundle, vs.image(array[0], axes="zyx", spacing_mm=(1.0, 1.0, 2.0)))
    assert found.outside is not None


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (lambda a: (a[0], np.eye(4)), DataError, "a pair of pixels and an affine"),
        (lambda a: np.stack([a, a]), DataError, "one way alone.*a batch list"),
        (lambda a: nib.Nifti1Image(a[0].T, np.eye(4)), DataError, "carries a geometry that would be lost"),
        (lambda a: a[0].astype(complex), DataError, "no pixels"),
        (lambda a: 7, DataError, "no pixels; found int"),
        (lambda a: np.ma.masked_equal(a[0], a.min()), DataError, "masked"),
        (
            lambda a: vs.image(a[0], axes="zyx", spacing_mm=(1, 1, 1), modality="MR"),
            MismatchError,
            "modality MR",
        ),
    ],
)
def test_what_could_be_meant_in_two_ways_or_is_no_image_is_refused(
    volumes: Any, given: Any, error: type[Exception], words: str
) -> None:
    array = formats.read(Ref((study(volumes),))).array
    bundle = volumes.run.bundle
    known = replace(bundle, learned=replace(bundle.learned, modalities=("CT",)))
    with pytest.raises(error, match=words):
        vs.predict(known, given(array))


def test_an_affine_must_say_its_world_and_axes_their_names() -> None:
    array = np.zeros((4, 5, 6), np.int16)
    with pytest.raises(GeometryError, match="world='RAS'"):
        vs.image(array, axes="zyx", affine=np.eye(4))
    with pytest.raises(DataError, match="what the 3 axes"):
        vs.image(array)
    for wrong in ("zy", "zyy", "zyq", "czyx"):
        with pytest.raises(DataError, match="each once"):
            vs.image(array, axes=wrong)
    with pytest.raises(GeometryError, match="spacing is"):
        vs.image(array, axes="zyx", spacing_mm=(1, 1))
    turned = vs.image(array, axes="xyz", affine=np.diag([2.0, 3.0, 4.0, 1.0]), world="RAS")
    assert turned.shape == (6, 5, 4) and turned.spacing_mm == (2.0, 3.0, 4.0)
    assert turned.affine is not None and np.array_equal(turned.affine, np.diag([-2.0, -3.0, 4.0, 1.0]))
    assert vs.image(array, axes="cyx").array.shape == (4, 1, 5, 6)
    assert vs.image(array, axes="tyx", times_s=range(4)).array.shape == (4, 1, 1, 5, 6)
    assert vs.image(array[0]).spacing_mm is None and vs.image(array[0], spacing_mm=(2, 3)).spacing_mm == (
        2,
        3,
        1,
    )


# --------------------------------------------------------------------------------------- pictures


def test_a_picture_is_one_as_a_file_in_pil_in_numpy_and_in_torch(pictures: Any) -> None:
    path = scans(pictures)[0]
    want = vs.predict(pictures.bundle, path)
    array = np.asarray(Pillow.open(path))
    assert array.ndim == 2
    assert same(vs.predict(pictures.bundle, Pillow.open(path)), want)
    assert vs.predict(pictures.bundle, Pillow.open(path)).outside == want.outside
    bare = [
        array,
        array[None],
        array[..., None],
        np.repeat(array[..., None], 3, axis=-1),
        torch.from_numpy(array.copy()),
    ]
    bare += [array.astype(np.float32), array.astype(">i4"), torch.from_numpy(array[None].copy()).double()]
    for pixels in bare:
        found = vs.predict(pictures.bundle, pixels)
        assert same(found, want) and set(found.outside or ()) >= set(want.outside or ())
    colour = vs.predict(pictures.bundle, bare[3])
    assert any("taken as red, green, blue" in text for text in colour.outside or ())


def test_what_a_bare_array_does_not_say_is_in_the_answer(pictures: Any) -> None:
    bundle = pictures.run.bundle
    told = replace(bundle, learned=replace(bundle.learned, modalities=("DX",), units=("HU",)))
    array = np.asarray(Pillow.open(scans(pictures)[0]))
    outside = vs.predict(told, array).outside or ()
    assert "modality unknown, learned from DX" in outside and "unit unknown, learned from HU" in outside
    said = vs.predict(told, vs.image(array, modality="CR", unit="HU")).outside or ()
    assert not any("unknown" in text for text in said)
    with pytest.raises(MismatchError, match="modality US"):
        vs.predict(told, vs.image(array, modality="US"))


@pytest.mark.parametrize(
    "shape", [(5, 48, 48), (3, 48, 48), (2, 1, 48, 48), (1, 48, 3), (1, 1, 48, 48), (48,), (0, 48)]
)
def test_shapes_that_can_be_read_in_two_ways_are_refused(pictures: Any, shape: tuple[int, ...]) -> None:
    """Three planes may be colours or three pictures: a grey model answers neither of them for the other."""
    assert pictures.run.plan.data.channels == 1
    with pytest.raises(DataError, match="one way alone|no pixels"):
        vs.predict(pictures.bundle, np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "change", [lambda a: a / 255.0, lambda a: (a - a.mean()) / a.std()], ids=["255", "z"]
)
def test_pixels_that_were_scaled_for_another_model_are_refused(pictures: Any, change: Any) -> None:
    array = np.asarray(Pillow.open(scans(pictures)[0])).astype(np.float32)
    assert pictures.run.bundle.learned.absolute
    for pixels in (change(array), vs.image(change(array)), torch.from_numpy(change(array))):
        with pytest.raises(MismatchError, match=r"another scale.*learned from 0 to 2\d\d"):
            vs.predict(pictures.bundle, pixels)
    found = vs.predict(pictures.bundle, change(array), accept_mismatch=True)
    assert any(text.startswith("accepted: values") for text in found.outside or ())


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32, np.float16, np.float64, "PIL"])
def test_the_scale_is_judged_by_values_whatever_their_type(pictures: Any, kind: Any) -> None:
    bits = np.asarray(Pillow.open(scans(pictures)[0])) > 90
    pixels = Pillow.fromarray(bits) if kind == "PIL" else bits.astype(kind)
    with pytest.raises(MismatchError, match=r"another scale.*found values 0 to 1, learned from 0 to 2\d\d"):
        vs.predict(pictures.bundle, pixels)
    found = vs.predict(pictures.bundle, pixels, accept_mismatch=True)
    assert any(text.startswith("accepted: values 0 to 1,") for text in found.outside or ())


def test_values_that_are_many_times_larger_are_refused_and_those_of_a_file_are_not(
    pictures: Any, tmp_path: Path
) -> None:
    array = np.asarray(Pillow.open(scans(pictures)[0]))
    with pytest.raises(MismatchError, match="another scale"):
        vs.predict(pictures.bundle, array.astype(np.uint16) * 257)
    dark = array // 8  # as a file has it: little light, and some of it
    assert vs.predict(pictures.bundle, dark).outside is not None
    Pillow.fromarray((array > 90).astype(np.uint8)).save(tmp_path / "bits.png")
    assert vs.predict(pictures.bundle, tmp_path / "bits.png").outside, "a file is answered, and noted"


def test_hounsfield_units_that_were_shifted_or_rescaled_are_refused(volumes: Any) -> None:
    held = formats.read(Ref((study(volumes),)))
    hu, learned = held.array[0], volumes.run.bundle.learned
    assert learned.unit == "HU" and hu.min() < -200

    def given(pixels: Any, **known: Any) -> Any:
        return vs.image(pixels, axes="zyx", affine=held.affine, world="LPS", **known)

    byte = ((hu - hu.min()) / (hu.max() - hu.min()) * 255).astype(np.uint8)
    for wrong in ((hu + 1024).clip(0).astype(np.int32), byte):
        with pytest.raises(
            MismatchError, match=r"values are on another scale.*HU; try: vs.image\(.*unit='HU'"
        ):
            vs.predict(volumes.bundle, given(wrong))
    for right in (hu, hu.clip(-160, 240), hu.astype(np.float32)):
        assert vs.predict(volumes.bundle, given(right)).outside is not None
    assert vs.predict(volumes.bundle, given(hu.clip(0, 80), unit="HU")).outside is not None
    with pytest.raises(MismatchError, match="the spacing is on another scale.*in millimetres"):
        vs.predict(volumes.bundle, vs.image(hu, axes="zyx", spacing_mm=(0.001, 0.001, 0.002)))


def test_a_sheared_affine_is_said_and_one_of_another_last_row_refused(volumes: Any) -> None:
    held = formats.read(Ref((study(volumes),)))
    assert held.affine is not None
    sheared = held.affine.copy()
    sheared[:3, 2] += 0.3 * sheared[:3, 0]
    found = vs.predict(volumes.bundle, replace(held, affine=sheared))
    assert any("read as if at right angles" in text for text in found.outside or ())
    assert not any("right angles" in t for t in vs.predict(volumes.bundle, held).outside or ())
    last = held.affine.copy()
    last[3, 3] = 2
    with pytest.raises(GeometryError, match="the last row of an affine is 0, 0, 0, 1"):
        vs.image(held.array[0], axes="zyx", affine=last, world="LPS")


def test_a_wrong_name_of_an_image_is_refused(pictures: Any) -> None:
    array = np.asarray(Pillow.open(scans(pictures)[0]))
    with pytest.raises(UnknownName, match="unknown image 'foo'; try: one of image"):
        vs.predict(pictures.bundle, {"foo": array})
    assert same(vs.predict(pictures.bundle, {"image": array}), vs.predict(pictures.bundle, array))


def test_a_plane_before_a_model_of_volumes_is_told_so(volumes: Any) -> None:
    for plane in (np.zeros((32, 32), np.int16), Pillow.new("L", (32, 32)), Pillow.new("RGB", (32, 32))):
        with pytest.raises(MismatchError, match="reads volumes"):
            vs.predict(volumes.bundle, plane, accept_mismatch=True)


def test_what_was_answered_before_a_generator_raised_is_kept(pictures: Any, tmp_path: Path) -> None:
    def things() -> Iterator[Any]:
        yield from scans(pictures, 2)
        raise RuntimeError("boom")

    with pytest.raises(vs.SourceError, match="raised after 2 things.*found RuntimeError: boom") as caught:
        vs.predict(pictures.bundle, things())
    kept = caught.value.answers
    assert len(kept) == 2 and same(kept[1], vs.predict(pictures.bundle, scans(pictures, 2)[1]))
    with pytest.raises(
        vs.SourceError, match=r"2 answers made before are kept in .*out.*answers\.partial\.csv"
    ):
        vs.predict(pictures.bundle, things(), tmp_path / "out")
    assert (tmp_path / "out" / "answers.partial.csv").read_text().count("\n") == 3


def test_tensors_without_values_are_refused(pictures: Any) -> None:
    for tensor in (torch.zeros(48, 48).to_sparse(), torch.zeros(48, 48, device="meta")):
        with pytest.raises(DataError, match="whose values cannot be taken"):
            vs.predict(pictures.bundle, tensor)


def test_the_callers_pixels_are_left_alone(pictures: Any) -> None:
    array = np.asarray(Pillow.open(scans(pictures)[0])).astype(np.float32)
    before = array.copy()
    vs.predict(pictures.bundle, array)
    assert np.array_equal(array, before)


def test_nan_is_refused(pictures: Any) -> None:
    with pytest.raises(DataError, match="NaN"):
        vs.predict(pictures.bundle, np.full((48, 48), np.nan, np.float32))


# ---------------------------------------------------------------------------------------- several


def test_lists_generators_and_cohorts_give_predictions_in_order(pictures: Any) -> None:
    paths = scans(pictures)
    want = [vs.predict(pictures.bundle, p) for p in paths]
    mixed = [paths[0], str(paths[1]), Pillow.open(paths[2]), np.asarray(Pillow.open(paths[3]))]
    for source in (mixed, tuple(mixed), iter(mixed), (p for p in paths)):
        found = vs.predict(pictures.bundle, source)
        assert isinstance(found, vs.Predictions) and len(found) == 4 and not found.set_aside
        assert all(same(a, b) for a, b in zip(found, want, strict=True))
        assert [a.case_id for a in found] == list(found.case_ids) and same(found[found.case_ids[2]], want[2])
    cohort = vs.read(pictures.data)
    found = vs.predict(pictures.bundle, cohort[:4])
    assert found.case_ids == tuple(c.id for c in cohort[:4]) and len(found[1:3]) == 2
    assert isinstance(found[0].on, Ref) and found[-1].case_id == cohort[3].id
    assert "4 answers of kind Scores" in repr(found) and "<img" in found._repr_html_()
    with pytest.raises(UnknownName, match="unknown case 'x'"):
        found["x"]


def test_two_things_of_one_name_are_two_cases(pictures: Any) -> None:
    path = scans(pictures)[0]
    found = vs.predict(pictures.bundle, [path, Pillow.open(path), path])
    assert found.case_ids == (path.stem, f"{path.stem}-2", f"{path.stem}-3")


def test_answers_never_get_out_of_step_with_what_was_asked(pictures: Any) -> None:
    paths = scans(pictures, 3)
    found = vs.predict(pictures.bundle, [paths[0], "nowhere.png", np.zeros((2, 2, 2, 2)), paths[1]])
    assert len(found) == len(found.case_ids) == 4 and found.answered == (paths[0].stem, paths[1].stem)
    assert [s.case for s in found.set_aside] == ["nowhere", "image-0003"]
    assert same(found[3], vs.predict(pictures.bundle, paths[1]))
    with pytest.raises(DataError, match="nowhere was not answered; found no data at"):
        found[1]
    with pytest.raises(DataError, match="not answered"):
        list(found)
    frame = found.to_polars()
    assert frame["case"].to_list() == [paths[0].stem, "nowhere", "image-0003", paths[1].stem]
    assert frame["error"].is_null().to_list() == [True, False, False, True] and "2 not answered" in repr(
        found
    )


def test_where_every_one_is_refused_that_is_an_error(volumes: Any) -> None:
    array = formats.read(Ref((study(volumes),))).array[0]
    with pytest.raises(MismatchError, match="none of 2 cases can be answered.*no spacing"):
        vs.predict(volumes.bundle, [array, array])


def test_where_none_can_be_answered_that_is_an_error_at_once(pictures: Any) -> None:
    batches = torch.utils.data.DataLoader([torch.zeros(1, 48, 48)] * 4, batch_size=2)
    with pytest.raises(DataError, match="a loader gives batches.*list\\(batch\\)"):
        vs.predict(pictures.bundle, batches)
    with pytest.raises(DataError, match="bytes are no pixels"):
        vs.predict(pictures.bundle, scans(pictures)[0].read_bytes())  # type: ignore[call-overload]
    with pytest.raises(DataError, match="no data at nowhere.png"):
        vs.predict(pictures.bundle, ["nowhere.png"])
    assert len(vs.predict(pictures.bundle, [])) == 0


def test_a_generators_things_are_let_go(pictures: Any) -> None:
    alive: list[weakref.ref[Any]] = []
    most = 0

    def made() -> Iterator[vs.Image]:
        nonlocal most
        for k in range(6):
            image = vs.image(np.full((48, 48), 20 + k, np.uint8))
            alive.append(weakref.ref(image))
            yield image
            del image
            most = max(most, sum(ref() is not None for ref in alive))

    found = vs.predict(pictures.bundle, made())
    gc.collect()
    assert len(found) == 6 and most <= 2 and not any(ref() for ref in alive)
    assert all(answer.on is None for answer in found)


def test_tables_hold_numbers_and_pandas_is_asked_for_by_name(
    pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = vs.predict(pictures.bundle, scans(pictures))
    frame = found.to_polars()
    assert frame.columns[0] == "case" and frame.columns[-1] == "outside" and frame.height == 4
    first: Any = found[0]
    assert frame["p_cyst"].dtype == polars.Float64 and frame["p_cyst"][0] == float(
        next(p for x, p in zip(first.labels, first.p, strict=True) if x.name == "cyst")
    )
    pandas = pytest.importorskip("pandas")
    theirs = found.to_pandas()
    assert isinstance(theirs, pandas.DataFrame) and theirs["case"].tolist() == frame["case"].to_list()
    assert theirs["p_cyst"].tolist() == frame["p_cyst"].to_list()
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtra, match="'pandas' is not installed"):
        found.to_pandas()


def test_saved_predictions_are_the_files_that_predict_writes(volumes: Any, tmp_path: Path) -> None:
    cohort = vs.read(volumes.data)[:2]
    held = vs.predict(volumes.bundle, cohort)
    assert held.save(str(tmp_path / "held"), json=True) == tmp_path / "held"
    done = vs.predict(volumes.bundle, cohort, tmp_path / "done", json=True)
    names = {p.name for p in (tmp_path / "done").iterdir()}
    assert (
        names == {p.name for p in (tmp_path / "held").iterdir()}
        and "answers.csv" in names
        and len(names) == 6
    )
    for name in names:
        assert (tmp_path / "held" / name).read_bytes() == (tmp_path / "done" / name).read_bytes(), name
    assert all(same(a, b) for a, b in zip(done, held, strict=True)), "read from the folder"
    ours, theirs = held.to_polars(), done.to_polars()
    assert ours.columns == theirs.columns and ours["case"].to_list() == theirs["case"].to_list()
    assert (
        theirs["liver_ml"].to_list() == ours["liver_ml"].to_list()
        and theirs["outside"].dtype == polars.String
    )
    with pytest.raises(OutputError, match="in a folder already"):
        done.save(tmp_path / "again")
    with pytest.raises(OutputError):
        held.save(tmp_path / "held")


def test_things_in_memory_are_written_as_files_are(pictures: Any, tmp_path: Path) -> None:
    arrays = [np.asarray(Pillow.open(p)) for p in scans(pictures)]
    done = vs.predict(pictures.bundle, (a for a in arrays), tmp_path / "out")
    assert done.out == tmp_path / "out" and done.case_ids == tuple(f"image-{k:04d}" for k in range(1, 5))
    text = (tmp_path / "out" / "answers.csv").read_text()
    assert len(text.splitlines()) == 5 and len(done) == 4 and done.to_polars().height == 4
    with pytest.raises(DataError, match="json=True"):
        done[0]
    with pytest.raises(DataError, match="in files"):
        vs.predict(pictures.bundle, arrays, tmp_path / "out", resume=True)
    with pytest.raises(MismatchError, match="none of 2"):
        vs.predict(pictures.bundle, (a / 255.0 for a in arrays[:2]), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_images_of_one_case_are_told_by_their_names(pictures: Any) -> None:
    bundle = pictures.run.bundle
    (stage,) = bundle.stages
    data = stage.plan.data.model_copy(update={"images": ("t1", "flair"), "channels": 2})
    two = replace(bundle, stages=(replace(stage, plan=stage.plan.model_copy(update={"data": data})),))
    array = np.zeros((9, 9), np.uint8)
    (one,) = asked([{"flair": array, "t1": vs.image(array)}], two, read=vs.read)
    assert (
        isinstance(one.case, vs.Case)
        and set(one.case.images) == {"t1", "flair"}
        and one.case.reference == "t1"
    )


def test_what_is_many_and_what_is_one() -> None:
    array = np.zeros((3, 3))
    for one in (
        "a.png",
        Path("a"),
        array,
        torch.zeros(3, 3),
        {"image": array},
        vs.image(array),
        vs.Case("a", {}),
    ):
        assert not is_many(one)
    for many in (
        [array],
        (array, array),
        iter([array]),
        {"a.png", "b.png"},
        torch.utils.data.TensorDataset(torch.zeros(2)),
    ):
        assert is_many(many)


def test_a_single_answer_knows_its_image(volumes: Any, tmp_path: Path) -> None:
    path = study(volumes)
    answer: Answer = vs.predict(volumes.bundle, path)
    assert isinstance(answer.on, Ref) and "<img" in answer._repr_html_()
    shown = answer.show(tmp_path / "on.png")
    alone = replace(answer, on=None).show(tmp_path / "alone.png")
    assert shown is not None and alone is not None and shown.read_bytes() != alone.read_bytes()
    assert replace(answer, on=Ref((tmp_path / "gone.nii.gz",)))._repr_html_().count("<img") == 1
