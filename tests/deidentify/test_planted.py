"""Identifiers of every kind, planted in files of every kind: none is left, not in names, logs or the report either."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import zlib
from pathlib import Path

import imagecodecs
import nibabel
import numpy as np
import pydicom
import pytest
from _planted import ct, save
from PIL import Image, ImageDraw, PngImagePlugin
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import BaseTag
from pydicom.uid import JPEGBaseline8Bit, JPEGLosslessSV1
from typer.testing import CliRunner

from vesalius import deidentify
from vesalius.cli import app
from vesalius.deidentify.dicom import clean
from vesalius.deidentify.key import Key
from vesalius.deidentify.options import settings

# One word a place, so that what is left says where it was.
PLACES = """
    Name IdNum Accession Birthname Address Phone Referring Operator Institution Station Serial StudyDesc SeriesDesc
    Comments History PrivLO PrivNested PrivUN NestedPN NestedText SrText SrName Overlay OverlayData Curve Protocol
    Preamble SourceAe PrivateMeta Trailing JpegCom JpegExif Unlisted Unknown Icon Digital Issuer Other Request Graphic
    PdfBody Descrip AuxFile Intent Extension AfterNii GzName PngText PngZtxt PngItxt PngAfter PngIdat
    Weight Layer ExifArtist JpgCom TiffDesc TiffArtist GifComment WebpXmp JsonName JsonKey JsonText Folder File
    BadFile NoteFile
