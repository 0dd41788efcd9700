"""The caller's statements about a run, and the sections of the descriptor that they fill.

A recorder measures times, bytes and machines; which model ran, on what, with which seed, only the caller can know.
Values have the shapes of the descriptor's schema. Anything not stated is recorded as absent.
"""

from __future__ import annotations

import difflib
import enum
import math
import os
from typing import TYPE_CHECKING, Any, TypedDict, cast

from ttsartifact.container.canonical import PARAMETER_NAMES, descriptor_bytes, half_characters, is_parameter_name
from ttsartifact.container.limits import MAX_SAFE_INTEGER
from ttsartifact.errors import Refused, WrongCall
from ttsartifact.gating.deciding import require_scores
from ttsartifact.recording import factories, keyword_checks, pins
from ttsartifact.recording.references import marking_of
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent, is_absent
from ttsartifact.terms.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ttsartifact.recording.references import Reference


class Stated(TypedDict, total=False):
    """Keyword arguments that `Recorder` and `record_command` share."""

    lang: str
    withhold_text: bool
    """Keep the text's digest and leave the text itself out."""
    normalised_text: str
    phonemes: dict[str, Any]
    mode: str
    references: Sequence[Reference]
    learnt_from: Sequence[dict[str, Any]]
    """Entries of /input/refs behind those of `references`: clips that the voice was adapted to, not at hand."""
    refs_ordered: bool
    model: dict[str, Any] | str | Sequence[str | os.PathLike[str]]
    """A repository; as words `REPO@COMMIT`, with its files where the Hugging Face cache holds that commit.

    A list of files on this machine is pinned by their content.
    """
    vocoder: dict[str, Any] | str | Sequence[str | os.PathLike[str]]
    engine: dict[str, Any] | str
    """A tool; as words `NAME@VERSION`."""
    frontend: Sequence[dict[str, Any] | str]
    """Tools; as words `NAME@VERSION`."""
    adaptation: dict[str, Any]
    lock: dict[str, Any]
    lock_list: bool
    """Whether the names of what is installed are kept beside the lock's digest; they are, unless this is False."""
    container_image: str
    device: str
    """Where the model computed: cpu, cuda, rocm, mps, xpu, npu, other."""
    runner: dict[str, Any]
    factory: str | Callable[..., Any]
    """The function that gives this sound for this text: itself, or as words `package.module:function`.

    With it a run that was recorded inside a process can be made again (`rerun --factory`): it is called with the text,
    and with those of `params`, `seed` and `lang` that it takes.
    """
    seed: int | str
    """The seed of an engine that has one; `seeds` is for several stages."""
    seeds: Sequence[dict[str, Any] | int | str]
    """By stage; a number or digits alone are those of the whole engine."""
    precision: dict[str, Any] | str
    """As words a dtype with what is known beside it, or not_applicable of an engine that computes in integers.

    `float16,quantisation=none,attention=sdpa,tf32=no,autocast=no`
    """
    determinism: str
    """bitwise, same_device, statistical, none; what a rerun is expected to give."""
    determinism_flags: Sequence[str]
    self_repeat: str
    """equal or differs, of an engine that made the run twice."""
    numerics: dict[str, Any]
    stages: Sequence[dict[str, Any]]
    clipped_samples: int
    """Samples that the engine cut to full scale before they reached the recorder."""
    runtime: Sequence[dict[str, Any]]
    """Libraries that computed, beside those that the sensor saw."""
    devices: Sequence[dict[str, Any]]
    """Accelerators that computed, as entries of /env/devices; a sensor that is read lists them instead."""
    params: dict[str, Any]
    marking: str | Sequence[str | dict[str, Any]]
    """What marks the audio as generated: `none`, or entries of /generation/marking, as words or whole."""
    leaves: bool
    """Whether each MiB of the bare file is digested too, for readers of ranges (clause 8.10)."""
    session: str
    attempt: int
    """Which attempt this was; those before it were not published."""
    preregistered: Sequence[str]
    """Digests of the claims and policies that were written before this run (clause 10.7)."""
    notes: str
    claims: Sequence[str]
    concurrency: int
    warmup_runs: int
    first_call: bool
    imperfection: Any
    imperfection_log: Sequence[dict[str, Any]]
    """The rows of trace `imperfection`, one for each opportunity."""
    gate: Policy | dict[str, Any]
    """A policy judges the run when it is packed; a dictionary is /gate as a third party decided it."""
    ext: dict[str, Any]
    ext_critical: Sequence[str]
    derived_from: dict[str, Any]


