"""Bundles: what was saved is opened again, and nothing else is."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vesalius.core import bundle as bundles
from vesalius.core import sealed as folders
from vesalius.core.bundle import Bundle, State, open_bundle, save_bundle
from vesalius.core.errors import BundleError, CodeError
from vesalius.core.sealed import MANIFEST, seal


def test_it_opens_as_it_was_saved(sealed: Bundle) -> None:
    found = open_bundle(sealed.path)
    (before,), (after,) = sealed.stages, found.stages
    assert (found.hash, found.data_hash, found.made_by) == (sealed.hash, "d" * 64, "a test")
    assert after.plan == before.plan
    assert after.state.values == before.state.values
    assert (
        np.array_equal(after.state.arrays["prior"], np.eye(3))
        and after.state.arrays["prior"].dtype == np.float16
    )
    assert after.takes == before.takes and after.calibration == {"temperature": 1.5}
    assert after.members == ("weights-0-0.safetensors",)


def test_extra_records_are_kept_by_name_and_none_leave_no_trace(sealed: Bundle) -> None:
    (stage,) = sealed.stages
    assert "extras" not in (sealed.path / "bundle.json").read_text()
    record = State({"rate": 0.05}, {"mean": np.arange(3.0)})
    same = {"data_hash": sealed.data_hash, "made_by": sealed.made_by}
    found = save_bundle(sealed.path, (replace(stage, extras={"novelty": record}),), **same)
    kept = open_bundle(sealed.path).stages[0].extras["novelty"]
    assert kept.values == record.values and np.array_equal(kept.arrays["mean"], record.arrays["mean"])
    assert found.hash != sealed.hash
    with pytest.raises(CodeError, match="name of its own"):
        save_bundle(sealed.path, (replace(stage, extras={"state": record}),), **same)


def test_a_run_stands_for_the_bundle_inside_it(sealed: Bundle) -> None:
    assert open_bundle(sealed.path.parent).hash == sealed.hash


@pytest.mark.parametrize(
    "name",
    [
        "bundle.json",
        "plan-0.json",
        "state-0.json",
        "state-0.safetensors",
        "weights-0-0.safetensors",
        "scorecard.json",
        "card.md",
        MANIFEST,
    ],
)
def test_one_flipped_bit_is_found(sealed: Bundle, name: str) -> None:
    path = sealed.path / name
    whole = path.read_bytes()
    rng = random.Random(name)
    for _ in range(40 if name != MANIFEST else 400):
        damaged = bytearray(whole)
        at = rng.randrange(len(whole))
        damaged[at] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(damaged))
        with pytest.raises(BundleError) as caught:
            open_bundle(sealed.path)
        assert caught.value.hint or caught.value.found
    path.write_bytes(whole)
    assert open_bundle(sealed.path).hash == sealed.hash


def test_a_missing_or_truncated_file_is_found(sealed: Bundle) -> None:
    for path in sorted(sealed.path.iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(BundleError):
            open_bundle(sealed.path)
        path.unlink()
        with pytest.raises(BundleError):
            open_bundle(sealed.path)
        path.write_bytes(whole)
    assert open_bundle(sealed.path).hash == sealed.hash


def test_arrays_and_weights_that_the_manifest_does_not_list_are_not_taken(sealed: Bundle) -> None:
    lines = (sealed.path / MANIFEST).read_text().splitlines(keepends=True)
    for name in ("state-0.safetensors", "weights-0-0.safetensors"):
        (sealed.path / MANIFEST).write_text("".join(x for x in lines if name not in x))
        with pytest.raises(BundleError, match=name):
            open_bundle(sealed.path)


def test_a_newer_bundle_is_refused_in_words(sealed: Bundle) -> None:
    head = json.loads((sealed.path / "bundle.json").read_text())
    head["version"] = bundles.VERSION + 1
    (sealed.path / "bundle.json").write_text(json.dumps(head))
    seal(sealed.path)
    with pytest.raises(BundleError, match="newer"):
        open_bundle(sealed.path)


def test_a_bundle_with_a_newer_plan_is_refused_in_words(sealed: Bundle) -> None:
    plan = json.loads((sealed.path / "plan-0.json").read_text()) | {"version": 99}
    (sealed.path / "plan-0.json").write_text(json.dumps(plan))
    seal(sealed.path)
    with pytest.raises(BundleError, match="newer"):
        open_bundle(sealed.path)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle"):
        open_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match="not a bundle"):
        open_bundle(tmp_path)
    (tmp_path / MANIFEST).write_text("")
    with pytest.raises(BundleError, match="damaged"):
        open_bundle(tmp_path)


@pytest.mark.parametrize("name", ["../outside", "sub/dir", "sub\\dir", "/etc/passwd"])
def test_a_manifest_that_points_elsewhere_is_refused(sealed: Bundle, name: str) -> None:
    with (sealed.path / MANIFEST).open("a") as file:
        file.write(f"{'0' * 64}  {name}\n")
    with pytest.raises(BundleError):
        open_bundle(sealed.path)


def test_a_copy_elsewhere_is_the_same_bundle(sealed: Bundle, tmp_path: Path) -> None:
    shutil.copytree(sealed.path, tmp_path / "copy")
    assert open_bundle(tmp_path / "copy").hash == sealed.hash


def test_until_it_is_sealed_it_is_no_bundle(sealed: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(path: Path, *, kind: str) -> None:
        raise OSError("the power went")

    monkeypatch.setattr(folders, "seal", crash)
    with pytest.raises(OSError, match="power"):
        bundles.save_bundle(sealed.path, sealed.stages, data_hash="e" * 64, made_by="a test")
    with pytest.raises(BundleError, match="not a bundle"):
        open_bundle(sealed.path)
