"""A model's folder of the Hugging Face hub: on this machine as a folder, in the hub's cache, or else downloaded."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vesalius.core.disk import sha256
from vesalius.core.errors import BundleError
from vesalius.core.words import listed
from vesalius.weights.files import as_it_lies

if TYPE_CHECKING:
    from torch import Tensor

CONFIG, PREPARED, TOKENIZER = "config.json", "preprocessor_config.json", "tokenizer.json"
WHOLE = ("model.safetensors", "pytorch_model.bin")
PARTS = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
ELSEWHERE = "download its folder on another machine, copy it here, and give its path"


def is_name(what: str) -> bool:
    """Return whether this may be a model's name at the hub, `org/name`, and is no path below a folder that is here."""
    return bool(_NAME.fullmatch(what)) and not Path(what.partition("/")[0]).exists()


def folder_of(name: str) -> Path:
    """Return the folder of a model of the hub: as the hub's cache has it, or downloaded.

    Only its configs and its weights are fetched. Raises BundleError where it is not here and cannot be downloaded.
    """
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError as error:
        raise BundleError(
            f"there is no folder {name} here, and nothing to look for it at the Hugging Face hub with",
            hint="a path that exists, or pip install 'vesalius[hf]'",
        ) from error
    wanted = [CONFIG, PREPARED, TOKENIZER, WHOLE[0], PARTS[0], "model-*.safetensors"]
    try:
        folder = Path(snapshot_download(name, local_files_only=True, allow_patterns=wanted))
        if has_weights(folder):
            return folder
    except Exception:  # noqa: BLE001 - the hub's client raises a dozen kinds for what is not in its cache
        pass
    try:
        folder = Path(snapshot_download(name, allow_patterns=wanted))
        if not has_weights(folder):
            older = [CONFIG, PREPARED, TOKENIZER, WHOLE[1], PARTS[1], "pytorch_model-*.bin"]
            folder = Path(snapshot_download(name, allow_patterns=older))
    except Exception as error:
        raise BundleError(
            f"{name} is no folder here, not in the Hugging Face hub's cache, and could not be downloaded",
            found=f"{type(error).__name__}: {' '.join(str(error).split())}"[:140],
            hint=ELSEWHERE,
        ) from error
    return folder


def has_weights(folder: Path) -> bool:
    """Return whether a folder holds weights under one of the hub's names."""
    return any((folder / name).is_file() for name in (*WHOLE, *PARTS))


def plain(path: Path) -> Mapping[str, Any]:
    """Return what a JSON file holds; nothing where there is none. Raises BundleError where it holds no object."""
    if not path.is_file():
        return {}
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"{path} is not JSON", found=str(error)[:120], hint=ELSEWHERE) from error
    if not isinstance(held, dict):
        raise BundleError(f"{path} is not a JSON object", found=type(held).__name__, hint=ELSEWHERE)
    return held


def tensors_of(path: Path) -> tuple[dict[str, Tensor], str]:
    """Return all tensors of a folder, or of a file, by their names there, and a part of the SHA-256 of what holds them.

    They lie in one file, or in several that an index names. Pickled files are read without running anything in them.
    Raises BundleError.
    """
    files = [path] if path.is_file() else _files(path)
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= as_it_lies(file).tensors
    marks = [sha256(file) for file in files]
    whole = marks[0] if len(marks) == 1 else hashlib.sha256("".join(marks).encode()).hexdigest()
    return tensors, whole[:16]


def _files(folder: Path) -> list[Path]:
    """Return the files that hold a folder's tensors. Raises BundleError where there are none, or one is missing."""
    for name in WHOLE:
        if (folder / name).is_file():
            return [folder / name]
        index = folder / PARTS[WHOLE.index(name)]
        if index.is_file():
            return _parts(index)
    raise BundleError(
        f"{folder} has a {CONFIG} and no weights", found=f"neither {listed((*WHOLE, *PARTS))}", hint=ELSEWHERE
    )


def _parts(index: Path) -> list[Path]:
    places = plain(index).get("weight_map")
    names = sorted({str(n) for n in places.values()}) if isinstance(places, dict) else []
    outside = [n for n in names if Path(n).name != n]
    if not names or outside:
        raise BundleError(f"{index} names no files beside it", found=listed(outside or ["no weight_map"], 3))
    missing = [n for n in names if not (index.parent / n).is_file()]
    if missing:
        raise BundleError(
            f"{index.parent} lacks {len(missing)} of the {len(names)} files of its weights",
            found=listed(missing, 3),
            hint=ELSEWHERE,
        )
    return [index.parent / n for n in names]
