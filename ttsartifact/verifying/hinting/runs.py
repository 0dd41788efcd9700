"""Times, dates, loads and lengths of a run that seldom fit (clauses 4.8, 5.6, 6.3, 6.7 and 7)."""

from __future__ import annotations

import time
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from ttsartifact import _spec
from ttsartifact._starting import late_pattern
from ttsartifact.errors import InvalidDescriptor, TtsArtifactError
from ttsartifact.formulas.timebase import from_utc
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Mismatch
from ttsartifact.verifying.hinting import hint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_SECOND_NS = 1_000_000_000
_ENVELOPE_BYTES = 1 << 20  # what may be around the sound of an answer
_TIMING = late_pattern(r";\s*dur=(\d{1,15})")
_DAY_NS = 86_400_000_000_000
_OLDEST = "2000-01-01T00:00:00Z"
# A clock before the day this was written is wrong, and judges no date.
_WRITTEN = "2026-12-01T00:00:00Z"
# Media types of an answer, by the codecs that they can be; octets and raw samples can be anything.
_SERVED = {
    "audio/wav": {"wav"},
    "audio/x-wav": {"wav"},
    "audio/mpeg": {"mp3"},
    "audio/mp3": {"mp3"},
    "audio/flac": {"flac"},
    "audio/x-flac": {"flac"},
    "audio/ogg": {"ogg_opus", "ogg_vorbis"},
    "audio/opus": {"ogg_opus"},
    "audio/aac": set[str](),
    "text/html": set[str](),
    "text/plain": set[str](),
    "application/json": set[str](),
}
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_UUID1_EPOCH_NS = -12_219_292_800_000_000_000  # 1582-10-15


@hint("CLK10")
def plausible_dates(evidence: Evidence) -> Iterator[Mismatch]:
    """Dates are between 2000 and today, and what was used was had before the run (clause 7.3)."""
    latest = max(time.time_ns(), from_utc(_WRITTEN)) + _DAY_NS
    for where, text in evidence.strings("utc", "retrieved", "calibrated"):
        if not from_utc(_OLDEST) <= _instant(text, _OLDEST) <= latest:
            yield Mismatch(where=where, found=text, message="a date before 2000 or after today")
    began = evidence.known("/timebase/origin/utc")
    for where, entry in evidence.entries("/input/refs"):
        retrieved = None if is_absent(entry["origin"]) else entry["origin"].get("retrieved")
        if began is not None and retrieved is not None and _instant(retrieved, began) > from_utc(began):
            place = f"{where}/origin/retrieved"
            yield Mismatch(where=place, found=retrieved, message="the clip was retrieved after the run")


@hint("CLK12")
def dated_id(evidence: Evidence) -> Iterator[Mismatch]:
    """A run_id that holds a time was made within a day of the run (clause 4.8)."""
    run_id, began = evidence.known("/run/run_id"), evidence.known("/timebase/origin/utc")
    made = _made_ns(run_id)
    if began is not None and made is not None and abs(made - from_utc(began)) > _DAY_NS:
        days = abs(made - from_utc(began)) // _DAY_NS
        yield Mismatch(
            where="/run/run_id",
            found=f"{days} days apart",
            message="the run id's timestamp does not match the run's date",
        )


@hint("CLK13")
def sound_sync(evidence: Evidence) -> Iterator[Mismatch]:
    """A clock's error is at most its greatest, more than nothing, and a clock that nothing sets is not set (7.1)."""
    for where, clock in evidence.entries("/timebase/clocks"):
        sync = clock["sync"]
        if is_absent(sync):
            continue
        estimated, greatest = sync["est_error_ns"], sync["max_error_ns"]
        if not is_absent(estimated) and not is_absent(greatest) and estimated > greatest:
            yield Mismatch(
                where=f"{where}/sync",
                found=estimated,
                message="the estimated error is above the maximum error",
            )
        if not is_absent(greatest) and greatest == 0:
            yield Mismatch(where=f"{where}/sync/max_error_ns", found=0, message="a clock error of 0 is not plausible")
        if sync["source"] == "none" and sync["synced"] is True:
            yield Mismatch(
                where=f"{where}/sync/synced",
                found=True,
                message="the clock is stated as synchronised without a source",
            )


