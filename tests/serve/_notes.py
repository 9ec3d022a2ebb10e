"""Key object selections to try: rejection notes, and others."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import pydicom
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

QUALITY, EXPIRED = codes.DCM.RejectedForQualityReasons, codes.DCM.DataRetentionPolicyExpired


def note(paths: Sequence[Path], title: Code = QUALITY) -> pydicom.Dataset:
    """A note that names these images, as a PACS after IHE's IOCM would send it."""
    with warnings.catch_warnings(action="ignore"):
        images = [pydicom.dcmread(p) for p in paths]
        made = hd.ko.KeyObjectSelectionDocument(
            evidence=images,
            content=hd.ko.KeyObjectSelection(document_title=title, referenced_objects=images),
            series_instance_uid=generate_uid(),
            series_number=99,
            sop_instance_uid=generate_uid(),
            instance_number=1,
            manufacturer="a PACS",
            institution_name=None,
            institutional_department_name=None,
        )
        buffer = io.BytesIO()
        made.save_as(buffer)
    return pydicom.dcmread(io.BytesIO(buffer.getvalue()))


def encoded(data: pydicom.Dataset) -> bytes:
    """As it lies in a file."""
    buffer = io.BytesIO()
    data.save_as(buffer)
    return buffer.getvalue()
