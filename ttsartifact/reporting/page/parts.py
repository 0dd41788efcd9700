"""What the pages of one run and of two have in common, each part made of the documents of `verify` and `show`."""

from __future__ import annotations

import io
import os
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ttsartifact.comparing.sound import sound_of
from ttsartifact.container.codecs import CODECS
from ttsartifact.container.source import Span
from ttsartifact.errors import NotAnArtifact, TtsArtifactError
from ttsartifact.formulas.latency import definitions
from ttsartifact.reporting import receipt
from ttsartifact.reporting.card import card_rows
from ttsartifact.reporting.documents import report_document, show_document
from ttsartifact.reporting.page import axis as axes
from ttsartifact.reporting.page.lanes import drawn, event_words, lanes_of, scale
from ttsartifact.reporting.page.markup import Html, element, joined, table
from ttsartifact.reporting.page.picture import data_uri
from ttsartifact.reporting.phrases import INCOMPLETE, counted, level_words, meaning, rule_sums, seconds, spoken, stated
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from contextlib import ExitStack

    from ttsartifact.comparing.sound import Sound
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.reporting.page.axis import Axis, Stretch
    from ttsartifact.verifying.report import Report

_MOST_FINDINGS = 200
LARGEST_BYTES = 20_000_000
"""How much sound a page holds; more is linked."""
_MOST_FLAC_CHANNELS = 8
_HIGHEST_FLAC_HZ = 655_350
_MOST_FACTS = 1500

_BOUND = ("UTC alignment bound", "alignment_bound_ns", "how far from UTC any time of the run may be")


