"""vs.torch_dataset: what fit trains on, for anybody's loop; and a cohort of anybody's dataset."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from torch.utils.data import DataLoader, Dataset

import vesalius as vs
from vesalius import cohorts, formats
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Ref
from vesalius.core.errors import DataError, OutputError, UnknownName

SMALL = {"net.scale": 0.125, "data.size": [1, 32, 32], "train.steps": 4, "train.batch": 4, "train.members": 1}


def test_it_holds_what_fit_trains_on(pictures: Any) -> None:
    folds = cohorts.load_assignment(pictures.path / "folds.json")
    found = {
        split: vs.torch_dataset(pictures.data, split=split, seed=3, settings=SMALL)
        for split in ("train", "val", "test")
    }
    assert set(found["train"].case_ids) == set(folds.training(0))
    assert set(found["val"].case_ids) == set(folds.folds[0]) and set(found["test"].case_ids) == set(
        folds.test
    )
    of_run = {s: vs.torch_dataset(pictures.data, pictures.path, split=s) for s in ("train", "val", "test")}
    assert {s: set(d.case_ids) for s, d in of_run.items()} == {s: set(d.case_ids) for s, d in found.items()}
    everything = vs.torch_dataset(pictures.data, pictures.run)
    assert len(everything) == 12 and everything[-1]["index"] == 11
    with pytest.raises(IndexError):
        everything[12]


def test_items_are_prepared_as_predict_prepares(pictures: Any) -> None:
    dataset = vs.torch_dataset(pictures.data, pictures.run)
    bundle = open_bundle(pictures.bundle)
    item = dataset[2]
    assert torch.equal(item["image"][None], bundle.prepare(dataset.cases[2]))
    names = [x["name"] for x in bundle.stages[0].state.values["labels"]]
    assert names[int(item["label"].argmax())] == dataset.cases[2].targets["class"]
    assert set(item) == {"image", "label", "index"} and item["label"].sum() == 1


def test_it_is_pickled_and_loaded_by_workers(pictures: Any) -> None:
    dataset = pickle.loads(pickle.dumps(vs.torch_dataset(pictures.data, pictures.run)))
    loader = DataLoader(dataset, batch_size=4, num_workers=1)
    batches = list(loader)
    assert [tuple(b["image"].shape) for b in batches] == [(4, 1, 1, 32, 32)] * 3
    assert torch.equal(batches[0]["image"][1], dataset[1]["image"])
    assert torch.cat([b["index"] for b in batches]).tolist() == list(range(12))


def test_volumes_are_cut_into_patches_for_training_alone(volumes: Any) -> None:
    training = vs.torch_dataset(volumes.data, volumes.path, split="train")
    size = tuple(training.plan.data.size)
    torch.manual_seed(0)
    larger = next(k for k in range(len(training)) if training.example(k).images["image"].shape[1:] != size)
    drawn = [training[larger] for _ in range(8)]
    assert all(d["image"].shape[1:] == d["mask"].shape[1:] == size for d in drawn)
    assert len({d["image"].numpy().tobytes() for d in drawn}) > 1, "each access draws another patch"
    assert any(d["mask"].max() > 0 for d in drawn)
    whole = vs.torch_dataset(volumes.data, volumes.path, split="train", patches=False)[larger]
    assert whole["image"].shape[1:] != size and whole["mask"].min() == -1, "padding is unknown"
    assert not vs.torch_dataset(volumes.data, volumes.path, split="val").patches


def test_what_cannot_be_had_is_said(pictures: Any, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown split 'valid'"):
        vs.torch_dataset(pictures.data, split="valid")
    with pytest.raises(DataError, match="which cases are 'test' is not known"):
        import shutil

        shutil.copytree(pictures.bundle, tmp_path / "alone")
        vs.torch_dataset(pictures.data, tmp_path / "alone", split="test")


# ------------------------------------------------------------------------------------------ from a dataset


class Theirs(Dataset[Any]):
    """Small pictures with a number each, as a torch Dataset has them."""

    classes = ("benign", "malignant")

    def __init__(self, n: int = 8, *, what: str = "tensor", random: bool = False) -> None:
        self.n, self.what, self.random = n, what, random

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, k: int) -> Any:
        if k >= self.n:
            raise IndexError(k)
        rng = np.random.default_rng(None if self.random else k)
        pixels = rng.integers(0, 256, (20, 24), dtype=np.uint8)
        if self.what == "pil":
            return Picture.fromarray(pixels), k % 2
        if self.what == "mapping":
            return {"image": pixels, "mask": (pixels > 128).astype(np.uint8), "who": f"P{k // 2}"}
        if self.what == "volume":
            return torch.from_numpy(rng.normal(size=(1, 6, 20, 24)).astype(np.float32)), 1.5 * k
        return torch.from_numpy(pixels[None].copy()).float() / 255, torch.tensor([k % 2])


def test_a_dataset_is_a_cohort_that_is_read_again_and_fitted(quick: None, tmp_path: Path) -> None:
    cohort = vs.cohort_from_dataset(Theirs(12), tmp_path / "c", patient=lambda k, item: f"P{k // 2}")
    again = vs.read(tmp_path / "c")
    assert again.cases == cohort.cases and again.layout == "dataset" and again.patients_known
    assert [c.targets["target"] for c in cohort.cases][:2] == ["benign", "malignant"]
    image = formats.read(cohort.cases[3].images["image"])
    assert np.array_equal(image.array[:, 0], Theirs()[3][0].numpy()) and image.array.dtype == np.float32
    assert image.affine is None and image.spacing_mm is None
    assert any("no geometry is known" in note for note in cohort.notes)
    run = vs.fit(cohort, tmp_path / "run", settings=SMALL)
    assert run.scorecard is not None and run.scorecard.labels == ("benign", "malignant")
    resumed = vs.fit(tmp_path / "c", tmp_path / "run", resume=True)
    assert resumed.bundle is not None and run.bundle is not None and resumed.bundle.hash == run.bundle.hash


def test_masks_numbers_pil_and_splits(tmp_path: Path) -> None:
    masks = vs.cohort_from_dataset(
        Theirs(4, what="mapping"), tmp_path / "m", image="image", target="mask",
        patient=lambda k, item: item["who"], classes=("background", "bright"), spacing_mm=(0.5, 0.5, 1.0),
    )  # fmt: skip
    checked = cohorts.check(masks)
    assert checked.targets["mask"].kind == "mask" and [x.name for x in checked.targets["mask"].labels] == [
        "bright"
    ]
    drawn = masks.cases[1].targets["mask"]
    assert isinstance(drawn, Ref)
    assert np.array_equal(formats.read_mask(drawn).array[0, 0], Theirs(4, what="mapping")[1]["mask"])
    assert formats.read(masks.cases[0].images["image"]).spacing_mm == (0.5, 0.5, 1.0)
    assert [c.patient for c in masks.cases] == ["P0", "P0", "P1", "P1"]
    numbers = vs.cohort_from_dataset(Theirs(4, what="volume"), tmp_path / "n")
    assert numbers.targets["target"].kind == "number" and numbers.cases[2].targets["target"] == 3.0
    assert formats.read(numbers.cases[0].images["image"]).array.shape == (1, 6, 20, 24)
    split = vs.cohort_from_dataset(
        {"train": Theirs(4, what="pil"), "test": Theirs(2, what="pil")}, tmp_path / "s"
    )
    assert [c.split for c in split.cases] == ["train"] * 4 + ["test"] * 2
    assert len({c.id for c in split.cases}) == 6


def test_several_labels_and_lists() -> None:
    from tempfile import mkdtemp

    items = [(np.zeros((9, 9), np.uint8) + k, np.array([k % 2, 1, 0])) for k in range(4)]
    cohort = vs.cohort_from_dataset(items, Path(mkdtemp()) / "x", classes=("a", "b", "c"))
    assert cohort.targets["target"].kind == "multilabel"
    assert [c.targets["target"] for c in cohort.cases] == [("b",), ("a", "b")] * 2
    assert [x.name for x in cohort.targets["target"].labels] == ["a", "b"], "what never occurs is no label"


@pytest.mark.parametrize(
    ("dataset", "how", "says"),
    [
        (Theirs(random=True), {}, "another when it is read again"),
        ([], {}, "empty"),
        ([(np.zeros((9, 9)), 1.5), (np.zeros((9, 9)), "x")], {}, "item 1: this is no target of kind number"),
        ([(np.zeros((9, 9)), 5)], {"classes": ("a", "b")}, "no class has the number 5"),
        ([(np.zeros((9, 9)), np.zeros((4, 9)))], {}, "a mask has the axes of its image"),
        ([(np.zeros((30, 30, 30)), 1)], {}, "item 0: it is not certain what the axes"),
        ([(np.zeros((9, 9)), 1)] * 2, {"name": lambda k, item: "same"}, "two items are called 'same'"),
        ([{"a": np.zeros((9, 9)), "b": 1, "c": 2}], {"image": "a"}, "does not say which of its parts is the target"),
        ([(np.zeros((9, 9)), 1)], {"split": lambda k, item: "later"}, "split 'later' is not known"),
    ],
)  # fmt: skip
def test_what_a_dataset_lacks_is_said_and_nothing_is_left(
    dataset: Any, how: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=says):
        vs.cohort_from_dataset(dataset, tmp_path / "c", **how)
    assert not (tmp_path / "c").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    vs.cohort_from_dataset(Theirs(2), tmp_path / "c")
    with pytest.raises(OutputError, match="not empty"):
        vs.cohort_from_dataset(Theirs(2), tmp_path / "c")
    (tmp_path / "c" / "cases.jsonl").write_text("")
    with pytest.raises(DataError, match="not whole"):
        vs.read(tmp_path / "c")
