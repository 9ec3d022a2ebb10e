"""Writing an export: the models in their form, and beside them what everybody needs who takes them."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.answers import contract as kinds
from vesalius.core.answers import Answer, ImageAnswer
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.disk import write_text
from vesalius.core.errors import BundleError, DataError
from vesalius.core.image import Array, Image
from vesalius.core.plan import override
from vesalius.exports import _stitched
from vesalius.exports._preparation import left_out, preprocessing_of
from vesalius.exports._stitched import SCRIPT
from vesalius.exports.contract import LIMIT, Exported, Source, Target, source_of, told_of
from vesalius.exports.script.main import EXPECTED, PREPROCESSING, SELFTEST
from vesalius.infer.selftest.checking import selftested
from vesalius.prepare.case import load

ABOUT, CARD = "export.json", "card.md"
VOXELS = 1e-3  # of a mask that may differ: where two labels are as likely, rounding decides
PROMISED = ("low", "high")  # of a number: what the model itself says of its bounds, which no script has


def written(
    target: Target, bundle: Bundle, to: str, folder: Path, *, member: int | None, script: bool
) -> Exported:
    """Return what was written into an empty folder. Raises as `exports.exported`."""
    source = source_of(bundle, member, script=script)
    _assert_answers(source)
    plain = target.runs_without and script
    if plain:
        preprocessing_of(source, ())  # what cannot be is said before the work
    made = target.write(source, folder)
    files, checked = list(made.files), None
    if plain:
        names = _write_script(source, made.files, folder)
        checked = _checked(folder)
        files += names
    card = bundle.path / CARD
    if card.is_file():
        shutil.copyfile(card, folder / CARD)
        files.append(CARD)
    found = Exported(
        path=folder,
        to=to,
        bundle_sha256=bundle.hash,
        files=(*files, ABOUT),
        agreements=made.agreements,
        script=checked,
        notes=made.notes,
        left_out=left_out(source.stage, scripted=bool(source.script and target.carries)),
    )
    write_text(folder / ABOUT, json.dumps(_about(source, found), indent=1) + "\n")
    return found


def _about(source: Source, found: Exported) -> dict[str, Any]:
    """Return what `export.json` says: of which bundle this is, how far it agrees, and what it does not do."""
    bundle, plan = source.bundle, source.stage.plan
    return {
        "to": found.to,
        "bundle_sha256": bundle.hash,
        "data_sha256": bundle.data_hash,
        "made_by": bundle.made_by,
        "task": plan.task.name,
        "net": plan.net.name,
        "members": list(source.members),
        "of_members": len(source.stage.members),
        "inputs": told_of(source.feeds),
        "agreement": [
            {**asdict(one), "limit": one.limit, "what": "largest absolute difference of raw outputs"}
            for one in found.agreements
        ],
        "script": None if found.script is None else dict(found.script),
        "needs": [asdict(need) for need in bundle.needs],
        "notes": list(found.notes),
        "left_out": list(found.left_out),
    }


def _assert_answers(source: Source) -> None:
    """Raise BundleError where the bundle does not answer here as it did where it was made."""
    found = selftested(source.bundle, source.predictor)
    if found.refused:
        raise BundleError(
            "the bundle's own self-test fails here, so that nothing is exported",
            found=found.why,
            hint="vesalius selftest BUNDLE",
        )


def _write_script(source: Source, files: tuple[str, ...], folder: Path) -> list[str]:
    """Write the preparation, the script, and the made-up cases with the answers that the same members give here."""
    models = tuple(name for name in files if name.endswith(".onnx"))
    write_text(folder / PREPROCESSING, json.dumps(preprocessing_of(source, models), indent=1) + "\n")
    write_text(folder / SCRIPT, _stitched.script())
    arrays: dict[str, Array] = {}
    cases = []
    for number, case in enumerate(source.cases):
        for k, image in enumerate(_images(source, case)):
            arrays |= {f"{number}-{k}-{name}": part for name, part in _as_arrays(image).items()}
        answer = _answered(source, case)
        if isinstance(answer, ImageAnswer):
            arrays[f"{number}-mask"] = answer.image.array[0]
        figures = figures_of(answer)
        units = {n: max(1.0, abs(v)) for n, v in figures.items() if isinstance(v, float)}
        cases.append({"answer": figures, "units": units})
    np.savez_compressed(folder / SELFTEST, **arrays)  # type: ignore[arg-type]
    told = {"cases": cases, "limit": LIMIT, "voxels": VOXELS}
    write_text(folder / EXPECTED, json.dumps(told, indent=1) + "\n")
    return [PREPROCESSING, SCRIPT, SELFTEST, EXPECTED]


def _images(source: Source, case: Case) -> list[Image]:
    """Return a case's images in the order of the plan."""
    named = source.stage.plan.data.images
    if len(named) == 1 and len(case.images) == 1:
        return [load(next(iter(case.images.values())))]
    return [load(case.images[name]) for name in named]


def _as_arrays(image: Image) -> dict[str, Array]:
    """Return an image as arrays by name."""
    found: dict[str, Array] = {"image": image.array, "channels": np.array(image.channels, dtype=np.str_)}
    if image.affine is not None:
        found["affine"] = image.affine
    elif image.spacing_mm is not None:
        found["spacing_mm"] = np.array(image.spacing_mm)
    return found


def _answered(source: Source, case: Case) -> Answer:
    """Return the answer that the exported members alone give to a case, computed in single precision as there."""
    chosen = copy.copy(source.predictor.accepting)
    chosen.levels = False
    (loaded,) = chosen.stages
    plan = override(loaded.stage.plan, {"train.precision": "fp32"}, reason="exports are in single precision")
    stage = replace(loaded.stage, plan=plan)
    models = tuple(loaded.models[k] for k in source.members)
    chosen.stages = (replace(loaded, stage=stage, models=models),)
    return chosen(case)


def figures_of(answer: Answer) -> dict[str, float | str]:
    """Return the numbers and the words of an answer by name, those of its parts where it has any; of a field none."""
    if isinstance(answer, ImageAnswer):
        return {}
    found: dict[str, Any] = {}
    for name, part in answer.parts.items():
        found |= {f"{name} {key}": value for key, value in kinds.of(part).values(part).items()}
    found = found or dict(kinds.of(answer).values(answer))
    return {
        key: value if isinstance(value, str) else float(value)
        for key, value in found.items()
        if key.split()[-1] not in PROMISED
    }


def _checked(folder: Path) -> Mapping[str, Any]:
    """Return how far the script's answers lie from ours, in a process of its own. Raises DataError where too far."""
    words = [sys.executable, "-I", str(folder / SCRIPT), "--selftest", "--threads", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    try:
        rows = json.loads(done.stdout)
    except json.JSONDecodeError:
        rows = None
    if done.returncode or not rows:
        said = (done.stderr.strip().splitlines() or [done.stdout.strip()])[-1]
        raise DataError(
            "the script answers otherwise than Vesalius, so that nothing is exported",
            found=said[:300],
            hint="--no-script, and a report of this as a bug",
        )
    return {
        "cases": len(rows),
        "difference": max(row["difference"] for row in rows),
        "voxels": max(row["voxels"] for row in rows),
    }
