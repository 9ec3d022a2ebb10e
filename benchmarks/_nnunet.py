"""nnU-Net's own predictor, in its own environment: a folder of results with drawn weights, and its answer to one image.

    ENV/bin/python benchmarks/_nnunet.py make FOLDER FEATURES PATCH LABELS SPACING
    ENV/bin/python benchmarks/_nnunet.py answer FOLDER IMAGE OUT THREADS

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


def main(words: list[str]) -> None:
    """Do what is asked."""
    if words[0] == "make":
        make(Path(words[1]), int(words[2]), int(words[3]), int(words[4]), float(words[5]))
    else:
        answer(Path(words[1]), Path(words[2]), Path(words[3]), int(words[4]))


if __name__ == "__main__":
    main(sys.argv[1:])
