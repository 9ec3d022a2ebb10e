"""The tables of a DICOM node's queue: instances, series, results, and what was answered."""

from __future__ import annotations

from vesalius.serve.database import Schema

_REJECTED = "CREATE TABLE rejected (sop_uid TEXT PRIMARY KEY, reason TEXT NOT NULL)"
_CONTENTS = "CREATE TABLE contents (sop_uid TEXT PRIMARY KEY, digest TEXT NOT NULL, changed INTEGER NOT NULL)"
_UPGRADES = {1: _REJECTED, 2: _CONTENTS}  # version → the statement that brings it to the next
_TABLES = f"""
{_REJECTED};
{_CONTENTS};
CREATE TABLE instances (
    sop_uid TEXT PRIMARY KEY, series_uid TEXT NOT NULL, received_s DOUBLE PRECISION NOT NULL
);
CREATE INDEX instances_of ON instances (series_uid);
CREATE TABLE series (
    series_uid TEXT PRIMARY KEY, study_uid TEXT NOT NULL, state TEXT NOT NULL, generation INTEGER NOT NULL,
    attempts INTEGER NOT NULL, due_s DOUBLE PRECISION NOT NULL, changed_s DOUBLE PRECISION NOT NULL,
    error TEXT NOT NULL, removed INTEGER NOT NULL
);
CREATE INDEX series_due ON series (state, due_s);
CREATE TABLE results (
    sop_uid TEXT NOT NULL, series_uid TEXT NOT NULL, generation INTEGER NOT NULL, study_uid TEXT NOT NULL,
    bundle TEXT NOT NULL, path TEXT NOT NULL, destination TEXT NOT NULL, result_series_uid TEXT NOT NULL,
    sop_class TEXT NOT NULL, sent INTEGER NOT NULL, confirmed INTEGER NOT NULL, withdrawn INTEGER NOT NULL,
    PRIMARY KEY (sop_uid, generation, destination)
);
CREATE INDEX results_of ON results (series_uid, generation);
CREATE TABLE answered (
    series_uid TEXT NOT NULL, generation INTEGER NOT NULL, bundle TEXT NOT NULL, destination TEXT NOT NULL,
    PRIMARY KEY (series_uid, generation, bundle, destination)
)
"""
SCHEMA = Schema(
    version=3,
    tables=_TABLES,
    versions="version",
    file_id=0,
    locks=(7236001, 7236002, None),
    upgrades=_UPGRADES,
)
