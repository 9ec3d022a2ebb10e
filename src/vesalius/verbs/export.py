"""export: a bundle in a form that other tools read, read back with their own library and compared."""

from __future__ import annotations

import shutil
from pathlib import Path

from vesalius import exports
from vesalius.core.bundle import Bundle
from vesalius.core.disk import new_folder
from vesalius.exports.contract import Exported
from vesalius.run.finished import Run, bundle_of


def export(
    bundle: Run | Bundle | Path | str,
    to: str,
    *,
    out: Path | str | None = None,
    member: int | None = None,
    script: bool = True,
) -> Exported:
    """Write a bundle in a form that other tools read, and compare what they compute with what it answers.

    Each member's raw outputs about made-up images, which show nobody, must agree within 1e-4 (of the largest one, where
    that is above 1); else nothing is written. Beside the models lie the model card, `export.json` with the bundle's
    hash, and for ONNX the preparation as JSON and a script that answers with numpy and onnxruntime alone
    (see docs/export.md).

    Args:
        bundle: A run, a bundle, or the path of one; it has one stage.
        to: A form of `vesalius exports`: `onnx`, `openvino`, `torchexport`, `monai`, `huggingface`.
        out: A new folder, by default `runs/export-1` and so on.
        member: One member of an ensemble, by its number from 0; by default all of them.
        script: Whether a script goes with the models, where the form can have one.

    Returns:
        Where it lies, its files, and how far it agrees with the bundle.

    Raises:
        UnknownName: There is no such form.
        BundleError: There is no bundle, it is damaged, or its self-test fails here.
        PlanError: The model cannot go out in this form, or no script can give its answers; the message says why.
        DataError: The other tool answers otherwise.
        MissingExtra: The other tool's library is not installed.
        OutputError: `out` holds something.
    """
    exports.get(to)
    opened = bundle_of(bundle)
    folder = new_folder(None if out is None else Path(out), default="export")
    try:
        return exports.exported(opened, to, folder, member=member, script=script)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
