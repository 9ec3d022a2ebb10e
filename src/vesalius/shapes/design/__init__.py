"""Designing: from what is missing of a bone to a part that fits, as a signed distance field in millimetres."""
