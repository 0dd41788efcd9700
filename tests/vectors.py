"""Vectors for the parts of an implementation that no whole file shows: canonical JSON, conversions, and the bound U."""

from __future__ import annotations

import hashlib
import tempfile
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import full_run
import kit
from near_misses import encoded

from ttsartifact.formulas.draws import schedule
from ttsartifact.formulas.timebase import mutual_bound, utc_bound
from ttsartifact.packing.carriers import convert, strip
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import absent

__all__ = ["vectors"]


def vectors() -> dict[str, list[dict[str, Any]]]:
    """Return the vectors by their place below fixtures/."""
    return {
        "canonical-json/numbers.json": [_number(bits, text) for bits, text in NUMBERS],
        "canonical-json/strings.json": [_canonical(*each) for each in STRINGS],
        "canonical-json/order.json": [_canonical(*each) for each in ORDER],
        "canonical-json/rejects.json": [_rejected(*each) for each in REJECTS],
        "convert/conversions.json": list(_conversions()),
        "draws/schedules.json": [_schedule(name, trigger) for name, trigger in TRIGGERS.items()],
        "clocks/bounds.json": [_bound(name, **each) for name, each in BOUNDS.items()],
        "clocks/pairs.json": [_pair(name, *each) for name, each in PAIRS.items()],
    }


def _schedule(name: str, trigger: dict[str, Any]) -> dict[str, Any]:
    """Return what a layer of 40 opportunities draws and decides; draws are words, for some lie beyond 2^53 / 1000."""
    layer, seed = {"id": f"layer {name}", "trigger": trigger}, f"a seed of {name} \u00fc"
    found = schedule(seed, layer, 40)
    fired = [index for index, (_, fires) in enumerate(found) if fires]
    known = {"name": name, "seed": seed, "id": layer["id"], "trigger": trigger, "opportunities": 40}
    return known | {"u": [str(u) for u, _ in found], "fired": fired}


TRIGGERS: dict[str, dict[str, Any]] = {
    "never": {"per_word_ppm": 0},
    "always": {"per_chunk_ppm": 1_000_000},
    "words": {"per_word_ppm": 250_000},
    "phonemes": {"per_phoneme_ppm": 50_000},
    "frames": {"per_frame_ppm": 500_001},
    "packets": {"per_packet_ppm": 100_000},
    "rate": {"rate_per_min_milli": 600_000},
    "often": {"rate_per_min_milli": 5_999_999},
    "at": {"at": [0, 7, 39, 40]},
    "burst": {"markov": {"p_ppm": 200_000, "r_ppm": 400_000, "k_ppm": 1_000_000, "h_ppm": 0}},
    "both": {"markov": {"p_ppm": 100_000, "r_ppm": 300_000, "k_ppm": 950_000, "h_ppm": 300_000}},
}


def _number(bits: str, text: str) -> dict[str, Any]:
    return {"name": text, "ieee754": bits, "expected": text}


def _canonical(name: str, given: str, expected: str) -> dict[str, Any]:
    return {"name": name, "input_hex": given.encode().hex(), "expected_hex": expected.encode().hex()}


def _rejected(name: str, given: bytes, rule: str) -> dict[str, Any]:
    return {"name": name, "input_hex": given.hex(), "rejects": rule}


