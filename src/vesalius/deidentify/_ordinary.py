"""Words that say nothing of anybody: those of reports, and those by which people call files and folders."""

from __future__ import annotations

from functools import cache

from vesalius.deidentify._descriptors import WORD, stays
from vesalius.texts.wording import is_clinical

_SPOKEN = """
    a about above after again agree agreed agrees all also although am an and any are as asked at be because been
    before being below between both but by called can comparison could did discussed do does down due during each
    either exam examined for from had has have he her here him his how however if impression in informed into is it
    its may might more most must no none nor not notified now of off on only or other our out over per please
    protocol reported requested requests reviewed said saw says seen she should since so some states still such than
    that the their them then there therefore these they this those thus to today told under until up upon us was we
    were what when where whether which while will with within without would you your yesterday
    am auf aus bei das dem der des die ein eine ist im mit nach nicht sich sie und vom war wurde zum zur
    est et les une
    """
_FILED = """
    abnormal archive backup baseline batch case cases clinical cohort copies copy data dataset day dicom dicoms
    download downloads draft exam exams example examples export exported exports files final followup folder
    hospital images incoming inbox input labels month new old original originals other outgoing output patient
    patients positive negative pending project public raw read reads report reports research result results scan
    scans series set shared studies study subject subjects temp test text texts train training txt upload uploads
    validation visit week year
    """


def is_ordinary(word: str) -> bool:
    """Return whether a word, folded, is one that reports use of anything, or one that they need to say what is seen."""
    return is_spoken(word) or stays(word) or is_clinical(word)


def is_common(phrase: str) -> bool:
    """Return whether the name of a file or folder, folded, says nothing of anybody in any of its words."""
    return all(word in _split(_FILED) or is_ordinary(word) for word in WORD.findall(phrase))


def is_spoken(word: str) -> bool:
    """Return whether a word, folded, is a small one of the language, whose frequency as a name does not matter."""
    return word in _split(_SPOKEN)


@cache
def _split(listed_words: str) -> frozenset[str]:
    return frozenset(listed_words.split())
