"""The script that lies beside an exported model: numpy and onnxruntime alone, stitched together from these files.

Nothing here imports any other part of Vesalius, and each file imports only files before it in `exports/_stitched.py`.
The script is one file, so that it can be read from top to bottom, and its parts are tested here as they are.
"""