_NOT_STATED = "not stated"


def stated_value(stated: Stated, key: str, reason: str = "unknown", detail: str | None = _NOT_STATED) -> Any:
    """Return what the caller says under `key`, or its absence."""
    value = stated.get(key)
    return absent(reason, detail) if value is None else value


def spelled_out(stated: Stated) -> Stated:
    """Return what is stated in the descriptor's own shapes: pins in words made whole, `seed` as `seeds`.

    Values of numpy, paths and members of an Enum become what JSON holds. Raises TypeError for a name that is none of
    `Stated`, with the nearest one, and Refused for a pin that pins nothing, for one thing where a list is taken, and
    for a value that JSON cannot hold. None is as if not stated.
    """
    if not stated:
        return {}
    refuse_unknown(stated)
    stated = cast("Stated", {key: value for key, value in stated.items() if value is not None})
    keyword_checks.require_lists(stated)
    stated = cast("Stated", {**stated, **_local_files(stated)})
    spelled: dict[str, Any] = {
        key: value if key in _KEPT_AS_THEY_ARE or isinstance(value, Policy) else _plain(value, key)
        for key, value in stated.items()
    }
    keyword_checks.require_flags(spelled)
    for key in ("model", "vocoder"):
        if isinstance(spelled.get(key), str):
            spelled[key] = pins.repository(spelled[key], option=f"--{key}")
    if isinstance(spelled.get("engine"), str):
        spelled["engine"] = pins.tool(spelled["engine"])
    if "factory" in stated:
        if "runner" in stated:
            raise TypeError("factory= names the function that a rerun calls; runner= an installed runner; say one")
        spelled["runner"] = factories.runner_of(spelled.pop("factory"))
    if "marking" in spelled:
        spelled["marking"] = marking_of(spelled["marking"])
    if isinstance(spelled.get("precision"), str):
        spelled["precision"] = _precision(spelled["precision"], on_cpu=spelled.get("device") == "cpu")
    if spelled.get("frontend"):
        spelled["frontend"] = [
            pins.tool(each, option="--frontend") if isinstance(each, str) else each for each in spelled["frontend"]
        ]
    if spelled.get("seed") is not None:
        if spelled.get("seeds"):
            raise TypeError("seed= is the one seed of an engine; with seeds= each stage has its own")
        spelled["seeds"] = [spelled["seed"]]
    spelled.pop("seed", None)
    if spelled.get("seeds") and not is_absent(spelled["seeds"]):
        spelled["seeds"] = [_seed(entry) for entry in spelled["seeds"]]
    return cast("Stated", spelled)


def _local_files(stated: Stated) -> dict[str, Any]:
    """Return the pins of models that were named by their files on this machine."""
    pinned = {}
    for key in ("model", "vocoder"):
        value: Any = stated.get(key)
        places = [value] if isinstance(value, os.PathLike) else value
        if isinstance(places, (list, tuple)):
            try:
                pinned[key] = pins.by_content(places)
            except (OSError, TypeError) as error:
                raise Refused(
                    f"cannot read a file of the {key}: {error}",
                    where=f"/pins/{key}",
                    expected=f'{key}=["weights.safetensors", ...], files on this machine',
                ) from error
    return pinned


_KEPT_AS_THEY_ARE = frozenset({"references", "factory"})
_PLACES = {
    "session": "/run/session_id",
    "preregistered": "/run/preregistered",
    "notes": "/run/notes",
    "concurrency": "/run/load/concurrency",
    "warmup_runs": "/run/times/warmup_runs",
    "first_call": "/run/times/first_call",
    "clipped_samples": "/audio/clipped_samples",
}
_LISTED = {"devices": "/env/devices", "runtime": "/env/runtime"}
STATED_IN = {
    "input": {"withhold_text", "lang", "normalised_text", "phonemes", "mode", "refs_ordered", "learnt_from"},
    "pins": {"model", "vocoder", "engine", "frontend", "adaptation", "lock", "container_image"},
    "generation": {"device", "runner", "seeds", "precision", "determinism", "self_repeat", "determinism_flags"}
    | {"numerics", "stages", "marking", "params"},
}
"""Section -> the keywords that it is made of; one of which nothing is stated has no fault to look for."""


