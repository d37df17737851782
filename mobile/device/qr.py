"""Reads QR codes out of pictures: on a phone with ZXing in Java, on a PC with its C++ twin."""

from __future__ import annotations

from pathlib import Path


def texts_by_java(grey: bytes, width: int, height: int) -> list[str]:
    """Return the texts of the QR codes in a picture of one byte a point, row by row.

    Where none is found, it looks at every second point: of a large and unsharp code the reader finds
    the corners more often there (`benchmarks.handover_codes`).
    """
    found = _found_by_java(grey, width, height)
    if not found:
        rows = range(0, height // 2 * 2 * width, 2 * width)
        fewer = b"".join(grey[row : row + width // 2 * 2 : 2] for row in rows)
        found = _found_by_java(fewer, width // 2, height // 2)
    return found


def _found_by_java(grey: bytes, width: int, height: int) -> list[str]:
    from jnius import JavaException, autoclass

    source = autoclass("com.google.zxing.PlanarYUVLuminanceSource")(
        grey, width, height, 0, 0, width, height, False
    )
    binarised = autoclass("com.google.zxing.common.HybridBinarizer")(source)
    picture = autoclass("com.google.zxing.BinaryBitmap")(binarised)
    hints = autoclass("java.util.HashMap")()
    hints.put(autoclass("com.google.zxing.DecodeHintType").TRY_HARDER, True)
    reader = autoclass("com.google.zxing.multi.qrcode.QRCodeMultiReader")()
    try:
        return [found.getText() for found in reader.decodeMultiple(picture, hints)]
    except JavaException as error:
        if getattr(error, "classname", "") != "com.google.zxing.NotFoundException":
            raise
        return []


def texts_by_cpp(path: Path) -> list[str]:
    """Return the texts of the QR codes in a picture file; OSError where it is none."""
    # Late: a phone has neither.
    import zxingcpp
    from PIL import Image

    with Image.open(path) as picture:
        return [code.text for code in zxingcpp.read_barcodes(picture.convert("L")) if code.text]
