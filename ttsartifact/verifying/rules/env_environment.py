"""Environment, seeds and determinism (clauses 4.10, 5.4 and 6.6): whether strangers could build the same conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact import _spec
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.env_numerics import variables
from ttsartifact.verifying.rules.shared import claims_level, entries, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_NOTHING_VISIBLE = frozenset({"", "-1", "none", "void", "nodevfiles"})
_NOT_NVIDIA = frozenset({"rocm", "mps", "xpu", "npu"})
_REPEATING_CLASSES = frozenset({"bitwise", "same_device"})


@rule("ENV01")
def known_software(evidence: Evidence) -> Answer:
    if not claims_level(evidence, "L3"):
        return NotApplicable("applies from L3 on")
    wanted = ["/env/os/version", "/env/os/kernel", "/env/os/libc"]
    if evidence.known("/generation/device") not in {None, "cpu"}:
        wanted += ["/env/runtime", *(f"{where}/driver" for where, _ in entries(evidence, "/env/devices"))]
    return [_unknown(evidence, where) for where in wanted if is_unknown(evidence.at(where))]


@rule("ENV02")
def known_hardware(evidence: Evidence) -> Answer:
    devices = list(entries(evidence, "/env/devices"))
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
        if claims_level(evidence, "L3"):
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
            for where, seed in entries(evidence, "/generation/seeds")
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
    for where, variable in entries(evidence, "/env/variables"):
        if variable["name"] in values:
            faults.append(Mismatch(where=f"{where}/name", found=variable["name"], message="a variable is listed twice"))
        values[variable["name"]] = variable["value"]
    for where, seed in entries(evidence, "/generation/seeds"):
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
    for where, channel in entries(evidence, "/channels"):
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
    for place, (name, value) in enumerate(variables(evidence).items()):
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
