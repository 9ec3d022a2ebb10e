"""Terms: what comes with Vesalius is whole, and what a user's file must not be."""

from pathlib import Path

import pytest

from vesalius.core.errors import DataError, UnknownName
from vesalius.texts.reading import findings_in
from vesalius.texts.terms import Terms, listed


@pytest.mark.parametrize("name", listed())
def test_every_term_is_read_by_each_of_its_own_words(name: str) -> None:
    terms = Terms.named(name)
    for term in terms.terms:
        for says in term.says:
            words = " ".join(part.split("|")[0] for part in says.split() if part != "~")
            found = {f.name for f in findings_in(f"There is {words}.", terms)}
            assert found, (term.name, says)
        assert any(f.name == term.name for says in term.says for f in findings_in(f"There is {says}.", terms))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no terms"),
        ("terms: [", "cannot read"),
        ("terms: [{name: a, says: [a]}, {name: a, says: [b]}]", "twice"),
        ("terms: [{name: a, says: []}]", "list of words"),
        ("terms: [{says: [a]}]", "no name"),
        ("terms: [{name: a, says: [a], colour: red}]", "not known"),
        ("terms: [{name: a, says: [a], actionable: [maybe]}]", "status"),
        ("terms: [{name: a, says: [a], codes: [RID1]}]", "SCHEME:VALUE"),
        ("terms: [{name: a, says: [a], sided: 3}]", "true nor false"),
        ("{terms: [{name: a, says: [a]}], shown: [{of: [x], is: [y], absent: [b]}]}", "not among its terms"),
        ("{terms: [{name: a, says: [a]}], places: [{name: p, says: [p], side: up}]}", "side"),
        ("{version: two, terms: [{name: a, says: [a]}]}", "whole number"),
    ],
)
def test_a_file_that_is_no_terms_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=f"(?i){said}") as told:
        Terms.read(path)
    assert "\n" not in str(told.value)


def test_unknown_terms_are_named() -> None:
    with pytest.raises(UnknownName, match="chest"):
        Terms.named("chests")
    with pytest.raises(DataError, match="Cannot read"):
        Terms.read("nowhere.yaml")
