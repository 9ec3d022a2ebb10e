"""Models that nnU-Net makes itself, and its own answers to one image each: the recordings of tests/imports/nnunet.

It runs in an environment that has nnunetv2 (Apache-2.0), not in the project's own:

    python3 -m venv ENV && ENV/bin/pip install torch==2.13.0 nnunetv2
    ENV/bin/python tests_extras/imports/make_nnunet.py tests/imports/nnunet

Each model is planned, preprocessed and trained by nnU-Net for a few steps on made-up images; its plan is made small by
hand before that, as its documentation shows. Answers are those of nnU-Net's own predictor, once as it is (it sums in
16 bits) and once with sums in 32 bits; the former is only recorded as its largest difference from the latter.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import types
from pathlib import Path

import numpy as np

CT, MR, FLAT = "ct", "mr", "flat"
KINDS = {
    CT: {"channels": {"0": "CT"}, "shape": (24, 30, 26), "spacing": (1.0, 1.2, 1.1), "folds": (0,)},
    MR: {
        "channels": {"0": "T1", "1": "T2"},
        "shape": (12, 34, 30),
        "spacing": (0.9, 1.0, 4.0),
        "folds": (0, 1),
    },
    FLAT: {"channels": {"0": "MR"}, "shape": (5, 34, 40), "spacing": (1.0, 1.0, 3.0), "folds": ("all",)},
}
LABELS = {"background": 0, "organ": 1, "lesion": 2}
CONFIGURATION = {CT: "3d_fullres", MR: "3d_fullres", FLAT: "2d"}
PATCH = {CT: [16, 16, 16], MR: [6, 16, 16], FLAT: [16, 24]}
PLANNED_MM = {CT: [1.3, 1.0, 1.1], MR: [4.0, 1.2, 1.1], FLAT: [1.1, 1.0]}


def image(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `(C, Z, Y, X)` float32 whose edge is zero (of CT not), and labels `(Z, Y, X)`."""
    rng = np.random.default_rng(seed)
    shape = KINDS[kind]["shape"]
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    body = z**2 * 0.3 + y**2 + x**2 < 0.85
    shift = rng.uniform(-0.2, 0.2, 3)
    organ = ((z - shift[0]) ** 2 * 0.5 + (y - shift[1]) ** 2 + (x - shift[2]) ** 2 < 0.3) & body
    lesion = ((z - shift[0]) ** 2 * 0.5 + (y - shift[1] + 0.2) ** 2 + (x - shift[2]) ** 2 < 0.05) & body
    labels = (organ.astype(np.uint8) + lesion).clip(0, 2).astype(np.uint8)
    channels = []
    for k in range(len(KINDS[kind]["channels"])):
        base = 400 * organ + (300 - 500 * k) * lesion + rng.normal(0, 60, shape)
        channels.append(np.where(body, base + 300, -1000 if kind == CT else 0))
    stacked = np.stack(channels).round().astype(np.float32)
    if kind == CT:  # a frame of zeros around it, so that there is something to cut off
        stacked[:, :2] = 0
        stacked[:, :, -3:] = 0
    return stacked, labels


def write(kind: str, array: np.ndarray, path: Path) -> None:
    """Write one volume `(Z, Y, X)` as NIfTI, lying askew by nothing, with the kind's spacing."""
    import SimpleITK

    made = SimpleITK.GetImageFromArray(array.astype(np.int16))
    made.SetSpacing(KINDS[kind]["spacing"])
    SimpleITK.WriteImage(made, str(path), useCompression=True)


def dataset(kind: str, root: Path, number: int) -> str:
    """Write a raw data set of nnU-Net's, and return its name."""
    name = f"Dataset{number:03d}_{kind}"
    folder = root / "raw" / name
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    for seed in range(5):
        stacked, labels = image(kind, seed)
        for k, channel in enumerate(stacked):
            write(kind, channel, folder / "imagesTr" / f"case{seed}_{k:04d}.nii.gz")
        write(kind, labels, folder / "labelsTr" / f"case{seed}.nii.gz")
    about = {
        "channel_names": KINDS[kind]["channels"],
        "labels": LABELS,
        "numTraining": 5,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(about))
    return name


def shrunk(kind: str, plans: Path) -> None:
    """Make nnU-Net's plan small: few features, two or three stages, a patch smaller than the image."""
    found = json.loads(plans.read_text())
    configuration = CONFIGURATION[kind]
    own = found["configurations"][configuration]
    flat = len(PATCH[kind]) == 2
    own["patch_size"], own["spacing"], own["batch_size"] = PATCH[kind], PLANNED_MM[kind], 2
    if kind == MR:  # as it plans where images are mostly empty
        own["use_mask_for_norm"] = [True] * len(KINDS[kind]["channels"])
    kwargs = own["architecture"]["arch_kwargs"]
    ones, twos = ([1, 1], [2, 2]) if flat else ([1, 1, 1], [2, 2, 2])
    strides = [ones, [1, 2, 2] if kind == MR else twos, twos]
    stages = len(strides)
    kernels = [[3, 3] if flat else ([1, 3, 3] if kind == MR and k == 0 else [3, 3, 3]) for k in range(stages)]
    changed = {"n_stages": stages, "features_per_stage": [4 * 2**k for k in range(stages)]}
    changed |= {"strides": strides, "kernel_sizes": kernels, "n_conv_per_stage": [2] * stages}
    kwargs |= {**changed, "n_conv_per_stage_decoder": [2] * (stages - 1)}
    if kind == CT:  # as nnU-Net turns data whose finest axis is not the last
        found["transpose_forward"], found["transpose_backward"] = [1, 0, 2], [1, 0, 2]
    found["configurations"] = {configuration: own}
    plans.write_text(json.dumps(found, indent=1))


