"""Files of tensors, opened so that nothing in them is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.core.disk import sha256
from vesalius.core.errors import BundleError
from vesalius.weights.found import Found

PICKLED = (".pth", ".pt", ".bin", ".ckpt")


def open_file(path: Path) -> Found:
    """Return the tensors of a safetensors file, or of a state dict that torch saved. Raises BundleError."""
    origin = f"weights with SHA-256 {sha256(path)[:16]}"
    if path.suffix in PICKLED:
        return Found(path, _state_dict(path), origin)
    from safetensors.torch import load_file

    try:
        return Found(path, load_file(path), origin)
    except Exception as error:  # safetensors raises an error of its own that derives from Exception alone
        raise BundleError(f"{path} is not a safetensors file", found=str(error)[:120]) from error


def _state_dict(path: Path) -> Mapping[str, Any]:
    import torch

    try:
        held = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged file makes torch raise a dozen kinds
        raise BundleError(
            f"{path} is not a file of tensors",
            found=str(error).splitlines()[0][:120],
            hint="save it as safetensors",
        ) from error
    tensors = (
        {k: v for k, v in held.items() if isinstance(v, torch.Tensor)} if isinstance(held, Mapping) else {}
    )
    if not tensors:
        raise BundleError(f"{path} holds no tensors by name", found=type(held).__name__)
    return tensors