"""
TEXTUAL = [
    "AE",
    "AS",
    "CS",
    "DA",
    "DT",
    "LO",
    "LT",
    "OB",
    "OW",
    "PN",
    "SH",
    "ST",
    "TM",
    "UC",
    "UI",
    "UN",
    "UR",
    "UT",
]
WORDS = [f"Zq{place}x" for place in PLACES.split()]
PLACE = {word[2:-1]: word for word in WORDS}


def test_there_are_enough() -> None:
    assert len(WORDS) >= 40 and len(set(WORDS)) == len(WORDS)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("in") / PLACE["Folder"]
    root.mkdir()
    _dicoms(root)
    _nifti(root / f"{PLACE['File']}_scan.nii.gz")
    _pictures(root)
    sidecar = {
        "EchoTime": 0.03,
        "PatientName": PLACE["JsonName"],
        f"{PLACE['JsonKey']}": 1,
        "SequenceName": f"epfid {PLACE['JsonText']}",
    }
    (root / f"{PLACE['File']}_scan.json").write_text(json.dumps(sidecar))
    (root / f"{PLACE['BadFile']}.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 64)
    (root / f"{PLACE['NoteFile']}.txt").write_text("a letter")
    return root


def _dicoms(root: Path) -> None:
    data = ct(patient=PLACE["IdNum"])
    data.PatientName, data.AccessionNumber = f"{PLACE['Name']}^Jane", PLACE["Accession"]
    data.PatientBirthName, data.PatientAddress = PLACE["Birthname"], PLACE["Address"]
    data.PatientTelephoneNumbers, data.ReferringPhysicianName = PLACE["Phone"], PLACE["Referring"]
    data.OperatorsName, data.InstitutionName = PLACE["Operator"], PLACE["Institution"]
    data.StationName, data.DeviceSerialNumber = PLACE["Station"], PLACE["Serial"]
    data.StudyDescription, data.SeriesDescription = PLACE["StudyDesc"], PLACE["SeriesDesc"]
    data.PatientComments, data.AdditionalPatientHistory = PLACE["Comments"], PLACE["History"]
    data.IssuerOfPatientID, data.OtherPatientIDs = PLACE["Issuer"], PLACE["Other"]
    data.ProtocolName = PLACE["Protocol"]
    # what the table does not list but holds the patient's own words: found by looking for them
    data.ManufacturerModelName = f"Scanner of {PLACE['Name']}"
    data.SoftwareVersions = [f"v1 {PLACE['IdNum']}", "2"]
    data.add_new(0x0018A001, "SQ", [_contributor()])
    data.add_new(0x00187FFE, "LO", PLACE["Unknown"])
    data.add_new(0x00189004, "CS", "PRODUCT")
    data.TextString = PLACE["Unlisted"]
    block = data.private_block(0x0029, PLACE["PrivLO"], create=True)
    block.add_new(1, "LO", PLACE["PrivLO"])
    block.add_new(2, "UN", PLACE["PrivUN"].encode())
    deep, deeper = Dataset(), Dataset()
    deeper.private_block(0x0031, "ACME", create=True).add_new(3, "PN", PLACE["PrivNested"])
    deeper.RequestingPhysician = PLACE["NestedPN"]
    deeper.TextValue = PLACE["NestedText"]
    deep.ReferencedImageSequence = [deeper]
    data.RequestAttributesSequence = [deep]
    data.SharedFunctionalGroupsSequence = [Dataset()]
    data.SharedFunctionalGroupsSequence[0].DerivationImageSequence = [deeper]
    request = Dataset()
    request.RequestedProcedureID = PLACE["Request"]
    data.ReferencedRequestSequence = [request]
    icon = Dataset()
    icon.BitsAllocated, icon.PixelData = 8, PLACE["Icon"].encode() + b"\0"
    data.IconImageSequence = [icon]
    signature = Dataset()
    signature.CertificateOfSigner = PLACE["Digital"].encode()
    data.DigitalSignaturesSequence = [signature]
    for group, word in ((0x6000, "Overlay"), (0x6002, "OverlayData")):
        data.add_new((group, 0x0010), "US", 8)
        data.add_new((group, 0x0011), "US", 8)
        data.add_new((group, 0x0022), "LO", PLACE[word])
        data.add_new((group, 0x3000), "OW", PLACE[word].encode().ljust(16))
    data.add_new((0x5000, 0x3000), "OW", PLACE["Curve"].encode())
    data.add_new((0x5000, 0x2500), "LO", PLACE["Curve"])
    data.PixelData = data.PixelData + PLACE["Trailing"].encode() + b"\0" * (len(PLACE["Trailing"]) % 2)
    data.add(
        RawDataElement(
            BaseTag(0x00101030),
            "DS",
            len(PLACE["Weight"]) + 1,
            f"{PLACE['Weight']} ".encode(),
            0,
            False,
            True,
        )
    )
    data.file_meta.SourceApplicationEntityTitle = PLACE["SourceAe"]
    data.file_meta.PrivateInformationCreatorUID = "1.2.3.4"
    data.file_meta.PrivateInformation = PLACE["PrivateMeta"].encode() + b"\0" * (
        len(PLACE["PrivateMeta"]) % 2
    )
    data.preamble = PLACE["Preamble"].encode().ljust(128, b"\0")
    save(data, root / f"{PLACE['File']}.dcm")
    _others(root)


def _contributor() -> Dataset:
    item = Dataset()
    item.InstitutionName, item.Manufacturer, item.OperatorsName = (
        PLACE["Institution"],
        "ACME",
        PLACE["Operator"],
    )
    return item


def _others(root: Path) -> None:
    report = ct(patient=PLACE["IdNum"], number=2, sop_class="1.2.840.10008.5.1.4.1.1.88.22")
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(report, keyword)
    text, name = Dataset(), Dataset()
    text.ValueType, text.TextValue, name.ValueType, name.PersonName = (
        "TEXT",
        PLACE["SrText"],
        "PNAME",
        PLACE["SrName"],
    )
    concept = Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = "121106", "DCM", "Comment"
    text.ConceptNameCodeSequence = name.ConceptNameCodeSequence = [concept]
    report.ContentSequence = [text, name]
    graphic, words = Dataset(), Dataset()
    words.UnformattedTextValue = PLACE["Graphic"]
    graphic.TextObjectSequence = [words]
    graphic.add_new(0x00700002, "CS", PLACE["Layer"])
    report.GraphicAnnotationSequence = [graphic]
    report.MIMETypeOfEncapsulatedDocument = "application/pdf"
    report.EncapsulatedDocument = b"%PDF-1.4 " + PLACE["PdfBody"].encode() + b"\0" * 2
    save(report, root / "report")
    photo = ct(patient=PLACE["IdNum"], number=3)
    photo.BitsAllocated, photo.BitsStored, photo.HighBit = 8, 8, 7
    photo.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = PLACE["JpegExif"]
    Image.new("L", (8, 8), 90).save(buffer, "JPEG", comment=PLACE["JpegCom"], exif=exif)
    photo.PixelData = encapsulate([buffer.getvalue()])
    photo["PixelData"].is_undefined_length = True
    save(photo, root / "photo.dcm")


def _nifti(path: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.diag([2.0, 2, 2, 1]))
    image.header["descrip"], image.header["aux_file"] = PLACE["Descrip"], PLACE["AuxFile"]
    image.header["intent_name"] = PLACE["Intent"][:16]
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", PLACE["Extension"].encode()))
    raw = image.to_bytes() + PLACE["AfterNii"].encode()
    with path.open("wb") as file, gzip.GzipFile(PLACE["GzName"] + ".nii", "wb", fileobj=file) as packed:
        packed.write(raw)


def _pictures(root: Path) -> None:
    picture = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Patient", PLACE["PngText"])
    chunks.add_text("Comment", PLACE["PngZtxt"], zip=True)
    chunks.add_itxt("Title", PLACE["PngItxt"])
    picture.save(root / f"{PLACE['File']}.png", pnginfo=chunks)
    png = root / f"{PLACE['File']}.png"
    png.write_bytes(
        behind_the_pixels(png.read_bytes(), PLACE["PngIdat"].encode()) + PLACE["PngAfter"].encode()
    )
    exif = Image.Exif()
    exif[0x013B], exif[0x0112] = PLACE["ExifArtist"], 6
    picture.save(root / "photo.jpg", exif=exif, comment=PLACE["JpgCom"], quality=90)
    picture.save(
        root / "scan.tif", description=PLACE["TiffDesc"], artist=PLACE["TiffArtist"], compression="tiff_lzw"
    )
    picture.save(root / "mask.gif", comment=PLACE["GifComment"])
    picture.convert("RGB").save(root / "photo.webp", lossless=True, xmp=f"<x>{PLACE['WebpXmp']}</x>".encode())


def behind_the_pixels(png: bytes, word: bytes) -> bytes:
    """A PNG whose last IDAT chunk goes on after the pixels' stream has ended."""
    at = png.rindex(b"IDAT") - 4
    end = at + 12 + int.from_bytes(png[at : at + 4], "big")
    body = b"IDAT" + png[at + 8 : end - 4] + word
    return (
        png[:at] + (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big") + png[end:]
    )


def contents(path: Path) -> bytes:
    """A file's bytes, and what is packed in them."""
    data = path.read_bytes()
    found = [data]
    if data[:2] == b"\x1f\x8b":
        found.append(gzip.decompress(data))
    at = 0
    while (at := data.find(b"\x78", at)) >= 0:  # zlib streams, as PNG's zTXt
        with contextlib.suppress(zlib.error):
            found.append(zlib.decompressobj().decompress(data[at:], 1 << 16))
        at += 1
    return b"\n".join(found).lower()


def left(root: Path, words: list[str]) -> list[tuple[str, str]]:
    """(file, word) for every word that is in a file's bytes, in any encoding, or in its path."""
    hits = []
    for path in sorted(root.rglob("*")):
        data = contents(path) if path.is_file() else b""
        for word in words:
            low = word.lower()
            encoded = {
                low.encode(code) for code in ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "utf-32-le")
            }
            if low in str(path.relative_to(root)).lower() or any(e in data for e in encoded):
                hits.append((path.name, word))
    return hits


