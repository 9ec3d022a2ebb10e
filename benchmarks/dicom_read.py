"""Reading a series of 400 slices, against `dcmread` + `pixel_array` + sort + stack and against SimpleITK."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid
from scipy import ndimage

from benchmarks._figures import Figure, at_least
from vesalius import formats
from vesalius.core.case import Ref

SECTION = "Ratios"
SOAK = False
SEEDS = (0,)
SLICES, SIDE, RUNS = 400, 512, 5
AIM, LEAST = 2.0, 1.6
IN_IT = "best of {runs} in turn, warm cache, one process; values compared equal before"


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Uncompressed and JPEG 2000, all three readers in turn. Quick: 24 slices of 64 × 64, one run."""
    slices, side, runs = (24, 64, 1) if quick else (SLICES, SIDE, RUNS)
    figures: list[Figure] = []
    for name, syntax in (("uncompressed", ExplicitVRLittleEndian), ("JPEG 2000", JPEG2000Lossless)):
        place = folder / name
        place.mkdir()
        _write(place, slices, side, syntax, seeds[0])
        figures += _measure(name, place, runs)
    return figures


def ours(folder: Path) -> Any:
    """The files as they lie in the folder, as `predict` reads a series."""
    return formats.read(Ref(tuple(sorted(folder.iterdir())))).array[0]


def loop(folder: Path) -> Any:
    """What a careful script does: read, sort by place, rescale as it stacks."""
    files = [pydicom.dcmread(path) for path in folder.iterdir()]
    files.sort(key=lambda f: float(f.ImagePositionPatient[2]))
    return np.stack([f.pixel_array for f in files]).astype(np.int16) + np.int16(files[0].RescaleIntercept)


def simpleitk(folder: Path) -> Any:
    """GDCM's sorted names, then SimpleITK's series reader."""
    import SimpleITK

    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(names))


def _measure(name: str, folder: Path, runs: int) -> list[Figure]:
    readers: dict[str, Callable[[Path], Any]] = {"ours": ours, "loop": loop, "SimpleITK": simpleitk}
    with warnings.catch_warnings(action="ignore"):
        arrays = [reader(folder) for reader in readers.values()]  # warms the cache, and is compared
    if not all(np.array_equal(arrays[0], other) for other in arrays[1:]):
        raise RuntimeError(f"{name}: the readers do not agree")
    del arrays
    times: dict[str, list[float]] = {key: [] for key in readers}
    for _ in range(runs):
        for key, reader in readers.items():
            began = time.perf_counter()
            reader(folder)
            times[key].append(time.perf_counter() - began)
    best = {key: min(found) for key, found in times.items()}
    spread = {
        key: f"{min(t):.2f} to {max(t):.2f} s, median {statistics.median(t):.2f}" for key, t in times.items()
    }
    count = len(list(folder.iterdir()))
    note = IN_IT.format(runs=runs)
    return [
        *(
            Figure(f"{name}: {count} slices, {key}", f"{best[key]:.2f} s", note=spread[key])
            for key in readers
        ),
        at_least(f"{name}: the loop / ours (aim {AIM:g})", best["loop"] / best["ours"], LEAST, note=note),
        at_least(f"{name}: SimpleITK / ours", best["SimpleITK"] / best["ours"], 1.0, note=note),
    ]


def _write(folder: Path, slices: int, side: int, syntax: str, seed: int) -> None:
    """A smooth volume with a scanner's noise, as files whose names run against their order."""
    random = np.random.default_rng(seed)
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    shape = (slices // 8 + 2, side // 8, side // 8)
    coarse = ndimage.gaussian_filter(random.normal(size=shape), 2) * 8000
    for k in range(slices):
        smooth = ndimage.zoom(coarse[k // 8] * (1 - k % 8 / 8) + coarse[k // 8 + 1] * (k % 8 / 8), 8, order=1)
        pixels = np.clip(smooth + random.normal(0, 12, smooth.shape) + 1024, 0, 4095).astype("<u2")
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, series, frame
        data.ImageType, data.Modality, data.PatientID = ["ORIGINAL", "PRIMARY", "AXIAL"], "CT", "P"
        data.SeriesNumber, data.InstanceNumber, data.AcquisitionNumber = 1, k + 1, 1
        data.Rows = data.Columns = pixels.shape[0]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.PixelSpacing, data.SliceThickness = [0.7, 0.7], 1
        data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-180, -180, float(k)]
        data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, -1024, "HU"
        data.WindowCenter, data.WindowWidth = 40, 400
        data.PixelData = pixels.tobytes()
        if syntax != ExplicitVRLittleEndian:
            data.compress(syntax, encoding_plugin="pylibjpeg")
        data.save_as(folder / f"IM{slices - k:04d}.dcm", enforce_file_format=True)
