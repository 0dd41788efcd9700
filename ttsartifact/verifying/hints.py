"""Heuristics (hints.toml, clause 10.6): what is seldom true of an honest run. They decide nothing.

A hint that cannot run is not given: its inputs are checked by rules.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from ttsartifact._starting import late_pattern, module_of
from ttsartifact.errors import TtsArtifactError
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Hint, Mismatch
from ttsartifact.verifying.evidence import Unsound
from ttsartifact.verifying.hinting import LOOKS, hint
from ttsartifact.verifying.rules.pin_contents import confusable_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence
    from ttsartifact.verifying.hinting import Look

_CONTROL = late_pattern(r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]")
_MIB = 1 << 20
_GUESSABLE_BYTES = 80
# Each module, and the inputs of which a run needs one for it: what has nothing to ask of a run is not imported.
_MODULES = {
    "names": (),
    "devices": (),
    "parameters": (),
    "runs": (),
    "power": ("/channels", "/traces"),
    "sounds": (),
}


def hints_of(evidence: Evidence) -> tuple[Hint, ...]:
    """Return the hints of one artifact, in their order."""
    found: list[Hint] = []
    modules = [name for name, about in _MODULES.items() if not about or not all(map(evidence.lacks, about))]
    for key, look in (*_OF_ANY_RUN.items(), *(bound for name in modules for bound in _looks_of(name).items())):
        try:
            found += (Hint(key, seen.where, seen.message, seen.found) for seen in look(evidence))
        except (Unsound, TtsArtifactError):
            continue
    return tuple(found)


def looks() -> dict[str, Look]:
    """Return the heuristics by id, in their order."""
    return _OF_ANY_RUN | {key: look for name in _MODULES for key, look in _looks_of(name).items()}


@cache
def _looks_of(name: str) -> dict[str, Look]:
    module = module_of(f"ttsartifact.verifying.hinting.{name}")
    return {key: look for key, look in LOOKS.items() if look.__module__ == module.__name__}


@hint("CAN07")
def normal_form(evidence: Evidence) -> Iterator[Mismatch]:
    """Words for people are in NFC and hold no control character (clause 4.1)."""
    for where in ("/input/text/value", "/run/notes"):
        text = evidence.known(where)
        if isinstance(text, str) and not text.isascii() and not unicodedata.is_normalized("NFC", text):
            yield Mismatch(where=where, message="not in normal form NFC, so the same words can have a different digest")
        if isinstance(text, str) and (found := _CONTROL.search(text)):
            yield Mismatch(where=where, found=f"U+{ord(found[0]):04X}", message="a control character in a text")


@hint("HSH15")
def guessable_text(evidence: Evidence) -> Iterator[Mismatch]:
    """A short text that is withheld has a salted digest (clause 11)."""
    value, size = evidence.at("/input/text/value"), evidence.known("/input/text/size")
    withheld = is_absent(value) and value["reason"] == "withheld"
    if withheld and size <= _GUESSABLE_BYTES and evidence.known("/input/text/form") != "salted":
        yield Mismatch(
            where="/input/text/form",
            found=f"{size} bytes, unsalted",
            message="a short text is withheld, but its unsalted digest allows checking a guess",
        )


hint("PIN16")(confusable_names)


@hint("REF07")
def clip_licence(evidence: Evidence) -> Iterator[Mismatch]:
    """Each reference says its licence, or the consent of who speaks (clause 5.6)."""
    for where, entry in evidence.entries("/input/refs"):
        origin = entry["origin"]
        if not is_absent(origin) and origin["kind"] != "synthetic" and not {"license", "consent"} & set(origin):
            yield Mismatch(where=f"{where}/origin", message="neither a licence nor a consent is stated for this voice")


@hint("TXT02")
def front_end_output(evidence: Evidence) -> Iterator[Mismatch]:
    """Who names a front end outside the model gives the digest of what it made (clause 5.4)."""
    engine = evidence.known("/pins/engine") or {}
    apart = [one for one in evidence.known("/pins/frontend") or () if one.get("digest") != engine.get("digest")]
    if apart and evidence.known("/pins/model") is not None:
        made = [evidence.known("/input/normalised_text"), evidence.known("/input/phonemes")]
        if made == [None, None]:
            yield Mismatch(
                where="/input/phonemes",
                message="a front end is named, but the normalised text and the phonemes are not stated",
            )


@hint("TIM05")
def plausible_speed(evidence: Evidence) -> Iterator[Mismatch]:
    """The real-time factor is between 1/10,000 and 100 (clause 7.4)."""
    frames, rate = evidence.known("/audio/frames"), evidence.known("/audio/sample_rate_hz")
    took = evidence.known("/run/times/t_last_token_ns") - evidence.known("/run/times/t_submit_ns")
    if not frames or took <= 0:
        return
    lasts = frames * 1_000_000_000 // rate
    if lasts and not lasts <= took * 10_000 <= 1_000_000 * lasts:
        yield Mismatch(
            where="/run/times",
            found=f"{took} ns for {lasts} ns of audio",
            message="much faster or much slower than speech engines are",
        )


@hint("TIM07")
def plausible_first_sound(evidence: Evidence) -> Iterator[Mismatch]:
    """The first audio came no sooner than 1 ms after the request (clause 7.4)."""
    took = evidence.known("/run/times/t_first_token_ns") - evidence.known("/run/times/t_submit_ns")
    if 0 <= took < 1_000_000:
        yield Mismatch(
            where="/run/times/t_first_token_ns",
            found=f"{took} ns",
            message="the first audio came sooner than an engine can answer",
        )


@hint("AUD08")
def effective_bits(evidence: Evidence) -> Iterator[Mismatch]:
    """Not every sample of 24 or 32 bits ends in eight zero bits (clause 6.1)."""
    width = {"pcm_s24": 3, "pcm_s32": 4}.get(evidence.known("/audio/subtype"), 0)
    pcm = evidence.pcm_opening if width else b""
    if not any(pcm):
        return
    empty = 0
    while empty < width - 1 and not any(pcm[empty::width]):
        empty += 1
    if empty:
        yield Mismatch(
            where="/audio/bit_depth",
            found=f"{8 * (width - empty)} bits in use",
            message="the lowest bits of every sample are zero: these samples had fewer bits once",
        )


@hint("AUD10")
def no_clipping(evidence: Evidence) -> Iterator[Mismatch]:
    """No three samples in a row are at full scale (clause 6.1)."""
    if evidence.known("/audio/subtype") != "pcm_s16" or evidence.known("/audio/channels") != 1:
        return
    pcm = evidence.pcm_opening
    high = pcm[1::6]  # of every third sample: a run of three has one
    for run in (b"\xff\x7f" * 3, b"\x00\x80" * 3):
        # CPython looks from behind in a third of the time, and mostly there is nothing.
        if run[1] not in high or pcm.rfind(run) < 0:
            continue
        place = pcm.find(run)
        while place >= 0 and place % 2:
            place = pcm.find(run, place + 1)
        if place >= 0:
            yield Mismatch(where=f"frame {place // 2}", message="samples in a row at full scale: clipped")
            return


@hint("AUD11")
def no_silence(evidence: Evidence) -> Iterator[Mismatch]:
    """The samples are not all equal (clause 6.1)."""
    wave, pcm = evidence.artifact.wave, evidence.pcm_opening
    frame = pcm[: wave.format.frame_bytes] if wave is not None else b""
    # The first frames settle it for all but the silent.
    begins = len(pcm) > len(frame) and pcm[: 32 * len(frame)] == (frame * 32)[: len(pcm)]
    if begins and pcm == frame * (len(pcm) // len(frame)):
        found = f"0x{frame[:8][::-1].hex()} in every frame"
        yield Mismatch(where="/audio", found=found, message="every sample has the same value")


@hint("TEL08")
def load_and_power(evidence: Evidence) -> Iterator[Mismatch]:
    """Power is higher where utilisation is high than where it is low (clause 6.4)."""
    telemetry = evidence.trace("telemetry")
    if telemetry is None:
        return
    both = [
        (util, power)
        for util, power in zip(telemetry.columns["util_gpu_pct"], telemetry.columns["power_mw"], strict=True)
        if util is not None and power is not None
    ]
    busy, idle = [p for u, p in both if u >= 80], [p for u, p in both if u <= 10]
    if len(busy) >= 5 and len(idle) >= 5 and sum(busy) * len(idle) < sum(idle) * len(busy):
        yield Mismatch(
            where="trace/telemetry/columns/power_mw",
            found=f"{sum(busy) // len(busy)} mW under load, {sum(idle) // len(idle)} mW without",
            message="power is lower under load: readings of two devices?",
        )


@hint("TEL13")
def fine_sampling(evidence: Evidence) -> Iterator[Mismatch]:
    """A run holds at least ten readings (clause 6.4)."""
    telemetry = evidence.trace("telemetry")
    if telemetry is None or not telemetry.rows:
        return
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    within = sum(start <= t_ns <= end for t_ns in telemetry.columns["t_ns"])
    if within < 10:
        yield Mismatch(
            where="trace/telemetry",
            found=f"{within} readings",
            message="fewer than 10 readings fall within the run",
        )


@hint("TEL16")
def room_for_weights(evidence: Evidence) -> Iterator[Mismatch]:
    """The memory in use holds at least the files of the pinned model (clause 6.4)."""
    telemetry = evidence.trace("telemetry")
    used = [] if telemetry is None else [mib for mib in telemetry.columns["mem_used_mib"] if mib is not None]
    weights = sum(entry["size"] for _, entry in evidence.entries("/pins/model/files"))
    if used and max(used) * _MIB < weights:
        yield Mismatch(
            where="trace/telemetry/columns/mem_used_mib",
            found=f"at most {max(used)} MiB for {weights} bytes of files",
            message="the memory in use is smaller than the model",
        )


_OF_ANY_RUN = dict(LOOKS)
"""What is bound above: the heuristics of this module, and that of a rule."""
