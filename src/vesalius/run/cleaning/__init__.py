"""Cleaning: what should be changed of a cohort, proposed for a person to review, and written as a cohort."""
