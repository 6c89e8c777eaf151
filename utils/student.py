"""Numbers of one's own for each student, so that an answer cannot be passed on as it is."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """The numbers that one student works with: pixels of the image, channels, classes."""

    height: int
    width: int
    first_width: int  # channels of the first stage
    num_classes: int


VARIANTS = tuple(
    Variant(height, width, first_width, num_classes)
    for height, width, first_width, num_classes in (
        *((72, 136, 24, 6), (80, 152, 32, 6), (88, 168, 40, 6), (104, 184, 48, 6)),
        *((136, 72, 24, 8), (152, 80, 32, 8), (168, 88, 40, 8), (184, 104, 48, 8)),
        *((112, 200, 24, 12), (120, 216, 32, 12), (200, 112, 40, 12), (216, 120, 48, 12)),
    )
)


def variant_of(student: str) -> Variant:
    """Return the variant of a student, by the name or number that the course knows them by.

    Capitals, accents, the order of the parts and what stands between them do not matter. Raises
    ValueError for an empty name.
    """
    letters = unicodedata.normalize("NFKD", student.lower()).replace("_", " ")
    parts = re.findall(r"\w+", "".join(c for c in letters if not unicodedata.combining(c)))
    if not parts:
        raise ValueError("The name of the student is empty. Write the one you hand in under.")
    digest = hashlib.sha256(" ".join(sorted(parts)).encode()).digest()
    return VARIANTS[int.from_bytes(digest[:8], "big") % len(VARIANTS)]
