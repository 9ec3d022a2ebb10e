"""nnU-Net itself, in its own environment: results with drawn weights, its answer to one image, and its training step.

    ENV/bin/python benchmarks/_nnunet.py make FOLDER FEATURES PATCH LABELS SPACING
    ENV/bin/python benchmarks/_nnunet.py answer FOLDER IMAGE OUT THREADS
    ENV/bin/python benchmarks/_nnunet.py step DEVICE PATCH BATCH LABELS FEATURES SECONDS bf16|its

ENV has nnunetv2 (Apache-2.0). Nothing here is of this project, so that it runs there.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

NAME = "nnUNetTrainer__nnUNetPlans__3d_fullres"
UNET = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
RESAMPLED = "resample_data_or_seg_to_shape"
MOST = 320  # features of a stage, as nnU-Net plans them


def plans(features: int, patch: int, spacing: float) -> dict[str, Any]:
    """Return a plan as nnU-Net 2 writes it: a PlainConvUNet of cubic patches, and a CT's normalisation."""
    stages = max(2, min(6, patch.bit_length() - 2))  # down to 4 voxels
    ones, twos, threes = [1] * 3, [2] * 3, [3] * 3
    how = {"order": 3, "order_z": 0, "force_separate_z": None}
    kwargs = {
        "n_stages": stages,
        "features_per_stage": [min(MOST, features * 2**k) for k in range(stages)],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [threes] * stages,
        "strides": [ones, *[twos] * (stages - 1)],
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    own = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [patch] * 3,
        "median_image_size_in_voxels": [4.0 * patch] * 3,
        "spacing": [spacing] * 3,
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": RESAMPLED,
        "resampling_fn_seg": RESAMPLED,
        "resampling_fn_data_kwargs": {"is_seg": False, **how},
        "resampling_fn_seg_kwargs": {"is_seg": True, **how, "order": 1},
        "resampling_fn_probabilities": RESAMPLED,
        "resampling_fn_probabilities_kwargs": {"is_seg": False, **how, "order": 1},
        "architecture": {
            "network_class_name": UNET,
            "arch_kwargs": kwargs,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
        "batch_dice": False,
    }
    seen = {"max": 1500.0, "min": -1000.0, "mean": 40.0, "median": 40.0, "std": 200.0}
    return {
        "dataset_name": "Dataset001_ct",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [spacing] * 3,
        "original_median_shape_after_transp": [4 * patch] * 3,
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"3d_fullres": own},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {**seen, "percentile_00_5": -900.0, "percentile_99_5": 1000.0}
        },
    }


