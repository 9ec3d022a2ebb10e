"""OpenVINO IR: an XML of the graph and a file of its weights a member, for Intel's processors and others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.errors import MissingExtra
from vesalius.core.image import Array
from vesalius.exports._agreement import agreed
from vesalius.exports.contract import Source, Target, Written
from vesalius.exports.onnx import graph
from vesalius.infer.feeds import RAW

EXTRA = "compress"
PRECISE = {"INFERENCE_PRECISION_HINT": "f32"}
NOTE = (
    "OpenVINO computes in bfloat16 on processors that have it, unless INFERENCE_PRECISION_HINT is f32, as it was where "
    "the raw outputs were compared"
)


class OpenVino(Target):
    """One `model-K.xml` with its `model-K.bin` a member, read back by OpenVINO."""

    def write(self, source: Source, folder: Path) -> Written:
        """Write each member in single precision, read it back, and compare."""
        openvino = _openvino()
        files, agreements = [], []
        for member in source.members:
            made = graph(source, member)
            onnx = folder / f"model-{member}.onnx"
            made.save(onnx)
            model = openvino.convert_model(str(onnx))
            path = onnx.with_suffix(".xml")
            openvino.save_model(model, str(path), compress_to_fp16=False)
            onnx.unlink()
            files += [path.name, path.with_suffix(".bin").name]
            compiled = openvino.Core().compile_model(str(path), "CPU", PRECISE)
            named = [one.get_any_name() for one in compiled.inputs]

            def ask(arrays: Mapping[str, Array], compiled: Any = compiled, named: list[str] = named) -> Array:
                return np.asarray(compiled({name: arrays[name] for name in named})[RAW])

            agreements.append(agreed(source, member, ask, by=f"OpenVINO {_version(openvino)}"))
        return Written(tuple(files), tuple(agreements), (NOTE,))


def _version(openvino: Any) -> str:
    return str(openvino.__version__).partition("-")[0]


def _openvino() -> Any:
    """Return the module `openvino`. Raises MissingExtra."""
    try:
        import openvino
    except ImportError as error:
        raise MissingExtra(error.name or "openvino", EXTRA) from error
    return openvino


TARGET = OpenVino()
