"""The machine that answers, as far as its arithmetic hangs on it: versions, instructions, libraries, device."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vesalius.core.version import VERSION


@dataclass(frozen=True, slots=True)
class Facts:
    """What computes: `capability` is the level of the processor's instructions, `blas` what multiplies matrices."""

    vesalius: str
    torch: str
    numpy: str
    machine: str
    capability: str
    blas: str
    onednn: str
    device: str


def facts(device: torch.device) -> Facts:
    """Return what this process computes with. The number of threads is left out: it follows what others do here."""
    built = torch.__config__.show()
    blas = re.search(r"BLAS_INFO=(\w+)", built)
    onednn = re.search(r"(?:MKL-DNN|oneDNN) v([\d.]+)", built)
    used = "" if torch.backends.mkldnn.enabled else " (switched off)"
    return Facts(
        vesalius=VERSION,
        torch=torch.__version__,
        numpy=np.__version__,
        machine=platform.machine(),
        capability=torch.backends.cpu.get_cpu_capability(),
        blas=blas[1] if blas else "unknown",
        onednn=(onednn[1] if onednn else "none") + used,
        device="cpu" if device.type == "cpu" else torch.cuda.get_device_name(device),
    )


def parse_facts(data: Mapping[str, Any]) -> Facts:
    """Return facts from their plain data. Raises KeyError."""
    return Facts(**{name: str(data[name]) for name in Facts.__slots__})


def in_words(found: Facts) -> str:
    """Return what computes, on one line."""
    return (
        f"{found.device}, {found.machine} {found.capability}, torch {found.torch}, BLAS {found.blas}, "
        f"oneDNN {found.onednn}, numpy {found.numpy}, vesalius {found.vesalius}"
    )
