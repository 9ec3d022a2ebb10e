"""Retrieval: which cases are nearest to an image or to words; indexes as sealed folders, and search in texts."""