def refuse_unknown(stated: Mapping[str, Any]) -> None:
    """Raise TypeError, with the nearest name, for a keyword that is none of `Stated`."""
    known = Stated.__annotations__
    for name in stated:
        if name in known:
            continue
        usual = [_ALSO_CALLED[name]] if name in _ALSO_CALLED else []
        near = usual or difflib.get_close_matches(name, [*known, *_OF_RECORDERS], n=1)
        hint = f"did you mean {near[0]}=? Else " if near else ""
        # `speed` is near `seed`, and what most callers mean by it is the engine's own.
        raise TypeError(f"unknown keyword {name}=; {hint}a parameter of the engine goes into params={{{name!r}: ...}}")


_ALSO_CALLED = {
    **dict.fromkeys(("rate", "sr", "fs", "sample_rate", "sampling_rate", "framerate"), "sample_rate_hz"),
    **dict.fromkeys(("language", "locale"), "lang"),
    **dict.fromkeys(("force", "overwrite"), "replace"),
}
"""What other libraries call a keyword -> its name here."""
_OF_RECORDERS = (
    "sample_rate_hz",
    "channels",
    "subtype",
    "sensor",
    "observer",
    "semantics",
    "includes",
    "replace",
    "text",
)


def _plain(value: Any, where: str) -> Any:
    """Return `value` as JSON holds it: numpy's scalars and arrays, paths and Enums are taken for what they mean."""
    if isinstance(value, enum.Enum):
        return _plain(value.value, where)
    if isinstance(value, os.PathLike):
        return os.path.basename(os.fspath(value))  # of a place on this machine only the name is anybody's business
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        if isinstance(value, dict):
            plain = {str(_plain(key, where)): _plain(each, f"{where}/{key}") for key, each in value.items()}
            odd = next((key for key in plain if not is_parameter_name(key)), None)
            if odd is not None and where.partition("/")[0] == "params":
                raise Refused(
                    "a parameter has a name that no artifact holds", where=where, found=odd, expected=PARAMETER_NAMES
                )
            return plain
        ordered = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [_plain(each, f"{where}/{place}") for place, each in enumerate(ordered)]
    if not isinstance(value, (str, bytes, bool, int, float)) and hasattr(value, "tolist"):
        return _plain(value.tolist(), where)  # a scalar or an array of numpy, or a tensor
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused("a stated value is not finite", where=where, found=value, expected="a finite number")
    if isinstance(value, (int, float)) and abs(value) > MAX_SAFE_INTEGER:
        return str(value)  # 4.3: as seeds, which use 64 bits
    if isinstance(value, str) and list(half_characters(value)):
        raise Refused("a stated text holds bytes that are not UTF-8", where=where, found=ascii(value), expected="UTF-8")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise Refused(
        "a stated value is not representable in JSON",
        where=where,
        found=type(value).__name__,
        expected="text, a number, true or false, a list or a dictionary of them",
    )


_PRECISION_WORDS = ("quantisation", "attention", "tf32", "autocast")
_YES_OR_NO = {"yes": True, "true": True, "no": False, "false": False}


def _precision(words: str, *, on_cpu: bool) -> dict[str, Any]:
    """Return /generation/precision of a dtype, and of what is said behind it as `attention=sdpa,tf32=no`.

    A CPU has no TF32 and casts nothing by itself; `none` says that there is none of it.
    """
    if words == "not_applicable":
        return absent("not_applicable", "the engine computes with no floating-point tensors")
    dtype, *further = words.split(",")
    found: dict[str, Any] = {"dtype": dtype, **dict.fromkeys(_PRECISION_WORDS, absent("unknown", _NOT_STATED))}
    if on_cpu:
        found |= dict.fromkeys(("tf32", "autocast"), absent("not_applicable", "computed on the CPU"))
    for each in further:
        key, mark, value = each.partition("=")
        if not mark or key not in _PRECISION_WORDS:
            raise Refused(
                "not a precision",
                where="/generation/precision",
                found=each,
                expected="DTYPE,quantisation=NAME,attention=NAME,tf32=no,autocast=no; none where there is none",
            )
        is_none = value in {"none", "not_applicable"}
        found[key] = absent("not_applicable", "stated") if is_none else _YES_OR_NO.get(value, value)
    return found


