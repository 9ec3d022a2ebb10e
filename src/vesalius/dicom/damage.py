"""What damaged DICOM makes of the libraries that read it: the one list of exceptions, for files and for PDUs alike."""

from __future__ import annotations

from pydicom.errors import BytesLengthException, InvalidDicomError

from vesalius.core import file_io

# NotImplementedError, UnicodeError and the like are in it by their bases
DAMAGE: tuple[type[Exception], ...] = (*file_io.DAMAGE, BytesLengthException, InvalidDicomError)
