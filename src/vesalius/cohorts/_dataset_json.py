"""The dataset.json of Decathlon and nnU-Net folders, or beside a table: labels by value, channels by number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vesalius.cohorts._build import mask_labels
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError


def load(path: Path, *, strict: bool) -> dict[str, Any] | None:
    """The file's object; None where it is absent (or, unless `strict`, damaged). Raises DataError."""
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if strict:
            raise DataError(f"{path} cannot be read", found=str(error)) from error
        return None
    if not isinstance(data, dict):
        if strict:
            raise DataError(f"{path} must hold a JSON object", found=type(data).__name__)
        return None
    return data


def labels_of(data: dict[str, Any]) -> tuple[dict[int, str], list[str]]:
    """Names by value, of either orientation (`{"0": "liver"}` or `{"liver": 0}`), and what could not be one value.

    A region of several values (nnU-Net's `{"whole": [1, 2, 3]}`) is no single value: it is returned by name.
    """
    names: dict[int, str] = {}
    odd: list[str] = []
    raw = data.get("labels")
    for key, value in raw.items() if isinstance(raw, dict) else ():
        if isinstance(value, bool):
            odd.append(str(key))
        elif isinstance(value, int):
            names[value] = str(key)
        elif isinstance(value, str) and str(key).lstrip("-").isdecimal():
            names[int(key)] = value
        elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], int):
            names.setdefault(value[0], str(key))
        else:
            odd.append(str(key))
            for v in value if isinstance(value, list) else ():
                if isinstance(v, int):
                    names.setdefault(v, str(v))
    return names, odd


def channel_names(data: dict[str, Any]) -> tuple[str, ...]:
    """Channels in the order of their number, from `channel_names` or `modality`; repeated names get a number."""
    raw = data.get("channel_names", data.get("modality"))
    if not isinstance(raw, dict) or not raw:
        return ()
    pairs = sorted((int(k), str(v)) for k, v in raw.items() if str(k).isdecimal())
    names = [name for _, name in pairs]
    return tuple(n if names.count(n) == 1 else f"{n} {k}" for k, n in enumerate(names))


def target_info(labels: tuple[dict[int, str], list[str]], why: str, notes: list[str]) -> TargetInfo:
    """The mask target; what its names cannot say becomes a note."""
    names, odd = labels
    if odd:
        notes.append(
            f"dataset.json: {', '.join(odd)} are regions of several values; the single values are used"
        )
    if any(name.casefold() == "ignore" for name in names.values()):
        value = next(v for v, n in names.items() if n.casefold() == "ignore")
        notes.append(f"dataset.json: label {value} means 'ignore'; it is treated as a label here")
    table = mask_labels(names)
    return TargetInfo("mask", "mask", table, why if table else "masks in labelsTr")
