"""torch.export: a program (.pt2) that torch runs, compiles or lowers without our code; any number of rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.exports._agreement import agreed
from vesalius.exports.contract import Source, Target, Written

ROWS = 2**16  # at most


class TorchExport(Target):
    """One `model-K.pt2` a member, read back by `torch.export.load`."""

    def write(self, source: Source, folder: Path) -> Written:
        """Write each member, read it back, and compare."""
        files, agreements = [], []
        for member in source.members:
            path = folder / f"model-{member}.pt2"
            exported(source, member, path)
            files.append(path.name)
            program = torch.export.load(path).module()
            names = [feed.name for feed in source.feeds]

            def ask(
                arrays: Mapping[str, Array], program: torch.nn.Module = program, names: list[str] = names
            ) -> Array:
                with torch.inference_mode():
                    found: torch.Tensor = program(*(torch.from_numpy(arrays[name]) for name in names))
                return np.asarray(found.numpy())

            agreements.append(agreed(source, member, ask, by=f"torch.export of torch {torch.__version__}"))
        return Written(tuple(files), tuple(agreements))


def exported(source: Source, member: int, path: Path) -> None:
    """Write one member as a program of any number of rows. Raises PlanError where torch cannot follow it."""
    asked = source.asked(member)
    tensors = source.tensors()[-1]
    rows = torch.export.Dim("rows", min=1, max=ROWS)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(
                asked,
                tuple(t.clone() for t in tensors),
                dynamic_shapes={"tensors": tuple({0: rows} for _ in tensors)},
            )
            torch.export.save(program, path)
    except PlanError:  # the task itself says why
        raise
    except Exception as error:
        text = str(error).strip()
        raise PlanError(
            f"torch.export cannot follow the net {source.stage.plan.net.name}",
            found=(text.splitlines() or [type(error).__name__])[0][:200],
            hint="--to onnx",
        ) from error


TARGET = TorchExport()
