"""Who signed a credential, asked of c2pa-python with test certificates."""

from __future__ import annotations

import credentials
import encoded
import kit
import pytest
import refusals

from ttsartifact.attesting.trust import content_credential
from ttsartifact.cli import main
from ttsartifact.errors import Refused
from ttsartifact.reading.artifact import open_artifact

MEDIA = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg"}


@pytest.mark.parametrize("carrier", MEDIA)
def test_trust_is_a_matter_of_roots(carrier, tmp_path):
    """6.10: the same credential is trusted under its own root, and whole but nobody's under another or none."""
    plain = {"wav": kit.wav, "flac": encoded.flac, "mp3": encoded.mp3}[carrier]()
    audio, root = credentials.sign(plain, MEDIA[carrier])
    _, other = credentials.sign(plain, MEDIA[carrier])
    write = kit.artifact if carrier == "wav" else encoded.artifact
    path = write(tmp_path, audio=audio) if carrier == "wav" else write(tmp_path, carrier, audio=audio)
    pieces = open_artifact(path).audio
    answers = [content_credential(pieces, MEDIA[carrier], anchors=anchors) for anchors in (root, other, None)]
    untrusted = ("signingCredential.untrusted",)
    assert [(each.state, each.faults) for each in answers] == [
        ("Trusted", ()),
        ("Valid", untrusted),
        ("Valid", untrusted),
    ]
    assert {(each.signer, each.issuer) for each in answers} == {("test signer", "test")}


def test_show_says_who_signed(tmp_path, capsys):
    """6.10: `show --c2pa ROOTS` ends with 0 where one of the roots vouches for the signer, with 1 where none does."""
    audio, root = credentials.sign(kit.wav(), MEDIA["wav"])
    _, other = credentials.sign(kit.wav(), MEDIA["wav"])
    path = str(kit.artifact(tmp_path, audio=audio))
    told, signed = [], "  credential   signed by test signer of test, whom "
    for name, pem in (("own.pem", root), ("other.pem", other), ("junk.pem", "junk")):
        (tmp_path / name).write_text(pem)
        code = main(["show", "--c2pa", str(tmp_path / name), path])
        printed = capsys.readouterr()
        told.append((code, (printed.out + printed.err).splitlines()[-1]))
    assert told == [
        (0, f"{signed}a trusted root vouches for"),
        (1, f"{signed}no trusted root vouches for (signingCredential.untrusted)"),
        (4, "ttsa: the anchors are not certificates: expected one or more certificates in PEM (at anchors)"),
    ]
    assert main(["show", "--c2pa", "own.pem", "--receipt", path]) == 2
    assert "--c2pa and --receipt cannot be combined" in capsys.readouterr().err


def test_a_changed_file_is_invalid():
    """6.10: what MRK03 says without the library, the library says too."""
    audio, root = credentials.sign(kit.wav(), MEDIA["wav"])
    changed = audio[:100] + bytes([audio[100] ^ 1]) + audio[101:]
    found = content_credential([changed], MEDIA["wav"], anchors=root)
    assert (found.state, found.faults) == ("Invalid", ("assertion.dataHash.mismatch",))


def test_what_cannot_be_asked():
    """6.10: a file without a credential, and roots that are none."""
    pytest.importorskip("c2pa")
    with refusals.raises(Refused, match="the file carries no C2PA credential"):
        content_credential([kit.wav()], MEDIA["wav"])
    with refusals.raises(Refused, match="the anchors are not certificates"):
        content_credential([kit.wav()], MEDIA["wav"], anchors="junk")
