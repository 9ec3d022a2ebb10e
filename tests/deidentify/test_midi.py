"""The scorer of the MIDI-B kinds of action is right: about a copy, about perfect work, and about each single fault."""

from __future__ import annotations

import datetime
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # benchmarks/ is not installed

from benchmarks._midi import KINDS, TAKEN_AWAY, Check, Score, element, score, stands, tokens  # noqa: E402
from benchmarks._midi_cohort import make  # noqa: E402

SHIFT = datetime.timedelta(days=-1000)


class Cohort:
    """Originals, their key, and what a perfect de-identifier makes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.originals = folder, folder / "originals"
        self.key = make(self.originals, seed=7, patients=5)
        self.perfect: dict[str, Path] = {}
        for number, name in enumerate(sorted({c.file for c in self.key})):
            data = pydicom.dcmread(self.originals / name)
            for check in self.key:
                if check.file == name:
                    carry_out(check, data)
            self.perfect[name] = folder / f"{number}.dcm"
            data.save_as(self.perfect[name])

    def score(self, made: dict[str, Path]) -> Score:
        return score(self.key, self.originals, made)

    def spoiled(self, kind: str, path: str, spoil: Callable[[Dataset, Check, Dataset], None]) -> Score:
        """The score of perfect work in which one file was spoiled, at one check."""
        check = next(c for c in self.key if c.kind == kind and c.path == path)
        data = pydicom.dcmread(self.perfect[check.file])
        spoil(data, check, pydicom.dcmread(self.originals / check.file))
        bad = self.folder / "spoiled.dcm"
        data.save_as(bad)
        return self.score({**self.perfect, check.file: bad})


def carry_out(check: Check, data: Dataset) -> None:
    """Do to a file what one check asks for."""
    if check.kind == "pixels hidden":
        assert check.box is not None
        left, top, right, bottom = check.box
        pixels = data.pixel_array.copy()
        pixels[top:bottom, left:right] = 0
        data.PixelData = pixels.tobytes()
        return
    item = element(data, check.path)
    if check.kind == "text removed":
        item.value = str(item.value).replace(check.value, "")
    elif check.kind.startswith("UID"):
        item.value = f"2.25.{sum(ord(letter) * 131**k for k, letter in enumerate(check.value))}"[:64]
    elif check.kind == "patient ID consistent":
        item.value = f"P{int(check.value) * 7 % 10**9}"
    elif check.kind == "date shifted":
        day = datetime.datetime.strptime(check.value[:8], "%Y%m%d") + SHIFT
        item.value = f"{day:%Y%m%d}{check.value[8:]}"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return Cohort(tmp_path_factory.mktemp("midi"))


def shares(found: Score) -> dict[str, float]:
    return {kind: found.share(kind) for kind in KINDS}


def test_the_key_asks_for_every_kind_in_every_modality(cohort: Cohort) -> None:
    assert {c.kind for c in cohort.key} == set(KINDS)
    modalities = {c.value for c in cohort.key if c.path == "Modality" and c.value}
    assert modalities == {"CT", "MR", "US", "CR", "PT"}
    for check in cohort.key:  # a check of what is not there would be right for nothing
        assert element(
            pydicom.dcmread(cohort.originals / check.file, stop_before_pixels=False), check.path
        ), check


def test_the_same_seed_gives_the_same_cohort(cohort: Cohort, tmp_path: Path) -> None:
    assert make(tmp_path / "again", seed=7, patients=5) == cohort.key
    assert make(tmp_path / "other", seed=8, patients=5) != cohort.key
    for name in cohort.perfect:
        assert (tmp_path / "again" / name).read_bytes() == (cohort.originals / name).read_bytes()


def test_perfect_work_scores_one(cohort: Cohort) -> None:
    found = cohort.score(cohort.perfect)
    assert found.misses == []
    assert found.share() == 1.0


def test_a_copy_took_nothing_away_and_lost_nothing(cohort: Cohort) -> None:
    found = cohort.score({name: cohort.originals / name for name in cohort.perfect})
    assert shares(found) == {kind: 0.0 if kind in TAKEN_AWAY else 1.0 for kind in KINDS}


def test_no_files_at_all_took_everything_away_and_kept_nothing(cohort: Cohort) -> None:
    assert shares(cohort.score({})) == {kind: 1.0 if kind in TAKEN_AWAY else 0.0 for kind in KINDS}


def test_a_missing_file_costs_what_it_should_have_kept(cohort: Cohort) -> None:
    lost = next(iter(cohort.perfect))
    found = cohort.score({n: p for n, p in cohort.perfect.items() if n != lost})
    assert {m.check.file for m in found.misses} == {lost}
    kept = sum(1 for c in cohort.key if c.file == lost and c.kind not in TAKEN_AWAY)
    assert len(found.misses) == kept > 0


def restore(data: Dataset, check: Check, original: Dataset) -> None:
    element(data, check.path).value = element(original, check.path).value


def put(value: str) -> Callable[[Dataset, Check, Dataset], None]:
    def spoil(data: Dataset, check: Check, original: Dataset) -> None:
        element(data, check.path).value = value

    return spoil


def drop(data: Dataset, check: Check, original: Dataset) -> None:
    del data[check.path]


def another_day(data: Dataset, check: Check, original: Dataset) -> None:
    day = datetime.datetime.strptime(check.value[:8], "%Y%m%d") + SHIFT + datetime.timedelta(days=1)
    element(data, check.path).value = f"{day:%Y%m%d}{check.value[8:]}"


def one_sample(data: Dataset, check: Check, original: Dataset) -> None:
    data.PixelData = bytes([data.PixelData[0] ^ 1]) + data.PixelData[1:]


@pytest.mark.parametrize(
    ("kind", "path", "spoil"),
    [
        ("date shifted", "StudyDate", restore),
        ("date shifted", "SeriesDate", another_day),
        ("date shifted", "AcquisitionDateTime", restore),
        ("date shifted", "OriginalAttributesSequence[0]/AttributeModificationDateTime", restore),
        ("patient ID consistent", "PatientID", put("ANOTHER")),
        ("pixels hidden", "PixelData", restore),
        ("pixels retained", "PixelData", one_sample),
        ("tag retained", "AccessionNumber", drop),
        ("text notnull", "ImageType", put("")),
        ("text removed", "InstitutionName", restore),
        ("text removed", "ImageComments", restore),
        ("text removed", "RequestAttributesSequence[0]/RequestedProcedureID", restore),
        ("text removed", "OriginalAttributesSequence[0]/ModifiedAttributesSequence[0]/PatientName", restore),
        ("text removed", "0009,KESTREL PACS,10", restore),
        ("text removed", "0009,KESTREL PACS,20[0]/PatientComments", restore),
        ("text removed", "meta/SourceApplicationEntityTitle", restore),
        ("text retained", "PatientSex", put("")),
        ("text retained", "PatientSize", put("1.80")),
        ("text retained", "StudyDescription", put("REMOVED")),
        ("text retained", "0019,GEMS_ACQU_01,23", put("1")),
        ("UID changed", "InstanceCreatorUID", restore),
        ("UID consistent", "StudyInstanceUID", put("2.25.99")),
        ("UID consistent", "ReferencedSeriesSequence[0]/SeriesInstanceUID", put("2.25.99")),
    ],
)
def test_a_single_fault_lowers_its_own_kind_only(
    cohort: Cohort, kind: str, path: str, spoil: Callable[[Dataset, Check, Dataset], None]
) -> None:
    found = cohort.spoiled(kind, path, spoil)
    assert {m.check.kind for m in found.misses} == {kind}
    assert {m.check.path for m in found.misses} == {path}
    assert found.share(kind) < 1.0
    assert found.share() == 1.0 - len(found.misses) / len(cohort.key)


def test_an_absent_element_has_nothing_wrong_in_it(cohort: Cohort) -> None:
    assert cohort.spoiled("date shifted", "SeriesDate", drop).misses == []
    assert cohort.spoiled("UID changed", "InstanceCreatorUID", drop).misses == []
    assert cohort.spoiled("text removed", "InstitutionName", drop).misses == []


def test_two_patients_may_not_become_one(cohort: Cohort, tmp_path: Path) -> None:
    made = dict(cohort.perfect)
    for name in made:
        data = pydicom.dcmread(made[name])
        data.PatientID = "ONE"
        made[name] = tmp_path / made[name].name
        data.save_as(made[name])
    assert {k for k, v in shares(cohort.score(made)).items() if v < 1} == {"patient ID consistent"}
    assert cohort.score(made).share("patient ID consistent") == 0.0


def test_text_still_legible_in_half_of_a_box_is_not_hidden(cohort: Cohort) -> None:
    def half(data: Dataset, check: Check, original: Dataset) -> None:
        assert check.box is not None
        left, top, right, bottom = check.box
        pixels = data.pixel_array.copy()
        middle = (left + right) // 2
        pixels[top:bottom, left:middle] = original.pixel_array[top:bottom, left:middle]
        data.PixelData = pixels.tobytes()

    found = cohort.spoiled("pixels hidden", "PixelData", half)
    assert [m.check.kind for m in found.misses] == ["pixels hidden"]


def test_the_benchmark_reads_the_names_that_the_command_leaves(cohort: Cohort, tmp_path: Path) -> None:
    from benchmarks.midi import listed, pairs, table

    name, path = next(iter(cohort.perfect.items()))
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(path, out / "a.dcm")
    lines = ['{"source": "IN", "out": "OUT", "profile": "research"}']
    lines.append(f'{{"source": "{name}", "kind": "dicom", "out": "a.dcm"}}')
    lines.append('{"source": "no.dcm", "kind": "dicom", "out": null}')
    (tmp_path / "key.out.names.jsonl").write_text("\n".join(lines) + "\n")
    made = pairs(out, tmp_path / "key")
    assert made == {name: out / "a.dcm"}
    found = cohort.score(made)
    rows = table(found, 7)
    assert [r.what for r in rows] == ["right actions", *KINDS]
    assert rows[0].holds is False
    assert len(listed(found)) == len(found.misses)


def test_tokens_are_words_without_stop_words() -> None:
    assert tokens("Seen by Dr. SMITH^John, and PET/CT (the 2nd)") == [
        "seen",
        "dr",
        "smith",
        "john",
        "pet/ct",
        "2nd",
    ]


@pytest.mark.parametrize(
    ("token", "text", "there"),
    [
        ("st", "CHEST", False),
        ("st", "1 Main St.", True),
        ("smith", "dr_JSMITH2", True),
        ("w", "CT W/O", True),
    ],
)
def test_short_tokens_stand_as_words_and_long_ones_anywhere(token: str, text: str, there: bool) -> None:
    assert stands(token, text) is there
