"""A synthetic cohort with invented identifiers wherever a hospital leaves them, and the key of what each is to become.

After the way the MIDI-B challenge made its data (arXiv 2507.23608, 2508.01889): ordinary studies, identifiers planted
in them, an answer for each. What is to become of an element follows DICOM PS3.15 Table E.1-1, Basic Profile with the
options that TCIA's practice amounts to: dates shifted (C under Modified Dates), descriptors cleaned (C under Clean
Descriptors), patient characteristics and safe private elements retained, pixels cleaned. Types 1 and 2 are those of
the modules of PS3.3. Taken where the challenge leaves it to its curators: of descriptions, the words of anatomy and
technique are retained; of comments and histories, only the removal is asked for; the birth date is text to remove,
since Table E.1-1 empties it (Z) and does not shift it; ages of 90 and more go (HIPAA Safe Harbor, 45 CFR 164.514(b)).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from benchmarks._midi import Check, stands, tokens

ROOT = "1.2.826.0.1.3680043.10.1338"
SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
}
SIZES = {"CT": (64, 64), "MR": (64, 64), "US": (480, 640), "CR": (512, 512), "PT": (48, 48)}
DEVICES = {
    "CT": ("GE MEDICAL SYSTEMS", "LightSpeed VCT"),
    "MR": ("Philips Medical Systems", "Ingenia"),
    "US": ("Philips Medical Systems", "EPIQ 7G"),
    "CR": ("FUJIFILM Corporation", "FCR XG-1"),
    "PT": ("Philips Medical Systems", "Gemini TF"),
}
# In the ways in which public collections write them.
STUDIES = {
    "CT": (
        "CT CHEST WITH CONTRAST",
        "CT ABDOMEN AND PELVIS",
        "CT HEAD WITHOUT CONTRAST",
        "CT Thorax",
        "CHEST W/O",
    ),
    "MR": ("MR BRAIN WITH AND WITHOUT CONTRAST", "MRI LUMBAR SPINE", "MR PROSTATE", "MRI Knee Left"),
    "US": ("US ABDOMEN COMPLETE", "US THYROID", "ULTRASOUND KIDNEY", "US Breast Right"),
    "CR": ("XR CHEST PA AND LATERAL", "CHEST", "XR HAND LEFT", "XR KNEE 2 VIEWS"),
    "PT": ("PET/CT SKULL BASE TO THIGH", "PET WHOLE BODY", "PET CT"),
}
SERIES = {
    "CT": (
        "AXIAL LUNG",
        "CORONAL",
        "THORAX 1.0 B45f",
        "ABDOMEN VENOUS PHASE",
        "Scout",
        "Recon 2: LUNG 1.25mm",
    ),
    "MR": ("AX T1 POST", "SAG T2", "AXIAL FLAIR", "DWI b1000", "t2_tse_tra", "ep2d_diff_tra_DYNDIST_ADC"),
    "US": ("LIVER SAG", "Kidney Right", "THYROID TRANSVERSE"),
    "CR": ("PA", "LATERAL", "Chest AP"),
    "PT": ("WB CTAC", "PET AC", "WHOLE BODY"),
}
BODY_PARTS = {"CT": "CHEST", "MR": "BRAIN", "US": "ABDOMEN", "CR": "CHEST", "PT": "WHOLEBODY"}
_FAMILIES = """
    ABERNATHY BRIDGEWATER CALDERON DUBOIS ESPINOZA FITZGERALD GALLAGHER HERNANDEZ ISHIKAWA JOHANSSON KOWALSKI
    LINDQVIST MCALLISTER NAKAMURA OCONNELL PETROSYAN QUIGLEY RODRIGUEZ SULLIVAN THORNTON URQUHART VALENZUELA
    WHITFIELD XENAKIS YAMAMOTO ZIMMERMANN
"""
_WORDLIKE = "YOUNG LONG WHITE ROSE"  # names that are words of medicine, too; one patient in five has one
_GIVEN = """
    Alexander Beatrice Cornelius Dominique Eleanor Frederick Genevieve Harrison Isabella Jonathan Katherine Leopold
    Margaret Nathaniel Octavia Penelope Quentin Rosalind Sebastian Theodora Grace Victoria Winston
