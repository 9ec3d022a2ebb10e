"""Quantising graphs: eight-bit integers in place of single precision, by NNCF or by ONNX Runtime."""
