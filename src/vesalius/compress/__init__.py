"""Compression: ways to make a bundle smaller and faster, and a gate that holds each of them to its accuracy."""
