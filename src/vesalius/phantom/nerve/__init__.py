"""The optic disc whose cup grows over years: how it grows, and what a picture of a visit shows of it."""
