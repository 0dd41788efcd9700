"""Abbreviations with their full stop, which may also be the sentence's, initials, and where sentences end."""

from __future__ import annotations

import re

from reference_runner.frontend.letters import spell

__all__ = ["DAYS", "MONTHS", "WORDS", "expand_abbreviations", "split_sentences"]

MONTHS = {
    "jan": "january", "feb": "february", "mar": "march", "apr": "april", "may": "may", "jun": "june", "jul": "july",
    "aug": "august", "sep": "september", "sept": "september", "oct": "october", "nov": "november", "dec": "december",
}  # fmt: skip
DAYS = {
    "mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday", "thu": "thursday", "thur": "thursday",
    "thurs": "thursday", "fri": "friday", "sat": "saturday", "sun": "sunday",
}  # fmt: skip

_TITLES = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "mx": "mix", "dr": "doctor", "prof": "professor", "st": "saint",
    "rev": "reverend", "hon": "honorable", "gov": "governor", "sen": "senator", "rep": "representative",
    "pres": "president", "lt": "lieutenant", "col": "colonel", "maj": "major", "gen": "general", "capt": "captain",
    "cmdr": "commander", "adm": "admiral", "cpl": "corporal", "pvt": "private", "sgt": "sergeant", "fr": "father",
    "mt": "mount", "ft": "fort", "messrs": "messers", "supt": "superintendent", "sr": "senior", "insp": "inspector",
}  # fmt: skip
"""Before a name."""

_COUNTED = {
    "no": "number", "nos": "numbers", "vol": "volume", "vols": "volumes", "fig": "figure", "figs": "figures",
    "ch": "chapter", "chap": "chapter", "sec": "section", "sect": "section", "p": "page", "pp": "pages", "pg": "page",
    "par": "paragraph", "para": "paragraph", "eq": "equation", "art": "article", "ed": "edition", "pt": "part",
    "ver": "version", "ex": "example", "app": "appendix", "apt": "apartment", "rm": "room", "ste": "suite",
    "bldg": "building", "fl": "floor", "op": "opus", "tel": "telephone", "ext": "extension", "tab": "table",
    "cat": "category", "ref": "reference", "nr": "number", "hwy": "highway", "rte": "route", "lot": "lot",
    "c": "circa", "v": "version", "lat": "latitude", "long": "longitude",
}  # fmt: skip
"""Before a number."""

_ALWAYS = {
    "etc": "et cetera", "vs": "versus", "approx": "approximately", "dept": "department", "inc": "incorporated",
    "ltd": "limited", "corp": "corporation", "bros": "brothers", "assn": "association", "govt": "government",
    "univ": "university", "misc": "miscellaneous", "avg": "average", "incl": "including", "excl": "excluding",
    "esp": "especially", "blvd": "boulevard", "hwy": "highway", "jr": "junior", "esq": "esquire", "viz": "namely",
    "cf": "compare", "ca": "circa", "ibid": "ibidem", "al": "al", "assoc": "associates", "mfg": "manufacturing",
    "intl": "international", "natl": "national", "tel": "telephone", "est": "established", "tbsp": "tablespoons",
    "tsp": "teaspoons", "dist": "district", "resp": "respectively", "asst": "assistant", "mgr": "manager",
    "hrs": "hours", "mins": "minutes", "secs": "seconds", "yrs": "years", "lbs": "pounds", "pkg": "package",
    "qty": "quantity", "mtg": "meeting", "appt": "appointment", "ft": "feet", "temp": "temperature", "sq": "square",
}  # fmt: skip
"""Wherever they stand with their full stop."""

_STREETS = {
    "st": "street", "dr": "drive", "ave": "avenue", "rd": "road", "ln": "lane", "blvd": "boulevard", "ct": "court",
    "pl": "place", "sq": "square", "pkwy": "parkway", "hwy": "highway",
}  # fmt: skip
"""After a name or an ordinal."""

_FIRMS = {"co": "company", "sr": "senior"}
"""After a name or an ampersand."""

