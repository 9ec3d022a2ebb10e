"""What a person gets wrong: one line that says what and what to try, exit code 2, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cli, nets
from vesalius.core.bundle import Stage, save_bundle
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan

Argv = list[Any]


@dataclass(frozen=True)
class Row:
    """One mistake: how it is made in an empty folder, what is typed, and what the line must say."""

    name: str
    says: tuple[str, ...]
    make: Callable[[Path, Path], Argv]


ROWS: list[Row] = []


def row(name: str, *says: str) -> Callable[[Callable[[Path, Path], Argv]], None]:
    def add(make: Callable[[Path, Path], Argv]) -> None:
        ROWS.append(Row(name, says, make))

    return add


# ------------------------------------------------------------------------------------------ what is built


def png(path: Path, seed: int = 0, *, side: int = 16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side), dtype=np.uint8)
    Picture.fromarray(pixels).save(path)
    return path


def classes(root: Path, n: int = 6, names: tuple[str, ...] = ("cat", "dog")) -> Path:
    """Class folders of small pictures, each another."""
    for k, name in enumerate(names):
        for i in range(n):
            png(root / name / f"{name}{i}.png", 100 * k + i)
    return root


def nifti(path: Path, array: np.ndarray, *, shift: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[0, 3] = shift
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


def volumes(
    root: Path, n: int = 4, *, mask_of: Callable[[int, np.ndarray], np.ndarray] | None = None
) -> Path:
    """Images and masks in two folders; `mask_of` may spoil a mask."""
    for k in range(n):
        pixels = np.random.default_rng(k).normal(size=(10, 9, 8)).astype(np.float32)
        mask = (pixels > 1).astype(np.uint8)
        nifti(root / "images" / f"c{k}.nii.gz", pixels)
        nifti(root / "masks" / f"c{k}.nii.gz", mask_of(k, mask) if mask_of else mask)
    return root


def table(root: Path, text: str, *, pictures: int = 8) -> Path:
    for k in range(pictures):
        png(root / f"p{k}.png", k)
    (root / "cases.csv").write_text(text, encoding="utf-8")
    return root


def bundle(path: Path) -> Path:
    """A classifier that was never trained, saved as a bundle."""
    import torch
    from safetensors.torch import save_file

    from vesalius.tasks import classify

    plan = Plan(
        task=TaskPlan(name="classify", target="class"),
        data=DataPlan(
            dims=2,
            channels=1,
            sampling="whole",
            size=(1, 16, 16),
            normalise=(Normalisation(method="zscore"),),
        ),
        net=NetPlan(name="cnn", scale=0.125),
        loss=LossPlan(name="cross_entropy"),
        train=TrainPlan(steps=1, batch=2),
    )
    info = TargetInfo("class", "class", (Label(0, "cat"), Label(1, "dog")))
    state = classify.TASK.learned([], info, plan)
    path.mkdir(parents=True)
    torch.manual_seed(0)
    save_file(classify.TASK.build(plan, state, nets).state_dict(), path / "weights-0-0.safetensors")
    save_bundle(
        path, (Stage("classify", plan, state, ("weights-0-0.safetensors",)),), data_hash="", made_by="a test"
    )
    return path


def planned(path: Path, **changed: Any) -> Path:
    """A plan.json with some of its text replaced."""
    text = json.loads((bundle(path.parent / "for_plan") / "plan-0.json").read_text(encoding="utf-8"))
    path.write_text(json.dumps({**text, **changed}), encoding="utf-8")
    return path


def fit(data: Path, here: Path, *more: Any) -> Argv:
    return ["fit", data, "-o", here / "out", *more]


def dry(data: Path, here: Path, *more: Any) -> Argv:
    return fit(data, here, "--dry-run", *more)


# ------------------------------------------------------------------------------------------ no data, or faulty data


@row("nothing there", "no data at", "nowhere")
def _(here: Path, _b: Path) -> Argv:
    return fit(here / "nowhere", here)


@row("an empty folder", "no images")
def _(here: Path, _b: Path) -> Argv:
    (here / "data").mkdir()
    return fit(here / "data", here)


@row("a folder without images", "no images")
def _(here: Path, _b: Path) -> Argv:
    (here / "data").mkdir()
    (here / "data" / "notes.txt").write_text("nothing to see", encoding="utf-8")
    return ["inspect", here / "data"]


@row("images and nothing to learn", "nothing to learn")
def _(here: Path, _b: Path) -> Argv:
    for k in range(4):
        png(here / "data" / f"{k}.png", k)
    return fit(here / "data", here)


@row("one class only", "one class only", "'cat'", "all 8 cases")
def _(here: Path, _b: Path) -> Argv:
    rows = "".join(f"p{k}.png,cat\n" for k in range(8))
    return fit(table(here / "data", "image,label\n" + rows), here, "--column", "label=label")


@row("masks of another shape", "mask", "shape", "c0")
def _(here: Path, _b: Path) -> Argv:
    return fit(volumes(here / "data", mask_of=lambda k, m: m[:-2]), here)


@row("masks of another affine", "mask", "c0")
def _(here: Path, _b: Path) -> Argv:
    root = volumes(here / "data")
    for k in range(4):
        nifti(root / "masks" / f"c{k}.nii.gz", np.ones((10, 9, 8), np.uint8), shift=30.0)
    return fit(root, here)


@row("masks that are empty", "only the background")
def _(here: Path, _b: Path) -> Argv:
    return fit(volumes(here / "data", mask_of=lambda k, m: 0 * m), here)


@row("masks that are no labels", "mask")
def _(here: Path, _b: Path) -> Argv:
    return fit(volumes(here / "data", mask_of=lambda k, m: (m + 0.5).astype(np.float32)), here)


@row("a patient on both sides", "patient", "ann", "split")
def _(here: Path, _b: Path) -> Argv:
    rows = "".join(
        f"p{k}.png,{'ab'[k % 2]},{'ann' if k in (0, 7) else k},{'test' if k > 5 else 'train'}\n"
        for k in range(8)
    )
    return fit(table(here / "data", "image,label,patient,split\n" + rows), here)


@row("one patient only", "patient")
def _(here: Path, _b: Path) -> Argv:
    rows = "".join(f"p{k}.png,{'ab'[k % 2]},ann\n" for k in range(8))
    return fit(table(here / "data", "image,label,patient\n" + rows), here)


def spoilt(here: Path, spoil: Callable[[Path], None], *, n: int = 2) -> Path:
    """Two of twelve pictures are spoilt: more than a tenth."""
    root = classes(here / "data")
    for path in sorted(root.rglob("*.png"))[:n]:
        spoil(path)
    return root


@row("truncated pictures", "2 of 12 cases are set aside, more than 10%", "cat0")
def _(here: Path, _b: Path) -> Argv:
    return dry(spoilt(here, lambda p: p.write_bytes(p.read_bytes()[:-60]) and None), here)


@row("pictures of no bytes", "2 of 12 cases are set aside", "cat0", "empty")
def _(here: Path, _b: Path) -> Argv:
    return dry(spoilt(here, lambda p: p.write_bytes(b"") and None), here)


@row("pictures that are text", "2 of 12 cases are set aside", "cat0")
def _(here: Path, _b: Path) -> Argv:
    return dry(spoilt(here, lambda p: p.write_text("<html>404</html>") and None), here)


def spoilt_volumes(here: Path, spoil: Callable[[Path], None]) -> Path:
    root = volumes(here / "data", 8)
    spoil(root / "images" / "c0.nii.gz")
    return root


@row("a truncated NIfTI", "1 of 8 cases are set aside", "c0")
def _(here: Path, _b: Path) -> Argv:
    def spoil(path: Path) -> None:
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-100]))

    return dry(spoilt_volumes(here, spoil), here)


@row("a gzip with a wrong CRC", "1 of 8 cases are set aside", "c0")
def _(here: Path, _b: Path) -> Argv:
    def spoil(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[-8] ^= 1
        path.write_bytes(data)

    return dry(spoilt_volumes(here, spoil), here)


@row("a header that claims 30000 voxels a side", "1 of 8 cases are set aside", "c0")
def _(here: Path, _b: Path) -> Argv:
    def spoil(path: Path) -> None:
        data = bytearray(gzip.decompress(path.read_bytes()))
        data[42:48] = np.array([30000] * 3, "<i2").tobytes()
        path.write_bytes(gzip.compress(data))

    return dry(spoilt_volumes(here, spoil), here)


@row("pixels that are no numbers", "1 of 8 cases are set aside", "c0", "NaN")
def _(here: Path, _b: Path) -> Argv:
    return dry(
        spoilt_volumes(here, lambda p: nifti(p, np.full((10, 9, 8), np.nan, np.float32)) and None), here
    )


@row("an image without pixels", "1 of 8 cases are set aside", "c0")
def _(here: Path, _b: Path) -> Argv:
    def spoil(path: Path) -> None:
        data = bytearray(gzip.decompress(path.read_bytes()))
        data[42:44] = np.array([0], "<i2").tobytes()
        path.write_bytes(gzip.compress(data))

    return dry(spoilt_volumes(here, spoil), here)


def medmnist(path: Path, spoil: Callable[[bytes], bytes] = bytes, **changed: np.ndarray) -> Path:
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", 8), ("val", 4), ("test", 4)):
        arrays[f"{split}_images"] = rng.integers(0, 255, (n, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(n) % 2)[:, None].astype(np.uint8)
    np.savez(path, **{**arrays, **changed})
    path.write_bytes(spoil(path.read_bytes()))
    return path


@row("a truncated npz", "data.npz", "damaged")
def _(here: Path, _b: Path) -> Argv:
    return dry(medmnist(here / "data.npz", lambda b: b[: len(b) // 2]), here)


@row("an npz with one bit flipped", "data.npz", "CRC")
def _(here: Path, _b: Path) -> Argv:
    def flip(data: bytes) -> bytes:
        bad = bytearray(data)
        bad[600] ^= 1
        return bytes(bad)

    return dry(medmnist(here / "data.npz", flip), here)


@row("an npz of pickles", "data.npz")
def _(here: Path, _b: Path) -> Argv:
    return dry(medmnist(here / "data.npz", train_images=np.array([{}] * 8, dtype=object)), here)


# ------------------------------------------------------------------------------------------ names that are not there


@row("an unknown task", "unknown task 'clasify'", "closest: classify")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--task", "clasify")


@row("a task for another target", "task 'segment' cannot learn from target 'class'")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--task", "segment")


@row("an unknown net", "unknown net 'resnet18'", "resnet-18")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--set", "net.name=resnet18")


@row("a net of another role", "net 'unet' does not suit classify; found a net of role dense", "resnet-10")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--set", "net.name=unet")


@row("an unknown loss", "unknown loss 'crossentropy'", "cross_entropy")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--set", "loss.name=crossentropy")


@row("an unknown plan field", "unknown plan field 'train.step'", "train.steps")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--set", "train.step=5")


@row("a plan value of another type", "train.steps", "many")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--set", "train.steps=many")


@row("a plan value out of range", "train.lr", "-1")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--set", "train.lr=-1")


@row("folds that are no number", "train.folds", "few")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--set", "train.folds=few")


@row("--set without a sign", "--set takes NAME=VALUE", "'train.steps'")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--set", "train.steps")


@row("an unknown target", "unknown target 'klass'", "class")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--target", "klass")


@row("several targets and none said", "2 targets", "--target")
def _(here: Path, _b: Path) -> Argv:
    root = classes(here / "data")
    for path in sorted(root.rglob("*.png")):
        Picture.fromarray(np.full((16, 16), 255, np.uint8)).save(path.with_name(f"{path.stem}_mask.png"))
    return fit(root, here)


@row("an unknown column role", "role", "lable", "label")
def _(here: Path, _b: Path) -> Argv:
    rows = "".join(f"p{k}.png,{'ab'[k % 2]}\n" for k in range(8))
    return fit(table(here / "data", "image,kind\n" + rows), here, "--column", "lable=kind")


@row("an unknown column", "unknown column 'knd'", "kind")
def _(here: Path, _b: Path) -> Argv:
    rows = "".join(f"p{k}.png,{'ab'[k % 2]}\n" for k in range(8))
    return fit(table(here / "data", "image,kind\n" + rows), here, "--column", "label=knd")


@row("a table of images that are not there", "no row of cases.csv leads to an image", "q0.png")
def _(here: Path, _b: Path) -> Argv:
    rows = "".join(f"q{k}.png,{'ab'[k % 2]}\n" for k in range(8))
    return fit(table(here / "data", "image,label\n" + rows), here, "--column", "image=image")


@row("an unknown option", "--epochs", "vesalius fit --help")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--epochs", "5")


@row("an unknown verb", "train", "--help")
def _(here: Path, _b: Path) -> Argv:
    return ["train", here]


@row("a number out of range", "--folds", "vesalius fit --help")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--folds", "1")


@row("more folds than cases", "40 folds are more than", "10 cases", "--folds 5")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--folds", "40")


@row("an unknown device", "device", "gpu")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--device", "gpu")


# ------------------------------------------------------------------------------------------ splits, plans, time


@row("a split file that names unknown cases", "unknown case", "cow1")
def _(here: Path, _b: Path) -> Argv:
    (here / "split.csv").write_text("case,split\ncow1,test\n", encoding="utf-8")
    return fit(classes(here / "data"), here, "--split", here / "split.csv")


@row("a split file with other columns", "is not a split file", "case,split")
def _(here: Path, _b: Path) -> Argv:
    (here / "split.csv").write_text("id,part\ncat/cat1,test\n", encoding="utf-8")
    return fit(classes(here / "data"), here, "--split", here / "split.csv")


@row("a split file that is not there", "no split file")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--split", here / "split.csv")


@row("a plan that is not there", "no plan at")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--plan", here / "plan.json")


@row("a plan that is no JSON", "is not a plan", "plan.json")
def _(here: Path, _b: Path) -> Argv:
    (here / "plan.json").write_text("steps: 5", encoding="utf-8")
    return fit(classes(here / "data"), here, "--plan", here / "plan.json")


@row("a plan from a newer version", "version 99", "newer")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--plan", planned(here / "plan.json", version=99))


@row("a plan with an unknown field", "unknown plan field 'trane'", "train")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--plan", planned(here / "plan.json", trane={}))


@row("a plan without a net", "net", "plan.json")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--plan", planned(here / "plan.json", net=None))


@row("a plan for pictures on volumes", "the plan reads single pictures", "volume")
def _(here: Path, _b: Path) -> Argv:
    for k in range(8):
        nifti(here / "data" / "ab"[k % 2] / f"c{k}.nii.gz", np.random.default_rng(k).normal(size=(10, 9, 8)))
    return fit(here / "data", here, "--plan", planned(here / "plan.json"))


@row("a time that is none", "'soon' is not a time", "10m")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--time-limit", "soon")


@row("a time that is too short", "too short for the minimum of", "steps")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--time-limit", "2s", "--set", "net.name=cnn")


@row("nothing to resume", "no run to resume")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--resume")


@row("weights that are none", "is not a file of weights")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--init", png(here / "x.png"))


@row("weights of another net", "none of the given weights fits")
def _(here: Path, _b: Path) -> Argv:
    from safetensors.numpy import save_file

    save_file({"nothing": np.zeros(3)}, here / "w.safetensors")
    return fit(classes(here / "data"), here, "--init", here / "w.safetensors", "--set", "net.name=cnn")


# ------------------------------------------------------------------------------------------ where to write


@row("output that is not empty", "exists and is not empty")
def _(here: Path, _b: Path) -> Argv:
    (here / "full").mkdir()
    (here / "full" / "precious.txt").write_text("mine", encoding="utf-8")
    return ["fit", classes(here / "data"), "-o", here / "full"]


@row("output below a file", "cannot be written")
def _(here: Path, _b: Path) -> Argv:
    return ["fit", classes(here / "data"), "-o", png(here / "x.png") / "out"]


@row("output where nothing may be written", "cannot be written", "/proc")
def _(here: Path, _b: Path) -> Argv:
    return ["fit", classes(here / "data"), "-o", "/proc/vesalius"]


@row("a page where nothing may be written", "cannot be written")
def _(here: Path, _b: Path) -> Argv:
    return ["inspect", classes(here / "data"), "--html", png(here / "x.png") / "page.html"]


@row("a phantom onto something", "exists and is not empty")
def _(here: Path, _b: Path) -> Argv:
    return ["phantom", classes(here / "data")]


# ------------------------------------------------------------------------------------------ bundles and predictions


@row("a bundle that is not there", "no bundle at")
def _(here: Path, _b: Path) -> Argv:
    return ["predict", here / "nothing", png(here / "x.png"), "-o", here / "out"]


@row("a folder that is no bundle", "is not a bundle")
def _(here: Path, _b: Path) -> Argv:
    return ["predict", classes(here / "data"), png(here / "x.png"), "-o", here / "out"]


@row("a bundle with one bit flipped", "damaged", "weights-0-0.safetensors")
def _(here: Path, made: Path) -> Argv:
    shutil.copytree(made, here / "bundle")
    path = here / "bundle" / "weights-0-0.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    return ["predict", here / "bundle", png(here / "x.png"), "-o", here / "out"]


@row("a bundle with a file missing", "damaged", "'plan-0.json' missing")
def _(here: Path, made: Path) -> Argv:
    shutil.copytree(made, here / "bundle")
    (here / "bundle" / "plan-0.json").unlink()
    return ["predict", here / "bundle", png(here / "x.png"), "-o", here / "out"]


@row("a bundle from a newer version", "version 99", "newer")
def _(here: Path, made: Path) -> Argv:
    from vesalius.core.sealed import seal

    shutil.copytree(made, here / "bundle")
    head = here / "bundle" / "bundle.json"
    head.write_text(head.read_text().replace('"version": 1', '"version": 99'), encoding="utf-8")
    seal(here / "bundle")
    return ["predict", here / "bundle", png(here / "x.png"), "-o", here / "out"]


@row("nothing to predict", "no images")
def _(here: Path, made: Path) -> Argv:
    (here / "data").mkdir()
    return ["predict", made, here / "data", "-o", here / "out"]


@row("an input that is not there", "no data at")
def _(here: Path, made: Path) -> Argv:
    return ["predict", made, here / "nothing", "-o", here / "out"]


@row("a mirror that may not be", "axis 'x' may not be mirrored")
def _(here: Path, made: Path) -> Argv:
    return ["predict", made, png(here / "x.png"), "-o", here / "out", "--mirror", "x"]


def scored(here: Path, text: str) -> Argv:
    (here / "said.csv").write_text(text, encoding="utf-8")
    return ["evaluate", here / "said.csv", classes(here / "data"), "-o", here / "out"]


@row("predictions without a case column", "no column that names the case")
def _(here: Path, _b: Path) -> Argv:
    return scored(here, "who,answer\ncat/cat0,cat\n")


@row("predictions of unknown classes", "unknown class 'cats'", "cat")
def _(here: Path, _b: Path) -> Argv:
    return scored(here, "case,answer\ncat/cat0,cats\n")


@row("predictions of unknown cases", "no row of", "cow0")
def _(here: Path, _b: Path) -> Argv:
    return scored(here, "case,answer\ncow0,cat\n")


@row("predictions that are no probabilities", "outside 0 to 1")
def _(here: Path, _b: Path) -> Argv:
    return scored(here, "case,p_cat,p_dog\ncat/cat0,7,-6\n")


@row("predictions without an answer", "neither probabilities nor classes")
def _(here: Path, _b: Path) -> Argv:
    return scored(here, "case,mood\ncat/cat0,fine\n")


@row("masks on another grid than the truth", "another grid", "c0")
def _(here: Path, _b: Path) -> Argv:
    for k in range(4):
        nifti(here / "said" / f"c{k}.nii.gz", np.ones((5, 5, 5), np.uint8))
    return ["evaluate", here / "said", volumes(here / "data"), "-o", here / "out"]


@row("masks with other names", "named as a case is")
def _(here: Path, _b: Path) -> Argv:
    nifti(here / "said" / "zz.nii.gz", np.ones((10, 9, 8), np.uint8))
    return ["evaluate", here / "said", volumes(here / "data"), "-o", here / "out"]


@row("a split that is not there", "no case to score in split 'val'")
def _(here: Path, made: Path) -> Argv:
    return ["evaluate", made, classes(here / "data"), "-o", here / "out", "--split", "val"]


@row("an option of another net", "unknown option of net 'cnn': 'stem'", "none")
def _(here: Path, _b: Path) -> Argv:
    return fit(classes(here / "data"), here, "--set", "net.name=cnn", "--set", "net.options.stem=small")


def setting(name: str, text: str, *says: str) -> None:
    """A row for a value of the plan that cannot be."""
    row(name, *says)(lambda here, _b: dry(classes(here / "data"), here, "--set", text))


setting("a loss of another task", "loss.name=dice", "not for classify", "cross_entropy")
setting("a size of nothing", "data.size=[0,0,0]", "data.size.0")
setting("a size beyond memory", "data.size=[1,300000,300000]", "does not fit into memory")
setting("a batch beyond memory", "train.batch=100000000", "does not fit into memory")
setting("a net of another order", "net.scale=1e6", "net.scale")
setting("a positive class that is not there", "task.positive=cow", "unknown class 'cow'")
setting("a task by --set that the target is not for", "task.name=segment", "cannot learn from target 'class'")
setting("a negative seed by --set", "train.seed=-1", "train.seed")


@row("two answers to one case", "holds two different answers to case cat0")
def _(here: Path, _b: Path) -> Argv:
    return scored(here, "case,answer\ncat/cat0,cat\ncat/cat0,dog\n")


@row("answers among the images", "output and input are kept apart")
def _(here: Path, made: Path) -> Argv:
    return ["predict", made, classes(here / "data"), "-o", here / "data" / "out"]


@row("a suffix that nothing is written in", "no format with this suffix can be written", ".nii.gz")
def _(here: Path, made: Path) -> Argv:
    return ["predict", made, classes(here / "data"), "-o", here / "out", "--also", ".foo"]


@row("classes that the bundle never learned", "did not learn the class 'cow'", "cat, dog")
def _(here: Path, made: Path) -> Argv:
    return ["evaluate", made, classes(here / "data", names=("cat", "cow")), "-o", here / "out"]


@row("a target to inspect that is not there", "unknown target 'nope'")
def _(here: Path, _b: Path) -> Argv:
    return ["inspect", classes(here / "data"), "--target", "nope"]


@row("a page that exists", "nothing is overwritten", "--html")
def _(here: Path, _b: Path) -> Argv:
    (here / "page.html").write_text("mine")
    return ["inspect", classes(here / "data"), "--html", here / "page.html"]


@row("nothing to de-identify", "no files in")
def _(here: Path, _b: Path) -> Argv:
    (here / "data").mkdir()
    return ["deidentify", here / "data", here / "out"]


@row("masks that hold no label values", "in a folder of masks")
def _(here: Path, _b: Path) -> Argv:
    for k in range(6):
        png(here / "data" / "images" / f"c{k}.png", k)
        picture = Picture.fromarray(np.random.default_rng(k).integers(0, 255, (16, 16), dtype=np.uint8))
        (here / "data" / "masks").mkdir(exist_ok=True)
        picture.save(here / "data" / "masks" / f"c{k}.jpg")
    return fit(here / "data", here)


# ------------------------------------------------------------------------------------------ the tests


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(tmp_path_factory.mktemp("made") / "bundle")


def written(folder: Path) -> set[Path]:
    return {p.relative_to(folder) for p in folder.rglob("*")}


@pytest.mark.parametrize("mistake", ROWS, ids=lambda r: r.name.replace(" ", "-"))
def test_a_mistake_is_one_line(
    mistake: Row,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    argv = [str(a) for a in mistake.make(tmp_path, made)]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["vesalius", *argv])
    before = written(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capfd.readouterr()
    assert stopped.value.code == 2
    assert out == ""
    assert err.startswith("vesalius: ") and err.count("\n") == 1 and err.endswith("\n"), err
    for fragment in mistake.says:
        assert fragment.lower() in err.lower(), err
    left = {p for p in written(tmp_path) - before if (tmp_path / p).is_file() or p.name != "out"}
    assert not left, "something half-written"


def test_there_are_rows_enough() -> None:
    assert len(ROWS) >= 30 and len({r.name for r in ROWS}) == len(ROWS)


# ------------------------------------------------------------------------------------------ a full disk


FAST = (
    "--set",
    "net.name=cnn",
    "--set",
    "train.steps=2",
    "--set",
    "train.members=1",
    "--set",
    "data.size=[1,16,16]",
)


def full_disk(name: str, here: Path, made: Path) -> tuple[Argv, int]:
    """What is typed, and the largest file in bytes that can still be written."""
    if name == "phantom":
        return ["phantom", here / "out", "--cases", "2"], 3000
    if name == "inspect":
        return ["inspect", classes(here / "data"), "--html", here / "page.html"], 3000
    if name == "predict":
        return ["predict", made, classes(here / "data"), "-o", here / "out"], 300
    if name == "fit":
        return fit(classes(here / "data"), here, *FAST), 2500
    if name == "fit, its weights":
        return fit(classes(here / "data"), here, *FAST), 20_000
    text = "case,answer\n" + "".join(f"{c}/{c}{k},{c}\n" for c in ("cat", "dog") for k in range(6))
    return scored(here, text), 1500


@pytest.mark.parametrize("name", ["phantom", "inspect", "predict", "fit", "fit, its weights", "evaluate"])
def test_a_full_disk_is_one_line(
    name: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, most = full_disk(name, tmp_path, made)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["vesalius", *map(str, argv)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    _, err = capsys.readouterr()  # not capfd, whose file is limited, too
    last = err.splitlines()[-1]
    assert stopped.value.code == 2
    assert last.startswith("vesalius: no space left to write") and "Traceback" not in err, err
    assert not [p for p in tmp_path.rglob("*") if ".tmp" in p.name], "half of a file"
    assert not list(tmp_path.rglob("MANIFEST.sha256")), "half of a bundle"


# ------------------------------------------------------------------------------------------ one faulty file of many


def test_one_faulty_case_of_many_is_named_and_the_rest_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    root = classes(tmp_path / "data", 10)
    (root / "cat" / "cat3.png").write_bytes(b"\x89PNG but no picture")
    monkeypatch.setattr(sys, "argv", ["vesalius", *map(str, dry(root, tmp_path, *FAST))])
    cli.main()
    out, err = capfd.readouterr()
    (said,) = [line for line in err.splitlines() if line.startswith("set aside")]
    assert "cat/cat3" in said and len(said) > len("set aside: cat/cat3: ")
    assert "net.name" in out and not (tmp_path / "out").exists()


def test_predict_answers_the_rest_and_says_so_by_its_exit_code(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    root = classes(tmp_path / "data", 3)
    (root / "dog" / "dog1.png").write_bytes(b"")
    argv = ["predict", made, root, "-o", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", ["vesalius", *map(str, argv)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert "dog/dog1" in capfd.readouterr().err
    assert len((tmp_path / "out" / "answers.csv").read_text().splitlines()) == 1 + 5
    assert "dog/dog1" in (tmp_path / "out" / "failed.csv").read_text()


def test_a_mistake_in_a_process_of_its_own(tmp_path: Path) -> None:
    """The installed command: the same line, the same code, and no help for what was not asked."""
    argv = [sys.executable, "-m", "vesalius", "fit", str(tmp_path / "nowhere")]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("vesalius: no data at") and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_nothing_asked_is_answered_with_help(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["vesalius"])
    cli.main()
    out, err = capfd.readouterr()
    assert "inspect" in out and "evaluate" in out and err == ""
