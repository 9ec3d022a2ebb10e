"""Every registered phantom keeps the room's contract, whoever wrote it."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vesalius import phantom as make
from vesalius.core import registry
from vesalius.core.case import Case
from vesalius.core.errors import UnknownName
from vesalius.core.image import Image
from vesalius.phantom import chosen, patient, twin

KINDS = sorted(registry.names("phantom"))


def literal(kind: str, name: str, default: Any = ()) -> Any:
    return registry.literals("phantom", kind).get(name, default)


def pixels(case: Case) -> dict[str, Image]:
    return {name: image for name, image in case.images.items() if isinstance(image, Image)}


def test_the_ct_is_there() -> None:
    assert "ct" in KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_phantom_describes_itself_and_its_options_have_defaults(kind: str) -> None:
    assert 10 < len(registry.names("phantom")[kind]) < 130 and literal(kind, "FORMATS")
    module = registry.lookup("phantom", kind)
    options = literal(kind, "OPTIONS", {})
    for name in ("patient", "twin") if literal(kind, "FINDINGS") else ("patient",):
        parameters = inspect.signature(getattr(module, name)).parameters
        assert list(parameters)[:2] == ["index", "seed"]
        own = {k: p for k, p in parameters.items() if k not in ("index", "seed", "without")}
        assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in own.values())
        assert {k: p.default for k, p in own.items()} == options


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_arguments_give_the_same_patient(kind: str) -> None:
    one, other, again = patient(1, 3, kind=kind), patient(2, 3, kind=kind), patient(1, 3, kind=kind)
    assert one.truth() == again.truth() != other.truth()
    assert json.loads(json.dumps(one.truth()))["id"] == one.as_case().id
    case, same = one.as_case(), again.as_case()
    assert case.patient and case.id != other.as_case().id
    for name, image in pixels(case).items():
        assert np.array_equal(image.array, pixels(same)[name].array)


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_written_the_same_twice_with_a_table_and_the_truth(kind: str, tmp_path: Path) -> None:
    for format in literal(kind, "FORMATS"):
        roots = [make(tmp_path / f"{format}-{k}", kind=kind, cases=2, seed=5, format=format) for k in (0, 1)]
        files = [{p.relative_to(r): p.read_bytes() for p in r.rglob("*") if p.is_file()} for r in roots]
        assert files[0] == files[1]
        assert {Path("cohort.csv"), Path("README.md"), Path("truth.json")} < set(files[0])
        assert len(json.loads((roots[0] / "truth.json").read_text())["cases"]) == 2
        assert len((roots[0] / "cohort.csv").read_text().splitlines()) >= 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_twin_is_the_same_patient_on_the_same_grid(kind: str) -> None:
    for without in literal(kind, "FINDINGS"):
        one, other = patient(1, 3, kind=kind).as_case(), twin(1, 3, without=without, kind=kind).as_case()
        assert one.patient == other.patient and one.id != other.id
        for name, image in pixels(one).items():
            found = pixels(other)[name]
            assert found.array.shape == image.array.shape and found.array.dtype == image.array.dtype
            assert (found.affine is None) == (image.affine is None)
            assert image.affine is None or np.array_equal(found.affine, image.affine)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_is_named_with_what_is(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=f"unknown format of phantom {kind}"):
        make(tmp_path / "x", kind=kind, format="zzz")
    with pytest.raises(UnknownName, match=f"unknown option of phantom {kind}"):
        chosen(kind, {"no_such_option": 1})
    with pytest.raises(UnknownName, match=f"unknown finding of phantom {kind}"):
        twin(0, without="zzz", kind=kind)
    assert not (tmp_path / "x").exists()


def test_an_unknown_kind_names_those_there(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown phantom 'zzz'.*ct"):
        make(tmp_path / "x", kind="zzz")
