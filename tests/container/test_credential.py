"""C2PA credentials as they lie in files: found where the specification puts them, and nowhere else."""

from __future__ import annotations

import credentials
import encoded
import kit
import pytest
import refusals

from ttsartifact.container import jumbf
from ttsartifact.container.hard_binding import State, credentials_in
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import Damaged, TooLarge

MEDIA = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg"}
PLAIN = {"wav": kit.wav(), "flac": encoded.flac(), "mp3": encoded.mp3()}


@pytest.mark.parametrize("carrier", MEDIA)
def test_a_signed_file_holds(carrier):
    """6.10: what c2pa-python signed carries one credential whose hash holds over the file."""
    (held,) = credentials_in(BytesSource((credentials.SIGNED / f"engine.{carrier}").read_bytes()))
    assert (held.claim, held.generator, held.binding.state) == (
        "c2pa.claim.v2",
        ("test engine", "1.0"),
        State.HOLDS,
    )


@pytest.mark.parametrize("carrier", MEDIA)
def test_our_answer_is_that_of_c2pa(carrier):
    """6.10: signed here and now, whole and with a byte of the audio changed, both readers say the same."""
    data, _ = credentials.sign(PLAIN[carrier], MEDIA[carrier])
    cut = {"wav": 100, "flac": len(data) - 40, "mp3": len(data) - 40}[carrier]
    for changed, state, codes in (
        (data, State.HOLDS, ["signingCredential.untrusted"]),
        (data[:cut] + bytes([data[cut] ^ 1]) + data[cut + 1 :], State.BROKEN, ["assertion.dataHash.mismatch"]),
    ):
        (held,) = credentials_in(BytesSource(changed))
        assert held.binding.state == state
        assert set(codes) <= set(credentials.state_of(changed, MEDIA[carrier])[1])


@pytest.mark.parametrize("carrier", MEDIA)
def test_a_plain_file_carries_none(carrier):
    """6.10: no credential is found where none is."""
    assert credentials_in(BytesSource(PLAIN[carrier])) == ()


@pytest.mark.parametrize("media_type", [b"application/c2pa", b"application/x-c2pa-manifest-store"])
@pytest.mark.parametrize("wide", [False, True])
def test_frames_of_id3_are_found(media_type, wide):
    """6.10: both media types, and texts of one or two bytes a character before the store."""
    data = credentials.tagged(encoded.mp3(), media_type=media_type, wide=wide)
    (held,) = credentials_in(BytesSource(data))
    assert held.binding.state == State.HOLDS


def test_an_object_of_another_type_is_none():
    """6.10: a GEOB frame holds anything; its media type says what."""
    data = credentials.tagged(encoded.mp3(), media_type=b"application/c2pa-like")
    assert credentials_in(BytesSource(data)) == ()


def test_an_unsynchronised_store_is_found_and_left_open():
    """6.10: a credential stored in another form is there, and its hash is for others to check."""
    store = credentials.store(bytes(32), [])
    data = encoded.id3(credentials.geob(store), flags=0x80) + encoded.mp3()
    (held,) = credentials_in(BytesSource(data))
    assert (held.binding.state, held.binding.why) == (
        State.UNREAD,
        "the frame is unsynchronised, compressed or encrypted",
    )


@pytest.mark.parametrize(
    ("exclusions", "why"),
    [
        ([(44, 1)], "its exclusions leave audio out of the hash"),
        ([(0, 12), (8, 8)], "its exclusions overlap or run past the end"),
        ([(0, 1 << 40)], "its exclusions overlap or run past the end"),
    ],
)
def test_exclusions_that_bind_nothing(exclusions, why):
    """6.10: a hash that leaves the audio out says nothing about what is heard."""
    store = credentials.store(bytes(32), [{"start": start, "length": size} for start, size in exclusions])
    (held,) = credentials_in(BytesSource(credentials.grown(kit.wav(), credentials.chunk(store))))
    assert (held.binding.state, held.binding.why) == (State.BROKEN, why)


def test_an_odd_box_length_is_damage():
    """ISO/IEC 19566-5: boxes end where they say, within the box around them."""
    for data in (b"", b"\0\0\0\7jumb", b"\0\0\0\x20jumb", b"\0\0\0\1jumb\0\0", b"\0\0\0\x10free\0\0\0\0\0\0\0\0"):
        with refusals.raises(Damaged):
            jumbf.superbox(BytesSource(data), 0, len(data))


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("00", 0),
        ("1903e8", 1000),
        ("3863", -100),
        ("1bffffffffffffffff", 2**64 - 1),
        ("f97bff", 65504.0),
        ("f6", None),
        ("5f42010243030405ff", bytes([1, 2, 3, 4, 5])),
        ("7f657374726561646d696e67ff", "streaming"),
        ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
        ("c074323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z"),
    ],
)
def test_the_examples_of_rfc_8949(octets, value):
    """RFC 8949, Appendix A."""
    assert jumbf.decode(bytes.fromhex(octets)) == value


@pytest.mark.parametrize("octets", ["", "18", "1c", "62c328", "42", "8201", "a101", "ff", "0000", "5f01ff", "a1f601"])
def test_what_is_no_cbor(octets):
    """RFC 8949, section 5.1: not well-formed, not valid, or followed by more."""
    with refusals.raises(Damaged, match="not valid CBOR"):
        jumbf.decode(bytes.fromhex(octets))


@pytest.mark.parametrize(
    "octets", ["81" * 100 + "00", "9bffffffffffffffff" + "00" * 30_000, "d8" + "2a" * 3 + "c1" * 99]
)
def test_cbor_is_bounded(octets):
    """3.8: depth and items end before memory does, whatever a length says."""
    with refusals.raises(TooLarge, Damaged):
        jumbf.decode(bytes.fromhex(octets))
