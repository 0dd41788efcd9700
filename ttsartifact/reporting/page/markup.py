"""HTML in which every string of an artifact is text: one function escapes and writes it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_VOID = frozenset({"meta", "input", "img", "br"})
_LONGEST = 4000
_BESIDE = " file: 'self'"


class Html(str):
    """Markup of ours; any other string is text."""

    __slots__ = ()


def escaped(value: object) -> str:
    """Return any value as text for HTML, within an element or a quoted attribute.

    Phrases come here as `safe` has spelled them and stay as they are; whatever else is not printable is spelled here.
    """
    text = value if isinstance(value, str) else str(value)
    if len(text) > _LONGEST or not text.isprintable():
        text = safe(text, longest=_LONGEST)
    return html.escape(text, quote=True)


def element(name: str, /, *content: object, **attributes: object) -> Html:
    """Return `<name ...>content</name>`; a final underscore is dropped and others become hyphens.

    An attribute that is None or False is left out, one that is True stands alone.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is not None and value is not False:
            spelled = key.rstrip("_").replace("_", "-") if key != "viewBox" else key
            parts.append(spelled if value is True else f'{spelled}="{_raw(value)}"')
    if name in _VOID:
        return Html(f"<{' '.join(parts)}>")
    return Html(f"<{' '.join(parts)}>{joined(*content)}</{name}>")


def joined(*content: object) -> Html:
    """Return pieces one after the other; what is not `Html` is text, and None is nothing."""
    return Html("".join(_raw(piece) for piece in content if piece is not None))


def table(head: tuple[object, ...], rows: Iterable[Sequence[object]], **attributes: object) -> Html:
    """Return a table whose first column heads its rows, within a box that scrolls by itself on a narrow screen."""
    top = element("thead", element("tr", *(element("th", cell, scope="col") for cell in head)))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    return element("div", element("table", top, element("tbody", *body), **attributes), class_="wide")


def island(data: Any) -> Html:
    """Return data for the script; no browser executes it, and no byte of it can end its element."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(f'<script type="application/json" id="data">{text}</script>')


def document(title: str, *content: object, data: Any, linked: bool = False) -> str:
    """Return the whole page; `linked` lets it play the one file that is beside it."""
    style, script = _own("page.css"), _own("page.js")
    policy = [
        "default-src 'none'",
        f"script-src '{_digest(script)}'",
        f"style-src '{_digest(style)}'",
        "img-src data:",
        f"media-src data:{_BESIDE if linked else ''}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=Html("; ".join(policy))),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        Html(f"<style>{style}</style>"),
    )
    body = element("body", *content, island(data), Html(f"<script>{script}</script>"))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _raw(value: object) -> str:
    return value if isinstance(value, Html) else escaped(value)


@cache
def _own(name: str) -> str:
    return resources.files("ttsartifact.reporting.page").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def section(title: str, *content: Html | None) -> Html:
    """Return a part of the page under its title."""
    name = title.lower().replace(" ", "-")
    return element("section", element("h2", title, id=name), *content, aria_labelledby=name)


def footer() -> Html:
    """Return the footer, which states the limits of the page."""
    from ttsartifact.reporting.documents import tool

    made: dict[str, Any] = tool()
    words = (
        f"Written by {made['name']} {made['version']}. The page shows results from that time, and anyone can "
        "write a different page. Check the file itself: "
    )
    return element("footer", words, element("code", "ttsa verify FILE --receipt LINE"), ".")