def make(folder: Path, features: int, patch: int, labels: int, spacing: float) -> None:
    """Write a folder of results whose one fold has drawn weights."""
    import torch
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    place = folder / NAME
    (place / "fold_0").mkdir(parents=True)
    plan = plans(features, patch, spacing)
    named = {"background": 0, **{f"organ {k}": k for k in range(1, labels + 1)}}
    about = {"channel_names": {"0": "CT"}, "labels": named, "numTraining": 1, "file_ending": ".nii.gz"}
    (place / "plans.json").write_text(json.dumps(plan), encoding="utf-8")
    (place / "dataset.json").write_text(json.dumps(about), encoding="utf-8")
    built = plan["configurations"]["3d_fullres"]["architecture"]
    torch.manual_seed(0)
    net = get_network_from_plans(
        built["network_class_name"],
        built["arch_kwargs"],
        built["_kw_requires_import"],
        1,
        labels + 1,
        deep_supervision=True,
    )
    held = {
        "network_weights": net.state_dict(),
        "optimizer_state": {},
        "grad_scaler_state": None,
        "logging": {},
        "_best_ema": None,
        "current_epoch": 1,
        "init_args": {"configuration": "3d_fullres", "fold": 0, "plans": plan, "dataset_json": about},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(held, place / "fold_0" / "checkpoint_final.pth")


def answer(folder: Path, image: Path, out: Path, threads: int) -> None:
    """Answer one image with steps of half a tile and all mirror images, and print the seconds from file to file."""
    for name in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str(folder)
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    torch.set_num_threads(threads)
    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=True,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    predictor.initialize_from_trained_model_folder(str(folder / NAME), (0,))
    began = time.monotonic()
    predictor.predict_from_files_sequential(
        [[str(image)]], [str(out)], save_probabilities=False, overwrite=True
    )
    print("SECONDS", time.monotonic() - began)


def residual(features: int, patch: int, labels: int) -> Any:
    """Return the net that the planners ResEncM and ResEncL make of cubic patches, with deep supervision."""
    import torch
    from dynamic_network_architectures.architectures.unet import ResidualEncoderUNet

    stages = max(2, min(6, patch.bit_length() - 2))  # down to 4 voxels and more
    return ResidualEncoderUNet(
        input_channels=1,
        n_stages=stages,
        features_per_stage=[min(MOST * features // 32, features * 2**k) for k in range(stages)],
        conv_op=torch.nn.Conv3d,
        kernel_sizes=3,
        strides=[1, *[2] * (stages - 1)],
        n_blocks_per_stage=[1, 3, 4, 6, 6, 6][:stages],
        num_classes=labels + 1,
        n_conv_per_stage_decoder=[1] * (stages - 1),
        conv_bias=True,
        norm_op=torch.nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-05, "affine": True},
        nonlin=torch.nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=True,
    )


def loss_of(maps: int) -> Any:
    """Return the loss of nnU-Net's trainer: Dice and cross-entropy of each map, each half the weight, the last none."""
    from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
    from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
    from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss

    weights = [0.5**k for k in range(maps - 1)]
    inner = DC_and_CE_loss(
        {"batch_dice": False, "smooth": 1e-5, "do_bg": False, "ddp": False},
        {},
        weight_ce=1,
        weight_dice=1,
        ignore_label=None,
        dice_class=MemoryEfficientSoftDiceLoss,
    )
    return DeepSupervisionWrapper(inner, [*(w / sum(weights) for w in weights), 0.0])


def step(device: str, patch: int, batch: int, labels: int, features: int, most_s: float, how: str) -> None:
    """Time nnU-Net's training step on noise, and print it as JSON: seconds of each, memory, parameters.

    With `bf16` autocast is told so and nothing is scaled; otherwise it is nnU-Net's own: autocast's fp16 with a
    scaler on a GPU, net and Dice compiled there, and fp32 elsewhere.
    """
    from contextlib import nullcontext
    from importlib.metadata import version

    import torch

    where = torch.device(device)
    cuda = where.type == "cuda"
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = cuda  # as nnU-Net's own command sets it
    net = residual(features, patch, labels).to(where).train()
    optimizer = torch.optim.SGD(net.parameters(), 1e-2, weight_decay=3e-5, momentum=0.99, nesterov=True)
    scaler = torch.amp.GradScaler("cuda") if cuda and how != "bf16" else None
    image = torch.randn(batch, 1, patch, patch, patch, device=where)
    targets = [
        torch.randint(0, labels + 1, (batch, 1, *[patch >> k] * 3), device=where).float()
        for k in range(len(net.decoder.stages))
    ]
    criterion = loss_of(len(targets))
    if cuda and how != "bf16":  # as its trainer does by default
        criterion.loss.dc = torch.compile(criterion.loss.dc)
        net = torch.compile(net)
    low = torch.autocast(where.type, dtype=torch.bfloat16) if how == "bf16" else nullcontext()
    if scaler is not None:
        low = torch.autocast("cuda")

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        with low:
            loss = criterion(net(image), targets)
        if scaler is not None:
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(net.parameters(), 12)
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 12)
            optimizer.step()
        loss.detach().cpu()  # as nnU-Net does, which waits for the card

    if cuda:
        torch.cuda.reset_peak_memory_stats()
    for _ in range(3):
        once()
    found: list[float] = []
    until = time.perf_counter() + most_s
    while len(found) < 20 and not (found and time.perf_counter() > until):
        if cuda:
            torch.cuda.synchronize()
        began = time.perf_counter()
        once()
        if cuda:
            torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    told = {
        "seconds": found,
        "most_bytes": int(torch.cuda.max_memory_allocated()) if cuda else None,
        "parameters": sum(p.numel() for p in net.parameters()),
        "arithmetic": "bf16" if how == "bf16" else "fp16 with a scaler, compiled" if cuda else "fp32",
        "version": version("nnunetv2"),
    }
    print(json.dumps(told))


def main(words: list[str]) -> None:
    """Do what is asked."""
    if words[0] == "step":
        device, patch, batch, labels, features, most_s, how = words[1:]
        step(device, int(patch), int(batch), int(labels), int(features), float(most_s), how)
        return
    if words[0] == "make":
        make(Path(words[1]), int(words[2]), int(words[3]), int(words[4]), float(words[5]))
    else:
        answer(Path(words[1]), Path(words[2]), Path(words[3]), int(words[4]))


if __name__ == "__main__":
    main(sys.argv[1:])
