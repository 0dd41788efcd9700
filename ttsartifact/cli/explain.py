"""explain and schema: what a rule, a level, a verdict, an outcome, a profile, a column or an exit code means."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any

from ttsartifact import _spec
from ttsartifact.cli.options import Argument
from ttsartifact.cli.speak import EXIT, Usage, columns, say
from ttsartifact.formulas.conditions import and_more
from ttsartifact.reporting.terminal import fitted_lines
from ttsartifact.verifying.catalogue import Rule, catalogue

_MOST_FIXTURES = 6
_WIDEST = 100
_Page = tuple[str, list[tuple[str, str]]]

_CLASSES = {
    "S": "schema",
    "B": "the bytes",
    "P": "the decoded audio",
    "X": "fields against each other",
    "D": "a data set",
    "H": "a heuristic",
}
_LEVELS = {
    "L0": ("Stated", "every column is there, or the reason why it is not"),
    "L1": ("Bound", "the audio inside, all digests and the seal, the engine, one reading of UTC"),
    "L2": ("Timed", "attempt, load, device, UTC at both ends, a chunk log, telemetry unless it ran on a CPU"),
    "L3": ("Re-runnable", "text, model, vocoder, front end, lock, seeds, precision, machine, a runner or a command"),
}
_OUTCOMES = {
    "pass": "the rule was checked and holds",
    "fail": "the rule was checked and does not hold",
    "not_applicable": "the rule does not concern this run",
    "not_evaluated": "not run, because a rule that it depends on failed",
    "unverifiable": "could not be checked here, because an input is missing",
    "suppressed": "failed, and suppressed by --ignore with a reason",
}
_CODES = {
    0: "no error was found",
    1: "findings: a rule fails, or two runs differ",
    2: "wrong usage: the arguments are not valid",
    3: "inconclusive: a required check could not run",
    4: "unreadable, not an artifact, or refused for safety",
    5: "internal error: a fault of this program, never a verdict on the file",
    130: "interrupted from the keyboard; nothing is said of the file",
    141: "the reader of the output closed it before its end; nothing is said of the file",
}
_GRADES = {
    "declared": "the run states it, and nothing confirms it",
    "consistent": "two statements of the run agree",
    "recomputed": "it follows from the bytes of the file",
    "witnessed": "a third party signed it",
    "reproduced": "a rerun gave the same",
}

_WORDS = {
    "fatal": "the rule does not hold, and no other one is run",
    "error": "the rule does not hold, and the file is not conformant",
    "warn": "the rule was checked and does not hold; this is not an error",
    "info": "a remark of a rule that holds",
    "DELTA-EXACT": "the adaptation was repeated and gave the same bytes",
    "DELTA-DIFFERENT": "the adaptation was repeated and gave other bytes, from the named link of its chain on",
    "same": "the same samples alone and under load",
    "depends_on_load": "the same samples whenever alone, and others under load",
    "not_repeatable": "different samples even when alone",
    "not_compared": "too few answers to compare",
    "not run": "a rule that it depends on failed",
    "hint": "what a heuristic remarks; it decides nothing",
    "receipt": "the line that names a run exactly (`ttsa show --receipt`)",
    "suspect": "a condition that differs, and can be why the sounds do",
    "changed": "a condition that differs, and is not suspected",
    "unstated": "a condition that one file states, or none; it may differ",
    "unknown": "not stated, and not known otherwise",
    "not_measured": "not measured, though it could have been",
    "withheld": "known, and kept back",
    "supported": "every expectation of the claim holds",
    "not supported": "an expectation of the claim does not hold",
    "not decidable": "the runs do not settle the claim",
}
_ATTEMPTS = {
    "ok": "returned audio",
    "refused": "was answered with a status of 400 or above",
    "timeout": "did not end, or fell silent, within the time that its client gave it",
    "cancelled": "was abandoned by its client before its end",
    "empty": "returned no frame of audio",
    "not_audio": "returned data that is not audio, or an error under a status below 400",
    "broken": "could not connect, or lost the connection before the end of the answer",
    "failed": "returned no audio, as the imported result says",
}
_STANDINGS = {
    "holds": "its bytes prove what it says; who signed is another question",
    "broken": "it does not hold, or is of another run",
    "unchecked": "a key or root certificate that it needs was not given",
    "unavailable": "a library that checks it is not installed here",
}
_OBSTACLES = {
    "changed_file": "a file is not as it was recorded",
    "not_made_for_it": "a run does not state the claim among what was written before it",
    "twice": "a run is shown more than once",
    "confounder": "a condition differs that the claim does not leave free",
    "not_known": "a condition is not stated, and may differ",
    "missing_runs": "there are fewer runs than the claim asks for",
    "missing_attempts": "an attempt was made and is not shown",
    "not_shown": "a run of the log is not shown",
    "no_time": "a run does not state when it was submitted",
    "no_value": "a metric was not measured of a run",
}
_DOCUMENTS = ("descriptor", "report", "diff", "rerun", "show", "session", "claim-result")


def explain(
    topic: Annotated[
        str,
        Argument(
            "[TOPIC]",
            "A rule's id, a level, verdict, outcome, profile, column, figure, field, exit code or grade of evidence.",
            words=lambda: [name for known in _pages().values() for name in known],
        ),
    ] = "",
) -> int:
    """Explain what a word means, each thing that it may be, or list everything that there is to explain."""
    pages = _pages()
    if not topic:
        say(fitted_lines(_listing(pages), min(columns(), _WIDEST)))
        return EXIT.OK
    found = [
        (kind == "fields", name != topic, page)
        for kind, known in pages.items()
        for name, page in known.items()
        if _plain(name) == _plain(topic)
    ]
    for is_field, _, page in sorted(found, key=itemgetter(0, 1)):
        if is_field and not all(each[0] for each in found):
            break  # of a word that stands for something, the field of that name says nothing more
        head, facts = page()
        lines = [head, *(f"  {label:<12}{words}" for label, words in facts if words)]
        say(fitted_lines(lines, min(columns(), _WIDEST), whole_digests=True))
    if found:
        return EXIT.OK
    raise Usage(f"unknown topic {topic}; {_near(topic, pages)}")


def schema(
    name: Annotated[
        str, Argument("[NAME]", "descriptor, traces, report, show, ...", words=_spec.schemas)
    ] = "descriptor",
) -> int:
    """Print one schema of the specification."""
    names = _spec.schemas()
    if name not in names:
        raise Usage(f"unknown schema {name}; expected one of {', '.join(names)}")
    say(json.dumps(_spec.load_json(f"{name}.schema.json"), indent=2, ensure_ascii=False))
    return EXIT.OK


def _pages() -> dict[str, dict[str, Callable[[], _Page]]]:
    """Return how to write the page of each thing, by what kind of thing it is and by its name."""
    from ttsartifact.container.columns import layout
    from ttsartifact.formulas.latency import definitions
    from ttsartifact.formulas.levels import profiles
    from ttsartifact.reporting.phrases import VERDICTS
    from ttsartifact.reporting.rerun import MEANINGS

    return {
        "levels": {level: partial(_level, level) for level in _LEVELS},
        "verdicts": _worded(VERDICTS),
        "verdicts of a rerun": _worded(MEANINGS),
        "outcomes": _worded(_OUTCOMES),
        "exit codes": _worded(_CODES),
        "evidence": _worded(_GRADES),
        "profiles": {name: partial(_profile, name) for name in profiles()},
        "columns": {column["name"]: partial(_column, column) for column in layout()},
        "attempts": _worded(_ATTEMPTS, "an attempt that "),
        "attestations": _worded(_STANDINGS, "an attestation: "),
        "obstacles": _worded(_OBSTACLES, "a claim is not decided, because "),
        "words": _worded(_WORDS),
        "figures": _worded({each.name: f"{each.means}: {each.formula}" for each in definitions().values()}),
        "fields": _worded(_fields()),
        "rules": {rule.id: partial(_rule, rule) for rule in catalogue().values()},
        "hints, and rules left out": {name: partial(_page, page) for name, page in _other_ids().items()},
    }


def _plain(topic: str) -> str:
    return topic.casefold().replace("_", " ").replace("-", " ")


def _fields() -> dict[str, str]:
    """Return what the schemas say of their fields, and of which document each is one."""
    named: dict[str, str] = {}
    said: dict[str, str] = {}

    def walk(schema: Any, document: str) -> None:
        for name, field in schema.get("properties", {}).items() if isinstance(schema, dict) else ():
            words = named.setdefault(name, f"a field of the document {document}")
            if "description" in field:
                said.setdefault(name, f"{words}: {field['description']}")
        for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
            walk(part, document)

    for document in _DOCUMENTS:
        walk(_spec.load_json(f"{document}.schema.json"), document)
    return named | said


def _page(page: _Page) -> _Page:
    return page


def _worded(words: Mapping[Any, str], before: str = "") -> dict[str, Callable[[], _Page]]:
    """Return the pages of words that have one line each."""
    return {str(word): partial(_page, (f"{word}  {before}{says}", [])) for word, says in words.items()}


def _listing(pages: dict[str, dict[str, Callable[[], _Page]]]) -> list[str]:
    width = max(map(len, pages)) + 2
    return [
        *(f"{kind:<{width}}{_names(kind, names)}" for kind, names in pages.items()),
        "`ttsa explain NAME` explains one of them; `ttsa schema NAME` prints a schema.",
    ]


def _names(kind: str, names: Iterable[str]) -> str:
    if kind == "fields":
        return "each that a schema names"
    return ("; " if kind in {"words", "figures"} else " ").join(names)


def _level(level: str) -> _Page:
    from ttsartifact.formulas.conditions import needed_at
    from ttsartifact.terms.level import Level

    name, words = _LEVELS[level]
    needed = ", ".join(needed_at(Level(level)))
    return f"{level}  {name}: {words}", [
        ("needs", needed and f"{needed}, and all that the levels below it need"),
        ("rules", ", ".join(rule.id for rule in catalogue().values() if rule.level == level)),
        ("clause", f"9 of ttsartifact {_spec.FORMAT_VERSION}"),
    ]


def _profile(name: str) -> _Page:
    from ttsartifact.formulas.levels import profiles

    profile = profiles()[name]
    return f"{name}  a profile: evidence that a claim needs in addition to the level", [
        ("claims", ", ".join(profile.claims)),
        ("needs", ", ".join(profile.known)),
        ("traces", ", ".join(profile.traces)),
        ("rules", ", ".join(profile.rules)),
        ("where they apply", ", ".join(profile.where)),
        ("clause", f"9.5 of ttsartifact {_spec.FORMAT_VERSION}"),
    ]


def _column(column: dict[str, object]) -> _Page:
    pointers = column["pointers"]
    return f"{column['name']}  a column of type {column.get('logical') or column['type']}", [
        ("from", ", ".join(map(str, pointers)) if isinstance(pointers, list) else ""),
        ("how", str(column["derived"])),
        ("must", "be stated by every run, or be absent with a reason" if column["seed"] else ""),
        ("clause", f"4.7 of ttsartifact {_spec.FORMAT_VERSION}"),
    ]


def _rule(rule: Rule) -> _Page:
    return f"{rule.id}  {rule.name}".rstrip(), [
        ("requires", rule.requires),
        ("fails when", rule.fails),
        ("why", rule.why),
        ("fix", rule.mend),
        ("clause", f"{rule.clause} of ttsartifact {_spec.FORMAT_VERSION}"),
        ("severity", rule.severity),
        (
            "applies to",
            f"artifacts of {rule.level} and above" if rule.level[:1] == "L" else f"the profile {rule.level}",
        ),
        ("inputs", _CLASSES.get(rule.klass, rule.klass)),
        ("evidence", rule.grade),
        ("blocked by", ", ".join(rule.blocked_by)),
        ("fixtures", _fixtures(rule.id)),
    ]


def _fixtures(rule_id: str) -> str:
    """Return the files of the conformance kit that stand under a rule; none where the kit is not installed."""
    folder = _spec.kit_folder()
    if folder is None:
        return ""
    try:
        entries = json.loads((Path(folder) / "manifest.json").read_bytes())["fixtures"]
        found = list(dict.fromkeys(entry["file"] for entry in entries if rule_id in entry["expect"]["fail"]))
        own = [file for file in found if rule_id in file.split("/")] or found
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return ", ".join(own[:_MOST_FIXTURES]) + and_more(own, _MOST_FIXTURES)


def _other_ids() -> dict[str, _Page]:
    """Return hints and what was left out, by id: a heading, and what there is to say."""
    hints = {
        hint["id"]: (
            f"{hint['id']}  {hint['name']}",
            [
                ("expects", hint["expects"]),
                ("why", hint["why"]),
                ("clause", f"{hint['clause']} of ttsartifact {_spec.FORMAT_VERSION}"),
                ("note", "a heuristic never decides conformance, a verdict or an exit code"),
            ],
        )
        for hint in _spec.table("hints")["hint"]
    }
    left_out = _spec.table("rules").get("left_out", ())  # a wheel does not carry them
    return hints | {entry["id"]: (f"{entry['id']}  left out", [("why", entry["reason"])]) for entry in left_out}


def _near(topic: str, pages: dict[str, dict[str, Callable[[], _Page]]]) -> str:
    import difflib

    names = {name.casefold(): name for known in pages.values() for name in known}
    near = difflib.get_close_matches(topic.casefold(), names, n=5, cutoff=0.5)
    family = [name for name in catalogue() if name.startswith(topic[:3].upper())]
    found = [names[one] for one in near] or family[:8]
    return f"close to it: {', '.join(found)}" if found else "`ttsa explain` lists everything"
