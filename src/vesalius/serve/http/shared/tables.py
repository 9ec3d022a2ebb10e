"""The tables that service processes share: who works, studies and what lies beside them, jobs and their cases."""

from __future__ import annotations

from vesalius.serve.database import Schema

SCHEMA = Schema(
    version=1,
    tables="""
CREATE TABLE place (token TEXT NOT NULL);
CREATE TABLE workers (id TEXT PRIMARY KEY, models TEXT NOT NULL, until_s DOUBLE PRECISION NOT NULL);
CREATE TABLE studies (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, created_s DOUBLE PRECISION NOT NULL, size BIGINT NOT NULL,
    about TEXT NOT NULL
);
CREATE TABLE beside (
    study TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (study, name)
);
CREATE TABLE folders (
    path TEXT PRIMARY KEY, owner TEXT NOT NULL, worker TEXT NOT NULL, size BIGINT NOT NULL, coming INTEGER NOT NULL
);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, study TEXT NOT NULL, earlier TEXT NOT NULL, model TEXT NOT NULL,
    served TEXT NOT NULL, joint TEXT NOT NULL, asked TEXT NOT NULL, created_s DOUBLE PRECISION NOT NULL,
    finished_s DOUBLE PRECISION, status TEXT NOT NULL, stage TEXT NOT NULL, error TEXT, refusal INTEGER NOT NULL,
    version BIGINT NOT NULL, size BIGINT NOT NULL
);
CREATE INDEX jobs_created ON jobs (created_s, id);
CREATE TABLE cases (
    job TEXT NOT NULL, place INTEGER NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, flat INTEGER NOT NULL,
    share DOUBLE PRECISION NOT NULL, worker TEXT NOT NULL, attempts INTEGER NOT NULL,
    touched_s DOUBLE PRECISION NOT NULL, said TEXT, files TEXT, PRIMARY KEY (job, place)
);
CREATE INDEX cases_state ON cases (state, touched_s)
""",
    versions="service_version",
    file_id=0x76737276,
    locks=(7236011, 7236012, 7236013),
)