def terms() -> tuple[tuple[str, str, str], ...]:
    """Return the usual term, the key of the derived values and what it counts, of all that a page shows."""
    known = definitions().values()
    return (
        *((each.name[0].upper() + each.name[1:], each.key, f"{each.means}: {each.formula}") for each in known),
        _BOUND,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One run with what is said of it, and its sound where it can be decoded."""

    key: str
    artifact: Artifact
    words: str
    """What the verdict means, how many rules had each outcome, and the level."""
    verify: dict[str, Any]
    show: dict[str, Any]
    sound: Sound | None
    silent_because: str | None
    stretches: list[Stretch]
    axis: Axis
    playable: Playable


def seen(artifact: Artifact, report: Report, *, key: str, beside: str, held: ExitStack) -> Seen:
    """Return a run for a page at `beside`; what is decoded of it lies on disk until `held` ends."""
    sound, why = None, None
    try:
        sound = held.enter_context(sound_of(artifact))
    except TtsArtifactError as error:
        why = str(error)
    stretches = axes.stretches_of(artifact, sound.frames, sound.rate_hz) if sound is not None and sound.frames else []
    return Seen(
        key=key,
        artifact=artifact,
        words=f"{meaning(report)}. Rules: {rule_sums(report)}; level {level_words(report)}",
        verify=report_document(report, exit_code=exit_code(report)),
        show=show_document(artifact),
        sound=sound if stretches else None,
        silent_because=why if sound is None else None if stretches else "the audio has no frame",
        stretches=stretches,
        axis=axes.axis_of(artifact, stretches),
        playable=playable_of(artifact, sound, beside),
    )


def amount(key: str, value: Any, *, unit: str | None = None) -> Html:
    """Return a value as people read it, with the exact one and its place in the documents beside it.

    An absence is said in the words of its reason and has no exact value.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return element("data", stated(value), data_key=key, value="")
    figure = definitions().get(key.rpartition(".")[2])
    unit = unit or (figure.unit if figure else "ns" if key.endswith("_ns") else "ratio")
    shown = seconds(int(value)) if unit == "ns" else f"{value:.3f}" if unit == "ratio" else f"{value}"
    return element("data", shown, data_key=key, value=repr(value))


def name_of(run: Seen) -> str:
    """Return engine and version as the run states them."""
    engine = run.artifact.descriptor.at("/pins/engine")
    if not isinstance(engine, dict) or engine.get("name") is None:
        return stated(engine)
    return f"{stated(engine.get('name'))} {stated(engine.get('version'))}"


def cut_of(verified: dict[str, Any]) -> str:
    """Return that the recording is incomplete, for the end of a sentence; nothing of a whole one."""
    return INCOMPLETE if verified.get("incomplete") else ""


def verdict_of(run: Seen) -> Html:
    """Return the verdict, its sentence, the counts, and what was found."""
    found = run.verify
    kind = {"INTACT": "good", "REWRAPPED": "warn", "RETAGGED": "warn"}.get(found["verdict"], "bad")
    badge = element("strong", found["verdict"], class_=f"verdict {kind}", data_key=f"{run.key}.verify.verdict")
    head = element("p", badge, " ", run.words, ".")
    rows = [
        (
            f["rule"],
            f["severity"] if f["outcome"] == "fail" else f["outcome"],
            spoken(f["message"]),
            spoken(f["where"] or "the file"),
            _side(f["found"]),
            _side(f["expected"]),
        )
        for f in found["findings"][:_MOST_FINDINGS]
    ]
    open_rows = [(f["rule"], spoken(f["outcome"]), spoken(f["message"])) for f in found["unchecked"]]
    return joined(
        head,
        table(("rule", "outcome", "message", "where", "found", "expected"), rows, class_="findings")
        if rows
        else element("p", "No rule failed.")
        if not found["counts"]["fail"]
        else None,
        element("p", f"{len(found['findings']) - _MOST_FINDINGS} more findings are not shown.")
        if len(found["findings"]) > _MOST_FINDINGS
        else None,
        _folded(f"{counted(len(open_rows), 'rule')} not checked", table(("rule", "outcome", "why"), open_rows))
        if open_rows
        else None,
    )


def _side(value: Any) -> str:
    return "" if value is None else spoken(value)


def times_of(run: Seen) -> Html:
    """Return the times in usual terms, with what they include."""
    derived = run.show["derived"]
    rows: list[tuple[object, ...]] = [
        (term, amount(f"{run.key}.show.derived.{key}", derived.get(key)), what) for term, key, what in terms()
    ]
    measured = (
        ("UTC drift", "utc_drift_ppb", "ppb", "parts in 10^9 by which UTC gained on the origin's clock"),
        ("UTC drift uncertainty", "utc_drift_error_ppb", "ppb", "parts in 10^9 by which the drift may be off"),
        ("Energy uncertainty", "energy_error_mj", "mJ", "standard uncertainty that the updates of the counter leave"),
    )
    rows += [
        (term, amount(f"{run.key}.show.derived.{key}", derived.get(key), unit=unit), what)
        for term, key, unit, what in measured
    ]
    at = run.artifact.descriptor.at
    taken = (
        ("Submitted (UTC)", derived.get("t_submit_utc"), "start of the axis"),
        ("Stalls", at("/run/times/stalls"), "of a player that starts with the first chunk, as the run states them"),
        ("Load", at("/run/load"), "queue depth and concurrency, as the run states them"),
        ("Observer", at("/run/times/observer"), "where the times were taken"),
        ("Meaning of the first chunk", at("/run/times/t_first_token_semantics"), "what had been reached at that time"),
        ("Included in the times", at("/run/times/includes"), "in addition to synthesis"),
        ("First call, warm-up runs", [at("/run/times/first_call"), at("/run/times/warmup_runs")], "before this one"),
    )
    return table(
        ("term", "value", "meaning"),
        [*rows, *((term, plain(value), what) for term, value, what in taken)],
        class_="times",
    )


def plain(value: Any) -> str:
    """Return an object or a list of plain values in words."""
    if isinstance(value, dict) and "reason" not in value:
        return ", ".join(f"{spoken(key).replace('_', ' ')} {plain(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(plain, value)) or "nothing"
    return stated(value)


def conditions_of(run: Seen) -> Html:
    """Return the card of the run as a table, then every value of the descriptor."""
    facts = list(_facts("", run.artifact.descriptor.value))
    rows: list[tuple[object, ...]] = [(pointer, value) for pointer, value in facts[:_MOST_FACTS]]
    more = f" (the first {_MOST_FACTS})" if len(facts) > _MOST_FACTS else ""
    return joined(
        table(("condition", "as stated"), list(card_rows(run.artifact)), class_="conditions"),
        _folded(f"Pins and every other value of the descriptor{more}", table(("place", "value"), rows, class_="facts")),
    )


def _facts(pointer: str, value: Any) -> list[tuple[str, str]]:
    """Return every plain value with its JSON pointer."""
    found: list[tuple[str, str]] = []
    waiting = [(pointer, value)]
    while waiting and len(found) <= _MOST_FACTS:
        place, each = waiting.pop()
        if isinstance(each, dict) and each and not ("reason" in each and each.get("value", 0) is None):
            waiting += [(f"{place}/{key}", inner) for key, inner in reversed(each.items())]
        elif isinstance(each, list) and each:
            waiting += [(f"{place}/{n}", inner) for n, inner in reversed(list(enumerate(each)))]
        else:
            found.append((spoken(place), stated(each) if each != [] else "none"))
    return found


def events_of(run: Seen) -> Html | None:
    """Return the imperfection events that fired, where there are any."""
    rows: list[tuple[object, ...]] = list(event_words(run.artifact))
    return table(("from", "to", "event"), rows) if rows else None


def audio_of(run: Seen) -> Html:
    """Return the audio element of a run, or why there is none."""
    if run.playable.source is None:
        return element("p", run.playable.words)
    return element(
        "audio",
        src=Html(run.playable.source),
        id=f"audio-{run.key}",
        controls=True,
        preload="auto",
        aria_label=f"Audio of {run.key}" if run.key != "run" else "Audio of the run",
    )


def pictures_of(run: Seen, axis: Axis) -> Html:
    """Return all lanes of a run on an axis, with the cursor that the script moves."""
    lanes, lacks = lanes_of(run.artifact, run.sound, run.stretches, axis)
    if run.silent_because:
        lacks.insert(0, f"Waveform and spectrogram: {spoken(run.silent_because)}")
    cursor = element("div", element("div", class_="cursor", id=f"cursor-{run.key}"), class_="over", aria_hidden="true")
    plots = element("div", *map(drawn, lanes), scale(axis), cursor, class_="plots", id=f"plots-{run.key}")
    silent = element("p", "Not drawn. ", "; ".join(lacks), ".", class_="quiet") if lacks else None
    return joined(plots, silent)


def player_of(run: Seen, axis: Axis) -> dict[str, Any]:
    """Return what the script needs to move the cursor of a run: the axis, and where the audio lies on it."""
    return {
        "key": run.key,
        "start": axis.start_s,
        "length": axis.length_s,
        "stretches": [[s.start_s, s.media_s, s.length_s] for s in run.stretches],
    }


def _folded(summary: str, content: Html) -> Html:
    return element("details", element("summary", summary), content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Playable:
    """What an audio element plays, and what that is in words."""

    source: str | None
    """A URI that holds the sound, or the address of the file beside the page."""
    words: str
    is_linked: bool = False


def playable_of(artifact: Artifact, sound: Sound | None, beside: str) -> Playable:
    """Return the sound of a run for a page that is to be at `beside`."""
    size = sum(piece.size if isinstance(piece, Span) else len(piece) for piece in artifact.audio)
    if sound is not None and sound.stored_as in {"pcm_s16", "pcm_s24"} and artifact.wave is not None:
        packed = _as_flac(sound)
        if packed is not None and len(packed) < size:
            return _embedded("audio/flac", packed, f"the samples of the file as FLAC, {len(packed)} bytes")
    if size <= LARGEST_BYTES:
        codec = CODECS.get(str(artifact.descriptor.known("/audio/codec")), CODECS["wav"])
        return _embedded(codec.media_type, _bytes_of(artifact), f"the audio file itself, {size} bytes")
    if artifact.row is not None:
        return Playable(source=None, words=f"{size} bytes of audio in a row of Parquet: too large for a page")
    return Playable(
        source=_address(artifact.where, beside),
        words=f"{size} bytes of audio are not in the page; it plays the file from its original place",
        is_linked=True,
    )


def _embedded(kind: str, data: bytes, words: str) -> Playable:
    return Playable(source=data_uri(kind, data), words=words)


def _bytes_of(artifact: Artifact) -> bytes:
    return b"".join(p if isinstance(p, bytes) else p.source.read_at(p.offset, p.size) for p in artifact.audio)


def _as_flac(sound: Sound) -> bytes | None:
    """Return the samples as FLAC, bit for bit; None where FLAC has no room for them or the page has none."""
    import soundfile

    width = int(sound.stored_as[-2:])
    fits = sound.channels <= _MOST_FLAC_CHANNELS and sound.rate_hz <= _HIGHEST_FLAC_HZ
    if not fits or not sound.frames or sound.frames * sound.channels * width // 8 > 4 * LARGEST_BYTES:
        return None
    samples = sound.read(0, sound.frames)
    exact = (samples * 2**15).astype(np.int16) if width == 16 else (samples * 2**31).astype(np.int32)
    file = io.BytesIO()
    soundfile.write(file, exact, sound.rate_hz, format="FLAC", subtype=f"PCM_{width}")
    data = file.getvalue()
    return data if len(data) <= LARGEST_BYTES else None


def receipt_of(run: Seen) -> Html:
    """Return the line to post with the file, and a button that copies it."""
    try:
        line = str(receipt.of(run.artifact.descriptor))
    except NotAnArtifact as error:
        return element("p", spoken(str(error)))
    return element(
        "p",
        element("code", line, id=f"receipt-{run.key}", class_="receipt"),
        " ",
        element("button", "Copy", type="button", data_copies=f"receipt-{run.key}"),
    )


def _address(path: str, beside: str) -> str:
    relative = os.path.relpath(os.path.abspath(path), os.path.dirname(os.path.abspath(beside)))
    return urllib.parse.quote(relative.replace(os.sep, "/"))
