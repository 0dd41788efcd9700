"""The rule catalogue as data (spec/1.0/rules.toml), and the functions bound to it one to one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple, module_of
from ttsartifact.terms.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ttsartifact.terms.finding import Answer
    from ttsartifact.verifying.evidence import Evidence

    Question = Callable[[Evidence], Answer]

# Each named by its families, of one family first the module that almost every run asks: the others are imported late.
_MODULES = (
    "con_sea_can_sch_bytes",
    "hsh_digests",
    "hsh_txt_statements",
    "pin_pins",
    "pin_adaptation",
    "pin_contents",
    "ref_references",
    "clk_clocks",
    "tim_chk_times",
    "aud_audio",
    "tel_summary",
    "tel_telemetry",
    "tel_power",
    "env_environment",
    "prj_set_beside",
    "imp_imperfection",
    "imp_log",
    "imp_replays",
    "gat_mrk_publishing",
    "clm_claims",
    "prv_privacy",
    "sig_log_attestations",
)
_questions: dict[str, Question] = {}


class Rule(NamedTuple):
    """One entry of the catalogue; the fields are described at the head of rules.toml."""

    id: str
    name: str
    severity: Severity
    level: str
    klass: str
    grade: str
    clause: str
    blocked_by: tuple[str, ...]
    requires: str
    why: str
    mend: str
    fails: str = ""
    reads: tuple[str, ...] = ()
    applies_if: tuple[str, ...] = ()
    needs_schema: bool = False
    asked: str = ""
    quick: bool = False
    grades: str = ""
    inconclusive: str = ""


class Agenda(NamedTuple):
    """Rules to be run together: each with its place in the catalogue, in the order of running."""

    places: dict[str, int]
    asked: tuple[Rule, ...]

    @staticmethod
    def of(rules: Iterable[Rule]) -> Agenda:
        """Put the blockers of each rule before it."""
        listed = {rule.id: rule for rule in rules}
        asked: dict[str, Rule] = {}

        def ask(rule: Rule) -> None:
            if rule.id not in asked:
                for blocker in rule.blocked_by:
                    if blocker in listed:
                        ask(listed[blocker])
                asked[rule.id] = rule

        for rule in sorted(listed.values(), key=lambda rule: rule.asked == "last"):
            ask(rule)
        return Agenda(places={key: place for place, key in enumerate(listed)}, asked=tuple(asked.values()))


@cache
def catalogue() -> dict[str, Rule]:
    """Return all rules by id, in the catalogue's order."""
    return {entry["id"]: _rule(entry) for entry in _spec.table("rules")["rule"]}


def _rule(entry: dict[str, Any]) -> Rule:
    return Rule(
        id=entry["id"],
        name=entry["name"],
        severity=Severity(entry["severity"]),
        level=entry["level"],
        klass=entry["class"],
        grade=entry["grade"],
        clause=entry["clause"],
        blocked_by=tuple(entry["blocked_by"]),
        requires=entry["requires"],
        why=entry["why"],
        mend=entry["mend"],
        fails=entry.get("fails", ""),
        reads=tuple(entry.get("reads", ())),
        applies_if=tuple(entry.get("applies_if", ())),
        needs_schema=entry.get("needs_schema", False),
        asked=entry.get("asked", ""),
        quick=entry.get("quick", False),
        grades=entry.get("grades", ""),
        inconclusive=entry.get("inconclusive", ""),
    )


@cache
def grading(what: str) -> tuple[str, ...]:
    """Return the rules that recompute this part of the bytes for the verdict (clause 10.2)."""
    return tuple(rule.id for rule in catalogue().values() if rule.grades == what)


@cache
def inconclusive(when: str) -> tuple[str, ...]:
    """Return the rules whose unverifiable answer leaves a report open: "always", or where a "profile" is demanded."""
    return tuple(rule.id for rule in catalogue().values() if rule.inconclusive == when)


@cache
def agenda(families: frozenset[str] | None = None) -> Agenda:
    """Return what there is to ask about an artifact: all rules, or those of `families`, by prefix or by id."""
    rules = catalogue().values()
    return Agenda.of(r for r in rules if families is None or not families.isdisjoint((r.id, r.id[:3])))


def rule(rule_id: str) -> Callable[[Question], Question]:
    """Bind a function to a rule of the catalogue, whose `requires` becomes its docstring."""

    def bind(question: Question) -> Question:
        if rule_id in _questions:
            raise ValueError(f"{rule_id} is bound twice")
        question.__doc__ = catalogue()[rule_id].requires
        _questions[rule_id] = question
        return question

    return bind


def question_of(rule_id: str) -> Question:
    """Return the function bound to a rule; the modules of its family are imported as far as it takes to find it."""
    if rule_id not in _questions:
        family = f"{rule_id[:3].lower()}_"
        for module in (each for each in _MODULES if family in each):
            module_of(f"ttsartifact.verifying.rules.{module}")
            if rule_id in _questions:
                break
    return _questions[rule_id]


@cache
def questions() -> dict[str, Question]:
    """Return the bound functions by rule id, all of them."""
    for module in _MODULES:
        module_of(f"ttsartifact.verifying.rules.{module}")
    return _questions
