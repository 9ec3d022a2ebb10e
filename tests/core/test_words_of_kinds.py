"""Names of kinds and of things that lack, in a sentence."""

from __future__ import annotations

from vesalius.core.words import named_things, one_of_kind


def test_kinds_and_names_in_a_sentence() -> None:
    assert [one_of_kind(k) for k in ("mask", "class", "spots")] == ["a mask", "a class", "spots"]
    assert named_things("covariate", ["age"]) == "the covariate 'age'"
    assert named_things("covariate", ["age", "sex"]) == "the covariates 'age' and 'sex'"
