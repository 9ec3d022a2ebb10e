"""The dataset.json of Decathlon and nnU-Net folders, or beside a table: labels by value, channels by number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.cohorts._build import mask_labels
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError


def load(path: Path, *, strict: bool) -> dict[str, Any] | None:
    """Return the file's object; None where it is absent (or, unless `strict`, damaged). Raises DataError."""
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
            raise DataError(f"{path} does not hold a JSON object", found=type(data).__name__)
        return None
    return data


@dataclass(frozen=True)
class Named:
    """Names by value; what is no single value: regions of several values, and what cannot be read at all."""

    values: Mapping[int, str]
    regions: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def ignore(self) -> tuple[int, ...]:
        """The values called 'ignore', as nnU-Net has it: of such voxels nobody knows what they are."""
        return tuple(v for v, name in self.values.items() if name.strip().casefold() == "ignore")


def labels_of(data: dict[str, Any]) -> Named:
    """Return the labels' names, of either orientation: `{"0": "liver"}`, `{"liver": 0}` or `{"liver": "0"}`.

    A region of several values (nnU-Net's `{"whole": [1, 2, 3]}`) is no single value; its values keep their number as
    their name where nothing else names them.
    """
    names: dict[int, str] = {}
    regions: list[str] = []
    unread: list[str] = []
    within: list[int] = []
    raw = _numbered(data.get("labels"))
    for key, value in raw.items() if isinstance(raw, dict) else ():
        whole = [_whole(v) for v in (value if isinstance(value, list) else [value])]
        by_key = _whole(key) if isinstance(key, str) else None
        if by_key is not None and isinstance(value, str):
            names[by_key] = value
        elif not whole or None in whole:
            unread.append(str(key))
        elif len(whole) == 1 and whole[0] is not None:
            names[whole[0]] = str(key)
        else:
            regions.append(str(key))
            within += [v for v in whole if v is not None]
    for v in within:
        names.setdefault(v, str(v))
    return Named(names, tuple(regions), tuple(unread))


def _numbered(raw: object) -> object:
    """Return names in a list, or a name alone, with their numbers, as in `{"0": "CT"}`; what is neither stays as it
    is.
    """
    names = [raw] if isinstance(raw, str) else raw
    if isinstance(names, list) and all(isinstance(n, str) for n in names):
        return {str(k): name for k, name in enumerate(names)}
    return raw


def _whole(value: object) -> int | None:
    """Return a whole number, also where it is written as text (`"1"`) or as a float (`1.0`)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.lstrip("-").isdecimal() and text.count("-") < 2 else None


def channel_names(data: dict[str, Any]) -> tuple[str, ...]:
    """Return channels in the order of their number, from `channel_names` or `modality`; repeated names get a number."""
    raw = _numbered(data.get("channel_names", data.get("modality")))
    if not isinstance(raw, dict) or not raw:
        return ()
    pairs = sorted((int(k), str(v)) for k, v in raw.items() if str(k).isdecimal())
    names = [name for _, name in pairs]
    return tuple(n if names.count(n) == 1 else f"{n} {k}" for k, n in enumerate(names))


def target_info(labels: Named, why: str, notes: list[str]) -> TargetInfo:
    """Return the mask target, with a note about label names that could not be used."""
    if labels.regions:
        notes.append(
            f"dataset.json: {', '.join(labels.regions)} are regions of several values; the single values are used"
        )
    if labels.unread:
        notes.append(
            f"dataset.json: it is not clear which value these labels have: {', '.join(labels.unread)}"
        )
    for value in labels.ignore:
        notes.append(
            f"dataset.json: where a mask holds {value}, 'ignore', nothing is learned and nothing is scored"
        )
    table = mask_labels({v: n for v, n in labels.values.items() if v not in labels.ignore})
    return TargetInfo("mask", "mask", table, why if table else "masks in labelsTr", ignore=labels.ignore)