@pytest.mark.parametrize("profile", ["basic", "research"])
def test_nothing_is_left(planted: Path, tmp_path: Path, profile: str) -> None:
    before = {p: p.read_bytes() for p in planted.rglob("*") if p.is_file()}
    assert {w for _, w in left(planted.parent, WORDS)} == set(WORDS), "every word was planted"
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["deidentify", str(planted), str(out), "--profile", profile])
    assert done.exit_code == 1, done.output  # the bad file and the letter
    assert left(out, WORDS) == []
    said = done.output.replace(str(planted), "").lower()
    assert [w for w in WORDS if w.lower() in said] == []
    assert {p: p.read_bytes() for p in planted.rglob("*") if p.is_file()} == before
    report = json.loads((out / "deidentify.json").read_text())
    assert report["complete"] and report["files"] == {"dicom": 3, "nifti": 1, "sidecar": 1, "picture": 5}
    assert sorted(s["reason"] for s in report["set_aside"]) == [
        "a text, in which names cannot be found with certainty: --option clean-reports",
        "damaged, or not DICOM",
    ]


def test_nothing_is_left_under_every_option_that_cleans(
    planted: Path, tmp_path: Path, tesseract: str
) -> None:
    """What an option retains, it retains: here are those that promise to let nothing through."""
    chosen = ["clean-graphics", "clean-pixels", "keep-dates", "retain-uids"]
    made = deidentify(planted, tmp_path / "out", profile="research", options=chosen)
    assert left(made.out, WORDS) == [] and made.done == 10