def trained(kind: str, name: str, root: Path) -> Path:
    """Plan, preprocess and train; return the folder of results."""
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api
    from nnunetv2.training.nnUNetTrainer import nnUNetTrainer as module

    number = int(name[7:10])
    os.environ["nnUNet_n_proc_DA"] = "1"  # noqa: SIM112 - threads to plan with
    api.extract_fingerprints([number], num_processes=1)
    api.plan_experiments([number])
    folder = root / "preprocessed" / name
    shrunk(kind, folder / "nnUNetPlans.json")
    api.preprocess([number], configurations=(CONFIGURATION[kind],), num_processes=(1,))
    plans = json.loads((folder / "nnUNetPlans.json").read_text())
    about = json.loads((folder / "dataset.json").read_text())
    import torch

    os.environ["nnUNet_n_proc_DA"] = "0"  # noqa: SIM112 - patches are drawn in this process
    for fold in KINDS[kind]["folds"]:
        given = {**plans, "continue_training": False}
        trainer = module.nnUNetTrainer(given, CONFIGURATION[kind], fold, about, device=torch.device("cpu"))
        trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch = 1, 25, 1
        trainer.initial_lr = 0.01
        trainer.run_training()
        out = Path(trainer.output_folder)
    return out.parent


def exact() -> None:
    """Let nnU-Net's predictor sum in 32 bits: the same code, with another type of number."""
    import torch
    from nnunetv2.inference import predict_from_raw_data as module

    class Single(types.ModuleType):
        def __getattr__(self, name: str) -> object:
            return torch.float32 if name == "half" else getattr(torch, name)

    gaussian = module.compute_gaussian
    module.torch = Single("torch")
    module.compute_gaussian = lambda *a, **k: gaussian(*a, **{**k, "dtype": torch.float32})
    module.compute_gaussian.cache_clear = gaussian.cache_clear


def answered(kind: str, results: Path) -> np.ndarray:
    """Return the probabilities `(K, Z, Y, X)` of an image that was not trained on, by nnU-Net's predictor."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        device=torch.device("cpu"), perform_everything_on_device=False, allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(results), KINDS[kind]["folds"])
    spacing = list(KINDS[kind]["spacing"])[::-1]
    found = predictor.predict_single_npy_array(image(kind, 77)[0], {"spacing": spacing}, None, None, True)
    return np.asarray(found[1])


def kept(kind: str, results: Path, exactly: np.ndarray, roughly: np.ndarray, out: Path) -> None:
    """Write what is recorded: the model as nnU-Net left it but for its optimiser's state, the image and the answer."""
    import torch

    shutil.rmtree(out, ignore_errors=True)
    for path in [
        results / "dataset.json",
        results / "plans.json",
        *results.glob("fold_*/checkpoint_final.pth"),
    ]:
        place = out / results.name / path.relative_to(results)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            shutil.copyfile(path, place)
            continue
        held = torch.load(path, weights_only=False)
        held |= {"optimizer_state": {}, "logging": {}}
        torch.save(held, place)
    for k, channel in enumerate(image(kind, 77)[0]):
        write(kind, channel, out / f"image_{k:04d}.nii.gz")
    steps = np.round(exactly[1:] * 65535).astype(np.uint16)  # of the labels; the background is what is left
    half = float(np.abs(exactly - roughly).max())
    np.savez_compressed(out / "answer.npz", steps=steps, half=half)
    print(kind, "half differs by", half, "labels", [float((exactly.argmax(0) == k).mean()) for k in range(3)])


def main(out: Path) -> None:
    """Make all of them."""
    root = Path(tempfile.mkdtemp())
    for name in ("raw", "preprocessed", "results"):
        (root / name).mkdir()
        os.environ[f"nnUNet_{name}"] = str(root / name)
    os.environ["nnUNet_compile"] = "false"  # noqa: SIM112
    results = {kind: trained(kind, dataset(kind, root, k + 1), root) for k, kind in enumerate(KINDS)}
    rough = {kind: answered(kind, place) for kind, place in results.items()}
    exact()
    for kind, place in results.items():
        kept(kind, place, answered(kind, place), rough[kind], out / kind)
    shutil.rmtree(root)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