def _seed(entry: Any) -> Any:
    """Return the entry of /generation/seeds that a plain number means; the effective seed is unknown."""
    if isinstance(entry, dict):
        numbers = {key: str(value) for key, value in entry.items() if type(value) is int}
        silent = dict.fromkeys(("requested", "effective", "generator"), absent("unknown", _NOT_STATED))
        return {"stage": "engine"} | silent | entry | numbers
    if not isinstance(entry, str) and type(entry) is not int:
        expected = "seed=7, or a text of digits"
        raise Refused("the seed is not a whole number", where="seed=", found=repr(entry)[:200], expected=expected)
    unseen = absent("unknown", "the engine does not say")
    requested = str(entry) if type(entry) is int else entry
    return {"stage": "engine", "requested": requested, "effective": unseen, "generator": unseen}


def require_sound(
    stated: Stated,
    text: str | bytes,
    clips: Sequence[tuple[Reference, bytes]],
    observed: Mapping[str, Any] | None = None,
) -> None:
    """Raise Refused where what is stated breaks the descriptor's schema, with an example of the right form.

    Raises TooLarge where it is more than a descriptor holds.

    `observed` are values by their places that the recorder was told in other ways.
    """
    keyword_checks.require_rows(stated.get("imperfection_log"))
    if stated.get("learnt_from"):
        keyword_checks.require_sections({"/input/refs": list(stated["learnt_from"])})
    _spoken(text)
    sections = {
        **({"/input": input_section(text, stated, clips)} if clips or STATED_IN["input"] & stated.keys() else {}),
        **({"/pins": pins_section(stated, absent("not_measured"))} if STATED_IN["pins"] & stated.keys() else {}),
        **({"/generation": _generation_as_stated(stated)} if STATED_IN["generation"] & stated.keys() else {}),
        **(_optional_as_stated(stated) if stated else {}),
        **{place: stated[key] for key, place in _PLACES.items() if key in stated},  # type: ignore[literal-required]
        **{place: list(stated[key]) for key, place in _LISTED.items() if stated.get(key)},  # type: ignore[literal-required]
        **({"/run/attempt": {"index": stated["attempt"], "retries": 0}} if "attempt" in stated else {}),
        **(observed or {}),
    }
    if sections:
        keyword_checks.require_sections(sections)
        descriptor_bytes(sections)


def _optional_as_stated(stated: Stated) -> dict[str, Any]:
    return {f"/{key}": value for key, value in optional_sections(stated).items() if key in stated}


def _generation_as_stated(stated: Stated) -> dict[str, Any]:
    self_repeat = stated.get("self_repeat") or absent("not_measured")
    return generation_section(stated, command=absent("not_applicable"), self_repeat=self_repeat)


def run_facts(stated: Stated) -> dict[str, Any]:
    """Return what of the statements belongs to /run, for a journal."""
    kept = ("session", "attempt", "preregistered", "notes", "concurrency", "warmup_runs", "first_call")
    return {key: stated[key] for key in kept if key in stated}  # type: ignore[literal-required]


def text_bytes(text: str | bytes) -> bytes:
    """Return a text as it is digested; raises Refused for half of a surrogate pair, which is not text."""
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Refused(
            "the text holds half of a surrogate pair, which UTF-8 cannot hold",
            where=f"/input/text, character {error.start}",
            found=f"U+{ord(text[error.start]):04X}",
        ) from error


def _spoken(text: str | bytes) -> bytes:
    """Return a text as it is digested; raises Refused for an empty one too."""
    raw = text_bytes(text)
    if not raw:
        raise WrongCall("the text is empty", where="/input/text", expected="at least one byte")
    return raw


def input_section(text: str | bytes, stated: Stated, clips: Sequence[tuple[Reference, bytes]]) -> dict[str, Any]:
    """Return /input. The text is digested as it was given to the engine (clause 5.7)."""
    raw = _spoken(text)
    entries = [*(reference.to_value(data) for reference, data in clips), *stated.get("learnt_from", ())]
    return {
        "text": {
            "digest": digest.of(raw),
            "size": len(raw),
            "form": "raw_utf8",
            "lang": stated_value(stated, "lang"),
            "value": absent("withheld") if stated.get("withhold_text") else embeddable(raw),
        },
        "normalised_text": stated_value(stated, "normalised_text"),
        "phonemes": stated_value(stated, "phonemes"),
        "mode": stated_value(stated, "mode") if clips or "mode" in stated else "plain",
        "refs_ordered": stated.get("refs_ordered", True),
        "refs": entries,
        "target_speech_ms": _target_ms(entries),
    }


