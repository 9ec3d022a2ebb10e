"""A part designed for a defect: what is missing, by whichever way; the part, its files and its page."""
