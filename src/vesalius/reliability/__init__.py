"""Reliability: what is wrong with the data, found in one pass over its pixels."""

from vesalius.reliability._records import CaseRecord
from vesalius.reliability._survey import Survey, survey
from vesalius.reliability.duplicates import Twins
from vesalius.reliability.finding import Finding
from vesalius.reliability.inspect import Inspection, inspect, inspection_of, to_json
from vesalius.reliability.summary import Summary, summarise, summary_of

__all__ = [
    "CaseRecord",
    "Finding",
    "Inspection",
    "Summary",
    "Survey",
    "Twins",
    "inspect",
    "inspection_of",
    "summarise",
    "summary_of",
    "survey",
    "to_json",
]