def test_pixels_stay_bit_for_bit_and_side_cars_beside_their_images(planted: Path, tmp_path: Path) -> None:
    made = deidentify(planted, tmp_path / "out")
    rows = [json.loads(line) for line in made.names.read_text().splitlines()[1:]]
    copy = {Path(r["source"]).name: made.out / r["out"] for r in rows if r["out"]}
    for source, result in copy.items():
        suffix = source.rpartition(".")[2]
        if suffix in ("png", "jpg", "tif", "gif", "webp"):
            assert np.array_equal(np.asarray(Image.open(planted / source)), np.asarray(Image.open(result)))
    assert Image.open(copy["photo.jpg"]).getexif()[0x0112] == 6
    nifti = f"{PLACE['File']}_scan.nii.gz"
    old, new = nibabel.load(planted / nifti), nibabel.load(copy[nifti])
    assert np.array_equal(old.dataobj, new.dataobj) and np.array_equal(old.affine, new.affine)
    side = copy[f"{PLACE['File']}_scan.json"]
    assert side.name.removesuffix(".json") == copy[nifti].name.removesuffix(".nii.gz")
    assert json.loads(side.read_text())["EchoTime"] == 0.03
    data = pydicom.dcmread(copy[f"{PLACE['File']}.dcm"])
    assert np.array_equal(data.pixel_array, np.arange(64).reshape(8, 8))
    assert (
        data.PatientIdentityRemoved == "YES"
        and data.file_meta.MediaStorageSOPInstanceUID == data.SOPInstanceUID
    )
    assert [c.CodeValue for c in data.DeidentificationMethodCodeSequence] == ["113100"]
    assert data.LongitudinalTemporalInformationModified == "REMOVED"


@pytest.mark.parametrize(
    ("profile", "options"),
    [("basic", ()), ("research", ("keep-dates", "retain-device", "retain-institution", "retain-uids"))],
)
@pytest.mark.parametrize("nested", [False, True], ids=["top", "nested"])
def test_the_patients_name_is_left_in_no_attribute_of_the_dictionary(
    profile: str, options: tuple[str, ...], nested: bool
) -> None:
    """The name in every attribute that can hold text or bytes, whether or not its VR allows for a name."""
    from pydicom.datadict import DicomDictionary

    word = PLACE["Name"]
    data = ct()
    data.PatientName = f"{word}^Jane"
    home = Dataset() if nested else data
    for tag, (vr, *_) in DicomDictionary.items():
        if tag >> 16 >= 8 and tag not in data and vr in TEXTUAL and tag >> 24 not in (0x50, 0x60):
            home.add(RawDataElement(BaseTag(tag), vr, len(word) + 1, word.encode() + b" ", 0, False, True))
    if nested:
        data.SharedFunctionalGroupsSequence = [home]
    assert sum(word in str(e.value) for e in data.iterall()) > 1800
    clean(data, key=Key(bytes(32)), settings=settings(profile, options))
    assert [e.keyword for e in data.iterall() if word.lower() in str(e.value).lower()] == []


def words_on(picture: Image.Image, *lines: str) -> Image.Image:
    draw = ImageDraw.Draw(picture)
    for n, line in enumerate(lines):
        draw.text((20, 20 + 40 * n), line, fill=255, font_size=24)
    return picture


@pytest.mark.parametrize("kind", ["dicom", "cine", "jpeg", "lossless", "lossless cine", "png"])
def test_burned_in_text_is_blacked_out(kind: str, tmp_path: Path, tesseract: str) -> None:
    from vesalius.deidentify import ocr

    ramp = np.tile(np.linspace(0, 90, 400, dtype=np.uint8), (300, 1))
    picture = words_on(Image.fromarray(ramp), "DOE JANE", "MRN 774411")
    source = tmp_path / "in"
    source.mkdir()
    if kind == "png":
        picture.save(source / "a.png")
    else:
        data = ct()
        data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit = 300, 400, 8, 8, 7
        frames = [np.asarray(picture)] if not kind.endswith("cine") else [ramp, np.asarray(picture)]
        data.PixelData = np.stack(frames).tobytes()
        if kind.endswith("cine"):
            data.NumberOfFrames = 2
        if kind.startswith("lossless"):  # for which pydicom has no decoder without GPL
            data.file_meta.TransferSyntaxUID = JPEGLosslessSV1
            data.PixelData = encapsulate([imagecodecs.ljpeg_encode(frame) for frame in frames])
            data["PixelData"].is_undefined_length = True
        if kind == "jpeg":
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=95)
            data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
            data.PixelData = encapsulate([buffer.getvalue()])
            data["PixelData"].is_undefined_length = True
        save(data, source / "a.dcm")
    made = deidentify(source, tmp_path / "out", options=["clean-pixels"])
    (result,) = [p for p in made.out.rglob("*") if p.suffix in (".dcm", ".png")]
    if kind == "png":
        after = np.asarray(Image.open(result))[None]
    else:
        read = pydicom.dcmread(result)
        after = read.pixel_array.reshape(-1, 300, 400)
        assert read.BurnedInAnnotation == "NO"
        assert "113101" in [c.CodeValue for c in read.DeidentificationMethodCodeSequence]
    if not kind.endswith(("cine", "jpeg")):
        assert all(ocr.find(frame) == [] for frame in after)
    assert int(after.max()) < 120  # every stroke of the letters is gone
    assert np.abs(after[:, 150:].astype(int) - ramp[150:]).max() <= 4  # and the image below is there


@pytest.mark.parametrize(("ground", "ink"), [(0, 30), (60, 80), (60, 40), (200, 160)])
def test_faint_letters_beside_a_bright_or_dark_object_are_found(
    ground: int, ink: int, tesseract: str
) -> None:
    """A contrast of 20 to 40 of 255, in noise of 3: what a person reads without trouble."""
    from vesalius.deidentify import ocr

    picture = Image.new("L", (420, 200), ground)
    draw = ImageDraw.Draw(picture)
    for n, line in enumerate(("KOWALSKI JAN", "MRN 774411")):
        draw.text((30, 30 + 60 * n), line, fill=ink, font_size=20)
    letters = np.asarray(picture) != ground
    draw.ellipse((280, 40, 400, 180), fill=ground + 150 if ground < 100 else ground - 150)
    plane = np.asarray(picture) + 3 * np.random.default_rng(0).standard_normal((200, 420))
    found = np.zeros(plane.shape, bool)
    for box in ocr.find(plane.clip(0, 255)):
        found[box.top : box.bottom, box.left : box.right] = True
    assert found[letters].mean() > 0.98 and found.mean() < 0.3


def test_noise_is_not_taken_for_faint_letters(tesseract: str) -> None:
    """A body whose noise grows with its brightness, in a dark and quiet field."""
    from vesalius.deidentify import ocr

    y, x = np.mgrid[:384, :384]
    body = np.where(((y - 200) / 140) ** 2 + ((x - 190) / 110) ** 2 < 1, 115.0, 5.0)
    chance = np.random.default_rng(0)
    assert [ocr.find(body * (1 + 0.15 * chance.standard_normal(body.shape))) for _ in range(2)] == [[], []]


def test_outside_the_regions_of_ultrasound_all_is_black(tmp_path: Path, tesseract: str) -> None:
    data = ct(sop_class="1.2.840.10008.5.1.4.1.1.6.1")
    data.Modality, data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit = (
        "US",
        60,
        80,
        8,
        8,
        7,
    )
    data.PixelData = np.full((60, 80), 100, np.uint8).tobytes()
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 10, 20
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 69, 49
    data.SequenceOfUltrasoundRegions = [region]
    save(data, tmp_path / "in" / "a.dcm")
    made = deidentify(tmp_path / "in", tmp_path / "out", options=["clean-pixels"])
    (result,) = made.out.rglob("*.dcm")
    after = pydicom.dcmread(result).pixel_array
    assert (after[20:50, 10:70] == 100).all() and after.sum() == 30 * 60 * 100


def test_without_tesseract_only_its_options_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vesalius.core.errors import MissingProgram

    save(ct(), tmp_path / "in" / "a.dcm")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgram, match="tesseract-ocr"):
        deidentify(tmp_path / "in", tmp_path / "a", options=["clean-pixels"])
    assert deidentify(tmp_path / "in", tmp_path / "b").done == 1


