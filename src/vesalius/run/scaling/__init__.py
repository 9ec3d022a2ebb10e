"""Scaling on one's own data: fits of nets of several sizes on growing shares of the patients, and their laws."""
