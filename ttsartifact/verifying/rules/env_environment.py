"""Environment, seeds, determinism and arithmetic (clauses 4.10, 5.4, 6.6): whether strangers could build the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.terms.descriptor import is_absent, is_unknown
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.repeated import REPEATED, named_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_NOTHING_VISIBLE = frozenset({"", "-1", "none", "void", "nodevfiles"})
_NOT_NVIDIA = frozenset({"rocm", "mps", "xpu", "npu"})
_REPEATING_CLASSES = frozenset({"bitwise", "same_device"})
_TF32_VARIABLES = frozenset({"NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"})
_PRECISION, _NUMERICS, _DETERMINISM = "/generation/precision", "/generation/numerics", "/generation/determinism"


@rule("ENV01")
def known_software(evidence: Evidence) -> Answer:
    if not evidence.claims_level("L3"):
        return NotApplicable("applies from L3 on")
    wanted = ["/env/os/version", "/env/os/kernel", "/env/os/libc"]
    if evidence.known("/generation/device") not in {None, "cpu"}:
        wanted += ["/env/runtime", *(f"{where}/driver" for where, _ in evidence.entries("/env/devices"))]
    return [_unknown(evidence, where) for where in wanted if is_unknown(evidence.at(where))]


@rule("ENV02")
def known_hardware(evidence: Evidence) -> Answer:
    devices = list(evidence.entries("/env/devices"))
    if not devices:
        return NotApplicable("no accelerator is listed")
    faults = []
    seen: set[int | str] = set()
    for where, device in devices:
        faults += [
            Mismatch(
                where=f"{where}/{key}",
                found=device[key],
                expected="one of its own",
                message="an accelerator is listed twice",
            )
            for key in ("index", "uuid_digest")
            if not is_absent(device[key]) and device[key] in seen
        ]
        seen |= {device[key] for key in ("index", "uuid_digest") if not is_absent(device[key])}
        if evidence.claims_level("L3"):
            limits = ("partition", "power_limit_mw", "max_clock_mhz", "memory_mib")
            faults += [_unknown(evidence, f"{where}/{key}") for key in limits if is_unknown(device[key])]
    return faults


@rule("ENV03")
def backed_determinism(evidence: Evidence) -> Answer:
    expected = evidence.known("/generation/determinism/class")
    if expected not in _REPEATING_CLASSES:
        return NotApplicable("no repeat is expected to be equal")
    faults = []
    seeds, repeat = evidence.at("/generation/seeds"), evidence.known("/generation/determinism/self_repeat")
    if is_absent(seeds):
        if is_unknown(seeds) and repeat != "equal":
            faults.append(
                Mismatch(
                    where="/generation/seeds",
                    found=seeds["reason"],
                    expected="every stage's seed, or not_applicable",
                    message=f"a {expected} repeat is expected, but the seeds are not stated",
                    severity=Severity.WARN,
                )
            )
    else:
        faults += [
            Mismatch(
                where=f"{where}/effective",
                found=seed["effective"]["reason"],
                expected="the seed as the engine saw it",
                message=f"a {expected} repeat is expected, but the seed is not stated",
            )
            for where, seed in evidence.entries("/generation/seeds")
            if is_unknown(seed["effective"]) and is_absent(seed["requested"])
        ]
    if repeat == "differs":
        faults.append(
            Mismatch(
                where="/generation/determinism/class",
                found=expected,
                expected="statistical or none",
                message="the producer's own repeat came out different",
            )
        )
    return faults


@rule("ENV04")
def obeyed_seed(evidence: Evidence) -> Answer:
    if evidence.known("/generation/determinism/class") != "bitwise":
        return NotApplicable("no bitwise repeat is expected")
    if evidence.siblings is None:
        return NotApplicable("one run alone")
    pcm = evidence.known("/audio/pcm")
    if pcm is None:
        return NotApplicable("the audio is lossy")
    others = evidence.siblings.alike(evidence.descriptor)
    if not others:
        return NotApplicable("no other run of these conditions")
    return [
        Mismatch(
            where="/audio/pcm",
            found=pcm,
            expected=f"{other_pcm}, as run {run_id} of the same conditions",
            message="bitwise repeats are expected and two runs of this file differ: is the seed obeyed?",
        )
        for run_id, other_pcm in others
        if other_pcm != pcm
    ][:1]


@rule("ENV05")
def recorded_overrides(evidence: Evidence) -> Answer:
    faults = []
    values: dict[str, str] = {}
    for where, variable in evidence.entries("/env/variables"):
        if variable["name"] in values:
            faults.append(Mismatch(where=f"{where}/name", found=variable["name"], message="a variable is listed twice"))
        values[variable["name"]] = variable["value"]
    for where, seed in evidence.entries("/generation/seeds"):
        asked, effective = seed["requested"], seed["effective"]
        if is_absent(asked) or is_absent(effective) or asked == effective or effective in values.values():
            continue
        faults.append(
            Mismatch(
                where=f"{where}/effective",
                found=effective,
                expected=f"{asked}, as requested, or a variable in /env/variables that says otherwise",
                message=f"no recorded condition explains the effective seed of stage {seed['stage']}",
            )
        )
    return faults


def _unknown(evidence: Evidence, where: str) -> Mismatch:
    value = evidence.at(where)
    return Mismatch(
        where=where,
        found="absent" if value is None else value["reason"],
        expected="a value, or not_applicable",
        message="a condition of the run is not known",
    )


@rule("ENV10")
def possible_device(evidence: Evidence) -> Answer:
    device = evidence.known("/generation/device")
    if device in {None, "cpu", "other"}:
        return NotApplicable("no accelerator of a known kind computed")
    return [*_read_by_another(evidence, device), *_hidden(evidence, device), *_on_no_such_system(evidence, device)]


def _read_by_another(evidence: Evidence, device: str) -> Iterator[Mismatch]:
    if device not in _NOT_NVIDIA:
        return
    for where, channel in evidence.entries("/channels"):
        if channel["source"] == "nvml" and channel["status"] == "ok":
            yield Mismatch(
                where=f"{where}/source",
                found=f"nvml, of a run on {device}",
                expected="a sensor of the device that computed",
                message=f"{channel['name']} was read from an NVIDIA device, but a different kind of device computed",
            )


def _hidden(evidence: Evidence, device: str) -> Iterator[Mismatch]:
    """Yield each variable that hides every device of the kind that is said to have computed."""
    hiding: list[str] = _spec.table("registry/lists")["hiding_variables"].get(device, [])
    for place, (name, value) in enumerate(_variables(evidence).items()):
        if name in hiding and value.strip().lower() in _NOTHING_VISIBLE:
            yield Mismatch(
                where=f"/env/variables/{place}/value",
                found=f"{name}={value}",
                expected=f"a {device} device, or /generation/device cpu",
                message=f"the variable hides every {device} device from the engine",
            )


def _on_no_such_system(evidence: Evidence, device: str) -> Iterator[Mismatch]:
    system = evidence.known("/env/os/name")
    if system is None or device not in {"mps", "rocm"}:
        return
    apple = system.lower().startswith(("macos", "mac os", "darwin", "ios", "ipados", "visionos"))
    if apple == (device == "rocm"):
        yield Mismatch(
            where="/env/os/name",
            found=system,
            expected="macOS" if device == "mps" else "a system other than Apple's",
            message=f"{device} does not exist on this system",
        )


@rule("ENV08")
def backed_exactness(evidence: Evidence) -> Answer:
    numerics = evidence.known(_NUMERICS)
    if numerics is None:
        return NotApplicable("no profile of numerics is stated")
    faults = []
    if numerics["kat_passed"] and is_absent(numerics["kat_digest"]):
        faults.append(_no_exact("/generation/numerics/kat_digest", "absent", "the digest of the known answers"))
    if numerics["profile"] != "exact":
        return faults
    if not numerics["kat_passed"]:
        faults.append(_no_exact("/generation/numerics/kat_passed", found=False, expected=True))
    return faults + list(_inexact(evidence))


@rule("ENV09")
def agreeing_parameters(evidence: Evidence) -> Answer:
    params = evidence.at("/generation/params")  # parameters of the names that an absence has are parameters
    faults = [*_repeated(evidence, params), *_flagged(evidence), *_overridden(evidence)]
    return (
        faults
        if faults or params or _variables(evidence)
        else NotApplicable("no parameter or variable repeats a field")
    )


def _variables(evidence: Evidence) -> dict[str, str]:
    """Return the recorded environment variables by name."""
    return {entry["name"]: entry["value"] for _, entry in evidence.entries("/env/variables")}


def _inexact(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield statements of the run that contradict exact arithmetic."""
    dtype = evidence.known(f"{_PRECISION}/dtype")
    words: list[str] = _spec.table("registry/lists")["exact_types"]
    if dtype is not None and not dtype.lower().startswith(tuple(words)):
        yield _no_exact(f"{_PRECISION}/dtype", dtype, f"a type that holds integers exactly: {', '.join(words)}")
    for key in ("tf32", "autocast"):
        if evidence.known(f"{_PRECISION}/{key}") is True:
            yield _no_exact(f"{_PRECISION}/{key}", found=True, expected=False)
    expected = evidence.known(f"{_DETERMINISM}/class")
    if expected != "bitwise":
        yield _no_exact(f"{_DETERMINISM}/class", expected, "bitwise")
    elif evidence.known(f"{_DETERMINISM}/self_repeat") == "differs":
        yield _no_exact(f"{_DETERMINISM}/self_repeat", "differs", "equal")