"""
FAMILIES, WORDLIKE, GIVEN = _FAMILIES.split(), _WORDLIKE.split(), _GIVEN.split()
STREETS = ("Maplewood Avenue", "Thornbury Lane", "Kingfisher Road", "Old Quarry Drive", "Juniper Terrace")
TOWNS = ("Springfield", "Riverton", "Oakhurst", "Millbrook", "Fairhaven")
HOSPITALS = (
    "St Brendan Memorial Hospital",
    "Lakeshore Regional",
    "Northgate Infirmary",
    "Hartwell University",
)


@dataclass(frozen=True)
class _Person:
    """An invented person, and who sees to them."""

    family: str
    given: str
    mrn: str
    born: datetime.date
    sex: str
    age: str
    phone: str
    street: str
    town: str
    hospital: str
    doctor: str
    operator: str

    @property
    def phrases(self) -> tuple[str, ...]:
        """What gets written into free text, each form once."""
        return (
            f"{self.given} {self.family}",
            self.mrn,
            self.phone,
            f"{self.family}, {self.given}",
            f"{self.born:%m/%d/%Y}",
            self.doctor.partition("^")[0],
        )


@dataclass
class _Writer:
    """A data set or an item, with the checks that its elements bring into the key."""

    file: str
    patient: str
    checks: list[Check]
    data: Dataset = field(default_factory=Dataset)
    above: str = ""

    def check(
        self, kind: str, path: str, value: str = "", box: tuple[int, int, int, int] | None = None
    ) -> None:
        self.checks.append(Check(self.file, kind, self.above + path, value, self.patient, box))

    def put(self, keyword: str, value: object, *kinds: str) -> None:
        """An element; of each kind that is named, a check of all its value."""
        setattr(self.data, keyword, value)
        shown = "\\".join(map(str, value)) if isinstance(value, list) else str(value)
        for kind in kinds:
            self.check(kind, keyword, shown)

    def mixed(
        self, keyword: str, stay: str, before: str = "", phrase: str = "", *, retain: bool = True
    ) -> None:
        """A text of words that may stay and an identifier that may not."""
        if any(stands(t, phrase) for t in tokens(stay)) or any(stands(t, stay) for t in tokens(phrase)):
            phrase = ""
        setattr(self.data, keyword, f"{stay} {before}{phrase}".strip() if phrase else stay)
        if phrase:
            self.check("text removed", keyword, phrase)
        if retain:
            self.check("text retained", keyword, stay)

    def uid(self, keyword: str, value: str, *, once: bool = False) -> None:
        """A UID; one that stands in a single place of the cohort has nothing to be consistent with."""
        setattr(self.data, keyword, value)
        self.check("UID changed", keyword, value)
        if not once:
            self.check("UID consistent", keyword, value)

    def item(self, keyword: str) -> _Writer:
        """A new item at the end of a sequence."""
        items = self.data.get(keyword) or Sequence()
        inner = _Writer(
            self.file, self.patient, self.checks, Dataset(), f"{self.above}{keyword}[{len(items)}]/"
        )
        items.append(inner.data)
        setattr(self.data, keyword, items)
        return inner

    def private(self, group: int, creator: str, offset: int, vr: str, value: object, kind: str) -> None:
        """A private element and what is asked of it."""
        self.data.private_block(group, creator, create=True).add_new(offset, vr, value)
        self.check(kind, f"{group:04X},{creator},{offset:02X}", str(value))


def make(folder: Path, *, seed: int, patients: int = 20) -> list[Check]:
    """Write a cohort into `folder`; the key. The same seed and number give the same files."""
    draw = np.random.default_rng(seed)
    checks: list[Check] = []
    modalities = list(SOP_CLASSES)
    for number in range(patients):
        person = _person(draw, number)
        for visit in range(1 + number % 2):
            modality = modalities[(number + 2 * visit) % len(modalities)]
            _study(folder, draw, person, modality, f"{seed}.{number + 1}.{visit + 1}", checks)
    return checks


def _person(draw: np.random.Generator, number: int) -> _Person:
    def pick(words: Iterable[str]) -> str:
        choices = list(words)
        return choices[draw.integers(len(choices))]

    born = datetime.date(1930, 1, 1) + datetime.timedelta(days=int(draw.integers(25_000)))
    return _Person(
        family=WORDLIKE[number // 5 % len(WORDLIKE)] if number % 5 == 4 else FAMILIES[number % len(FAMILIES)],
        given=pick(GIVEN),
        mrn=f"{draw.integers(10**6, 10**7)}{number:02d}",
        born=born,
        sex="MF"[number % 2],
        age="093Y" if number == 3 else f"{20 + int(draw.integers(65)):03d}Y",
        phone=f"({draw.integers(200, 999)}) 555-{draw.integers(1000, 9999)}",
        street=f"{draw.integers(1000, 9999)} {pick(STREETS)}",
        town=pick(TOWNS),
        hospital=pick(HOSPITALS),
        doctor=f"{FAMILIES[(number + 7) % 26].title()}^{pick(GIVEN)}",
        operator=f"{FAMILIES[(number + 13) % 26].title()}^{pick(GIVEN)}",
    )


def _study(
    folder: Path, draw: np.random.Generator, person: _Person, modality: str, tail: str, checks: list[Check]
) -> None:
    day = datetime.date(2015, 1, 1) + datetime.timedelta(days=int(draw.integers(2500)))
    study, series, frame = (f"{ROOT}.{k}.{tail}" for k in (1, 2, 3))
    accession, turn = f"ACC{draw.integers(10**6, 10**7)}", int(draw.integers(100))
    for k in range(2):
        name = f"{person.family}_{person.given}/{modality}{tail.replace('.', '_')}_{k}.dcm"
        to = _Writer(name, person.mrn, checks)
        own, other = (f"{ROOT}.4.{tail}.{n + 1}" for n in (k, 1 - k))
        _patient(to, person)
        _uids(to, modality, (study, series, frame, own, other))
        _times(to, day, k)
        _places(to, person, accession, draw)
        _texts(to, person, modality, turn)
        _device(to, modality, k)
        _nested(to, person, day, turn)
        _private(to, person, modality)
        _image(to, draw, person, modality, day, burned=modality in ("US", "CR") and k == 0)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        to.data.save_as(folder / name, enforce_file_format=True)


def _patient(to: _Writer, person: _Person) -> None:
    to.put("PatientName", f"{person.family}^{person.given}", "text removed", "tag retained")
    to.put("PatientID", person.mrn, "text removed", "text notnull", "patient ID consistent")
    to.put("PatientBirthDate", f"{person.born:%Y%m%d}", "text removed", "tag retained")
    to.put("PatientSex", person.sex, "text retained", "tag retained")
    to.put("PatientAge", person.age, "text removed" if person.age > "089Y" else "text retained")
    to.put("PatientSize", "1.72", "text retained")
    to.put("PatientWeight", "71.5", "text retained")
    to.put("SmokingStatus", "NO", "text retained")
    to.put("OtherPatientIDs", f"X{person.mrn}", "text removed")
    to.put("OtherPatientNames", f"{person.family}^Philippa", "text removed")
    to.put("PatientAddress", f"{person.street}, {person.town}", "text removed")
    to.put("PatientTelephoneNumbers", person.phone, "text removed")
    to.put("PatientMotherBirthName", "Featherstone^Wilhelmina", "text removed")
    to.put("IssuerOfPatientID", person.hospital, "text removed")
    to.put("MedicalRecordLocator", f"LOC-{person.mrn}", "text removed")
    to.put("ResponsiblePerson", f"{person.family}^Archibald", "text removed")
    to.put("CountryOfResidence", "Ruritania", "text removed")


def _uids(to: _Writer, modality: str, uids: tuple[str, str, str, str, str]) -> None:
    study, series, frame, own, other = uids
    to.put("SOPClassUID", SOP_CLASSES[modality], "text retained", "text notnull")
    to.uid("SOPInstanceUID", own)
    to.uid("StudyInstanceUID", study)
    to.uid("SeriesInstanceUID", series)
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        to.check("text notnull", keyword)
    if modality in ("CT", "MR", "PT"):
        to.uid("FrameOfReferenceUID", frame)
        to.put("PositionReferenceIndicator", "", "tag retained")
    to.uid("InstanceCreatorUID", own.replace(f"{ROOT}.4", f"{ROOT}.5"), once=True)
    to.data.file_meta = FileMetaDataset()
    to.data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    to.data.file_meta.MediaStorageSOPClassUID = UID(SOP_CLASSES[modality])
    to.data.file_meta.MediaStorageSOPInstanceUID = UID(own)
    to.data.file_meta.SourceApplicationEntityTitle = "HARTWELLCT1"
    to.check("UID changed", "meta/MediaStorageSOPInstanceUID", own)
    to.check("UID consistent", "meta/MediaStorageSOPInstanceUID", own)
    to.check("text removed", "meta/SourceApplicationEntityTitle", "HARTWELLCT1")
    # Type 3 here, so Table E.1-1 (X/Z/U*) lets it be removed: nothing in it has to stay.
    image = to.item("ReferencedImageSequence")
    image.put("ReferencedSOPClassUID", SOP_CLASSES[modality])
    image.uid("ReferencedSOPInstanceUID", other)
    # The Common Instance Reference Module's, of which the table has the UIDs and not the sequences: it stays.
    listed = to.item("ReferencedSeriesSequence")
    listed.uid("SeriesInstanceUID", series)
    instance = listed.item("ReferencedInstanceSequence")
    instance.put("ReferencedSOPClassUID", SOP_CLASSES[modality], "text retained")
    instance.uid("ReferencedSOPInstanceUID", other)


def _times(to: _Writer, day: datetime.date, k: int) -> None:
    text = f"{day:%Y%m%d}"
    to.put("StudyDate", text, "date shifted", "tag retained")
    to.put("SeriesDate", text, "date shifted")
    to.put("AcquisitionDate", text, "date shifted")
    to.put("ContentDate", f"{day + datetime.timedelta(days=1):%Y%m%d}", "date shifted")
    to.put("InstanceCreationDate", f"{day + datetime.timedelta(days=1):%Y%m%d}", "date shifted")
    to.put("AcquisitionDateTime", f"{text}1015{k:02d}.000000", "date shifted")
    to.put("PerformedProcedureStepStartDate", text, "date shifted")
    to.put("StudyTime", "101500", "tag retained")
    to.put("SeriesTime", "101530")
    to.put("AcquisitionTime", f"1016{k:02d}")
    to.put("ContentTime", f"1017{k:02d}")


def _places(to: _Writer, person: _Person, accession: str, draw: np.random.Generator) -> None:
    to.put("AccessionNumber", accession, "text removed", "tag retained")
    to.put("StudyID", accession[3:], "text removed", "tag retained")
    to.put("ReferringPhysicianName", person.doctor, "text removed", "tag retained")
    for keyword in ("PerformingPhysicianName", "NameOfPhysiciansReadingStudy", "RequestingPhysician"):
        to.put(keyword, person.doctor, "text removed")
    to.put("OperatorsName", person.operator, "text removed")
    to.put("InstitutionName", person.hospital, "text removed")
    to.put("InstitutionAddress", f"1 Harbour Plaza, {person.town}", "text removed")
    to.put("InstitutionalDepartmentName", "Kestrel Wing Radiology", "text removed")
    to.put("StationName", "KESTREL-WS04", "text removed")
    to.put("DeviceSerialNumber", f"SN{draw.integers(10**7, 10**8)}", "text removed")
    to.put("AdmissionID", f"ADM{draw.integers(10**6, 10**7)}", "text removed")
    to.put("PerformedProcedureStepID", f"PPS{draw.integers(10**6, 10**7)}", "text removed")
    to.put("CurrentPatientLocation", "Kestrel Wing bed 14", "text removed")


def _texts(to: _Writer, person: _Person, modality: str, turn: int) -> None:
    studies, series, phrases = STUDIES[modality], SERIES[modality], person.phrases
    before = ("- ", "MRN ", "call ", "for ", "DOB ", "Dr. ")
    n = turn % len(phrases)
    dirty = turn % 5 < 2
    to.mixed("StudyDescription", studies[turn % len(studies)], before[n], phrases[n] if dirty else "")
    n = (turn // 5) % len(phrases)
    dirty = turn % 3 == 0
    to.mixed("SeriesDescription", series[turn % len(series)], before[n], phrases[n] if dirty else "")
    to.mixed("ProtocolName", series[(turn + 1) % len(series)], "- ", phrases[0] if turn % 4 == 0 else "")
    comments = {
        "ImageComments": f"Reviewed with {person.doctor.partition('^')[0]}, images sent to",
        "PatientComments": "Anxious, next of kin",
        "AdditionalPatientHistory": "Chronic cough since spring. Report to be faxed to",
        "ReasonForStudy": "Rule out pneumonia. Seen by us as",
    }
    for k, (keyword, lead) in enumerate(comments.items()):
        phrase = phrases[(turn + k) % 5]
        to.put(keyword, f"{lead} {phrase}.")
        to.check("text removed", keyword, phrase)
    to.check("text removed", "ImageComments", person.doctor.partition("^")[0])
    to.put("Occupation", "Harbourmaster", "text removed")


def _device(to: _Writer, modality: str, k: int) -> None:
    maker, model = DEVICES[modality]
    to.put("Modality", modality, "text retained", "text notnull")
    to.put("Manufacturer", maker, "text retained", "tag retained")
    to.put("ManufacturerModelName", model, "text retained")
    to.put("SoftwareVersions", "5.1.7", "text retained")
    to.put("ImageType", ["ORIGINAL", "PRIMARY"] + (["AXIAL"] if modality == "CT" else []), "text notnull")
    to.put("SeriesNumber", 2, "tag retained", "text retained")
    to.put("InstanceNumber", k + 1, "tag retained", "text retained")
    to.put("BodyPartExamined", BODY_PARTS[modality], "text retained")
    if modality in ("CT", "CR"):
        to.put("KVP", "120", "text retained", "tag retained")
    if modality == "CT":
        to.put("ConvolutionKernel", "STANDARD", "text retained")
        to.put("ContrastBolusRoute", "IV", "text retained")
    if modality == "MR":
        to.put("MagneticFieldStrength", "1.5", "text retained")
        to.put("EchoTime", "85.0", "text retained")
        to.put("RepetitionTime", "4000", "text retained")
        to.put("ScanningSequence", "SE", "text retained")
    if modality == "CR":
        to.put("ViewPosition", "PA", "text retained")
    if modality == "PT":
        to.put("Units", "BQML", "text retained", "text notnull")
        to.put("DecayCorrection", "START", "text retained")
        dose = to.item("RadiopharmaceuticalInformationSequence")
        dose.put("RadionuclideTotalDose", "370000000", "text retained")
        dose.put("RadionuclideHalfLife", "6586.2", "text retained")
        to.check("tag retained", "RadiopharmaceuticalInformationSequence")


def _nested(to: _Writer, person: _Person, day: datetime.date, turn: int) -> None:
    asked = to.item("RequestAttributesSequence")
    asked.put("RequestedProcedureID", f"RP{turn:02d}{person.mrn}", "text removed")
    asked.put("ScheduledProcedureStepID", f"SPS{turn:02d}{person.mrn}", "text removed")
    asked.put("AccessionNumber", f"REQ{turn:02d}{person.mrn}", "text removed")
    asked.mixed("RequestedProcedureDescription", "Imaging", "- ", person.phrases[3], retain=False)
    alias = to.item("OtherPatientIDsSequence")
    alias.put("PatientID", f"ALT{person.mrn}", "text removed")
    old = to.item("OriginalAttributesSequence")
    old.put("SourceOfPreviousValues", person.hospital, "text removed")
    old.put("ModifyingSystem", "KESTREL-PACS", "text removed")
    old.put("AttributeModificationDateTime", f"{day:%Y%m%d}120000", "date shifted")
    older = old.item("ModifiedAttributesSequence")
    older.put("PatientName", f"{person.family}^{person.given}", "text removed")
    older.put("PatientID", f"OLD{person.mrn}", "text removed")
    view = to.item("ProcedureCodeSequence")
    view.put("CodeValue", "24627-2", "text retained")
    view.put("CodingSchemeDesignator", "LN", "text retained")
    view.put("CodeMeaning", "Chest CT", "text retained")


def _private(to: _Writer, person: _Person, modality: str) -> None:
    """Private elements: safe ones by PS3.15 Table E.3.10-1, others with identifiers in them, one of them nested."""
    if modality == "CT":
        to.private(0x0019, "GEMS_ACQU_01", 0x23, "DS", "39.37", "text retained")
        to.private(0x0019, "GEMS_ACQU_01", 0x27, "DS", "0.5", "text retained")
        to.private(0x0043, "GEMS_PARM_01", 0x27, "SH", "/0.984:1", "text retained")
    if modality == "MR":
        to.private(0x2001, "Philips Imaging DD 001", 0x03, "FL", 1000.0, "text retained")
    if modality == "PT":
        to.private(0x7053, "Philips PET Private Group", 0x00, "DS", "0.000573", "text retained")
        to.private(0x7053, "Philips PET Private Group", 0x09, "DS", "1.234", "text retained")
    to.private(0x0009, "KESTREL PACS", 0x10, "LO", f"{person.given} {person.family}", "text removed")
    to.private(0x0009, "KESTREL PACS", 0x11, "LO", person.phone, "text removed")
    to.private(0x0011, "GEMS_PATI_01", 0x10, "LO", f"bed of {person.family}", "text removed")
    inner = _Writer(to.file, to.patient, to.checks, Dataset(), to.above + "0009,KESTREL PACS,20[0]/")
    inner.put("PatientComments", person.street, "text removed")
    to.data.private_block(0x0009, "KESTREL PACS").add_new(0x20, "SQ", Sequence([inner.data]))


def _image(
    to: _Writer,
    draw: np.random.Generator,
    person: _Person,
    modality: str,
    day: datetime.date,
    *,
    burned: bool,
) -> None:
    rows, columns = SIZES[modality]
    eight = modality == "US"
    top = 255 if eight else 4095
    y, x = np.mgrid[:rows, :columns]
    body = ((y - 0.55 * rows) / (0.36 * rows)) ** 2 + ((x - columns / 2) / (0.3 * columns)) ** 2 < 1
    pixels = np.where(body, 0.45 * top, 0.02 * top) * (1 + 0.15 * draw.standard_normal((rows, columns)))
    pixels = np.clip(pixels, 0, 0.7 * top)
    if burned:
        upper = 8 if day.day % 2 else rows - 60
        for line, text in enumerate((f"{person.family} {person.given}", f"{person.mrn} {day:%m/%d/%Y}")):
            _burn(to, pixels, text, (12, upper + 24 * line), top)
        to.put("BurnedInAnnotation", "YES")
    else:
        if modality == "CR":
            _draw(pixels, "L", (columns - 40, 16), top)  # a side marker, which identifies nobody
        to.check("pixels retained", "PixelData")
    data = to.data
    data.Rows, data.Columns, data.SamplesPerPixel = rows, columns, 1
    data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = (8, 8, 7) if eight else (16, 12, 11)
    if modality in ("CT", "MR", "PT"):
        data.ImagePositionPatient, data.ImageOrientationPatient = (
            [0, 0, int(data.InstanceNumber)],
            [1, 0, 0, 0, 1, 0],
        )
        to.put("PixelSpacing", ["0.5", "0.5"], "text retained")
        to.put("SliceThickness", "1.0", "text retained")
    if modality in ("CT", "PT"):
        to.put("RescaleIntercept", "-1024" if modality == "CT" else "0", "text retained")
        to.put("RescaleSlope", "1", "text retained")
    data.PixelData = pixels.astype("u1" if eight else "<u2").tobytes()
    data["PixelData"].VR = "OB" if eight else "OW"


def _burn(to: _Writer, pixels: np.ndarray, text: str, corner: tuple[int, int], top: int) -> None:
    """Draw words, white, left to right; of each, a box to be hidden."""
    left, upper = corner
    for word in text.split():
        box = _draw(pixels, word, (left, upper), top)
        to.check("pixels hidden", "PixelData", word, box)
        left = box[2] + 8


def _draw(pixels: np.ndarray, word: str, corner: tuple[int, int], top: int) -> tuple[int, int, int, int]:
    """Draw one word into the pixels; its box (left, top, right, bottom)."""
    canvas = Image.new("L", (pixels.shape[1], pixels.shape[0]))
    brush, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=18)
    brush.text(corner, word, fill=255, font=font)
    ink = np.asarray(canvas) / 255.0
    pixels[:] = pixels * (1 - ink) + ink * top
    left, upper, right, lower = (int(v) for v in brush.textbbox(corner, word, font=font))
    return left, upper, right, lower