# RFC 8785 appendix B, and the borders of the integers.
NUMBERS = (
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
    ("433fffffffffffff", "9007199254740991"),
    ("3fe0000000000000", "0.5"),
    ("3e7ad7f29abcaf48", "1e-7"),
)
STRINGS = (
    ("named escapes", '{"a":"\\b\\t\\n\\f\\r\\"\\\\"}', '{"a":"\\b\\t\\n\\f\\r\\"\\\\"}'),
    ("a solidus stands alone", '{"a":"\\/"}', '{"a":"/"}'),
    ("other controls in lower-case hex", '{"a":"\\u001F\\u0000"}', '{"a":"\\u001f\\u0000"}'),
    ("DEL is no control of JSON", '{"a":"\\u007f"}', '{"a":"\x7f"}'),
    ("an escaped letter", '{"\\u0061":"\\u0041"}', '{"a":"A"}'),
    ("a pair of surrogates", '{"a":"\\ud83d\\ude00"}', '{"a":"\U0001f600"}'),
    ("line separators stand alone", '{"a":"\\u2028\\u2029"}', '{"a":"\u2028\u2029"}'),
    ("no normalisation", '{"a":"e\u0301\u00e9"}', '{"a":"e\u0301\u00e9"}'),
    ("a byte order mark inside", '{"a":"\\ufeff"}', '{"a":"\ufeff"}'),
    ("markup is text", '{"a":"<b>&amp;</b>"}', '{"a":"<b>&amp;</b>"}'),
    ("euro", '{"a":"\\u20ac$\\u000F\\nA\'B\\"\\\\\\"/"}', '{"a":"\u20ac$\\u000f\\nA\'B\\"\\\\\\"/"}'),
)
ORDER = (
    ("white space goes", ' { "b" : 1 , "a" : [ 1 , 2 ] } ', '{"a":[1,2],"b":1}'),
    ("UTF-16, not code points", '{"\ufb33":1,"\U0001f600":2}', '{"\U0001f600":2,"\ufb33":1}'),
    ("a prefix comes first", '{"ab":1,"a":2,"a_b":3,"a1":4}', '{"a":2,"a1":4,"a_b":3,"ab":1}'),
    ("lists keep their order", '{"a":[3,1,2]}', '{"a":[3,1,2]}'),
    ("deep", '{"b":{"d":1,"c":2},"a":{}}', '{"a":{},"b":{"c":2,"d":1}}'),
    ("the empty key", '{"a":1,"":2}', '{"":2,"a":1}'),
    (
        "RFC 8785, 3.2.3",
        '{"\u20ac":1,"\\r":2,"\ufb33":3,"1":4,"\U0001f600":5,"\x80":6,"\u00f6":7}',
        '{"\\r":2,"1":4,"\x80":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}',
    ),
)
REJECTS = (
    ("byte order mark", b"\xef\xbb\xbf{}", "CAN01"),
    ("Latin-1", b'{"a":"\xe9"}', "CAN01"),
    ("a surrogate as UTF-8", b'{"a":"\xed\xa0\x80"}', "CAN01"),
    ("overlong", b'{"a":"\xc0\xaf"}', "CAN01"),
    ("key twice", b'{"a":1,"a":1}', "CAN02"),
    ("key twice, once escaped", b'{"a":1,"\\u0061":2}', "CAN02"),
    ("nothing", b"", "CAN02"),
    ("two documents", b"{}{}", "CAN02"),
    ("comma at the end", b'{"a":1,}', "CAN02"),
    ("comment", b'{"a":1/**/}', "CAN02"),
    ("single quotes", b"{'a':1}", "CAN02"),
    ("leading zero", b'{"a":01}', "CAN02"),
    ("plus", b'{"a":+1}', "CAN02"),
    ("control in a string", b'{"a":"\n"}', "CAN02"),
    ("NaN", b'{"a":NaN}', "CAN03"),
    ("infinity", b'{"a":Infinity}', "CAN03"),
    ("fraction", b'{"a":1.5}', "CAN03"),
    ("an integer with a point", b'{"a":1.0}', "CAN03"),
    ("exponent", b'{"a":1e3}', "CAN03"),
    ("minus zero", b'{"a":-0}', "CAN03"),
    ("2^53", b'{"a":9007199254740992}', "CAN04"),
    ("-2^53", b'{"a":-9007199254740992}', "CAN04"),
    ("space", b'{"a": 1}', "CAN05"),
    ("order", b'{"b":1,"a":2}', "CAN05"),
    ("escaped letter", b'{"a":"\\u0041"}', "CAN05"),
    ("upper-case hex", b'{"a":"\\u001F"}', "CAN05"),
    ("lone surrogate", b'{"a":"\\ud800"}', "CAN05"),
    ("camel case", b'{"aB":1}', "CAN06"),
    ("33 levels", b"[" * 33 + b"]" * 33, "CON15"),
)


def _conversions() -> Any:
    """Yield conversions whose output is decided by the specification alone, byte for byte.

    Parquet leaves its writer free, so that only identity and audio are stated of it; the way back is exact again.
    """
    sources = {
        "valid/L2/wav/plain.tts.wav": kit.artifact,
        "valid/L2/wav/stereo.tts.wav": VALID_STEREO,
        "valid/L3/wav/full.tts.wav": full_run.artifact,
        "valid/L1/parquet/flac.tts.parquet": encoded("FLAC"),
    }
    with tempfile.TemporaryDirectory() as name:
        for number, (place, make) in enumerate(sources.items()):
            folder = Path(name) / str(number)
            folder.mkdir()
            source = make(folder)
            artifact = open_artifact(source)
            bare = folder / "bare"
            audio = {"to": "bare", "audio_sha256": strip(source, bare).removeprefix("sha256:")}
            yield {"input": place, "artifact_id": artifact.artifact_id} | audio | _of(bare)
            between = folder / "between.tts.parquet"
            convert([source], between)
            yield {"input": place, "artifact_id": artifact.artifact_id, "to": "parquet"}
            suffix = str(artifact.descriptor.known("/audio/codec"))
            back = folder / f"back.tts.{suffix}"
            convert([between], back)
            yield {"input": place, "artifact_id": artifact.artifact_id, "to": f"parquet, then {suffix}"} | _of(back)


