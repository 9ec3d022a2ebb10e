"""Files of weights: what is opened, that nothing in it is run, and what is said of the rest."""

from __future__ import annotations

import collections
import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vesalius.core.errors import BundleError
from vesalius.weights.files import open_file, parts_of

KERNEL = torch.arange(6.0).reshape(2, 3)


class Malicious:
    """What writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.path}",))


class Quiet(collections.OrderedDict[str, Any]):
    """A class of somebody's own."""


def saved(folder: Path, what: Any, name: str = "weights.pth", **how: Any) -> Path:
    """Return the path of what torch saved."""
    torch.save(what, folder / name, **how)
    return folder / name


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "network_weights", "model_state_dict", "teacher"])
def test_tensors_are_found_in_a_checkpoint_and_the_rest_is_plain_data(tmp_path: Path, wrapper: str) -> None:
    held = {wrapper: {"module.a": KERNEL}, "epoch": 3, "args": {"lr": 0.1, "what": [1, "x", KERNEL]}}
    found = open_file(saved(tmp_path, held))
    assert list(found.tensors) == ["a"] and torch.equal(found.tensors["a"], KERNEL)
    assert found.about["epoch"] == 3 and found.about["args"] == {"lr": 0.1, "what": [1, "x", None]}
    assert found.origin.startswith("weights with SHA-256 ") and str(tmp_path) not in found.origin


def test_safetensors_and_both_forms_of_torch_give_the_same(tmp_path: Path) -> None:
    save_file({"a": KERNEL.half()}, tmp_path / "a.safetensors", metadata={"who": "me"})
    (tmp_path / "config.json").write_text('{"architecture": "resnet18"}')
    found = open_file(tmp_path / "a.safetensors")
    assert found.tensors["a"].dtype == torch.float32 and torch.equal(found.tensors["a"], KERNEL)
    assert found.about == {"metadata": {"who": "me"}, "config.json": {"architecture": "resnet18"}}
    for new in (True, False):
        path = saved(tmp_path, {"a": KERNEL}, _use_new_zipfile_serialization=new)
        assert torch.equal(open_file(path).tensors["a"], KERNEL)


def test_numpys_single_numbers_are_read_as_nnunet_logs_them(tmp_path: Path) -> None:
    log = {
        "loss": [np.float32(0.5), np.float64(0.25), np.int64(7), np.bool_(True)],
        "big": np.array(3.0, ">f8")[()],
    }
    found = open_file(saved(tmp_path, {"network_weights": {"a": KERNEL}, "logging": log}))
    assert found.about["logging"] == {"loss": [0.5, 0.25, 7, True], "big": 3.0}


@pytest.mark.parametrize("new", [True, False])
def test_a_malicious_pickle_does_not_run(tmp_path: Path, new: bool) -> None:
    mark = tmp_path / "ran"
    path = saved(tmp_path, {"a": KERNEL, "b": Malicious(mark)}, _use_new_zipfile_serialization=new)
    with pytest.raises(
        BundleError, match=r"run code of its maker; found an object of \w+\.system; try: save its"
    ):
        open_file(path)
    assert not mark.exists()


