"""Sounds that speech seldom makes, and encoders that seldom wrote what is there (clauses 6.1 and 6.2)."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING

from ttsartifact import _spec
from ttsartifact._starting import late_pattern
from ttsartifact.container.source import JoinedSource
from ttsartifact.terms.finding import Mismatch
from ttsartifact.verifying.hinting import hint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_STEP_BYTES = 2  # of 16 bits, of which every step can be heard
_WIDTHS = {"pcm_s16": 2, "pcm_s24": 3, "pcm_s32": 4, "pcm_f32": 4}
_SLOWEST, _FASTEST = 1, 60  # characters a second
_SHORTEST_TENTHS = 1  # of a second: less is a test signal, and no words
_HEADER_BYTES = 1 << 16
_ENCODERS = late_pattern(rb"(LAME|libFLAC|libVorbis|libopus)[ ]?v?([0-9]+(?:\.[0-9]+)+)", re.IGNORECASE)


@hint("AUD19")
def audible(evidence: Evidence) -> Iterator[Mismatch]:
    """Some sample is at least one step of 16 bits (clause 6.1)."""
    subtype = evidence.known("/audio/subtype")
    pcm = evidence.pcm_opening if _WIDTHS.get(subtype, 0) > _STEP_BYTES else b""
    if len(set(pcm[:4096])) > 1 and _below_a_step(pcm[: len(pcm) // 12 * 12], subtype):
        yield Mismatch(where="/audio", found="less than 1 LSB of 16 bits", message="the audio is too quiet to be heard")


@hint("AUD16")
def channels_differ(evidence: Evidence) -> Iterator[Mismatch]:
    """Two channels of role output are not the same samples (clause 6.9)."""
    roles, width = evidence.known("/audio/roles"), _WIDTHS.get(evidence.known("/audio/subtype"), 0)
    spoken = [place for place, entry in enumerate(roles) if entry["role"] == "output"]
    pcm = evidence.pcm_opening if width and len(spoken) > 1 else b""
    step = width * len(roles)
    for place in spoken[1:] if any(pcm) else []:
        if all(pcm[width * spoken[0] + k :: step] == pcm[width * place + k :: step] for k in range(width)):
            found = f"channels {spoken[0]} and {place}"
            yield Mismatch(where=f"/audio/roles/{place}", found=found, message="two channels hold the same samples")
            return


@hint("AUD17")
def rate_of_speech(evidence: Evidence) -> Iterator[Mismatch]:
    """Between 1 and 60 characters are spoken a second (clause 5.7)."""
    text, size = evidence.known("/input/text/value"), evidence.known("/input/text/size")
    frames, rate = evidence.known("/audio/frames"), evidence.known("/audio/sample_rate_hz")
    if frames is None or frames * 10 < _SHORTEST_TENTHS * rate:
        return
    # Of a text that is withheld only its bytes are known, of which a character has one to four.
    fewest, most = (len(text), len(text)) if text is not None else (size // 4, size)
    if fewest * rate > _FASTEST * frames or most * rate < _SLOWEST * frames:
        unit, seconds = "characters" if text is not None else "bytes", frames / rate
        much = "more" if fewest * rate > _FASTEST * frames else "less"
        found = f"{most} {unit} in {seconds:.3f} s, {most / seconds:.1f} a second"
        expected = f"{_SLOWEST} to {_FASTEST} characters a second"
        message = f"much {much} text than can have been spoken; expected {expected}"
        yield Mismatch(where="/input/text", found=found, message=message)


@hint("AUD18")
def encoder_of_the_stream(evidence: Evidence) -> Iterator[Mismatch]:
    """The stated encoder, its bitrate and level are what the stream shows (clause 6.2)."""
    encoder = evidence.known("/audio/encoder")
    if encoder is None:
        return
    yield from _other_codec(encoder["name"], evidence.known("/audio/codec"))
    if evidence.artifact.wave is not None:
        return
    source = JoinedSource(evidence.artifact.audio)
    head = source.read_at(0, min(_HEADER_BYTES, source.size))
    frames, rate = evidence.known("/audio/frames"), evidence.known("/audio/sample_rate_hz")
    stated = encoder.get("bitrate_bps")
    if stated is not None and frames:
        measured = evidence.known("/audio/size") * 8 * rate // frames
        slack = 125 if encoder.get("mode", "").lower().startswith("cbr") else 300
        if frames >= rate and not stated * 100 <= measured * slack <= stated * slack * slack // 100:
            found = f"{measured} bit/s, {stated} stated"
            yield Mismatch(where="/audio/encoder/bitrate_bps", found=found, message="not the stream's bitrate")
    tag, version = _ENCODERS.search(head), evidence.known("/audio/encoder/version")
    if (
        tag is not None
        and version is not None
        and tag[1].decode().lower().removeprefix("lib") in encoder["name"].lower()
    ):
        seen = tag[2].decode()
        if not (version.startswith(seen) or seen.startswith(version)):
            found = f"{tag[1].decode()} {seen}, {version} stated"
            yield Mismatch(
                where="/audio/encoder/version",
                found=found,
                message="the stream names a different encoder version",
            )
    yield from _flac_level(encoder.get("level"), encoder["name"], head)


def _other_codec(name: str, codec: str | None) -> Iterator[Mismatch]:
    """Yield a hint where an encoder of one codec is stated for another."""
    encoders: dict[str, list[str]] = _spec.table("registry/lists")["encoders"]
    words = re.findall(r"[a-z0-9]+", name.lower())
    known = next((encoders[word] for word in words if word in encoders), None)
    if known is not None and codec is not None and codec not in known:
        yield Mismatch(where="/audio/encoder/name", found=name, message=f"an encoder of {known[0]}, not {codec}")


def _below_a_step(pcm: bytes, subtype: str) -> bool:
    if subtype == "pcm_f32":
        samples = array("f", pcm)
        return all(abs(sample) < 1 / 32768 for sample in (max(samples, default=1), min(samples, default=1)))
    width = _WIDTHS[subtype]
    return not any(pcm[k::width].translate(None, b"\0\xff") for k in range(width - 2, width))


def _flac_level(level: str | None, name: str, head: bytes) -> Iterator[Mismatch]:
    """Yield a hint where libFLAC's block size is not that of the stated level: 1,152 up to level 2, else 4,096."""
    if head[:4] != b"fLaC" or level is None or not level.isdecimal() or "flac" not in name.lower():
        return
    block = int.from_bytes(head[10:12], "big")
    if block in {1152, 4096} and (block == 1152) != (int(level) <= 2):
        found = f"blocks of {block} samples"
        yield Mismatch(
            where="/audio/encoder/level",
            found=found,
            message=f"libFLAC's level {level} uses another block size",
        )
