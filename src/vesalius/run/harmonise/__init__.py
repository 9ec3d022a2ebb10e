"""Harmonising: ways of making scanners comparable are tried on looks at a cohort, and the one that holds is written."""
