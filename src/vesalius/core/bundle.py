"""Bundle: a trained model as data only, under a SHA-256 manifest that is checked on open; nothing is unpickled.

BUNDLE/
  bundle.json        stages, in the order they run; members; labels; hash of the data; what was learned from
  plan-0.json        the plan of stage 0, and so on
  state-0.json       what the task learned without gradients;  state-0.safetensors: its arrays
  weights-0-0.safetensors   stage 0, member 0
  scorecard.json     card.md
  MANIFEST.sha256    one line a file
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vesalius.core.disk import sha256, write_bytes, write_text
from vesalius.core.errors import BundleError, VesaliusError, closest_path
from vesalius.core.image import Array
from vesalius.core.learned import Learned
from vesalius.core.learned import parse as parse_learned
from vesalius.core.plan import Plan, parse_plan

VERSION = 1
MANIFEST = "MANIFEST.sha256"


@dataclass(frozen=True)
class State:
    """What a task learned without gradients: `values` go to JSON, `arrays` to safetensors."""

    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One step of a bundle: its plan, its state, its members' weight files, and how they are run.

    `takes` says what an earlier stage's answer is to this one: `{"stage": 0, "as": "crop", "margin_mm": 10}`.
    `calibration` is what was fitted on validation: a temperature, thresholds.
    """

    name: str
    plan: Plan
    state: State
    members: tuple[str, ...]
    runtime: str = "torch"
    takes: Mapping[str, Any] | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. `hash` is the SHA-256 of its manifest: the same hash, the same model.

    `learned` is what its training cases were; None where that is not known, as in bundles of earlier versions.
    """

    path: Path
    stages: tuple[Stage, ...]
    data_hash: str
    hash: str
    made_by: str
    learned: Learned | None = None

    @property
    def name(self) -> str:
        """What it is called in words."""
        return name_of(self.path)


def name_of(path: Path) -> str:
    """A bundle's name in words: its folder's, or that of the run that it lies in."""
    path = path.absolute()
    return path.parent.name if path.name == "bundle" and path.parent.name else path.name


def save_bundle(
    path: Path,
    stages: tuple[Stage, ...],
    *,
    data_hash: str,
    made_by: str,
    learned: Learned | None = None,
    texts: Mapping[str, str] | None = None,
) -> Bundle:
    """Write everything but the weights, which lie in `path` already, then the manifest last.

    `texts` are further files by name (a scorecard, a card). Whatever else lies there is of an earlier writing and
    goes. A crash before the manifest leaves no bundle.
    """
    from safetensors.numpy import save

    (path / MANIFEST).unlink(missing_ok=True)
    weights = {name for stage in stages for name in stage.members}
    for stale in [p for p in path.iterdir() if p.is_file() and p.name not in weights]:
        stale.unlink()
    listed = []
    for k, stage in enumerate(stages):
        write_text(path / f"plan-{k}.json", stage.plan.model_dump_json(indent=2) + "\n")
        write_text(path / f"state-{k}.json", json.dumps(stage.state.values, indent=1) + "\n")
        if stage.state.arrays:
            write_bytes(path / f"state-{k}.safetensors", save(dict(stage.state.arrays)))
        listed.append(
            {
                "name": stage.name,
                "members": list(stage.members),
                "runtime": stage.runtime,
                "takes": stage.takes,
                "calibration": dict(stage.calibration),
            }
        )
    head = {"version": VERSION, "made_by": made_by, "data_hash": data_hash, "stages": listed}
    if learned is not None:
        head["learned_from"] = learned.json()
    write_text(path / "bundle.json", json.dumps(head, indent=2) + "\n")
    for name, text in (texts or {}).items():
        write_text(path / name, text)
    seal(path)
    return open_bundle(path)


def seal(path: Path) -> None:
    """Write the manifest over all that lies in the bundle."""
    files = sorted(
        p for p in path.iterdir() if p.is_file() and p.name != MANIFEST and not p.name.startswith(".")
    )
    write_text(path / MANIFEST, "".join(f"{sha256(p)}  {p.name}\n" for p in files))


def open_bundle(path: Path) -> Bundle:
    """Check every byte against the manifest, then read. A run's folder stands for the bundle inside it.

    Raises BundleError where it is no bundle, is newer than this version, or any file was changed.
    """
    if not (path / "bundle.json").is_file() and (path / "bundle" / "bundle.json").is_file():
        path = path / "bundle"
    manifest = path / MANIFEST
    if not path.exists():
        raise BundleError(
            f"no bundle at {path}", hint=closest_path(path, "the folder that `vesalius fit` wrote")
        )
    if not manifest.is_file():
        raise BundleError(
            f"{path} is not a bundle",
            found=f"no {MANIFEST}",
            hint="the folder that `vesalius fit` wrote, or `fit --resume` where it was interrupted",
        )
    try:
        text = manifest.read_text(encoding="utf-8")
        listed = {line[66:]: line[:64] for line in text.splitlines() if line}
        if text != "".join(f"{digest}  {name}\n" for name, digest in listed.items()):
            raise BundleError(
                f"{path} is a damaged bundle", found=f"a changed {MANIFEST}", hint="copy it again"
            )
        _check_files(path, listed)
        head = json.loads((path / "bundle.json").read_text(encoding="utf-8"))
        if head["version"] > VERSION:
            raise BundleError(
                f"{path} is a bundle of version {head['version']}, newer than this Vesalius reads ({VERSION})",
                hint="a newer Vesalius",
            )
        stages = tuple(_read_stage(path, k, entry, listed) for k, entry in enumerate(head["stages"]))
        record = head.get("learned_from")
        return Bundle(
            path,
            stages,
            head["data_hash"],
            hashlib.sha256(text.encode()).hexdigest(),
            head["made_by"],
            None if record is None else parse_learned(record),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path} is a damaged bundle", found=f"{type(error).__name__}: {error}") from error


def _check_files(path: Path, listed: Mapping[str, str]) -> None:
    if "bundle.json" not in listed:
        raise BundleError(f"{path} is a damaged bundle", found="no bundle.json in its manifest")
    for name, digest in listed.items():
        if "/" in name or "\\" in name or not (path / name).is_file():
            raise BundleError(f"{path} is a damaged bundle", found=f"'{name}' missing", hint="copy it again")
        if sha256(path / name) != digest:
            raise BundleError(
                f"{path} is damaged or was changed",
                found=f"another SHA-256 for '{name}'",
                hint="copy it again",
            )


def _read_stage(path: Path, k: int, entry: Mapping[str, Any], listed: Mapping[str, str]) -> Stage:
    from safetensors.numpy import load_file

    arrays = path / f"state-{k}.safetensors"
    for name in (*entry["members"], *((arrays.name,) if arrays.exists() else ())):
        if name not in listed:
            raise BundleError(
                f"{path} is a damaged bundle", found=f"'{name}', which {MANIFEST} does not list"
            )
    try:
        plan = parse_plan(json.loads((path / f"plan-{k}.json").read_text(encoding="utf-8")), f"plan-{k}.json")
    except VesaliusError as error:
        raise BundleError(f"{path}: {error.what}", found=error.found, hint=error.hint) from error
    return Stage(
        name=entry["name"],
        plan=plan,
        state=State(
            json.loads((path / f"state-{k}.json").read_text(encoding="utf-8")),
            load_file(arrays) if arrays.is_file() else {},
        ),
        members=tuple(entry["members"]),
        runtime=entry["runtime"],
        takes=entry["takes"],
        calibration=entry["calibration"],
    )
