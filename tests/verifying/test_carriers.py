"""Family CON in FLAC and MP3: each fault of the carrier is one finding, and the seal holds every byte between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import encoded
import kit
import pytest
import refusals

from ttsartifact.container import flac, mp3
from ttsartifact.container.source import BytesSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def edited(carrier: str, edit: Callable[[bytes], bytes], **options) -> Callable[[Path], Path]:
    """Return a `make` that edits the bytes of a whole artifact."""

    def make(folder: Path) -> Path:
        path = encoded.artifact(folder, carrier, **options)
        path.write_bytes(edit(path.read_bytes()))
        return path

    return make


def octet(place: int, value: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + bytes([value]) + data[place + 1 :]


def moved(data: bytes) -> bytes:
    """Return the FLAC with its capsule behind the block that follows it."""
    (info, ours, *others), frames = encoded.blocks_of(data)
    return encoded.flac_of([info, others[0], ours, *others[1:]], frames)


def in_two(data: bytes, order: tuple[int, ...] = (1, 2), *, size: int = 100) -> bytes:
    """Return the FLAC with its capsule in two blocks, of which `order` are written."""
    (info, (_, body), *others), frames = encoded.blocks_of(data)
    pieces = {1: body[8 : 8 + size], 2: body[8 + size :]}
    ours = [(2, b"ttsa" + bytes([0, number, 0, 2]) + pieces[number]) for number in order]
    return encoded.flac_of([info, *ours, *others], frames)


def merged(data: bytes, version: int = 4, padding: int = 0) -> bytes:
    """Return the MP3 with the capsule in a tag as another tagger would write it."""
    walked = mp3.walk(BytesSource(data))
    assert walked.ours is not None
    assert walked.ours.capsule is not None
    start, size = walked.ours.capsule
    frames = [(b"PRIV", b"ttsartifact\0" + data[start : start + size])]
    return encoded.id3(*frames, version=version, padding=padding) + data[walked.ours.end :]


def without(data: bytes) -> bytes:
    walked = flac.walk(BytesSource(data))
    return data[: walked.ours[0].offset] + data[walked.ours[0].end :]


def audio_of(data: bytes) -> int:
    return mp3.walk(BytesSource(data)).audio


def other_run(data: bytes) -> bytes:
    """Return the artifact with a letter of its descriptor changed, as a bad disk or a hasty hand would."""
    place = data.index(b'"model":"') + 9
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


TAG = encoded.id3(encoded.TITLE)
SEEN_TOO = frozenset({"HSH02", "HSH04", "SEA02"})

CASES = [
    kit.Case(rule="CON01", slug="flac-without-streaminfo", make=edited("flac", octet(7, 35)), exit_code=4),
    kit.Case(rule="CON01", slug="tag-without-audio", make=edited("mp3", lambda b: b[: audio_of(b)]), exit_code=4),
    kit.Case(rule="CON02", slug="flac-cut", make=edited("flac", lambda b: b[:-1]), exit_code=4),
    kit.Case(rule="CON02", slug="flac-tail", make=edited("flac", lambda b: b + b"\0"), exit_code=4),
    kit.Case(rule="CON02", slug="flac-block-past-end", make=edited("flac", octet(43, 0x7F)), exit_code=4),
    kit.Case(rule="CON02", slug="mp3-cut", make=edited("mp3", lambda b: b[:-1]), exit_code=4),
    kit.Case(rule="CON02", slug="mp3-tail", make=edited("mp3", lambda b: b + b"\0"), exit_code=4),
    kit.Case(rule="CON02", slug="mp3-tag-past-end", make=edited("mp3", octet(6, 0x7F)), exit_code=4),
    kit.Case(rule="CON04", slug="flac-no-capsule", make=edited("flac", without), exit_code=4),
    kit.Case(rule="CON04", slug="mp3-no-capsule", make=edited("mp3", lambda b: b[audio_of(b) :]), exit_code=4),
    kit.Case(rule="CON04", slug="mp3-two-capsules", make=edited("mp3", lambda b: b[: audio_of(b)] + b), exit_code=4),
    kit.Case(rule="CON07", slug="flac-moved", make=edited("flac", moved)),
    kit.Case(rule="CON07", slug="flac-short-blocks", make=edited("flac", in_two)),
    kit.Case(rule="CON07", slug="mp3-id3v23", make=edited("mp3", lambda b: merged(b, 3))),
    kit.Case(rule="CON07", slug="mp3-padding", make=edited("mp3", lambda b: merged(b, padding=10))),
    kit.Case(rule="CON07", slug="mp3-flag", make=edited("mp3", octet(5, 0x20))),
    kit.Case(rule="CON07", slug="mp3-behind", make=edited("mp3", lambda b: TAG + b), also=SEEN_TOO),
    kit.Case(rule="HSH05", slug="flac-descriptor", make=edited("flac", other_run), also=frozenset({"SEA02"})),
    kit.Case(rule="HSH05", slug="mp3-descriptor", make=edited("mp3", other_run), also=frozenset({"SEA02"})),
    kit.Case(rule="CON09", slug="out-of-order", make=edited("flac", lambda b: in_two(b, (2, 1))), exit_code=4),
    kit.Case(rule="CON09", slug="block-lost", make=edited("flac", lambda b: in_two(b, (1,))), exit_code=4),
    kit.Case(rule="CON09", slug="block-twice", make=edited("flac", lambda b: in_two(b, (1, 2, 2))), exit_code=4),
    kit.Case(rule="CON09", slug="empty-block", make=edited("flac", lambda b: in_two(b, size=0)), exit_code=4),
    kit.Case(rule="CON09", slug="unsynchronised", make=edited("mp3", octet(5, 0x80)), exit_code=4),
    kit.Case(rule="CON09", slug="compressed", make=edited("mp3", octet(19, 0x08)), exit_code=4),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_fails_alone(case: kit.Case, tmp_path: Path):
    """The failing set is exactly the rule and what its case declares; what it stops is blocked by it."""
    report = kit.assert_breaks(case, tmp_path)
    if report.unreadable:
        assert {f.blocked_by for f in report.unchecked} == {case.rule}
    elif case.rule == "HSH05":
        assert report.verdict == "BROKEN"
    elif not case.also:
        assert report.verdict == "REWRAPPED"


@pytest.mark.parametrize("carrier", ["flac", "mp3"])
def test_every_rule_passes_on_a_sound_file(tmp_path: Path, carrier: str):
    """What the cases break holds in a sound artifact of either carrier."""
    (report,) = refusals.verify(encoded.artifact(tmp_path, carrier))
    assert report.findings == ()
    assert {case.rule for case in CASES} <= set(report.passed)
    assert {"SEA02", "HSH05"} <= set(report.passed)


def test_chunks_of_a_flac_are_recomputed(tmp_path: Path):
    """8.4: the decoded PCM is digested in the chunks of the log, in either carrier that holds a FLAC."""

    def lie(traces):
        digests = traces["chunks"]["columns"]["pcm_sha256"]
        digests[1] = digests[1][::-1]

    for name in ("run.tts.flac", "run.tts.parquet"):
        sound = encoded.artifact(tmp_path, "flac", name=name)
        assert "HSH07" in refusals.verify(sound)[0].passed
        (report,) = refusals.verify(encoded.artifact(tmp_path, "flac", name=name, traces=lie))
        assert {finding.rule for finding in report.failures} == {"HSH07"}
        assert "frame 400" in {finding.where for finding in report.failures}


def test_the_log_of_a_flac_adds_up(tmp_path: Path):
    """6.3: frames that the FLAC does not have are no chunk of it."""
    from ttsartifact.errors import InvalidDescriptor

    with pytest.raises(InvalidDescriptor, match="the chunk log does not add up to the audio"):
        kit.artifact(tmp_path, name="run.tts.flac", audio=encoded.flac(700))