def _of(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def VALID_STEREO(folder: Path) -> Path:  # noqa: N802 - a recipe among others
    return kit.artifact(folder, audio=kit.wav(kit.tone(800, 2), channels=2))


START = "2026-11-21T10:00:00.000000000Z"
CHANNEL = {"clock": "host.monotonic", "semantics": "window_mean", "window_ns": 100_000_000, "latency_ns": 1_000_000}
BOUNDS: dict[str, dict[str, Any]] = {
    "one snapshot": {"snapshots": [(0, 0, 310)], "window": (0, 2_000_000)},
    "one snapshot, odd bracket": {"snapshots": [(0, 0, 311)], "window": (0, 1)},
    "two snapshots, no drift": {"snapshots": [(0, 0, 310), (50_000_000, 0, 290)], "window": (1_000_003, 41_000_029)},
    "two snapshots, drift": {"snapshots": [(0, 0, 310), (4_200_000_000, 2_100, 290)], "window": (0, 4_200_000_000)},
    "drift backwards": {"snapshots": [(0, 0, 310), (4_200_000_000, -2_101, 290)], "window": (0, 4_200_000_000)},
    "outside the snapshots": {"snapshots": [(0, 0, 310), (1_000, 1, 290)], "window": (5_000, 7_000)},
    "three snapshots": {"snapshots": [(0, 0, 1), (10_000, 0, 2), (90_000, 90, 3)], "window": (0, 90_000)},
    "no max error": {"snapshots": [(0, 0, 310)], "window": (0, 0), "max_error": None},
    "16 s of error": {"snapshots": [(0, 0, 310)], "window": (0, 0), "max_error": 16_000_000_000},
    "a channel": {"snapshots": [(0, 0, 310)], "window": (0, 2_000_000), "channel": CHANNEL},
    "an instant's window does not count": {
        "snapshots": [(0, 0, 310)],
        "window": (0, 0),
        "channel": CHANNEL | {"semantics": "instant"},
    },
    "a window that nobody knows": {
        "snapshots": [(0, 0, 310)],
        "window": (0, 0),
        "channel": CHANNEL | {"window_ns": absent("unknown")},
    },
    "a coarse clock": {"snapshots": [(0, 0, 310)], "window": (0, 0), "channel": CHANNEL | {"clock": "meter"}},
    "a meter that was read slowly": {
        "snapshots": [(0, 0, 310)],
        "window": (0, 0),
        "channel": CHANNEL | {"clock": "meter"},
        "meter": (70_000_000, 30_000_000),
    },
    "a day": {"snapshots": [(0, 0, 310)], "window": (0, 86_400_000_000_000)},
    "beyond 2^53": {"snapshots": [(0, 0, 310)], "window": (0, 0), "max_error": 2**53 + 1},
}


def timebase(snapshots: list[tuple[int, int, int]], max_error: int | None) -> dict[str, Any]:
    """Return a timebase whose clock of UTC was read at `t`, gained `gained`, within `bracket`."""
    from ttsartifact.formulas.timebase import from_utc, to_utc

    sync = absent("unknown") if max_error is None else {"max_error_ns": max_error}
    return {
        "unit": "ns",
        "origin": {"clock": "host.monotonic"},
        "clocks": [
            {"id": "host.monotonic", "resolution_ns": 1},
            {"id": "host.utc", "resolution_ns": 1, "sync": sync},
            {"id": "meter", "resolution_ns": 1_000_000},
        ],
        "snapshots": [
            {
                "at": "during",
                "t_ns": t,
                "clock": "host.utc",
                "utc": to_utc(from_utc(START) + t + gained),
                "bracket_ns": b,
            }
            for t, gained, b in snapshots
        ],
    }


def _bound(
    name: str, *, snapshots: Any, window: Any, max_error: int | None = 900_000, channel: Any = None, meter: Any = ()
) -> Any:
    base = timebase(snapshots, max_error)
    base["snapshots"] += [{"at": "start", "t_ns": 9, "clock": "meter", "value_ns": 5, "bracket_ns": b} for b in meter]
    bound = utc_bound(base, *window, channel)
    assert bound is not None
    return {
        "name": name,
        "timebase": _spelled(base),
        "from_ns": str(window[0]),
        "to_ns": str(window[1]),
        "channel": _spelled(channel),
        "expected_ns": str(bound.ns),
        "lacks": list(bound.lacks),
    }


_A: dict[str, Any] = {"snapshots": [(0, 0, 310), (4_200_000_000, 2_100, 290)], "window": (0, 4_200_000_000)}
_B: dict[str, Any] = {"snapshots": [(0, 0, 501), (9_000, 9, 10)], "window": (0, 20_000), "max_error": 70_000}
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "two machines": (_A, _B),
    "the same two, asked from the other side": (_B, _A),
    "one domain": (_A | {"domain": "boot 1"}, _B | {"domain": "boot 1"}),
    "two domains": (_A | {"domain": "boot 1"}, _B | {"domain": "boot 2"}),
    "one snapshot, 500 ppm": (_A, {"snapshots": [(0, 0, 1)], "window": (0, 3_000_000)}),
    "a channel of the first": (_A | {"channel": CHANNEL}, _B),
    "the second knows no error": (_A, _B | {"max_error": None}),
    "both know no error, in one domain": (
        _A | {"max_error": None, "domain": "boot 1"},
        _B | {"max_error": None, "domain": "boot 1"},
    ),
}


