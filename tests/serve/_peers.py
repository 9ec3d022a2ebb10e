"""A PACS to send results to, what it is told, and series that a worker is given as if a node had taken them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SegmentationStorage,
    StudyRootQueryRetrieveInformationModelFind,
)

from vesalius import cohorts
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.progress import Silent
from vesalius.prepare.case import load_reference
from vesalius.serve.node.answering import SeriesAnswers
from vesalius.serve.node.worker import Worker
from vesalius.serve.transport import Tls


class Told(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


HELD = (
    SegmentationStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    EncapsulatedPDFStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
)


class Pacs:
    """A peer that keeps one object a UID, finds what it keeps, and refuses while it is told to."""

    def __init__(self, tls: Tls | None = None) -> None:
        self.objects: dict[str, Dataset] = {}
        self.stores, self.refuse, self.forget = 0, 0, False
        ae = AE("PACS")
        for uid in (*HELD, StudyRootQueryRetrieveInformationModelFind):
            ae.add_supported_context(uid)
        handlers = [(evt.EVT_C_STORE, self.store), (evt.EVT_C_FIND, self.find)]
        self.server: Any = ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=tls.server() if tls else None
        )
        self.port = self.server.server_address[1]

    def store(self, event: Any) -> int:
        self.stores += 1
        if self.refuse:
            self.refuse -= 1
            return 0xA700
        if not self.forget:
            data = event.dataset
            data.file_meta = event.file_meta
            self.objects[data.SOPInstanceUID] = data
        return 0

    def find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        if event.identifier.SOPInstanceUID in self.objects:
            yield 0xFF00, event.identifier
        yield 0, None

    @property
    def modalities(self) -> list[str]:
        return sorted(d.Modality for d in self.objects.values())


def bright(folder: Path) -> SeriesAnswers:
    """A mask of what is above 100 HU in each image of a folder."""
    made = []
    for case in cohorts.read(folder, layout="dicomtree").cases:
        image = load_reference(case)
        drawn = replace(image, array=(image.array > 100).astype(np.uint8), unit=None)
        made.append(
            Mask(image=drawn, labels=(Label(1, "bone"),), case_id="x", source=image.source, bundle="h" * 64)
        )
    return SeriesAnswers(made)


def receive(worker: Worker, paths: Sequence[Path], **changes: str) -> None:
    """As if the node had taken them."""
    for path in paths:
        head = pydicom.dcmread(path)
        for name, value in changes.items():
            setattr(head, name, value)
        target = worker.store.put(head.SeriesInstanceUID, head.SOPInstanceUID, path.read_bytes())
        if changes:
            head.save_as(target)
        worker.queue.add(head.StudyInstanceUID, head.SeriesInstanceUID, head.SOPInstanceUID)


def state(worker: Worker) -> tuple[str, str]:
    (job,) = worker.queue.jobs()
    return job.state, job.error