def _no_exact(where: str, found: Any, expected: Any) -> Mismatch:
    return Mismatch(where=where, found=found, expected=expected, message="this contradicts the profile `exact`")


def _repeated(evidence: Evidence, params: dict[str, Any]) -> Iterator[Mismatch]:
    """Yield each parameter of a field's own name that does not agree with the field."""
    named = named_by("repeated")
    for key, value in params.items():
        field = REPEATED.get(named.get(key, ""))
        expected_value = None if field is None else field.differing(evidence, value)
        if field is not None and expected_value is not None:
            yield Mismatch(
                where=f"/generation/params/{key}",
                found=value,
                expected=f"{expected_value[0]}, as {field.place}",
                message="the parameter and the field disagree",
            )


def _flagged(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield each flag of determinism that allows TF32 where none was used, or forbids it where it was."""
    tf32 = evidence.known(f"{_PRECISION}/tf32")
    for place, flag in enumerate(evidence.known(f"{_DETERMINISM}/flags")):
        name, _, value = flag.lower().partition("=")
        if (
            tf32 is not None
            and name.endswith("allow_tf32")
            and value in {"true", "false"}
            and (value == "true") != tf32
        ):
            yield Mismatch(
                where=f"/generation/determinism/flags/{place}",
                found=flag,
                expected=f"{str(tf32).lower()}, as /generation/precision/tf32",
                message="the flag and /generation/precision disagree",
            )


def _overridden(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield each variable that forces TF32 on or off against the stated precision (a driver obeys it above all)."""
    tf32, dtype = evidence.known(f"{_PRECISION}/tf32"), evidence.known(f"{_PRECISION}/dtype") or ""
    if evidence.known("/generation/device") != "cuda" or tf32 is None or dtype.startswith(("float64", "int")):
        return
    for place, (name, value) in enumerate(_variables(evidence).items()):
        forces = name in _TF32_VARIABLES and value in {"0", "1"}
        if forces and (value == "1") != tf32:
            yield Mismatch(
                where=f"/env/variables/{place}/value",
                found=f"{name}={value}",
                expected=f"{int(tf32)}, or /generation/precision/tf32 {str(not tf32).lower()}",
                message="the variable overrides the stated precision",
            )
