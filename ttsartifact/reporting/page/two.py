"""The page of two runs: which conditions differ, then both on one axis, to be heard in turn at the same instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.reporting.diff import cause_line, quantity_words
from ttsartifact.reporting.page import parts, picture
from ttsartifact.reporting.page.axis import joined_axes
from ttsartifact.reporting.page.markup import Html, document, element, footer, joined, section, table
from ttsartifact.reporting.phrases import spoken, stated
from ttsartifact.reporting.rerun import value_words

if TYPE_CHECKING:
    from ttsartifact.comparing.diff import Diff
    from ttsartifact.comparing.timing import Timing
    from ttsartifact.reporting.page.parts import Seen

_KEYS = (
    "Keys a and b switch at the same instant of the audio, space plays and pauses, left and right arrows move by one "
    "second; click a picture to listen from there."
)


def page_of_two(a: Seen, b: Seen, found: Diff) -> str:
    """Return the page; `found` is the document of `diff`."""
    values, axis = found.to_value(), joined_axes([a.axis, b.axis])
    return document(
        f"{parts.name_of(a)} and {parts.name_of(b)}",
        element(
            "header",
            element("h1", "Two runs side by side"),
            element(
                "p", element("strong", cause_line(found)), data_key="diff.exit_code", data_exit=values["exit_code"]
            ),
            table(("run", "file", "engine", "verdict"), [_file(run) for run in (a, b)]),
        ),
        element(
            "main",
            section("Conditions that differ", _conditions(found)),
            section("Listen", _switch(a, b), *(_heard(run, axis) for run in (a, b)), _difference(a, b)),
            section("Audio", _audio(values)),
            section("Times", _times(found.timing)),
            *(joined(_all_of(run)) for run in (a, b)),
        ),
        footer(),
        data={"players": [parts.player_of(run, axis) for run in (a, b)]},
        linked=a.playable.is_linked or b.playable.is_linked,
    )


def _file(run: Seen) -> tuple[object, ...]:
    verdict = element("strong", run.verify["verdict"], data_key=f"{run.key}.verify.verdict")
    verdict = joined(verdict, parts.cut_of(run.verify))
    return run.key, element("code", spoken(run.artifact.where)), parts.name_of(run), verdict


def _conditions(found: Diff) -> Html:
    """Return what both state and differs, the likely causes first, then what one or neither side states."""
    values = found.to_value()
    blamed = values["blamed"]
    ordered = sorted(
        values["changes"], key=lambda c: blamed.index(c["subject"]) if c["subject"] in blamed else len(blamed)
    )
    rows: list[tuple[object, ...]] = [
        (
            _subject(c),
            "can explain the sound" if c["subject"] in blamed else "differs",
            *(value_words(c[s], c["subject"]) for s in "ab"),
        )
        for c in ordered
    ]
    rows += [
        (
            _subject(c),
            "stated by one side",
            *(value_words(c[s], "") if c[f"{s}_stated"] else "not stated" for s in "ab"),
        )
        for c in values["one_sided"]
    ]
    rows += [
        (
            element("span", each.label, data_key="diff.not_stated", data_subject=each.pointer),
            "stated by neither",
            "",
            "",
        )
        for each in found.not_stated
    ]
    return (
        table(("condition", "how it differs", "a", "b"), rows) if rows else element("p", "No stated condition differs.")
    )


def _subject(change: dict[str, Any]) -> Html:
    return element("span", spoken(change["label"]), data_key="diff.changes", data_subject=spoken(change["subject"]))


def _sides(change: dict[str, Any]) -> list[str]:
    return [value_words(change[s], change["subject"]) if change[f"{s}_stated"] else "not stated" for s in "ab"]


def _switch(a: Seen, b: Seen) -> Html:
    buttons = [
        element(
            "button",
            f"Listen to {run.key}",
            type="button",
            data_player=run.key,
            aria_pressed="true" if run is a else "false",
        )
        for run in (a, b)
    ]
    return joined(
        element(
            "p",
            *buttons,
            " ",
            element("output", "", id="now", aria_live="off"),
            class_="switch",
            role="group",
            aria_label="A or B",
        ),
        element("p", _KEYS, class_="quiet"),
    )


def _heard(run: Seen, axis: Any) -> Html:
    words = element("p", f"In the page: {run.playable.words}.", class_="quiet")
    return joined(
        element("h3", f"{run.key}: {parts.name_of(run)}"), parts.audio_of(run), words, parts.pictures_of(run, axis)
    )


def _difference(a: Seen, b: Seen) -> Html:
    """Return the difference of both spectrograms where one has a meaning."""
    title = element("h3", "Difference of the spectrograms")
    if a.sound is None or b.sound is None:
        return joined(title, element("p", "Not drawn: one file's audio cannot be decoded."))
    if a.sound.rate_hz != b.sound.rate_hz:
        rates = f"{a.sound.rate_hz} Hz and {b.sound.rate_hz} Hz"
        return joined(title, element("p", f"Not drawn: the sample rates differ, {rates}."))
    shades, length_s = picture.difference(a.sound, b.sound)
    words = (
        "Level of b less that of a, from -40 dB (blue, louder in a) to 40 dB (red, louder in b), "
        f"0 to {length_s:.3f} s of the audio"
    )
    shorter = min((a.sound, b.sound), key=lambda sound: sound.frames)
    if a.sound.frames != b.sound.frames:
        words += f"; behind {shorter.frames / shorter.rate_hz:.3f} s one of them has ended, which counts as silence"
    image = element(
        "img",
        src=Html(picture.data_uri("image/png", picture.png(shades, picture.DIVERGING))),
        alt=words,
        class_="difference",
    )
    return joined(title, image, element("p", words, ".", class_="quiet"))


def _audio(values: dict[str, Any]) -> Html:
    audio = values["audio"]
    if audio is None:
        return element("p", f"The audio could not be compared: {spoken(values['audio_lacks'])}.")
    rows: list[tuple[object, ...]] = [
        (key.replace("_", " "), element("data", parts.plain(value), data_key=f"diff.audio.{key}", value=_exact(value)))
        for key, value in audio.items()
        if value is not None
    ]
    return table(("audio", "value"), rows)


def _exact(value: Any) -> str:
    return repr(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def _times(timing: Timing) -> Html:
    rows: list[tuple[object, ...]] = [
        (
            each.label,
            *(
                element(
                    "data",
                    quantity_words(each, value, lacks),
                    data_key=f"diff.timing.quantities.{n}.{side}",
                    value=_exact(value),
                )
                for side, value, lacks in (("a", each.a, each.a_lacks), ("b", each.b, each.b_lacks))
            ),
        )
        for n, each in enumerate(timing.quantities)
    ]
    rows += [
        (f"taken otherwise: {label}", *("not stated" if each is None else stated(each) for each in both))
        for label, *both in timing.observed
    ]
    return joined(table(("time", "a", "b"), rows), element("p", "One run each: the spread of repeats is unknown."))


def _all_of(run: Seen) -> Html:
    """Return what the page of one run says, under one line that opens it."""
    content = joined(
        parts.verdict_of(run),
        element("h3", "Times"),
        parts.times_of(run),
        element("h3", "Conditions"),
        parts.conditions_of(run),
        element("h3", "Receipt"),
        parts.receipt_of(run),
    )
    return section(
        f"Run {run.key}",
        element("details", element("summary", f"Verdict, times, conditions and receipt of {run.key}"), content),
    )
