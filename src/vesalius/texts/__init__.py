"""Reading what radiologists write: sections, terms, what is denied, doubted or past, and findings as data. No torch."""
