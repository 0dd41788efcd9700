"""What the keywords of a recording look like: another shape is refused at entry, with an example of the right one.

Asked before an engine runs: afterwards its sound would be there, and no artifact of it.
"""

from __future__ import annotations

import numbers
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ttsartifact.container import schemas
from ttsartifact.errors import InvalidDescriptor, WrongCall
from ttsartifact.terms.trace import TRACE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOOL = '[{"name": "espeak-ng", "version": "1.52.0"}]'
_LISTS = {
    "references": 'references=[Reference(path="clip.wav", origin={"kind": "recording", "name": "the author"})]',
    "learnt_from": "learnt_from=[...], entries of /input/refs in descriptor.schema.json",
    "frontend": f'frontend={_TOOL}, or frontend=["espeak-ng@1.52.0"]',
    "seeds": 'seed=7, or seeds=[{"stage": "decoder", "requested": "7", "effective": "7", "generator": "philox"}]',
    "determinism_flags": 'determinism_flags=["torch.use_deterministic_algorithms"]',
    "stages": "stages=[...], entries of /generation/stages in descriptor.schema.json",
    "runtime": 'runtime=[{"name": "onnxruntime", "version": "1.22.0"}]',
    "devices": "devices=[device], with all of index, model, uuid_digest, driver, firmware, partition, power_limit_mw, "
    'max_clock_mhz, memory_mib; absent("unknown") where one is not known',
    "preregistered": 'preregistered=["sha256:..."], the digest of each claim or policy file',
    "claims": 'claims=["latency"]',
    "imperfection_log": "imperfection_log=[...], a dictionary for each opportunity, with columns of trace imperfection",
    "ext_critical": 'ext_critical=["com.example.extension"]',
    "includes": 'includes=["model_load"]; of process_start, model_load, reference_decode, network, container_encode',
    "roles": 'roles=[{"role": "output"}], one for each channel',
}
"""Keyword that takes a list -> an example of it."""

_EXAMPLES = {
    "/generation/seeds": _LISTS["seeds"],
    "/generation/device": 'device="cuda"; one of cpu, cuda, rocm, mps, xpu, npu, other',
    "/generation/precision": 'precision={"dtype": "float16", "quantisation": absent("not_applicable"), "attention": '
    'absent("unknown"), "tf32": False, "autocast": True}',
    "/generation/determinism/flags": _LISTS["determinism_flags"],
    "/generation/determinism/self_repeat": 'self_repeat="equal", or "differs"',
    "/generation/determinism": 'determinism="bitwise"; one of bitwise, same_device, statistical, none',
    "/generation/marking": 'marking="none", or marking=["watermark:com.example.wavemark.1,stage=pcm"]',
    "/generation/numerics": 'numerics={"profile": "native", "kat_digest": absent("not_applicable"), '
    '"kat_passed": False, "fingerprint": absent("unknown")}',
    "/generation/params": 'params={"temperature": 0.3}',
    "/generation/runner": 'runner={"name": "my-engine", "version": "1.2.0"}',
    "/generation/stages": _LISTS["stages"],
    "/input/text/lang": 'lang="en-GB"; a tag of BCP 47',
    "/input/mode": 'mode="cloned"; one of plain, prompted, cloned, adapted',
    "/input/normalised_text": 'normalised_text="sha256:...", the digest of the words after normalisation',
    "/input/phonemes": 'phonemes={"alphabet": "ipa", "digest": "sha256:..."}',
    "/input/refs_ordered": "refs_ordered=True, or False",
    "/input/refs": _LISTS["references"],
    "/pins/adaptation": "adaptation={...}, as /pins/adaptation in descriptor.schema.json",
    "/pins/container_image": 'container_image="sha256:...", the digest of the image',
    "/pins/engine": 'engine="my-engine@2.3.1"',
    "/pins/frontend": _LISTS["frontend"],
    "/pins/lock": 'lock={"kind": "pip-freeze", "digest": "sha256:...", "packages": 120}',
    "/pins/model": 'model="hf:owner/name@COMMIT", with all 40 digits of the commit',
    "/pins/vocoder": 'vocoder="hf:owner/name@COMMIT"',
    "/run/session_id": 'session="evening-1"; omit it instead of writing a word such as N/A',
    "/run/preregistered": _LISTS["preregistered"],
    "/run/notes": 'notes="the second take"; omit it instead of writing a word such as N/A',
    "/run/attempt": "attempt=1, a whole number from 1",
    "/run/load/concurrency": "concurrency=4, a whole number from 1",
    "/run/load/queue_depth_at_submit": "waiting=3, a whole number from 0",
    "/run/load/running_at_start": "running=1, a whole number from 0",
    "/run/times/warmup_runs": "warmup_runs=3, a whole number from 0",
    "/run/times/first_call": "first_call=True, or False",
    "/run/times/observer": 'observer="in_process"; one of in_process, client, server',
    "/run/times/t_first_token_semantics": 'semantics="host"; one of host, device, socket',
    "/run/times/includes": _LISTS["includes"],
    "/audio/roles": _LISTS["roles"],
    "/audio/clipped_samples": "clipped_samples=0, a whole number",
    "/env/devices": _LISTS["devices"],
    "/env/runtime": _LISTS["runtime"],
    "/channels": 'channel("queue_len", unit="count"), with further members as /channels in descriptor.schema.json',
    "/claims": _LISTS["claims"],
    "/imperfection": 'imperfection="none", or the parameter set of clause 6.7',
    "/gate": "gate=load_policy(FILE), or /gate as a third party decided it",
    "/ext_critical": _LISTS["ext_critical"],
    "/ext": 'ext={"com.example.extension": {"any": "JSON"}}',
    "/derived_from": 'derived_from={"artifact_id": "sha256:...", "operation": "other", "pcm_equal": False}',
}
"""Place in a descriptor -> an example of the keyword that fills it; the first that a place begins with."""

