"""Self-test: a bundle's own proof that it answers here as it did where it was made; see docs/selftest.md."""
