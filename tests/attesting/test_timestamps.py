"""RFC 3161 replies of openssl's authority: what they are over, who vouches for them, and when the key was valid."""

from __future__ import annotations

import base64
import json
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import refusals
from authority import make_authority, stamp

from ttsartifact.attesting import attach
from ttsartifact.attesting.checking import AttestationKind, Standing, attested
from ttsartifact.attesting.keys import generate_key
from ttsartifact.attesting.timestamps import request_for, stamp_of
from ttsartifact.attesting.trust import Authority, Signer, Trust
from ttsartifact.errors import Damaged
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from pathlib import Path

RUN = "sha256:" + "ab" * 32


def trusting(folder: Path) -> Trust:
    return Trust(authorities=(Authority(id="lab", roots=(folder / "root.pem").read_bytes()),))


def test_a_reply_over_the_run_holds_under_its_root(authority: Path) -> None:
    """The authority is named, and so is the time."""
    reply = stamp(authority, request_for(RUN.encode()))
    given = attested({"attestation/0": attach.timestamp_part(RUN, reply)}, RUN, trusting(authority))[0]
    assert (given.standing, given.trusted, given.time_trusted) == (Standing.HOLDS, "lab", True)
    assert given.time is not None


def test_openssl_verifies_the_reply_that_we_asked_for(authority: Path, tmp_path: Path) -> None:
    """`openssl ts -verify` accepts the reply over the same bytes, and not over others."""
    (tmp_path / "reply").write_bytes(stamp(authority, request_for(RUN.encode())))
    for message, holds in ((RUN, True), (RUN[:-1], False)):
        (tmp_path / "data").write_text(message)
        argv = ["openssl", "ts", "-verify", "-data", "data", "-in", "reply", "-CAfile", str(authority / "root.pem")]
        assert (subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False).returncode == 0) is holds


def test_without_a_root_only_the_imprint_is_checked(authority: Path) -> None:
    """An authority that nobody named proves nothing, and that is said."""
    reply = stamp(authority, request_for(RUN.encode()))
    given = attested({"attestation/0": attach.timestamp_part(RUN, reply)}, RUN, Trust())[0]
    assert (given.standing, given.time_trusted) == (Standing.UNCHECKED, False)
    assert given.problem == "no root of a time-stamping authority was given"


def test_a_reply_over_other_bytes_is_seen(authority: Path) -> None:
    """A time-stamp taken from another run does not become this run's."""
    reply = stamp(authority, request_for(b"something else"))
    for trust in (Trust(), trusting(authority)):
        given = attested({"attestation/0": attach.timestamp_part(RUN, reply)}, RUN, trust)[0]
        assert (given.standing, given.problem) == (Standing.BROKEN, "the time-stamp is over other bytes")


def test_another_authority_does_not_count(authority: Path, tmp_path: Path) -> None:
    """A reply that no listed root vouches for is broken under that trust file."""
    other = make_authority(tmp_path / "other")
    reply = stamp(other, request_for(RUN.encode()))
    given = attested({"attestation/0": attach.timestamp_part(RUN, reply)}, RUN, trusting(authority))[0]
    assert given.standing is Standing.BROKEN
    assert given.problem.startswith("no trusted time-stamping authority vouches for it: lab: ")


def test_a_certificate_that_had_expired_when_it_stamped(tmp_path: Path) -> None:
    """A reply outside its certificate's validity is broken, with the dates."""
    old = make_authority(tmp_path / "old", days=("20200101000000Z", "20210101000000Z"))
    reply = stamp(old, request_for(RUN.encode()))
    given = attested({"attestation/0": attach.timestamp_part(RUN, reply)}, RUN, trusting(old))[0]
    assert given.standing is Standing.BROKEN
    assert given.problem.startswith("the authority's certificate was valid from 2020-01-01 to 2021-01-01, not at ")


