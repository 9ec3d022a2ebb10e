"""Nets that do not fit: a batch in parts, activations computed again, and weights that lie on several processes."""