_DOTTED_WORDS = {
    "e.g": "for example", "i.e": "that is", "a.k.a": "also known as", "p.s": "p s", "n.b": "note", "q.v": "which see",
}  # fmt: skip
_UNDOTTED = {
    "w/o": "without",
    "w/": "with ",
    "c/o": "care of",
    "n/a": "not applicable",
    "b/c": "because",
    "w/out": "without",
}
_BARE_TITLES = {"mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor", "prof": "professor", "st": "saint"}
_BARE_ALWAYS = {"vs": "versus", "etc": "et cetera", "aka": "also known as"}

_STARTERS = frozenset(
    ["The", "An", "This", "That", "These", "Those", "It", "He", "She", "We", "You", "They", "In", "On", "At", "But",
     "And", "So", "If", "When", "While", "After", "Before", "There", "Then", "His", "Her", "Our", "Their", "My",
     "Your", "What", "Who", "Why", "How", "Where", "No", "Yes", "For", "As", "To", "Some", "All", "Most", "Many",
     "Each", "Every", "One", "Two", "Please", "Now", "Here", "Next", "However"]
)  # fmt: skip
"""Words that, after an abbreviation, begin a new sentence."""

_NOT_INITIALS = frozenset(
    {"vitamin", "plan", "grade", "type", "option", "part", "section", "hepatitis", "class", "team"}
)

WORDS = frozenset(
    word
    for table in (
        MONTHS, DAYS, _TITLES, _COUNTED, _ALWAYS, _STREETS, _FIRMS, _DOTTED_WORDS, _UNDOTTED, _BARE_TITLES,
        _BARE_ALWAYS, {"": "p h d"},
    )
    for said in table.values()
    for word in said.split()
)  # fmt: skip
"""Every word that this module can utter, beside single letters."""


def _either(table: dict[str, str]) -> str:
    return "|".join(sorted(table, key=len, reverse=True))


_NAME = r"[A-Z][\w'&-]*"
_LONG = "|".join(sorted({*DAYS.values(), *MONTHS.values()}))
_STREET = re.compile(
    rf"(?:(?<=\s)|^)((?:\d+\s(?:[NSEW]\.?\s)?)?(?:{_NAME}|\d+(?:st|nd|rd|th)))\s({_either(_STREETS)})\.(?=\s|,|;|$|\))",
    re.IGNORECASE,
)
_TITLE = re.compile(rf"\b({_either(_TITLES)})\.\s?(?=[A-Z]|&|and\s[A-Z])", re.IGNORECASE)
_BARE_TITLE = re.compile(rf"\b({'|'.join(word.capitalize() for word in _BARE_TITLES)})\s(?=[A-Z][a-z])")
_COUNT = re.compile(rf"\b({_either(_COUNTED)})\.\s*(?=[#(]?\d|[IVXLC]+\b)", re.IGNORECASE)
_ALWAYS_DOT = re.compile(rf"\b({_either(_ALWAYS)})\.", re.IGNORECASE)
_FIRM = re.compile(rf"(?<=[a-z&] )({'|'.join(word.capitalize() for word in _FIRMS)})\.")
_DATED = re.compile(rf"\b({_either(MONTHS)}|{_either(DAYS)})\.(?=,?\s?(?:\d|(?:{_either(MONTHS)})|$))", re.IGNORECASE)
_BARE = re.compile(rf"(?<![\w/.])({_either(_BARE_ALWAYS)})(?![\w/.])")
_AGAINST = re.compile(rf"(?<=\w )v\.(?=\s{_NAME})")
_SHORT = _either({name: name for name in (*DAYS, *MONTHS) if name != "may"})
_SPAN = re.compile(
    rf"\b({_SHORT})\.?\s?[-\u2013]\s?({_SHORT})\b\.?(?!\s\d)|\b({_LONG})\s?\u2013\s?({_LONG})\b", re.IGNORECASE
)
_SLASHED = re.compile(r"(?<![\w/])((?:w/out|w/o|c/o|n/a|b/c)(?![\w/])|w/(?=\s|[a-z]{3}))", re.IGNORECASE)
_DOCTORATE = re.compile(r"\bPh\.?\s?D(\.?)(?!\w)")
_DOTTED = re.compile(r"(?<![\w.])((?:[A-Za-z]\.){2,}|(?:[A-Za-z]\.)+[A-Za-z](?=[\s,;:!?)]|$))('s)?")
_INITIALS = re.compile(rf"(?:\b(\w+)\s)?\b([A-HJ-Z]\.\s?(?:[A-Z]\.\s?)*)(?={_NAME})")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n\s*\n")


