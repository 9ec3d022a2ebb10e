"""What phantoms of every kind share: random streams and fields, bytes of files, and the writer of a cohort."""
