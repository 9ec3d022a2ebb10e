"""Several targets that are named together; and tables without images: their cases, patients and columns."""

from pathlib import Path

import pytest

from vesalius import cohorts
from vesalius.cohorts import read
from vesalius.core.errors import DataError, UnknownName
from vesalius.tasks import contract

BARE = {"image": ""}
ROWS = [
    "sub_id,age_years,lesions,volume_ml,sex,site,text",
    *(
        f"s{k},{40 + 1.5 * k},{k % 5},{'' if k == 3 else 2 + k / 10},{'FM'[k % 2]},site{k},word {k}"
        for k in range(12)
    ),
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("\n".join(ROWS) + "\n")
    return path


def test_columns_of_numbers_that_are_named_together_are_one_target(table):
    cohort = read(table, columns=BARE, target="age_years,volume_ml")
    info = cohort.targets["age_years,volume_ml"]
    assert info.kind == "measures" and [(p.name, p.unit) for p in info.parts] == [
        ("age_years", "years"), ("volume_ml", "ml"),
    ]  # fmt: skip
    assert cohort["s4"].targets["age_years,volume_ml"] == {"age_years": 46.0, "volume_ml": 2.4}
    assert cohort["s3"].targets["age_years,volume_ml"] == {"age_years": 44.5}, (
        "one that is not known is absent"
    )
    assert set(cohort["s4"].covariates) == {"lesions", "sex"}, "a target is no covariate"
    task, chosen = contract.choose(cohort, task=None, target="age_years,volume_ml")
    assert (task.name, chosen.full_name) == ("measure", "age_years,volume_ml"), "nobody has to name the task"


def test_whole_numbers_among_several_targets_are_numbers(table):
    cohort = read(table, columns=BARE, target="lesions,age_years")
    assert cohort.targets["lesions"].kind == "number" and not cohort.questions
    assert cohort["s7"].targets["lesions,age_years"] == {"lesions": 2.0, "age_years": 50.5}


def test_one_target_is_what_it_was(table):
    cohort = read(table, columns=BARE, target="age_years")
    assert list(cohort.targets) == ["age_years"] and cohort["s4"].targets == {"age_years": 46.0}
    assert contract.choose(cohort, task=None, target="age_years")[0].name == "regress"


def test_the_same_data_have_one_hash_however_targets_are_joined(table):
    told = {"image": "", "value": "age_years,volume_ml"}
    plain = cohorts.check(read(table, columns=told))
    joined = cohorts.check(cohorts.open_cohort(read(table, columns=told), target="age_years,volume_ml"))
    assert "age_years,volume_ml" in joined.targets and joined.hash == plain.hash != ""


def test_what_cannot_be_joined_is_left_to_be_named_wrong(table):
    cohort = read(table, columns={**BARE, "value": "age_years,volume_ml", "label": "sex"})
    assert cohorts.with_joined(cohort, "age_years,sex") is cohort, "a class is no number"
    assert cohorts.with_joined(cohort, "age_years,height") is cohort
    with pytest.raises(DataError, match="only columns of numbers can.*'sex' \\(class\\)"):
        contract.choose(cohort, task=None, target="age_years,sex")
    with pytest.raises(UnknownName, match="age_years,height"):
        contract.choose(cohort, task=None, target="age_years,height")


def test_rows_without_images_are_called_as_their_patients(table):
    cohort = read(table, columns=BARE, target="age_years")
    assert (
        [c.id for c in cohort][:2] == ["s0", "s1"] and cohort["s0"].patient == "s0" and cohort.patients_known
    )
    table.write_text(table.read_text() + "s0,50,1,2,F,site1,word\n")
    twice = read(table, columns=BARE, target="age_years")
    assert len(twice) == 13 and twice[0].id == "row 2" and twice[12].patient == "s0"


def test_folds_spread_the_first_number_and_take_cases_that_lack_it(table):
    cohort = read(table, columns=BARE, target="volume_ml,age_years")
    made = cohorts.assign(cohort, target=cohort.targets["volume_ml,age_years"], folds=2)
    placed = {*made.test, *(case for fold in made.folds for case in fold)}
    assert "s3" in placed and len(placed) == 12, (
        "a case without the first number is learned from all the same"
    )