def test_a_stamp_over_a_signature_needs_that_signature(authority: Path, tmp_path: Path) -> None:
    """A stripped attestation is noticed by the time-stamp over it."""
    generate_key(tmp_path / "key.pem")
    signed = attach.sign_dsse(RUN, tmp_path / "key.pem")
    part = attach.timestamp_part(RUN, stamp(authority, request_for(signed)), signature=signed)
    both = attested({"attestation/0": signed, "attestation/1": part}, RUN, trusting(authority))
    assert [given.standing for given in both] == [Standing.HOLDS, Standing.HOLDS]
    assert both[1].stamps == digest.of(signed)
    alone = attested({"attestation/1": part}, RUN, trusting(authority))[0]
    assert (alone.standing, alone.problem) == (Standing.BROKEN, "the attestation that it stamps is not here")


def test_a_key_that_has_expired_since_counts_for_what_was_stamped_before(authority: Path, tmp_path: Path) -> None:
    """Whatever the parts are called: without the time-stamp a signature is taken as made now, and no longer counts."""
    generate_key(tmp_path / "key.pem")
    signed = attach.sign_dsse(RUN, tmp_path / "key.pem")
    part = attach.timestamp_part(RUN, stamp(authority, request_for(signed)), signature=signed)
    wire = base64.b64decode(json.loads(signed)["key"].split()[1])
    stamped = attested({"a": signed, "b": part}, RUN, trusting(authority))[1].time
    assert stamped is not None
    signer = Signer(id="alice", keys=(wire,), valid_before=stamped + timedelta(microseconds=1))
    trust = Trust(signers=(signer,), authorities=trusting(authority).authorities)
    for parts in ({"attestation/0": signed, "attestation/1": part}, {"attestation/0": part, "attestation/1": signed}):
        given = {one.kind: one.trusted for one in attested(parts, RUN, trust)}
        assert given == {AttestationKind.DSSE: "alice", AttestationKind.RFC3161: "lab"}
    assert [one.trusted for one in attested({"attestation/0": signed}, RUN, trust)] == [None]


@pytest.mark.parametrize("reply", [b"", b"0", b"\x30\x03\x02\x01\x00", b"<html>"])
def test_what_is_not_a_reply(reply: bytes) -> None:
    """An error page saved as a reply is called what it is."""
    with refusals.raises(Damaged, match="not a time-stamp reply that can be read"):
        stamp_of(reply, b"")


def test_flipped_bits_of_a_reply_never_move_its_time_or_its_bytes(authority: Path) -> None:
    """A changed reply either does not hold, or says the same: bits outside the signed content mean nothing."""
    reply = stamp(authority, request_for(RUN.encode()))
    first = stamp_of(reply, RUN.encode(), trusting(authority).roots)
    for place in range(0, len(reply), 3):
        flipped = reply[:place] + bytes([reply[place] ^ 0x10]) + reply[place + 1 :]
        try:
            given = stamp_of(flipped, RUN.encode(), trusting(authority).roots)
        except Damaged:
            continue
        assert given.problem or (given.time, given.authority) == (first.time, first.authority), place


def test_a_certificate_of_no_version_is_a_problem(authority: Path) -> None:
    """A reply whose certificate states a version that X.509 does not have: the reply does not hold."""
    reply = stamp(authority, request_for(RUN.encode()))
    version = reply.rindex(b"\xa0\x03\x02\x01\x02\x02")
    given = stamp_of(reply[: version + 4] + b"\x5a" + reply[version + 5 :], RUN.encode(), trusting(authority).roots)
    assert given.authority is None
    assert given.problem.startswith("a certificate of the authority cannot be read: ")


def test_a_token_that_is_not_base64_of_a_reply() -> None:
    """The schema lets base64 through; what is not a reply is broken."""
    value = {"v": 1, "type": "rfc3161", "over": "artifact_id", "artifact_id": RUN}
    part = json.dumps(value | {"token": base64.b64encode(b"hello").decode()}).encode()
    given = attested({"attestation/0": part}, RUN, Trust())[0]
    assert given.standing is Standing.BROKEN
    assert given.problem.startswith("not a time-stamp reply that can be read")