@hint("TIM11")
def bounded_load(evidence: Evidence) -> Iterator[Mismatch]:
    """What runs and what computes together is no more than may run, and times include what there was (7.4, 7.5)."""
    load = {key: evidence.known(f"/run/load/{key}") for key in ("running_at_start", "batch_size", "concurrency")}
    queue = evidence.trace("queue")
    running = [] if queue is None else [count for count in queue.columns["running"] if count is not None]
    load["running_at_start"] = max(running, default=load["running_at_start"])
    for key in ("running_at_start", "batch_size"):
        if None not in (load[key], load["concurrency"]) and load[key] > load["concurrency"]:
            found = f"{load[key]}, of {load['concurrency']} at once"
            yield Mismatch(where=f"/run/load/{key}", found=found, message="more requests than the stated concurrency")
    includes, observer = evidence.known("/run/times/includes"), evidence.known("/run/times/observer")
    if evidence.known("/run/times/first_call") is False and {"process_start", "model_load"} & set(includes):
        yield Mismatch(
            where="/run/times/includes",
            found=includes,
            message="a later call cannot include process start or model load",
        )
    if observer == "in_process" and "network" in includes:
        yield Mismatch(
            where="/run/times/includes",
            found="network",
            message="times observed in the process cannot include the network",
        )
    semantics = evidence.known("/run/times/t_first_token_semantics")
    if (semantics == "device" and evidence.known("/generation/device") == "cpu") or (
        semantics == "socket" and observer == "in_process"
    ):
        where = "/run/times/t_first_token_semantics"
        yield Mismatch(where=where, found=semantics, message="this run has no such place at which a token could arrive")


@hint("TIM13")
def served_audio(evidence: Evidence) -> Iterator[Mismatch]:
    """What a server sent is of the kind and the length of the run's audio (clause 7.8)."""
    request = evidence.known("/run/request")
    if request is None:
        return
    is_body = request["carried"] == "body"  # other ways are longer, and their type is that of what carries the audio
    named, codec = request["content_type"], evidence.known("/audio/codec")
    kind = "" if is_absent(named) else named.lower().partition(";")[0].strip()
    if is_body and kind in _SERVED and codec not in _SERVED[kind]:
        yield Mismatch(where="/run/request/content_type", found=named, message=f"the audio is {codec}")
    bare = evidence.bare
    sound = 0 if isinstance(bare, TtsArtifactError) else bare.audio[1] - bare.audio[0]
    if request["content_encoding"] == "identity" and request["body_bytes"] < sound:
        found = f"{request['body_bytes']} bytes, for {sound} of sound"
        yield Mismatch(
            where="/run/request/body_bytes",
            found=found,
            message="the body is shorter than the audio kept from it",
        )
    if (
        is_body
        and request["content_encoding"] == "identity"
        and sound
        and request["body_bytes"] > 4 * sound + _ENVELOPE_BYTES
    ):
        found = f"{request['body_bytes']} bytes, for {sound} of sound"
        yield Mismatch(
            where="/run/request/body_bytes",
            found=found,
            message="the body is far longer than the audio kept from it",
        )
    took_ns = evidence.known("/run/times/t_last_token_ns") - evidence.known("/run/times/t_submit_ns")
    for place, header in enumerate(request.get("stated", ())):
        longest_ms = max((int(ms) for ms in _TIMING.findall(header["value"])), default=0)
        if header["name"].lower() == "server-timing" and longest_ms * 1_000_000 > 2 * took_ns + _SECOND_NS:
            where = f"/run/request/stated/{place}/value"
            yield Mismatch(where=where, found=f"{longest_ms} ms", message="a server time longer than the whole run")


@hint("CHK08")
def several_chunks(evidence: Evidence) -> Iterator[Mismatch]:
    """What streams arrives in several chunks (clause 6.3)."""
    log = evidence.chunks
    if log is not None and log.rows == 1 and evidence.known("/run/times/streaming"):
        yield Mismatch(
            where="/run/times/streaming",
            found="one chunk",
            message="the run states streaming, but all audio came together",
        )


@hint("IMP13")
def logged_imperfection(evidence: Evidence) -> Iterator[Mismatch]:
    """An enabled layer has its log, and a log its layers (clause 6.7)."""
    logged = any(entry["name"] == "imperfection" for _, entry in evidence.entries("/traces"))
    plan = evidence.known("/imperfection")
    planned = isinstance(plan, dict) and any(layer["enabled"] for layer in plan["layers"])
    if planned and not logged:
        yield Mismatch(where="/traces", message="a layer is enabled, but no event log says what it did")
    if logged and not planned:
        yield Mismatch(where="/imperfection", message="events are logged, but no layer is planned")


@hint("HSH21")
def derived_samples(evidence: Evidence) -> Iterator[Mismatch]:
    """The effect of an operation on samples agrees with `derived_from` (clause 3.6)."""
    derived = evidence.known("/derived_from")
    if derived is None:
        return
    lossy = evidence.known("/audio/pcm") is None
    keeps = {"append_trace": True, "redact": True, "gate": True, "multichannel": False}.get(derived["operation"])
    keeps = False if derived["operation"] == "transcode" and lossy else keeps
    if keeps is not None and keeps != derived["pcm_equal"]:
        found = f"{derived['operation']}, pcm_equal {str(derived['pcm_equal']).lower()}"
        yield Mismatch(
            where="/derived_from/pcm_equal",
            found=found,
            message="this operation has the opposite effect on the samples",
        )


