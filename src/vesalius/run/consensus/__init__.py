"""Several experts of a cohort: what they say is counted, joined, and written as a cohort of its own."""
