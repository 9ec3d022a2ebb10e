"""Projects to annotate: small pictures, a project of them, and what annotators send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil
from starlette.testclient import TestClient

from vesalius.core.image import Array
from vesalius.run.annotation.runs import encoded
from vesalius.verbs.annotate import annotate

SHAPE = (1, 20, 28)
ASK = {"class": ["benign", "malignant"], "boxes": ["lesion"], "mask": ["lesion#ff0000", "cyst"]}
URL = "/api/annotation"


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    for k in range(count):
        Pil.fromarray(rng.integers(0, 255, SHAPE[1:], dtype=np.uint8)).save(folder / f"p{k:02}.png")
    return folder


def project(folder: Path, count: int = 3, **more: Any) -> Path:
    """A project of pictures."""
    data = pictures(folder / "data", count)
    return annotate(data, folder / "project", **{"ask": ASK, **more}).path


def drawn(wide: int = 6, value: int = 1) -> Array:
    array = np.zeros(SHAPE, np.uint8)
    array[:, 4:10, 5 : 5 + wide] = value
    return array


def said(wide: int = 6, **more: Any) -> dict[str, Any]:
    """What an annotator says of all that is asked."""
    box = {"low": [0, 4, 5], "high": [1, 10, 11], "label": "lesion"}
    return {"class": "benign", "boxes": [box], "mask": encoded(drawn(wide)), **more}


def body(version: int = 0, content: Any = None, *, done: bool = True, **more: Any) -> dict[str, Any]:
    return {"version": version, "content": said() if content is None else content, "done": done, **more}


def keys_of(client: TestClient, name: str, **headers: Any) -> dict[str, str]:
    """The keys of all cases by name."""
    rows = client.get(f"{URL}/cases", params={"annotator": name}, **headers).json()
    return {row["name"]: row["case"] for row in rows}


def put(client: TestClient, case: str, name: str | None, sent: Any = None, **more: Any) -> Any:
    params = {} if name is None else {"annotator": name}
    return client.put(f"{URL}/cases/{case}/reading", params=params, json=sent or body(), **more)


def begin(client: TestClient, case: str, name: str) -> Any:
    return client.post(f"{URL}/cases/{case}/open", params={"annotator": name})