@hint("SET05")
def named_places(evidence: Evidence) -> Iterator[Mismatch]:
    """What a run lists as changed or as a factor is a place of its descriptor (clause 9.6)."""
    for where in ("/run/changes", "/run/comparison/factors"):
        for place, pointer in enumerate(evidence.known(where) or []):
            if evidence.descriptor.at(pointer) is None:
                yield Mismatch(
                    where=f"{where}/{place}",
                    found=pointer,
                    message="the descriptor has nothing at this pointer",
                )


@hint("REF09")
def lengths_of_clips(evidence: Evidence) -> Iterator[Mismatch]:
    """A WAV clip has at least one byte per frame, and the model's input is not longer than the clip (5.6)."""
    for where, entry in evidence.entries("/input/refs"):
        frames, rate, fed, segment = (entry[key] for key in ("frames", "sample_rate_hz", "fed", "segment"))
        if is_absent(frames):
            continue
        if entry["media_type"] in {"audio/wav", "audio/x-wav"} and entry["size"] < frames:
            found = f"{frames} frames in {entry['size']} bytes"
            yield Mismatch(where=f"{where}/frames", found=found, message="more frames than the file can hold")
        used = frames if is_absent(segment) else segment["end_frame"] - segment["start_frame"]
        if not is_absent(fed) and not is_absent(rate) and fed["frames"] * rate > 2 * used * fed["sample_rate_hz"]:
            found = f"{fed['frames']} frames at {fed['sample_rate_hz']} Hz"
            yield Mismatch(
                where=f"{where}/fed/frames",
                found=found,
                message="the model was fed more than twice the part of the clip that was used",
            )


@hint("TXT04")
def script_of_language(evidence: Evidence) -> Iterator[Mismatch]:
    """A text uses a script of its language (clause 5.7)."""
    text, lang = evidence.known("/input/text/value"), evidence.known("/input/text/lang")
    if text is None or lang is None:
        return
    written: Counter[str] = Counter()
    for letter, count in Counter(filter(str.isalpha, text[:4096])).items():
        written[unicodedata.name(letter, "").partition(" ")[0]] += count
    scripts: dict[str, list[str]] = _spec.table("registry/lists")["scripts"]
    of_language = {script for script, languages in scripts.items() if lang.lower().split("-")[0] in languages}
    if written and of_language and not of_language & set(written):
        found = f"{written.most_common(1)[0][0].capitalize()} letters"
        yield Mismatch(where="/input/text/lang", found=found, message=f"seldom the script of {lang}")


_BEGINNING = 3  # letters that a word has in common with its plural, its stem and most of its contractions


@hint("TXT05")
def unknown_words(evidence: Evidence) -> Iterator[Mismatch]:
    """A word that the front end did not know is in the text (clause 5.7)."""
    text, phonemes = evidence.known("/input/text/value"), evidence.known("/input/phonemes")
    unknown = None if phonemes is None else phonemes.get("oov")
    if text is None or not unknown or _is_written_out(text):
        return
    spoken = _letters(text)
    if not spoken.isascii():  # a front end may write letters of other scripts in its own
        return
    beginnings = {_letters(word)[:_BEGINNING] for word in text.replace("-", " ").split()}
    for place, word in enumerate(unknown):
        if (letters := _letters(word)) and letters not in spoken and letters[:_BEGINNING] not in beginnings:
            where = f"/input/phonemes/oov/{place}"
            yield Mismatch(where=where, found=word, message="the word is not in the text")


def _is_written_out(text: str) -> bool:
    """Return whether a front end may say other words than the text has: of digits, signs, initials, "Dr." and "kg"."""
    import re

    plain = re.fullmatch(r"(?:[^\W\d_]|[\s.,;:!?'\"()\u2019\u201c\u201d-])*", text)
    initials = r"\b(?:[A-Z]{2,}|[b-df-hj-np-tv-xzB-DF-HJ-NP-TV-XZ]+)\b"  # or letters without a vowel
    short = re.search(rf"{initials}|\b[^\W\d_]{{1,4}}\.(?=\s*[^\W_])", text)
    return plain is None or short is not None


def _letters(text: str) -> str:
    """Return the letters of a text without case and accents, one after the other."""
    return "".join(ch for ch in unicodedata.normalize("NFKD", text.casefold()) if ch.isalpha())


def _instant(text: str, otherwise: str) -> int:
    try:
        return from_utc(text)
    except InvalidDescriptor:  # CLK08 says so
        return from_utc(otherwise)


def _made_ns(run_id: str) -> int | None:
    """Return the time in an id that holds one: a ULID, or a UUID of version 1 or 7 (RFC 9562)."""
    if len(run_id) == 26:
        milliseconds = 0
        for digit in run_id[:10]:
            milliseconds = milliseconds * 32 + _CROCKFORD.index(digit)
        return milliseconds * 1_000_000
    digits = run_id.replace("-", "")
    if digits[12] == "7":
        return int(digits[:12], 16) * 1_000_000
    if digits[12] == "1":
        return int(digits[13:16] + digits[8:12] + digits[:8], 16) * 100 + _UUID1_EPOCH_NS
    return None