def _pair(name: str, one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return U between two runs (clause 7.6, step 8)."""
    bases = []
    for side in (one, other):
        base = timebase(side["snapshots"], side.get("max_error", 900_000))
        if "domain" in side:
            base["clocks"][1]["domain"] = side["domain"]
        bases.append(base)
    bound = mutual_bound(bases[0], one["window"], bases[1], other["window"], one.get("channel"))
    assert bound is not None
    sides = [
        {"timebase": _spelled(base), "from_ns": str(side["window"][0]), "to_ns": str(side["window"][1])}
        for base, side in zip(bases, (one, other), strict=True)
    ]
    channel = _spelled(one.get("channel"))
    known = {"name": name, "a": sides[0], "b": sides[1], "channel": channel}
    return known | {"expected_ns": str(bound.ns), "lacks": list(bound.lacks)}


def _spelled(value: Any) -> Any:
    """Return `value` with its integers as strings: some lie beyond 2^53."""
    if isinstance(value, dict):
        return {key: _spelled(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_spelled(child) for child in value]
    return str(value) if type(value) is int else value


def exact_bound(vector: dict[str, Any]) -> tuple[Fraction, int]:
    """Return U of a clock vector as clause 7.6 writes it, in fractions, and how many of its terms round up.

    A second reading of the clause, for the test that holds the first to it.
    """
    from datetime import UTC, datetime

    def ns(utc: str) -> int:
        day, _, fraction = utc.rstrip("Z").partition(".")
        seconds = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
        return seconds * 10**9 + int(fraction.ljust(9, "0"))

    base, channel = vector["timebase"], vector["channel"]
    places = sorted((int(s["t_ns"]), ns(s["utc"]), int(s["bracket_ns"])) for s in base["snapshots"] if "utc" in s)
    own = [int(s["bracket_ns"]) for s in base["snapshots"] if channel and s["clock"] == channel["clock"] == "meter"]
    clocks = {clock["id"]: clock for clock in base["clocks"]}
    start, end = int(vector["from_ns"]), int(vector["to_ns"])
    middles = [(a[0] + b[0]) // 2 for a, b in pairwise(places)]
    instants = [start, end, *(m for m in middles if start <= m <= end)]
    distance = max(min(abs(i - t) for t, _, _ in places) for i in instants)
    (t0, utc0, _), (t1, utc1, _) = places[0], places[-1]
    rate = Fraction(abs((utc1 - t1) - (utc0 - t0)), t1 - t0) if t1 > t0 else Fraction(500, 1_000_000)
    window = channel["window_ns"] if channel and channel["semantics"] == "window_mean" else "0"
    known = [
        clocks["host.utc"]["sync"].get("max_error_ns"),
        window if isinstance(window, str) else None,
        channel["latency_ns"] if channel else "0",
    ]
    error, half, latency = (int(value) if isinstance(value, str) else 0 for value in known)
    resolution = int(clocks[channel["clock"] if channel else "host.monotonic"]["resolution_ns"])
    widest = max(bracket for _, _, bracket in places) + max(own, default=0)
    grain = sum(int(clocks[name]["resolution_ns"]) for name in ("host.utc", "host.monotonic"))
    steps = [0]
    for (t, utc, bracket), (later, utc_later, other) in pairwise(places):
        gain = abs((utc_later - later) - (utc - t))
        if gain > max(bracket, grain) + max(other, grain) + Fraction(500 * (later - t), 1_000_000):
            steps.append(gain)
    return Fraction(widest + half, 2) + error + rate * distance + latency + resolution + max(steps), 2
