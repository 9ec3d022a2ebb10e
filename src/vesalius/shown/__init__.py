"""Shown: how things look in a notebook and on a page; one file is one class, named after it in lower case."""
