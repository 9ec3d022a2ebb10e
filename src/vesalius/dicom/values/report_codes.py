"""Codes of reports after TID 2000: headings of sections, concepts of sentences, and what is said of them."""

from __future__ import annotations

from vesalius.dicom.values.terms import PRIVATE, Term

HEADINGS: dict[str, Term] = {  # CID 7001, by the names that sections have here
    "findings": ("59776-5", "LN", "Findings"),
    "impression": ("19005-8", "LN", "Impressions"),
    "conclusion": ("55110-1", "LN", "Conclusions"),
    "history": ("11329-0", "LN", "History"),
    "indication": ("18785-6", "LN", "Indications for Procedure"),
    "recommendation": ("18783-1", "LN", "Recommendations"),
}
UNHEADED: Term = ("TEXT", PRIVATE, "Text before the first heading")
SAID: dict[str, Term] = {  # CID 7002
    "findings": ("121071", "DCM", "Finding"),
    "impression": ("121073", "DCM", "Impression"),
    "recommendation": ("121075", "DCM", "Recommendation"),
    "conclusion": ("121077", "DCM", "Conclusion"),
}
NOT_BORNE_OUT: Term = ("NOT_BORNE_OUT", PRIVATE, "Not borne out by the rest of the model")
BORNE_OUT: Term = ("BORNE_OUT", PRIVATE, "Borne out by the rest of the model")
YES: Term = ("373066001", "SCT", "Yes")
LOOKED: Term = ("WHERE_IT_LOOKED", PRIVATE, "Where the model looked")
ILLUSTRATION: Term = ("121080", "DCM", "Best illustration of finding")  # CID 7003
LANGUAGE: Term = ("121049", "DCM", "Language of Content Item and Descendants")
PERSON_NAME: Term = ("121008", "DCM", "Person Observer Name")
