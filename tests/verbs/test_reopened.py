"""open: yesterday's run or bundle is as fit returned it, and every verb that takes a model takes a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius.core.bundle import Bundle


def test_a_run_is_opened_as_it_was_returned(pictures: Any, tmp_path: Path) -> None:
    run = pictures.run
    for place in (pictures.path, str(pictures.path), pictures.path / "scorecard.json"):
        found = vs.open(place)
        assert isinstance(found, vs.Run) and found.path == run.path
        assert found.plan.model_dump_json() == run.plan.model_dump_json()
        assert found.bundle == run.bundle and found.scorecard == run.scorecard and not found.ran_out
    assert len(found.out_of_fold()) == len(run.out_of_fold()) > 0
    assert isinstance(vs.open(pictures.bundle), Bundle)
    alone = shutil.copytree(pictures.bundle, tmp_path / "alone")
    opened = vs.open(alone)
    assert isinstance(opened, Bundle) and opened.hash == run.bundle.hash


def test_that_the_clock_ended_it_is_kept(pictures: Any, tmp_path: Path) -> None:
    from vesalius.run.finished import keep_ran_out

    again = shutil.copytree(pictures.path, tmp_path / "again")
    keep_ran_out(again)
    found = vs.open(again)
    assert isinstance(found, vs.Run) and found.ran_out and "the time ran out" in repr(found)
    told = json.loads((pictures.path / "run.json").read_text())
    assert json.loads((again / "run.json").read_text()) == {**told, "ran_out": True}


def test_what_cannot_be_opened_is_said_in_one_line(pictures: Any, tmp_path: Path) -> None:
    with pytest.raises(vs.DataError, match="nothing at"):
        vs.open(tmp_path / "none")
    with pytest.raises(vs.BundleError, match="not a bundle"):
        vs.open(tmp_path)
    unfinished = shutil.copytree(pictures.path, tmp_path / "cut")
    shutil.rmtree(unfinished / "bundle")
    with pytest.raises(vs.BundleError, match="resume"):
        vs.open(unfinished)


def test_every_verb_that_takes_a_model_takes_a_run(pictures: Any, tmp_path: Path) -> None:
    path = sorted(pictures.data.parent.rglob("*.png"))[0]
    want: Any = vs.predict(pictures.bundle, path)
    found: Any = vs.predict(pictures.run, path)
    assert np.array_equal(found.p, want.p)
    card = vs.evaluate(pictures.run, pictures.data, split="train")
    assert card.metrics == vs.evaluate(pictures.bundle, pictures.data, split="train").metrics
    assert len(vs.torch_dataset(pictures.data, pictures.run)) == 12
    quick = {
        "train.steps": 1,
        "train.members": 1,
        "train.threads": 1,
        "data.size": [1, 32, 32],
        "net.scale": 0.125,
    }
    began = vs.fit(pictures.data, tmp_path / "next", init=pictures.run, settings=quick)
    assert "init" in str(began.plan.net.model_dump()) and pictures.run.bundle.hash[:8] in str(
        began.plan.net.init
    )
    dry = vs.fit(pictures.data, dry_run=True, settings=quick)
    with pytest.raises(vs.DataError, match="a dry run has no bundle"):
        vs.predict(dry, path)
    with pytest.raises(vs.DataError, match="this is no bundle; found int"):
        vs.evaluate(3, pictures.data)  # type: ignore[arg-type]
