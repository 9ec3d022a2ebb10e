"""SimpleITK's registration: Mattes' mutual information by gradient descent, coarse to fine; where it is installed."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from vesalius.core.errors import DataError, MissingExtra
from vesalius.core.image import Array
from vesalius.prepare.aligning.contract import Aligner, Field

RANK = 2
EXTRA = "itk"
SHRUNK, SMOOTHED = (4, 2, 1), (2.0, 1.0, 0.0)  # by voxels, and by standard deviations of voxels
BINS, ROUNDS, SEED = 50, 200, 20_260
POINTS = 60_000  # of the finest level, at most


class ItkAligner(Aligner):
    """Registers as ITK does it (Mattes et al. 2003), from the headers and from where the masses lie on one another."""

    def ready(self) -> bool:
        """Return whether SimpleITK is installed."""
        return importlib.util.find_spec("SimpleITK") is not None

    def align(self, later: Field, earlier: Field) -> Array:
        """Return the registration, as the contract has it. Raises MissingExtra, DataError."""
        if not self.ready():
            raise MissingExtra("SimpleITK", EXTRA)
        import SimpleITK as itk

        flat = later.flat and earlier.flat
        fixed, moving = (_image(itk, field, flat=flat) for field in (later, earlier))
        found = []
        try:
            for start in _starts(itk, fixed, moving, later, flat=flat):
                way = _method(itk, later)
                way.SetInitialTransform(start, inPlace=True)
                way.Execute(fixed, moving)
                found.append((way.GetMetricValue(), start))
        except RuntimeError as error:
            if not found:
                said = str(error).strip().splitlines()[-1][:160]
                raise DataError("SimpleITK cannot register these images", found=said) from error
        return _matrix(min(found, key=lambda one: one[0])[1], flat=flat)


def _image(itk: Any, field: Field, *, flat: bool) -> Any:
    spacing = field.spacing
    array = field.array[0] if flat else field.array
    made = itk.GetImageFromArray(np.ascontiguousarray(array, dtype=np.float32))
    dims = 2 if flat else 3
    direction = field.affine[:dims, :dims] / spacing[:dims]
    made.SetSpacing(spacing[:dims].tolist())
    made.SetOrigin(field.affine[:dims, 3].tolist())
    made.SetDirection(direction.ravel().tolist())
    return made


def _starts(itk: Any, fixed: Any, moving: Any, later: Field, *, flat: bool) -> list[Any]:
    kind = itk.Euler2DTransform if flat else itk.Euler3DTransform
    middle = later.middle[: 2 if flat else 3].tolist()
    here = kind()
    here.SetCenter(middle)
    masses = itk.CenteredTransformInitializer(
        fixed, moving, kind(), itk.CenteredTransformInitializerFilter.MOMENTS
    )
    return [here, kind(masses)]


def _method(itk: Any, later: Field) -> Any:
    way = itk.ImageRegistrationMethod()
    way.SetMetricAsMattesMutualInformation(BINS)
    way.SetMetricSamplingStrategy(way.RANDOM)
    way.SetMetricSamplingPercentage(min(1.0, max(POINTS / later.array.size, 0.01)), SEED)
    way.SetInterpolator(itk.sitkLinear)
    way.SetOptimizerAsRegularStepGradientDescent(
        learningRate=float(later.spacing.max()), minStep=1e-3, numberOfIterations=ROUNDS, relaxationFactor=0.6
    )
    way.SetOptimizerScalesFromPhysicalShift()
    least = min(n for n in later.array.shape if n > 1)
    levels = [(s, m) for s, m in zip(SHRUNK, SMOOTHED, strict=True) if s == 1 or least // s >= 8]
    way.SetShrinkFactorsPerLevel([s for s, _ in levels])
    way.SetSmoothingSigmasPerLevel([m for _, m in levels])
    way.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    way.SetNumberOfThreads(1)  # sums of several threads come in another order each time
    return way


def _matrix(found: Any, *, flat: bool) -> Array:
    dims = 2 if flat else 3
    turn = np.array(found.GetMatrix()).reshape(dims, dims)
    centre, shift = np.array(found.GetCenter()), np.array(found.GetTranslation())
    made = np.eye(4)
    made[:dims, :dims] = turn
    made[:dims, 3] = centre + shift - turn @ centre
    return made


ALIGNER = ItkAligner()
