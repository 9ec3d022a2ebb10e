"""selftest: whether a bundle answers here as it did where it was made, shown on made-up images that it holds."""

from __future__ import annotations

import shutil
from pathlib import Path

from vesalius.core.bundle import BUNDLE, Bundle, open_bundle
from vesalius.core.disk import new_folder, output_errors
from vesalius.core.sealed import MANIFEST, digests
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest.checking import SelfTest, selftested
from vesalius.infer.selftest.recording import recorded
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.run.finished import Run, bundle_of


def selftest(
    bundle: Run | Bundle | Path | str, *, record: Path | str | None = None, device: str | None = None
) -> SelfTest:
    """Answer a bundle's made-up images again and hold the answers against those that it has kept.

    The images follow from a seed and show nobody. Probabilities must agree within 0.001, numbers within 0.001 of how
    widely they spread over the training cases, masks in all but 0.001 of their voxels, and the raw outputs of the
    networks within 0.001 of their spread; labels must be the same (see docs/selftest.md).

    Args:
        bundle: A run, a bundle, or the path of one.
        record: A new folder, for a copy of the bundle whose self-test is recorded here and now: for bundles that have
            none, and for those that were changed on purpose. It is the copy that is tested then.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.

    Returns:
        How it went: `passed`, the `outcome` and `why` in words, and what was compared in `rows`.

    Raises:
        BundleError: There is no bundle, or it is damaged.
        PlanError: This machine has no such device.
        OutputError: `record` holds something.
    """
    opened = bundle_of(bundle)
    torch_threads.use(machines.measure().cores)
    if record is not None:
        opened = _recorded(opened, Path(record), device)
    return selftested(opened, Predictor(opened, device=device))


def _recorded(bundle: Bundle, out: Path, device: str | None) -> Bundle:
    """Return a copy of a bundle in a new folder, with a self-test that is recorded here; nothing is left half-done."""
    out = new_folder(out, default=bundle.name)
    try:
        with output_errors(out):
            for name in (*digests(bundle.path, BUNDLE), MANIFEST):
                shutil.copyfile(bundle.path / name, out / name)
        return recorded(open_bundle(out), device=device)
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise
