"""Coded terms: labels as DICOM writes them, from the standard's code sets; and 99VESALIUS where there is no code.

Types are of SNOMED CT (SCT) as PS3.16 uses it, categories of CID 7150, sides of CID 244. A name is looked up without
its side, without case and in the singular: `left_kidney`, `Kidney (L)` and `kidneys left` are one thing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from vesalius.core.cohort import Label

Term = tuple[str, str, str]  # (code value, scheme, meaning)

PRIVATE = "99VESALIUS"
PRIVATE_NAME = "Vesalius: names of labels and quantities for which no standard code is used"

STRUCTURE: Term = ("91723000", "SCT", "Anatomical Structure")
ABNORMAL: Term = ("49755003", "SCT", "Morphologically Abnormal Structure")
TISSUE: Term = ("85756007", "SCT", "Tissue")
SUBSTANCE: Term = ("91720002", "SCT", "Body Substance")
RELATIONAL: Term = ("309825002", "SCT", "Spatial and Relational Concept")
LEFT: Term = ("7771000", "SCT", "Left")
RIGHT: Term = ("24028007", "SCT", "Right")

STRUCTURES = {
    "adrenal gland": ("23451007", "Adrenal gland"),
    "amygdala": ("4958002", "Amygdala"),
    "aorta": ("15825003", "Aorta"),
    "bladder": ("89837001", "Bladder"),
    "brain": ("12738006", "Brain"),
    "brain stem": ("119238007", "Brain stem"),
    "breast": ("76752008", "Breast"),
    "bronchus": ("955009", "Bronchus"),
    "caudate nucleus": ("11000004", "Caudate Nucleus"),
    "cerebellum": ("113305005", "Cerebellum"),
    "clavicle": ("51299004", "Clavicle"),
    "colon": ("71854001", "Colon"),
    "duodenum": ("38848004", "Duodenum"),
    "esophagus": ("32849002", "Esophagus"),
    "eye": ("81745001", "Eye"),
    "femur": ("71341001", "Femur"),
    "gallbladder": ("28231008", "Gallbladder"),
    "heart": ("80891009", "Heart"),
    "hippocampus": ("5366008", "Hippocampus"),
    "humerus": ("85050009", "Humerus"),
    "inferior vena cava": ("64131007", "Inferior vena cava"),
    "kidney": ("64033007", "Kidney"),
    "larynx": ("4596009", "Larynx"),
    "left atrium": ("82471001", "Left atrium"),
    "left ventricle": ("87878005", "Left ventricle"),
    "lens": ("78076003", "Lens"),
    "liver": ("10200004", "Liver"),
    "lung": ("39607008", "Lung"),
    "lymph node": ("59441001", "Lymph Node"),
    "mandible": ("91609006", "Mandible"),
    "optic disc": ("81016008", "Optic disc"),
    "optic nerve": ("18234004", "Optic nerve"),
    "ovary": ("15497006", "Ovary"),
    "pancreas": ("15776009", "Pancreas"),
    "parotid gland": ("45289007", "Parotid gland"),
    "pelvis": ("816092008", "Pelvis"),
    "portal vein": ("32764006", "Portal vein"),
    "prostate": ("41216001", "Prostate"),
    "pulmonary artery": ("81040000", "Pulmonary artery"),
    "putamen": ("89278009", "Putamen"),
    "rectum": ("34402009", "Rectum"),
    "retina": ("5665001", "Retina"),
    "rib": ("113197003", "Rib"),
    "right atrium": ("73829009", "Right atrium"),
    "right ventricle": ("53085002", "Right ventricle"),
    "sacrum": ("54735007", "Sacrum"),
    "scapula": ("79601000", "Scapula"),
    "skull": ("89546000", "Skull"),
    "small intestine": ("30315005", "Small intestine"),
    "spinal cord": ("2748008", "Spinal cord"),
    "spine": ("421060004", "Spine"),
    "spleen": ("78961009", "Spleen"),
    "sternum": ("56873002", "Sternum"),
    "stomach": ("69695003", "Stomach"),
    "superior vena cava": ("48345005", "Superior vena cava"),
    "testis": ("40689003", "Testis"),
    "thalamus": ("42695009", "Thalamus"),
    "thyroid": ("69748006", "Thyroid"),
    "tongue": ("21974007", "Tongue"),
    "tooth": ("38199008", "Tooth"),
    "trachea": ("44567001", "Trachea"),
    "uterus": ("35039007", "Uterus"),
    "vertebra": ("51282000", "Vertebra"),
}
ABNORMALITIES = {
    "abscess": ("44132006", "Abscess"),
    "aneurysm": ("85659009", "Aneurysm"),
    "cyst": ("367643001", "Cyst"),
    "edema": ("79654002", "Edema"),
    "hemorrhage": ("50960005", "Hemorrhage"),
    "lesion": ("52988006", "Lesion"),
    "mass": ("4147007", "Mass"),
    "metastasis": ("128462008", "Metastasis"),
    "necrosis": ("6574001", "Necrosis"),
    "nodule": ("27925004", "Nodule"),
    "pleural effusion": ("60046008", "Pleural effusion"),
    "thrombus": ("396339007", "Thrombus"),
    "tumor": ("108369006", "Neoplasm"),
}
TISSUES = {
    "artery": ("51114001", "Artery"),
    "bone": ("272673000", "Bone"),
    "cartilage": ("309312004", "Cartilage"),
    "fat": ("55603005", "Fat"),
    "gray matter": ("389081007", "Gray Matter"),
    "muscle": ("71616004", "Muscle"),
    "skin": ("39937001", "Skin"),
    "vein": ("29092000", "Vein"),
    "vessel": ("59820001", "Blood Vessel"),
    "white matter": ("389080008", "White Matter"),
}
SUBSTANCES = {
    "air": ("15158005", "Air"),
    "blood": ("87612001", "Blood"),
    "cerebrospinal fluid": ("65216001", "Cerebrospinal Fluid"),
    "urine": ("78014005", "Urine"),
}
DEGREES = {  # of a finding (CID 3716, and what says that there is none)
    "none": ("260413007", "None"),
    "mild": ("255604002", "Mild"),
    "moderate": ("6736007", "Moderate"),
    "severe": ("24484000", "Severe"),
}
_TABLES = ((STRUCTURES, STRUCTURE), (ABNORMALITIES, ABNORMAL), (TISSUES, TISSUE), (SUBSTANCES, SUBSTANCE))
_ALSO = {
    "adrenal": "adrenal gland",
    "blood vessel": "vessel",
    "brainstem": "brain stem",
    "caudate": "caudate nucleus",
    "csf": "cerebrospinal fluid",
    "gall bladder": "gallbladder",
    "grey matter": "gray matter",
    "haemorrhage": "hemorrhage",
    "ivc": "inferior vena cava",
    "metastases": "metastasis",
    "neoplasm": "tumor",
    "oedema": "edema",
    "oesophagus": "esophagus",
    "small bowel": "small intestine",
    "svc": "superior vena cava",
    "teeth": "tooth",
    "tumour": "tumor",
    "urinary bladder": "bladder",
    "vertebrae": "vertebra",
}
_SIDES = {"left": LEFT, "right": RIGHT, "l": LEFT, "r": RIGHT}


@dataclass(frozen=True, slots=True)
class Terms:
    """How a label is coded: category, type, the side, and the organ that an abnormality lies in."""

    category: Term
    type: Term
    side: Term | None = None
    organ: Term | None = None


def terms_of(label: Label) -> Terms:
    """Return the label's own code where it has one; else the standard's for its name; else a private one, by name."""
    found = _lookup(label.name)
    if label.code is not None:
        value, scheme, meaning = label.code
        return Terms(found.category if found else RELATIONAL, (value, scheme, meaning[:64]))
    return found or Terms(RELATIONAL, private(label.name))


def degree(label: Label) -> Term:
    """Return the code of a grade: its own, else the standard's for its name, else a private one, by name."""
    if label.code is not None:
        value, scheme, meaning = label.code
        return value, scheme, meaning[:64]
    known = DEGREES.get(label.name.strip().casefold())
    return (known[0], "SCT", known[1]) if known else private(label.name)