def pins_section(stated: Stated, lock: dict[str, Any]) -> dict[str, Any]:
    """Return /pins; `lock` is the recorder's own statement about the installed packages."""
    return {
        "model": stated_value(stated, "model"),
        "vocoder": stated_value(stated, "vocoder"),
        "engine": stated_value(stated, "engine"),
        "frontend": list(stated["frontend"]) if stated.get("frontend") else absent("unknown", _NOT_STATED),
        "adaptation": stated_value(stated, "adaptation"),
        "lock": stated.get("lock", lock),
        "container_image": stated_value(stated, "container_image"),
    }


def generation_section(stated: Stated, *, command: dict[str, Any], self_repeat: str | dict[str, Any]) -> dict[str, Any]:
    """Return /generation."""
    return {
        "device": stated_value(stated, "device"),
        "command": command,
        "runner": stated_value(stated, "runner", "not_applicable", "no runner made this"),
        "seeds": _listed(stated.get("seeds")),
        "precision": stated_value(stated, "precision"),
        "determinism": {
            "class": stated.get("determinism", "unclaimed"),
            "self_repeat": self_repeat,
            "flags": list(stated.get("determinism_flags", ())),
        },
        "numerics": stated_value(stated, "numerics"),
        "stages": list(stated["stages"]) if stated.get("stages") else absent("unknown", _NOT_STATED),
        "marking": stated_value(stated, "marking"),
        "params": stated.get("params", {}),
    }


def _listed(entries: Any) -> Any:
    """Return a list as it is stated, or its absence, stated or not."""
    if entries and is_absent(entries):
        return entries
    return list(entries) if entries else absent("unknown", _NOT_STATED)


def optional_sections(stated: Stated) -> dict[str, Any]:
    """Return the sections at the top that the caller alone decides."""
    sections: dict[str, Any] = {
        "claims": list(stated.get("claims", ())),
        "imperfection": stated_value(stated, "imperfection"),
        "gate": _gate(stated),
    }
    if "ext" in stated:
        sections["ext"] = stated["ext"]
    if "ext_critical" in stated:
        sections["ext_critical"] = list(stated["ext_critical"])
    if "derived_from" in stated:
        sections["derived_from"] = stated["derived_from"]
    return sections


def _gate(stated: Stated) -> Any:
    """Return /gate as far as it is known before there is audio. Raises Refused for a policy that needs a score."""
    policy = stated.get("gate")
    if not isinstance(policy, Policy):
        return stated_value(stated, "gate", "not_applicable", "the run has no gate")
    require_scores(policy, {})
    return absent("not_measured", "the policy judges the run when its audio is there")


def embeddable(raw: bytes) -> str | dict[str, Any]:
    """Return the text, or where JSON cannot carry it so that it still hashes to its digest, what states that."""
    try:
        value = raw.decode("utf-8")
    except UnicodeDecodeError:
        return absent("withheld", "the text is not UTF-8")
    return value if len(value) <= 65_536 else absent("withheld", "longer than a descriptor carries")


def _target_ms(entries: Sequence[dict[str, Any]]) -> int | dict[str, Any]:
    """Return the sum over clips of role `target`; the verifier sums again (rule REF06)."""
    clips = [entry for entry in entries if entry["role"] == "target"]
    if not clips:
        return absent("not_applicable", "no clip of role target")
    lengths = [_length_ms(entry) for entry in clips]
    known = [length for length in lengths if length is not None]
    return sum(known) if len(known) == len(lengths) else absent("not_measured", "a clip was not decoded")


def _length_ms(entry: dict[str, Any]) -> int | None:
    rate, frames, segment = entry["sample_rate_hz"], entry["frames"], entry["segment"]
    if "start_frame" in segment:
        frames = segment["end_frame"] - segment["start_frame"]
    if not isinstance(rate, int) or not isinstance(frames, int):
        return None
    return (frames * 1000 + rate // 2) // rate