@pytest.mark.realdata
def test_real_ultrasound_loses_all_its_text(shared_data: Path, tmp_path: Path, tesseract: str) -> None:
    """Two images with names, dates and numbers burned in: the banners are black, and nothing can be read any more."""
    from vesalius.deidentify import ocr

    folder = shared_data / "dicom_zoo" / "deid-data" / "deid_data" / "data" / "ultrasounds"
    for name in ("GREYSCALE_IMAGE.dcm", "RGB_IMAGE.dcm"):
        made = deidentify(folder / name, tmp_path / name, options=["clean-pixels"])
        (copy,) = made.out.rglob("*.dcm")
        after = pydicom.dcmread(copy).pixel_array
        after = after if after.ndim == 2 else after.max(axis=-1)
        assert int(after[:22].max()) == 0, "the banner with the name"
        assert not [b for b in ocr.find(after) if b.top < 60]
        assert after[90:600].any(), "the image is still there"


def test_labels_are_never_blacked_out(tmp_path: Path, tesseract: str) -> None:
    words = np.asarray(words_on(Image.new("L", (400, 300)), "DOE JANE")) // 255
    data = ct(sop_class="1.2.840.10008.5.1.4.1.1.66.4")
    data.Modality, data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit = (
        "SEG",
        300,
        400,
        8,
        8,
        7,
    )
    data.PixelData = words.tobytes()
    save(data, tmp_path / "in" / "a.dcm")
    (copy,) = deidentify(tmp_path / "in", tmp_path / "out", options=["clean-pixels"]).out.rglob("*.dcm")
    after = pydicom.dcmread(copy)
    assert np.array_equal(after.pixel_array, words) and "BurnedInAnnotation" not in after


@pytest.mark.parametrize(
    "photometric", ["RGB", "RGB planar", "YBR_FULL", "YBR_FULL_422", "PALETTE COLOR", "MONOCHROME1", "signed"]
)
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"], ids=["little", "big"])
def test_black_is_black_in_every_kind_of_pixels(
    photometric: str, syntax: str, tmp_path: Path, tesseract: str
) -> None:
    """Outside an ultrasound's region all is black, inside nothing changes, as pydicom's own conversions show them."""
    from pydicom.pixels import pixel_array

    if syntax.endswith(".2.2") and photometric == "YBR_FULL_422":
        pytest.skip("pydicom reads no subsampled pixels of big-endian files")
    data = ct(sop_class="1.2.840.10008.5.1.4.1.1.6.1")
    data.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    data.Modality, data.Rows, data.Columns = "US", 40, 60
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.PhotometricInterpretation = photometric.removesuffix(" planar").replace("signed", "MONOCHROME2")
    samples = 3 if photometric.startswith(("RGB", "YBR")) else 1
    data.SamplesPerPixel = samples
    values = np.full((40, 60, samples), 100, np.uint8)
    if photometric == "RGB planar":
        values = values.transpose(2, 0, 1)
    if samples == 3:
        data.PlanarConfiguration = int(photometric == "RGB planar")
    if photometric == "YBR_FULL_422":
        values = np.tile(np.array([100, 100, 90, 140], np.uint8), 40 * 30)
    if photometric == "signed":
        data.PixelRepresentation = 1
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit = 15
        values = np.full((40, 60), -20, np.int16)
        values[0, 0] = -1000
    if photometric == "PALETTE COLOR":
        for colour in ("Red", "Green", "Blue"):
            setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            table = np.arange(256, dtype="<u2") * 256
            setattr(data, f"{colour}PaletteColorLookupTableData", table.tobytes())
    big = syntax.endswith(".2.2") and values.dtype.itemsize > 1
    data.PixelData = values.astype(values.dtype.newbyteorder(">" if big else "<")).tobytes()
    data["PixelData"].VR = "OW" if data.BitsAllocated > 8 else "OB"
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 10, 10
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 49, 29
    data.SequenceOfUltrasoundRegions = [region]
    path = save_as(data, tmp_path / "in" / "a.dcm", little=syntax.endswith(".1.2.1"))
    before = pixel_array(path)
    (copy,) = deidentify(tmp_path / "in", tmp_path / "out", options=["clean-pixels"]).out.rglob("*.dcm")
    after = pixel_array(copy)
    assert np.array_equal(after[10:30, 10:50], before[10:30, 10:50])
    black = {"MONOCHROME1": 255, "signed": -1000}.get(photometric, 0)
    outside = np.ones((40, 60), bool)
    outside[10:30, 10:50] = False
    assert (after[outside] == black).all()


def save_as(data: Dataset, path: Path, *, little: bool) -> Path:
    path.parent.mkdir(parents=True)
    pydicom.dcmwrite(path, data, implicit_vr=False, little_endian=little, enforce_file_format=True)
    return path
