"""The command: images in, the answer as JSON out; a mask into a file; or the self-test that lies beside it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.exports.script.cases import answered
from vesalius.exports.script.images import Array, Image, Refused, file_of, placed, read_image
from vesalius.exports.script.running import Model

HERE = Path(__file__).resolve().parent
PREPROCESSING, SELFTEST, EXPECTED = "preprocessing.json", "selftest.npz", "selftest.json"


def models_of(names: list[str], threads: int = 0) -> list[Model]:
    """Return each member as a function of a batch, opened by onnxruntime on the processor."""
    import onnxruntime  # pip install onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3

    def opened(name: str) -> Model:
        session = onnxruntime.InferenceSession(
            file_of(HERE, name), sess_options=options, providers=["CPUExecutionProvider"]
        )
        asked, said = session.get_inputs()[0].name, session.get_outputs()[0].name
        return lambda batch: np.asarray(session.run([said], {asked: batch.astype(np.float32)})[0])

    return [opened(name) for name in names]


def selftested(models: list[Model], told: dict[str, Any]) -> list[dict[str, Any]]:
    """Return how far each answer to the made-up images is from the one that Vesalius gave to them."""
    held = np.load(file_of(HERE, SELFTEST), allow_pickle=False)
    expected = json.loads((HERE / EXPECTED).read_text(encoding="utf-8"))
    found = []
    for number, one in enumerate(expected["cases"]):
        images = [made_up(held, f"{number}-{k}") for k in range(len(told["preparation"]["images"]))]
        answer, mask = answered(images, models, told)
        wanted = one["answer"]
        numbers = [n for n, v in wanted.items() if isinstance(v, float)]
        words = [n for n, v in wanted.items() if isinstance(v, str) and answer.get(n) != v]
        apart = max(
            (abs(float(answer.get(n, np.nan)) - wanted[n]) / one["units"].get(n, 1.0) for n in numbers),
            default=0.0,
        )
        share = 0.0
        if f"{number}-mask" in held.files:
            share = 1.0 if mask is None else float((mask != held[f"{number}-mask"]).mean())
        passed = not words and apart <= expected["limit"] and share <= expected["voxels"]
        found.append({"case": number, "difference": apart, "voxels": share, "words": words, "passed": passed})
    return found


def made_up(held: Any, name: str) -> Image:
    """Return one made-up image of the self-test."""
    spacing = None
    if f"{name}-spacing_mm" in held.files:
        x, y, z = (float(s) for s in held[f"{name}-spacing_mm"])
        spacing = (x, y, z)
    affine = held[f"{name}-affine"] if f"{name}-affine" in held.files else None
    channels = tuple(str(n) for n in held[f"{name}-channels"])
    return placed(held[f"{name}-image"], affine, spacing, channels)


def saved(mask: Array, image: Image, path: str) -> None:
    """Write a mask to .npz, or with nibabel to NIfTI, in the place of the image that it was drawn on."""
    if path.lower().endswith(".npz"):
        np.savez_compressed(path, mask=mask)
        return
    if not path.lower().endswith((".nii", ".nii.gz")):
        raise Refused(f"a mask goes to .npz, .nii or .nii.gz; found {path}")
    import nibabel  # pip install nibabel

    make: Any = nibabel.Nifti1Image
    affine = None if image.affine is None else np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    made = make(mask.transpose(2, 1, 0), affine)
    if affine is None and image.spacing_mm is not None:
        made.header.set_zooms(image.spacing_mm)
    nibabel.save(made, path)


def main(words: list[str] | None = None) -> int:
    """Answer what the command line asks; returns 0, 1 where the self-test fails, or 2 for what cannot be answered."""
    parser = argparse.ArgumentParser(
        description="Answer with an exported model of Vesalius, without Vesalius."
    )
    parser.add_argument("images", nargs="*", help="the images of one case, in the order that the model takes")
    parser.add_argument("-o", "--out", help="where a mask goes: .nii.gz or .npz")
    parser.add_argument(
        "--threads", type=int, default=0, help="threads of onnxruntime; 0 leaves it to choose"
    )
    parser.add_argument(
        "--selftest", action="store_true", help="answer the made-up images that lie beside it"
    )
    asked = parser.parse_args(words)
    told = json.loads((HERE / PREPROCESSING).read_text(encoding="utf-8"))
    try:
        models = models_of(told["files"], asked.threads)
        if asked.selftest:
            rows = selftested(models, told)
            sys.stdout.write(json.dumps(rows) + "\n")
            return 0 if all(row["passed"] for row in rows) else 1
        if not asked.images:
            raise Refused(f"no image; the model takes {', '.join(told['preparation']['images'])}")
        images = [read_image(path) for path in asked.images]
        answer, mask = answered(images, models, told)
        if mask is not None and asked.out:
            saved(mask, images[0], asked.out)
    except (Refused, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0
