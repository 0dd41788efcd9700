"""JSON in one spelling: RFC 8785 (JCS) out, and a strict reader that reports what it could not accept.

The reader never re-serialises in order to hash: what was hashed is kept as bytes and parsed as a view. It collects
faults where it can go on (CAN03 to CAN06) and raises InvalidDescriptor or TooLarge where it cannot (CAN01, CAN02,
CON15).
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple, late_pattern
from ttsartifact.container.limits import MAX_DESCRIPTOR_BYTES, MAX_JSON_DEPTH, MAX_SAFE_INTEGER, require_shallow
from ttsartifact.errors import InvalidDescriptor, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KEY = late_pattern(r"[a-z][a-z0-9_]*")
_PARAMETER = late_pattern(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")
_PARAMETERS = "/generation/params/"
PARAMETER_NAMES = "ASCII letters, digits, _ . : and -"
"""What the name of a parameter is made of, in words."""
_NESTED = frozenset({dict, list})
_NO_NUMBERS = frozenset({str, bool, type(None)})
# Of what was parsed, which has no circles to look for.
_SORTED_AND_COMPACT = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)
_LONGEST_KEPT_KEY = 64  # longer ones are a stranger's, and thousands of them must not stay in memory
_HALF = late_pattern("[\ud800-\udfff]")  # a surrogate that JSON escaped and no pair
_LARGE_BYTES = 1 << 20
_PIECE_ENTRIES = 1 << 14
_LONGEST_INTEGER = 400  # CPython refuses 4,300 digits with a bare ValueError; nothing honest has 400


class Fault(NamedTuple):
    """Something in a JSON text that a rule forbids but that can still be read."""

    rule: str
    where: str
    found: str
    expected: str


def canonical_bytes(value: Any) -> bytes:
    """Return the RFC 8785 form of `value`.

    Raises InvalidDescriptor for what JCS cannot carry: NaN, infinity, integers beyond 2^53-1, lone surrogates.
    """
    import rfc8785

    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InvalidDescriptor(f"cannot be written as canonical JSON: {error}", rule="CAN05") from error


def descriptor_bytes(value: Any) -> bytes:
    """Return the canonical bytes of a descriptor that is written, or of what it is made of.

    Raises InvalidDescriptor as `canonical_bytes` does, and TooLarge for one that no reader accepts (clause 3.8).
    """
    data = canonical_bytes(value)
    if len(data) > MAX_DESCRIPTOR_BYTES:
        found, expected = f"{len(data)} bytes", f"at most {MAX_DESCRIPTOR_BYTES}"
        raise TooLarge("the descriptor would be too large", found=found, expected=expected)
    require_shallow(data.decode())
    return data


def is_canonical(data: bytes, value: Any, *, has_fractions: bool = True) -> bool:
    """Return whether `data` is the RFC 8785 form of the `value` that was parsed from it."""
    # Without fractions and without characters beyond U+FFFF (which UTF-16 sorts elsewhere), sorted compact JSON is
    # JCS, at a sixth of the price; a property test holds the two together. Else the reference implementation speaks.
    try:
        if not has_fractions:
            quick = _SORTED_AND_COMPACT.encode(value)
            if quick.isascii() or len(quick.encode("utf-16-le")) == 2 * len(quick):
                return quick.encode() == data
        return canonical_bytes(value) == data
    except (InvalidDescriptor, ValueError):
        return False


def is_spelled_so(data: bytes, value: Any) -> bool:
    """Return whether `data` is the RFC 8785 form of a `value` without fractions; a large one is compared in pieces."""
    if len(data) < _LARGE_BYTES:
        return is_canonical(data, value, has_fractions=False)
    place = 0
    try:
        for piece in _pieces(value):
            encoded = piece.encode()
            if data[place : place + len(encoded)] != encoded:
                return False
            place += len(encoded)
    except (ValueError, RecursionError):
        return False
    return place == len(data)


def _pieces(value: Any) -> Iterator[str]:
    """Yield the canonical form of a value piece by piece, none of them much longer than what it says."""
    if isinstance(value, dict):
        mark = "{"
        for key in sorted(value, key=lambda key: key.encode("utf-16-be")):
            yield mark + _SORTED_AND_COMPACT.encode(key) + ":"
            yield from _pieces(value[key])
            mark = ","
        yield "}" if value else "{}"
    elif isinstance(value, list) and len(value) > _PIECE_ENTRIES:
        for start in range(0, len(value), _PIECE_ENTRIES):
            yield ("," if start else "[") + _SORTED_AND_COMPACT.encode(value[start : start + _PIECE_ENTRIES])[1:-1]
        yield "]"
    else:
        yield _SORTED_AND_COMPACT.encode(value)


def half_characters(value: Any, pointer: str = "") -> Iterator[str]:
    """Yield the pointers of strings with half a surrogate pair; a key with one is reported at its object."""
    if isinstance(value, str):
        if not value.isascii() and _HALF.search(value):
            yield pointer
    elif isinstance(value, dict):
        for key, child in value.items():
            if _HALF.search(key):
                yield pointer
            yield from half_characters(child, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from half_characters(child, f"{pointer}/{index}")


def read_json(data: bytes) -> Any:
    """Return the value of a JSON text, of any spelling, that is UTF-8 and no deeper than the format allows.

    Raises InvalidDescriptor (CAN01, CAN02; CAN05 for half a surrogate pair, which is no text) or TooLarge.
    """
    text = _text_of(data)
    require_shallow(text)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise _not_json(text, error) from error
    except ValueError as error:  # more digits than this Python is willing to read
        raise InvalidDescriptor("is not JSON: an integer of thousands of digits", rule="CAN02") from error
    half = next(half_characters(value), None) if "\\ud" in text or "\\uD" in text else None
    if half is not None:
        raise InvalidDescriptor("holds half a surrogate pair", where=half, rule="CAN05")
    return value


def _text_of(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        raise InvalidDescriptor("begins with a byte order mark", where="offset 0", rule="CAN01")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDescriptor("is not UTF-8", where=f"offset {error.start}", rule="CAN01") from error


def parse(
    data: bytes, *, fractions_under: tuple[str, ...] = (), free_keys_under: tuple[str, ...] = ()
) -> tuple[Any, list[Fault]]:
    """Parse `data`, and return the value and the faults found on the way.

    Fractions are allowed below the pointers in `fractions_under`, keys of any spelling directly below those in
    `free_keys_under`. Raises InvalidDescriptor (CAN01, CAN02) or TooLarge (depth).
    """
    text = _text_of(data)
    # A text that is its own canonical form has no key twice, no -0 and no NaN. The hooks that look for those cost four
    # times what the parser costs, and are for the others.
    value = _faultless(data, text, fractions_under, free_keys_under)
    return (value[0], []) if value else _with_faults(data, text, fractions_under, free_keys_under)


def parse_descriptor(data: bytes) -> tuple[Any, list[Fault]]:
    """Parse a descriptor: fractions stand under parameters and extensions alone, extensions have keys of any spelling.

    Raises as `parse` does (clause 4.1).
    """
    return parse(data, fractions_under=(_PARAMETERS, "/ext/"), free_keys_under=("/ext",))


def _faultless(data: bytes, text: str, fractions_under: tuple[str, ...], free_keys_under: tuple[str, ...]) -> list[Any]:
    """Return the value of a text as a list of one, or an empty list when there is anything to say against it."""
    try:
        value = json.loads(text)
        free = [at_pointer(value, pointer) for pointer in free_keys_under]
        fractions = _fractions_of([value], free)
        if fractions and len(fractions) > len(
            _fractions_of([at_pointer(value, at[:-1]) for at in fractions_under], free)
        ):
            return []
    except (ValueError, RecursionError):
        return []
    return [value] if is_canonical(data, value, has_fractions=_needs_reference(fractions)) else []


def at_pointer(value: Any, pointer: str) -> Any:
    """Return the object at a pointer of plain names, or None."""
    for step in pointer.split("/")[1:]:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _fractions_of(values: list[Any], free: Sequence[Any]) -> list[float]:
    """Return the fractions among values and within, a depth at a time: one look at each entry, no address made up.

    Raises ValueError for what `_walk` knows the place and the rule of. `free` are objects whose keys may be any.
    """
    fractions: list[float] = []
    keys: set[str] = set()
    any_keys = set(map(id, free))
    level: list[Any] = [values]
    for _ in range(MAX_JSON_DEPTH + 1):
        below: list[Any] = []
        for held in level:
            if type(held) is dict:
                if id(held) not in any_keys:
                    keys.update(held)
                held = held.values()  # noqa: PLW2901 - its entries, as of a list
            for entry in held:
                kind = type(entry)
                if kind is str:
                    continue
                if kind in _NESTED:
                    below.append(entry)
                elif kind is float:
                    fractions.append(entry)
                elif kind is int and not -MAX_SAFE_INTEGER <= entry <= MAX_SAFE_INTEGER:
                    raise ValueError
        level = below
        if not level:
            break
    if level or max(map(len, keys), default=0) > _LONGEST_KEPT_KEY or not all(map(_is_plain, keys)):
        raise ValueError
    return fractions


def _not_json(text: str, error: json.JSONDecodeError) -> InvalidDescriptor:
    # One message and one offset, in bytes, on every Python: from 3.13 on a comma before a closing bracket is told at
    # the comma, before at what follows it.
    message, place = error.msg, error.pos
    if message.startswith("Illegal trailing comma"):
        closing = re.compile(r"[\]}]").search(text, place)
        place = place if closing is None else closing.start()
        message = "Expecting property name enclosed in double quotes" if text[place] == "}" else "Expecting value"
    where = f"offset {len(text[:place].encode())}"
    return InvalidDescriptor(f"is not JSON: {message}", where=where, rule="CAN02")


def _with_faults(
    data: bytes, text: str, fractions_under: tuple[str, ...], free_keys_under: tuple[str, ...]
) -> tuple[Any, list[Fault]]:
    require_shallow(text)
    faults: list[Fault] = []
    fractions: list[float] = []
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=lambda digits: _integer(digits, faults),
            parse_float=lambda digits: _fraction(digits, fractions),
            parse_constant=lambda word: _not_a_number(word, faults),
        )
    except json.JSONDecodeError as error:
        raise _not_json(text, error) from error
    _walk(value, "", 0, faults, fractions_under, free_keys_under)
    if not is_canonical(data, value, has_fractions=_needs_reference(fractions)) and not any(
        fault.rule == "CAN03" for fault in faults
    ):
        faults.append(Fault("CAN05", "", "other bytes", "the RFC 8785 form of the same value"))
    return value, faults


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidDescriptor(
            "duplicate key in an object",
            found=json.dumps(twice),
            expected="each key once",
            rule="CAN02",
        )
    return value


def _integer(digits: str, faults: list[Fault]) -> int:
    if digits == "-0":
        faults.append(Fault("CAN03", "", "-0", "0"))
        return 0
    if len(digits) > _LONGEST_INTEGER:
        faults.append(Fault("CAN04", "", f"an integer of {len(digits)} digits", f"at most {MAX_SAFE_INTEGER}"))
        return 0
    return int(digits)


def _fraction(digits: str, fractions: list[float]) -> float:
    value = float(digits)
    fractions.append(value)
    return value


def _needs_reference(fractions: list[float]) -> bool:
    # Python and ECMAScript spell a double alike unless it is whole, tiny or huge.
    return not all(1e-4 <= abs(value) < 1e16 and not value.is_integer() for value in fractions)


def _not_a_number(word: str, faults: list[Fault]) -> int:
    faults.append(Fault("CAN03", "", word, "a finite number"))
    return 0  # a stand-in; the fault is what counts


def is_parameter_name(key: str) -> bool:
    """Return whether a parameter of an engine may have this name (clause 4.2)."""
    return _PARAMETER.fullmatch(key) is not None


@lru_cache(maxsize=4096)  # a few hundred keys make up all descriptors
def _is_plain(key: str) -> bool:
    return _KEY.fullmatch(key) is not None


def _walk(
    value: Any,
    pointer: str,
    depth: int,
    faults: list[Fault],
    fractions: tuple[str, ...],
    free: tuple[str, ...],
) -> None:
    if depth >= MAX_JSON_DEPTH and isinstance(value, dict | list):
        raise TooLarge("is nested too deeply", where=pointer, expected=f"at most {MAX_JSON_DEPTH} levels")
    if isinstance(value, dict):
        for key, child in value.items():
            step = key
            if not (_is_plain(key) if len(key) <= _LONGEST_KEPT_KEY else _KEY.fullmatch(key)):
                step = key.replace("~", "~0").replace("/", "~1")
                is_parameter = _PARAMETERS in fractions and f"{pointer}/".startswith(_PARAMETERS)
                if pointer not in free and not (is_parameter and is_parameter_name(key)):
                    expected = PARAMETER_NAMES if is_parameter else "ASCII snake_case"
                    faults.append(Fault("CAN06", pointer, json.dumps(key)[:80], expected))
            kind = type(child)
            # Most of a descriptor is words and counts, and nothing can be amiss with them here.
            if kind in _NO_NUMBERS or (kind is int and -MAX_SAFE_INTEGER <= child <= MAX_SAFE_INTEGER):
                continue
            _walk(child, f"{pointer}/{step}", depth + 1, faults, fractions, free)
    elif isinstance(value, list):
        # A trace column is ten thousand integers: one pass over it, and a walk only when something is not plain.
        if all(type(item) is int and -MAX_SAFE_INTEGER <= item <= MAX_SAFE_INTEGER for item in value):
            return
        for index, child in enumerate(value):
            _walk(child, f"{pointer}/{index}", depth + 1, faults, fractions, free)
    elif isinstance(value, float):
        if not any(pointer.startswith(prefix) for prefix in fractions):
            faults.append(
                Fault("CAN03", pointer, repr(value), "an integer; fractions only under the engine's parameters")
            )
    elif isinstance(value, int) and not isinstance(value, bool) and not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        faults.append(Fault("CAN04", pointer, str(value)[:40], f"within ±{MAX_SAFE_INTEGER}"))
