"""Damaged tables: a cohort or one typed error, whatever the bytes are; and no walk through the whole disk."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import openpyxl
import polars as pl
import pytest
from PIL import Image

from _patience import patience
from vesalius import cohorts
from vesalius.cohorts._files import natural
from vesalius.core.errors import DataError, VesaliusError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k in range(6):
        pixels = np.random.default_rng(k).integers(0, 255, (16, 16), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"i{k}.png")
    return tmp_path


TABLE = pl.DataFrame({"image": [f"i{k}.png" for k in range(6)], "label": ["a", "b"] * 3, "age": [1.5] * 6})


def write(path: Path) -> bytes:
    if path.suffix == ".parquet":
        TABLE.write_parquet(path)
    elif path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in (TABLE.columns, *TABLE.rows()):
            book.active.append(list(row))  # type: ignore[union-attr]
        book.save(path)
    else:
        TABLE.write_csv(path, separator="\t" if path.suffix == ".tsv" else ",")
    return path.read_bytes()


@pytest.mark.parametrize(("suffix", "count"), [(".csv", 60), (".tsv", 60), (".xlsx", 40), (".parquet", 6)])
def test_a_damaged_table_is_a_cohort_or_one_typed_error(folder: Path, suffix: str, count: int) -> None:
    path, generator, refused = folder / f"t{suffix}", np.random.default_rng(3), 0
    good = write(path)
    assert len(cohorts.read(path, target="label").cases) == 6
    for _ in range(count):
        bad = bytearray(good)
        for _ in range(int(generator.integers(1, 12))):
            bad[int(generator.integers(len(bad)))] = int(generator.integers(256))
        path.write_bytes(bad)
        try:
            cohorts.read(path, target="label")
        except VesaliusError:
            refused += 1
    assert refused > count // 3


def test_a_count_in_a_parquet_file_that_no_memory_holds_does_not_end_the_process(folder: Path) -> None:
    """What polars allocates by, some of these ends in an abort."""
    path = folder / "t.parquet"
    good = write(path)
    for at in range(len(good) - 260, len(good) - 8, 48):
        path.write_bytes(good[:at] + b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + good[at + 9 :])
        with pytest.raises(DataError):
            cohorts.read(path, target="label")


@pytest.mark.parametrize("cell", ["/", "..", ".", "/usr", "//", "../.."])
def test_a_cell_that_names_a_folder_around_the_data_is_no_image(folder: Path, cell: str) -> None:
    (folder / "t.csv").write_text(
        "image,label\n" + "".join(f"i{k}.png,{'a' if k % 2 else cell}\n" for k in range(6))
    )
    began = time.monotonic()
    cohort = cohorts.read(folder / "t.csv", target="label")
    assert len(cohort.cases) == 6 and time.monotonic() - began < patience(5)


def test_superscripts_are_no_numbers() -> None:
    assert sorted(["a¹", "a2", "a10"], key=natural) == ["a2", "a10", "a¹"]
