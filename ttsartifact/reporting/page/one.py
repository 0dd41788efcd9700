"""The page of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.errors import NotAnArtifact
from ttsartifact.reporting import receipt
from ttsartifact.reporting.page import parts
from ttsartifact.reporting.page.markup import Html, document, element
from ttsartifact.reporting.phrases import spoken

if TYPE_CHECKING:
    from ttsartifact.reporting.page.parts import Seen

__all__ = ["footer", "page_of_one", "receipt_of", "section"]

_KEYS = "Space plays and pauses, left and right arrows move by one second; click a picture to listen from there."


def page_of_one(run: Seen) -> str:
    """Return the page."""
    events = parts.events_of(run)
    return document(
        f"{run.verify['verdict']}: {parts.name_of(run)}",
        element(
            "header",
            element("h1", "A run of ", parts.name_of(run)),
            element("p", element("code", spoken(run.artifact.where)), class_="quiet"),
            parts.verdict_of(run),
        ),
        element(
            "main",
            section(
                "Listen",
                parts.audio_of(run),
                element(
                    "p",
                    element("output", "", id="now", aria_live="off"),
                    " ",
                    _KEYS,
                    " In the page: ",
                    run.playable.words,
                    ".",
                    class_="quiet",
                ),
                parts.pictures_of(run, run.axis),
            ),
            section("Imperfection events", events) if events else None,
            section("Times", parts.times_of(run)),
            section("Conditions", parts.conditions_of(run)),
            section("Receipt", receipt_of(run)),
        ),
        footer(),
        data={"players": [parts.player_of(run, run.axis)]},
        linked=run.playable.is_linked,
    )


def section(title: str, *content: Html | None) -> Html:
    """Return a part of the page under its title."""
    name = title.lower().replace(" ", "-")
    return element("section", element("h2", title, id=name), *content, aria_labelledby=name)


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


def footer() -> Html:
    """Return the footer, which states the limits of the page."""
    from ttsartifact.reporting.documents import tool

    made: dict[str, Any] = tool()
    words = (
        f"Written by {made['name']} {made['version']}. The page shows results from that time, and anyone can "
        "write a different page. Check the file itself: "
    )
    return element("footer", words, element("code", "ttsa verify FILE --receipt LINE"), ".")
