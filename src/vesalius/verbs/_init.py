"""Weights to begin from: another bundle's, or a safetensors file's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.core.bundle import open_bundle
from vesalius.core.disk import sha256
from vesalius.core.errors import BundleError


def initial_weights(path: Path) -> tuple[Mapping[str, Any], str]:
    """Tensors by name, and a line that says what they are without naming a path. Raises BundleError."""
    from safetensors.torch import load_file

    if path.is_file():
        try:
            return load_file(path), f"weights with SHA-256 {sha256(path)[:16]}"
        except (OSError, ValueError, RuntimeError) as error:
            raise BundleError(f"{path} is not a safetensors file", found=str(error)[:120]) from error
        except Exception as error:  # safetensors raises an error of its own that derives from Exception alone
            raise BundleError(f"{path} is not a safetensors file", found=str(error)[:120]) from error
    bundle = open_bundle(path)
    stage = bundle.stages[-1]
    return load_file(bundle.path / stage.members[0]), f"bundle {bundle.hash[:16]}"
