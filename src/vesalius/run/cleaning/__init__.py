"""Cleaning: what should be changed of a cohort, proposed for a person to review, written as a new table, and its effect."""