def test_a_plain_pickle_does_not_run_either(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / "weights.pth"
        path.write_bytes(pickle.dumps({"b": Malicious(mark)}, protocol=protocol))
        with pytest.raises(BundleError):
            open_file(path)
    assert not mark.exists()


def test_what_others_allowed_torch_to_make_is_not_made_here(tmp_path: Path) -> None:
    path = saved(tmp_path, {"a": KERNEL, "b": Quiet()})
    torch.serialization.add_safe_globals([Quiet])
    try:
        with pytest.raises(BundleError, match=r"Quiet; try: save its tensors as safetensors"):
            open_file(path)
        assert Quiet in torch.serialization.get_safe_globals()
    finally:
        torch.serialization.clear_safe_globals()


def of_objects(folder: Path) -> Path:
    """Return a checkpoint with a NumPy scalar of Python objects, which NumPy would make of anything."""
    scalar = np.float64(1).__reduce__()[0]

    class Odd:
        def __reduce__(self) -> tuple[Any, ...]:
            return (scalar, (np.dtype("O"), "x"))

    return saved(folder, {"a": KERNEL, "b": Odd()})


def overlapping(folder: Path) -> Path:
    return saved(folder, {"a": torch.zeros(1).expand(50_000, 50_000)})


def packed(folder: Path) -> Path:
    plain = saved(folder, {"a": torch.zeros(1000, 1000)}, "plain.pth")
    with (
        zipfile.ZipFile(plain) as old,
        zipfile.ZipFile(folder / "packed.pth", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return folder / "packed.pth"


def cut(folder: Path, name: str, share: float, **how: Any) -> Path:
    path = saved(folder, {"a": torch.ones(1000)}, name, **how)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return path


def cut_safetensors(folder: Path) -> Path:
    save_file({"a": torch.ones(1000)}, folder / "cut.safetensors")
    path = folder / "cut.safetensors"
    path.write_bytes(path.read_bytes()[:800])
    return path


def script(folder: Path) -> Path:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / "script.pt")
    return folder / "script.pt"


def written(name: str, data: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return write


def plain_archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.pth", "w") as archive:
        archive.writestr("weights/model.pth", b"x")
    return folder / "a.pth"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: saved(f, torch.nn.Linear(2, 2)), "an object of torch.nn.modules.linear.Linear"),
        (lambda f: saved(f, {"a": [1, 2]}), "holds no tensors by name; found a"),
        (lambda f: saved(f, KERNEL), "holds no tensors by name; found a Tensor"),
        (
            lambda f: saved(f, {"pytorch-lightning_version": "2", "state_dict": {}}, "x.ckpt"),
            "a checkpoint of Lightning without weights",
        ),
        (lambda f: saved(f, {"a": torch.tensor([1.0, float("nan")])}), "not finite.* found 1 value of a"),
        (lambda f: saved(f, {"a": torch.ones(3).to_sparse()}), "not plain numbers"),
        (lambda f: saved(f, {"a": torch.ones(3, device="meta")}), "not plain numbers"),
        (of_objects, "a NumPy number"),
        (overlapping, "claims more than it holds"),
        (packed, "is packed"),
        (lambda f: cut(f, "cut.pth", 0.6), "is cut off or damaged"),
        (lambda f: cut(f, "old.pth", 0.6, _use_new_zipfile_serialization=False), "damaged"),
        (cut_safetensors, "not a whole safetensors file"),
        (script, "is a TorchScript archive"),
        (plain_archive, "is an archive, and not one of torch.save"),
        (written("a.pth", b""), "is empty"),
        (written("a.pth", b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS"),
        (written("a.pth", b"<!doctype html><p>"), "a web page"),
        (written("a.h5", b"\x89HDF\r\n"), "HDF5"),
        (written("a.pth", b"hello there"), "neither safetensors nor what torch.save wrote"),
        (written("a.pth", b"\x80\x02garbage"), "damaged"),
        (lambda f: f / "not-there.pth", "no file of weights at"),
    ],
)
def test_what_is_no_file_of_weights_is_an_error_of_one_line(
    tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    with pytest.raises(BundleError, match=words) as raised:
        open_file(make(tmp_path))
    assert "\n" not in str(raised.value)


def test_a_flipped_byte_raises_nothing_but_our_own_error(tmp_path: Path) -> None:
    whole = io.BytesIO()
    torch.save({"state_dict": {"a": KERNEL, "b": np.float64(2.0)}}, whole)
    rng = np.random.default_rng(0)
    path = tmp_path / "a.pth"
    for _ in range(60):
        data = bytearray(whole.getvalue())
        for place in rng.integers(0, len(data), 3):
            data[place] ^= int(rng.integers(1, 256))
        path.write_bytes(data)
        try:
            open_file(path)
        except BundleError as error:
            assert "\n" not in str(error)


def test_parts_under_a_prefix_are_offered_one_by_one(tmp_path: Path) -> None:
    held = {"backbone.a": KERNEL, "head.b": KERNEL, "backbone.c": KERNEL}
    parts = list(parts_of(open_file(saved(tmp_path, held))))
    assert [sorted(p.tensors) for p in parts] == [["backbone.a", "backbone.c", "head.b"], ["a", "c"]]
    assert parts[1].aside == ("head.b",)