def private(name: str) -> Term:
    """Return a code of the scheme 99VESALIUS that says the name; of at most 16 characters (PS3.3 8.1), and the same
    always.
    """
    plain = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    if len(plain) > 16 or not plain or not name.isascii():
        plain = f"{plain[:9]}_{hashlib.sha256(name.encode()).hexdigest()[:6].upper()}".lstrip("_")
    return plain, PRIVATE, name.replace("\\", "/")[:64] or "unnamed"


def _lookup(name: str) -> Terms | None:
    words = re.sub(r"[^a-z0-9]+", " ", name.lower()).split()
    whole = _entry(words)
    if whole is not None:
        return Terms(*whole)
    sides = [_SIDES[w] for w in words if w in _SIDES]
    words = [w for w in words if w not in _SIDES]
    side = sides[0] if len(sides) == 1 else None
    if len(sides) > 1:
        return None
    found = _entry(words)
    if found is not None:
        return Terms(*found, side)
    for cut in range(1, len(words)):  # "liver tumor", "tumor of the liver"
        for one, other in ((words[:cut], words[cut:]), (words[cut:], words[:cut])):
            organ = _entry([w for w in one if w not in ("of", "the", "in")])
            inside = _entry([w for w in other if w not in ("of", "the", "in")])
            if organ and inside and (organ[0], inside[0]) == (STRUCTURE, ABNORMAL):
                return Terms(*inside, side, organ[1])
    return None


def _entry(words: Iterable[str]) -> tuple[Term, Term] | None:
    """(category, type) of a name without a side."""
    name = " ".join(words)
    for form in (name, name.removesuffix("s"), name.removesuffix("es")):
        form = _ALSO.get(form, form)
        for table, category in _TABLES:
            if form in table:
                value, meaning = table[form]
                return category, (value, "SCT", meaning)
    return None