def expand_abbreviations(text: str) -> str:
    """Return a text whose abbreviations are words; a full stop that also ends the sentence stays."""
    text = _SLASHED.sub(lambda found: _UNDOTTED[found.group(1).lower()], text)
    text = _DOCTORATE.sub(lambda found: "p h d" + _kept_stop(found, found.group(1)), text)
    text = _DOTTED.sub(_say_dotted, text)
    text = _AGAINST.sub("versus", text)
    text = _SPAN.sub(_say_span, text)
    text = _DATED.sub(_say_dated, text)
    text = _COUNT.sub(_say_counted, text)
    text = _STREET.sub(_say_street, text)
    text = _TITLE.sub(_say_title, text)
    text = _BARE_TITLE.sub(lambda found: f"{_BARE_TITLES[found.group(1).lower()]} ", text)
    text = _FIRM.sub(lambda found: _FIRMS[found.group(1).lower()] + _kept_stop(found, "."), text)
    text = _ALWAYS_DOT.sub(_say_always, text)
    text = _BARE.sub(lambda found: _BARE_ALWAYS[found.group(1)], text)
    return _INITIALS.sub(_say_initials, text)


def split_sentences(text: str) -> list[str]:
    """Cut text after full stops, question and exclamation marks, and at empty lines."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part and part.strip()]


def _kept_stop(found: re.Match[str], stop: str) -> str:
    """Return the stop where a sentence ends with it: at the end, or before a word that begins one."""
    after = found.string[found.end() :]
    if not after.strip() or after.lstrip(" ").startswith("\n"):
        return stop
    following = re.match(r"[\"')\]]*\s+[\"'(]*([A-Z]\w*)", after)
    return stop if following and following.group(1) in _STARTERS else ""


def _say_dotted(found: re.Match[str]) -> str:
    letters, ending = found.group(1), found.group(2) or ""
    if letters.lower() in {"a.m.", "p.m.", "a.m", "p.m"} and re.search(r"\d\s?$", found.string[: found.start()]):
        return letters.replace(".", "", 1)  # the time says it
    known = _DOTTED_WORDS.get(letters.rstrip(".").lower())
    if known:
        return known
    stop = _kept_stop(found, ".") if letters.endswith(".") and not ending else ""
    return spell(letters.replace(".", "")) + ending + stop


def _say_span(found: re.Match[str]) -> str:
    words = [word for word in found.groups() if word]
    return " to ".join(DAYS.get(word.lower()) or MONTHS.get(word.lower()) or word for word in words)


def _say_dated(found: re.Match[str]) -> str:
    word = found.group(1)
    if not word[0].isupper():
        return found.group(0)
    return (MONTHS.get(word.lower()) or DAYS[word.lower()]).capitalize()


def _say_counted(found: re.Match[str]) -> str:
    word = found.group(1).lower()
    # "No. I won't" is an answer.
    if word == "no" and re.match(r"I\b", found.string[found.end() :]):
        return found.group(0)
    return f"{_COUNTED[word]} "


def _say_street(found: re.Match[str]) -> str:
    before, short = found.groups()
    titled = re.match(r"\s[A-Z][a-z]", found.string[found.end() :]) and short.lower() in _TITLES
    if not short[0].isupper() or not (before[0].isupper() or before[0].isdigit()) or (titled and before[0].isalpha()):
        return found.group(0)
    return f"{before} {_STREETS[short.lower()]}" + _kept_stop(found, ".")


def _say_title(found: re.Match[str]) -> str:
    word = found.group(1)
    return f"{_TITLES[word.lower()]} " if word[0].isupper() else found.group(0)


def _say_always(found: re.Match[str]) -> str:
    word = found.group(1).lower()
    after = found.string[found.end() :]
    ends = word == "etc" and re.match(r"[\"')\]]*\s+[A-Z]", after)
    return _ALWAYS[word] + ("." if ends else _kept_stop(found, "."))


def _say_initials(found: re.Match[str]) -> str:
    before, initials = found.groups()
    if before and before.lower() in _NOT_INITIALS:
        return found.group(0)
    return (f"{before} " if before else "") + spell(re.sub(r"[.\s]", "", initials)) + " "
