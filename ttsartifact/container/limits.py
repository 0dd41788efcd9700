"""How much a stranger's file may make us read (clause 3.8): one place, one reason each; how deep JSON is nested.

How deep a parser goes differs from one Python to the next.
"""

from __future__ import annotations

import re
from typing import Final

from ttsartifact._starting import late_pattern
from ttsartifact.errors import TooLarge

MIB: Final = 1 << 20

MAX_RIFF_CHUNKS: Final = 256  # real files have under ten; a walk costs one read per chunk
MAX_SMALL_CHUNK_BYTES: Final = 64 * MIB  # chunks other than data, the capsule among them
MAX_FLAC_BLOCKS: Final = 128  # metadata blocks; real files have under ten
MAX_CAPSULE_BLOCK_BYTES: Final = 8 * MIB  # one FLAC block of a capsule: at the format's 16 MiB `flac -8` fails
MAX_ID3_TAGS: Final = 16  # leading ones; real files have one
MAX_HEADER_BYTES: Final = 64 * 1024  # the capsule's list of parts
MAX_PARTS: Final = 128
MAX_DESCRIPTOR_BYTES: Final = 1 * MIB
MAX_TRACE_BYTES: Final = 32 * MIB
MAX_TRACE_MARKS: Final = 3_000_000  # commas, quotes and opening brackets of all traces of a run: 1.5 million readings
MAX_JSON_DEPTH: Final = 32
MAX_SAFE_INTEGER: Final = 2**53 - 1  # RFC 8785 section 3.2.2.3: JavaScript's doubles hold no more
MAX_DECODED_FRAMES: Final = 1 << 31
MAX_PARQUET_FOOTER_BYTES: Final = 4 * MIB  # a row group of ours takes 11 kB
MAX_PARQUET_FOOTER_VALUES: Final = 500_000  # numbers, texts and structures; each costs a microsecond and 100 bytes
MAX_PARQUET_ROWS: Final = 10_000_000
MAX_PARQUET_ROW_GROUPS: Final = 512
MAX_PARQUET_AUDIO_BYTES: Final = (1 << 31) - 64  # one value; Parquet lengths are 32 bits
MAX_INPUT_BYTES: Final = 8 << 30  # a pipe is copied to a file before anything is known of it
READ_BLOCK_BYTES: Final = 1 * MIB
LEAF_BYTES: Final = 1 * MIB  # clause 8.10: what a reader of one range has to read at least


# A string is taken whole, so that no bracket is seen within one; the last may lack its end.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_TEXT = late_pattern(_STRING, re.DOTALL)
_BRACKET = late_pattern(_STRING + r"|([\[{])|[\]}]", re.DOTALL)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_OF_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def require_shallow(text: str, most: int = MAX_JSON_DEPTH) -> None:
    """Raise TooLarge where brackets stand deeper than `most` levels in a text that need not be JSON."""
    if text.count("[") + text.count("{") <= most or _is_shallow(text, most):
        return
    depth = 0
    for found in _BRACKET.finditer(text):
        if found[1]:
            depth += 1
            if depth > most:
                place = len(text[: found.start()].encode())
                raise TooLarge("is nested too deeply", where=f"offset {place}", expected=f"at most {most} levels")
        elif found[0] in {"]", "}"}:
            depth -= 1


def _is_shallow(text: str, most: int) -> bool:
    """Return whether the brackets are those of a text of at most `most` levels; False may be wrong.

    Each pass takes out the pairs with nothing between them, and with them a level: a fifth of the price of a count.
    Both kinds are one here, or a pass would take a pair of the second kind that held one of the first: two levels.
    """
    left = _TEXT.sub("", text).encode().translate(_OF_ONE_KIND, _NO_BRACKETS)
    for _ in range(most):
        if not left:
            break
        left = left.replace(b"[]", b"")
    return not left
