"""index and find: by words, by an image, by both; whose cases are left out, and what is refused."""

import json
import shutil

import pytest
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import app
from vesalius.core.errors import BundleError, DataError, PlanError

RUN = CliRunner()


@pytest.fixture(scope="module")
def indexed(dictated, tmp_path_factory):
    return vs.index(dictated.run, dictated.data, tmp_path_factory.mktemp("index") / "index")


def sides(dictated, found, name):
    return [dictated.there[row["case"]][name] for row in found.rows()]


def test_words_find_what_they_say(dictated, indexed):
    """Of the ten that are nearest to a side's nodule, more have it than of all cases, and fewer the other side's."""
    for side, other in (("left", "right"), ("right", "left")):
        found = sides(dictated, vs.find(indexed.path, f"There is a {side} nodule.", count=10), "nodule")
        every = [known["nodule"] for known in dictated.there.values()]
        assert found.count(side) / 10 > every.count(side) / len(every)
        assert found.count(other) <= 3


def test_an_image_finds_its_like_but_neither_itself_nor_its_patient(dictated, indexed):
    cohort = vs.read(dictated.data)
    case = cohort.cases[4]
    found = vs.find(indexed.path, image=case, count=48)
    ids = [row["case"] for row in found.rows()]
    own = {c.id for c in cohort.cases if c.patient == case.patient}
    assert case.id in own and len(own) == 2 and not own & set(ids) and len(ids) == 46 and found.left_out == 2
    file = dictated.data.parent / "images" / f"{case.id}.png"
    alone = [row["case"] for row in vs.find(indexed.path, image=file, count=48).rows()]
    assert not own & set(alone), "a file says no patient, but its pixels are known again, and whose they are"
    named = vs.find(indexed.path, image=file, patient=case.patient, count=48)
    assert not own & {row["case"] for row in named.rows()}
    every = vs.find(indexed.path, image=case, count=48, own_patient=True)
    assert own - {case.id} <= {row["case"] for row in every.rows()}


def test_an_image_with_words_is_between_both(dictated, indexed):
    case = vs.read(dictated.data).cases[4]
    words = "There is a left nodule."
    image = vs.find(indexed.path, image=case, own_patient=True)
    both = vs.find(indexed.path, words, image=case, weight=0.0, own_patient=True)
    assert [r["case"] for r in both.rows()] == [r["case"] for r in image.rows()]
    assert "with" in both.what


def test_the_same_question_has_the_same_answer_wherever_the_index_lies(indexed, tmp_path):
    moved = shutil.copytree(indexed.path, tmp_path / "moved")
    one, two = (vs.find(path, "No effusion.").rows() for path in (indexed.path, moved))
    assert one == two


def test_reports_are_found_by_an_image(dictated, tmp_path):
    made = vs.index(dictated.run, dictated.data, tmp_path / "reports", of="reports")
    cohort = vs.read(dictated.data)
    right = 0
    for case in cohort.cases[:8]:
        found = vs.find(made.path, image=case, count=1, own_patient=True)
        right += dictated.there[found.rows()[0]["case"]]["nodule"] == dictated.there[case.id]["nodule"]
    assert right >= 5  # by chance 2.7


def test_an_index_holds_no_pixels_and_no_report(dictated, indexed):
    stored = b"".join(p.read_bytes() for p in indexed.path.rglob("*") if p.is_file())
    pixels = vs.read(dictated.data).cases[0]
    assert b"A left nodule is seen. " not in stored and pixels.report.encode() not in stored


def test_a_bundle_that_reads_no_words_finds_by_images_alone(pictures, tmp_path):
    made = vs.index(pictures.run, pictures.data, tmp_path / "index")
    assert not made.reads
    case = vs.read(pictures.data).cases[0]
    assert len(vs.find(made.path, image=case, count=3).rows()) == 3
    with pytest.raises(PlanError, match="reads no words"):
        vs.find(made.path, "nodule")
    with pytest.raises(PlanError, match="no reports"):
        vs.index(pictures.run, pictures.data, tmp_path / "other", of="reports")
    assert not (tmp_path / "other").exists()


def test_what_cannot_be_is_refused(dictated, indexed, tmp_path):
    with pytest.raises(DataError, match="nothing is looked for"):
        vs.find(indexed.path)
    with pytest.raises(DataError, match="never read any word"):
        vs.find(indexed.path, "stromatolite")
    with pytest.raises(DataError, match="not one case"):
        vs.find(indexed.path, image=dictated.data)
    damaged = shutil.copytree(indexed.path, tmp_path / "damaged")
    shutil.rmtree(damaged / "bundle")
    with pytest.raises(BundleError, match="holds no bundle"):
        vs.find(damaged, "nodule")


def test_the_command_line_and_its_page(dictated, indexed, tmp_path):
    page = tmp_path / "page.html"
    done = RUN.invoke(
        app, ["find", str(indexed.path), "left nodule", "--count", "3", "-o", str(page), "--json"]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["result"]
    assert [row["rank"] for row in found["found"]] == [1, 2, 3] and found["cases"] == 48
    assert page.read_text().count("<img") == 3
    wrong = RUN.invoke(app, ["find", str(indexed.path), "stromatolite"])
    assert isinstance(wrong.exception, DataError)