_PARTS = {
    "sensor": (
        ("open", "devices", "runtime", "channels", "read", "close"),
        "a Sensor, with the methods open, devices, runtime, channels, read, close",
    ),
    "clock": (("now_ns", "utc_ns", "clocks"), "a Clock, with the methods now_ns, utc_ns, clocks"),
    "sync_burst": (("give",), "sync_burst=SyncBurst()"),
    "say": (("__call__",), "say=print, or another function of one text"),
}
"""Keyword that takes an object -> what is called of it, and an example."""

_FLAGS = ("withhold_text", "lock_list", "leaves")
_REFUSED = "this condition cannot be recorded"
_LONGEST_WORD = 64


def path_of(out: Any) -> str:
    """Return the path of an output as text. Raises Refused for a value of another type."""
    try:
        return os.fsdecode(out)
    except TypeError:
        raise _refused("out", out, '"run.tts.wav", or a Path') from None


def require_text(text: Any) -> None:
    """Raise Refused where what is spoken is neither a string nor bytes."""
    if not isinstance(text, (str, bytes)):
        raise _refused("text=", text, 'text="Hello.", or the bytes that the engine was given')


def require_lists(stated: Mapping[str, Any]) -> None:
    """Raise Refused where a keyword that takes a list is given a word, a number or one entry of it."""
    for key, value in stated.items():
        if value is None or key not in _LISTS:
            continue
        is_one = isinstance(value, (str, bytes, bytearray, dict, numbers.Number)) or not hasattr(value, "__iter__")
        is_absence = isinstance(value, dict) and "reason" in value
        if is_one and not is_absence:
            raise _refused(f"{key}=", value, _LISTS[key])
    for each in stated.get("references") or ():
        if not hasattr(each, "to_value"):
            raise _refused("references=", each, _LISTS["references"])


def require_flags(stated: Mapping[str, Any]) -> None:
    """Raise Refused where a keyword that is true or false is given a word: `"no"` would count as true."""
    for key in _FLAGS:
        if not isinstance(stated.get(key, False), bool):
            raise _refused(f"{key}=", stated[key], f"{key}=True, or False")


def require_parts(**parts: Any) -> None:
    """Raise Refused where an object that is called while a run happens lacks what is called of it."""
    for key, value in parts.items():
        methods, example = _PARTS[key]
        if value is not None and not all(callable(getattr(value, name, None)) for name in methods):
            raise _refused(f"{key}=", value, example)


def require_sections(sections: Mapping[str, Any]) -> None:
    """Raise Refused where a value may not stand at its place of a descriptor."""
    for place, value in sections.items():
        if isinstance(value, str) and len(value) <= _LONGEST_WORD and _is_known(place, value):
            continue
        try:
            schemas.require_valid_at(place, value)
        except InvalidDescriptor as error:
            raise WrongCall(
                _REFUSED, where=error.where, found=error.found, expected=_example_at(error.where)
            ) from error
        except ValueError as error:  # jsonschema-rs: a type that JSON does not have
            raise _refused(place, value, _example_at(place)) from error


@lru_cache(maxsize=1024)
def _is_known(place: str, word: str) -> bool:
    """Return whether a word may stand at its place; the words of most recordings of a process are the same."""
    try:
        schemas.require_valid_at(place, word)
    except InvalidDescriptor:
        return False
    return True


def _example_at(place: str) -> str | None:
    return next((words for at, words in _EXAMPLES.items() if place.startswith(at)), None)


def require_rows(rows: Any) -> None:
    """Raise Refused where the rows of the log of imperfections do not make a trace of that name."""
    names = TRACE_COLUMNS["imperfection"]
    for row in rows or ():
        if not isinstance(row, dict) or not set(row) <= set(names):
            raise _refused("imperfection_log=", row, f"{_LISTS['imperfection_log']}: {', '.join(names)}")
    if rows:
        columns = {name: [row.get(name) for row in rows] for name in names}
        try:
            schemas.require_valid("traces", {"trace": "imperfection", "rows": len(rows), "columns": columns})
        except InvalidDescriptor as error:
            raise _refused("imperfection_log=", rows[0], _LISTS["imperfection_log"]) from error


def whole_number(value: Any, name: str, least: int, most: int) -> int:
    """Return a whole number of a call's keywords; 24000.0 and a scalar of numpy are whole too. Raises Refused."""
    try:
        number = int(value)
        is_whole = least <= number <= most and bool(number == value) and not isinstance(value, bool)
    except (TypeError, ValueError, OverflowError):
        is_whole = False
    if not is_whole:
        expected = f"{least} to {most}" if most < 1 << 32 else f"at least {least}" if least >= 0 else "a whole number"
        raise WrongCall(
            f"{name} is not a whole number in range", where=name, found=repr(value)[:200], expected=expected
        )
    return number


def _refused(where: str, found: Any, expected: str | None) -> WrongCall:
    return WrongCall(_REFUSED, where=where, found=repr(found)[:200], expected=expected)
