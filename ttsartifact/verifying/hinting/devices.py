"""Devices, systems and libraries that are seldom found together (clauses 4.10, 5.4 and 6.6)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import late_pattern
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Mismatch
from ttsartifact.verifying.hinting import hint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_MIB = 1 << 20
_MOST_CORES = 8_192  # of one Linux kernel on x86-64, the most that any is built for
_MOST_MIB = 1 << 28  # 256 TiB, all that 48 bits of address reach
_YEAR = late_pattern(r"\b20\d\d\b")
_WORDS = frozenset({"ada", "ti"})  # of a model's name; all else in it is letters and numbers
_SPOKEN_WITH_A_VOWEL = frozenset("AEFHILMNORSX")  # letters, as they are spelled out
_X86 = ("x86", "amd64", "i386", "i486", "i586", "i686", "x64")
_ARM = ("aarch64", "arm")
_X86_SETS = ("sse", "avx", "mmx", "ssse", "fma", "f16c", "amx", "bmi")
_ARM_SETS = ("neon", "asimd", "sve", "sme", "i8mm", "fphp", "bf16mm")
_X86_MODELS = late_pattern(r"\b(intel|amd|xeon|epyc|ryzen|core\(tm\)|celeron|pentium)\b", re.IGNORECASE)
_ARM_MODELS = late_pattern(r"\b(apple m\d|neoverse|cortex|graviton|ampere|snapdragon)\b", re.IGNORECASE)


@hint("ENV11")
def known_model(evidence: Evidence) -> Iterator[Mismatch]:
    """A device's memory, power limit and clock are those of its model (registry/devices.toml)."""
    table = _spec.table("registry/devices")
    kind = evidence.known("/generation/device")
    for where, device in evidence.entries("/env/devices"):
        vendor = next((name for name, words in table["vendors"].items() if _holds(device["model"], words)), None)
        makers = table["makers"].get(kind)
        if vendor is not None and makers is not None and vendor not in makers:
            yield Mismatch(where=f"{where}/model", found=device["model"], message=f"not a device of {kind}")
        entry = max((e for e in table["device"] if _holds(device["model"], [e["name"]])), key=_length, default=None)
        if entry is not None and not _holds(device["model"], table["other_boards"]):
            yield from _beyond_model(where, device, entry, table["tolerance"])


@hint("ENV12")
def one_machine(evidence: Evidence) -> Iterator[Mismatch]:
    """Processor, system, libraries and driver are of one machine (clause 6.6)."""
    yield from _processor(evidence)
    yield from _libraries(evidence)
    yield from _unknown_versions(evidence)
    weights = sum(entry["size"] for _, entry in evidence.entries("/pins/model/files"))
    memory, cores = evidence.known("/env/memory_mib"), evidence.known("/env/cpu/logical_cores")
    if cores is not None and cores > _MOST_CORES:
        yield _odd("/env/cpu/logical_cores", cores, f"no system has more than {_MOST_CORES}")
    if memory is not None and memory > _MOST_MIB:
        yield _odd("/env/memory_mib", f"{memory} MiB", "no machine has so much")
    if memory is not None and weights > memory * _MIB:
        yield _odd("/env/memory_mib", f"{memory} MiB", f"less than the {weights} bytes of the model")
    devices = evidence.known("/env/devices") or []
    system = evidence.known("/env/os/name") or ""
    if devices and evidence.known("/generation/device") == "cuda" and system.lower().startswith(("macos", "darwin")):
        yield _odd("/env/os/name", system, "CUDA has not been made for it since 2019")


def _holds(model: str, words: list[str]) -> bool:
    """Return whether a model's name holds one of `words`, each as whole words."""
    folded = _folded(model)
    return any(f" {word} " in folded for word in words)


@lru_cache(maxsize=256)  # one name is compared with every device of the table
def _folded(model: str) -> str:
    return f" {re.sub('[^a-z0-9]+', ' ', model.lower())} "


def _length(entry: dict[str, Any]) -> int:
    return len(entry["name"])


def _beyond_model(
    where: str, device: dict[str, Any], entry: dict[str, Any], slack: dict[str, int]
) -> Iterator[Mismatch]:
    memory, limit, clock = (device[key] for key in ("memory_mib", "power_limit_mw", "max_clock_mhz"))
    whole = is_absent(device["partition"])
    if whole and not is_absent(memory):
        spans = [
            (gib * 1024 * slack["least_memory_percent"], gib * 1024 * slack["most_memory_percent"])
            for gib in entry["memory_gib"]
        ]
        if not any(low <= memory * 100 <= high for low, high in spans):
            sizes = " or ".join(f"{gib}" for gib in entry["memory_gib"])
            yield _other(f"{where}/memory_mib", f"{memory / 1024:.1f} GiB", f"{sizes} GiB", entry)
    if not is_absent(limit) and limit > entry["power_w"] * 10 * slack["most_power_percent"]:
        yield _other(f"{where}/power_limit_mw", f"{limit / 1000:g} W", f"{entry['power_w']} W", entry)
    if "clock_mhz" in entry and not is_absent(clock) and clock * 100 > entry["clock_mhz"] * slack["most_clock_percent"]:
        yield _other(f"{where}/max_clock_mhz", f"{clock} MHz", f"{entry['clock_mhz']} MHz", entry)


def _other(where: str, found: str, usual: str, entry: dict[str, Any]) -> Mismatch:
    return Mismatch(where=where, found=found, message=f"{_title(entry['name'])} has {usual}")


def _title(name: str) -> str:
    """Return a name of the table as its maker spells it, with its article.

    Example:
        >>> _title("rtx 4070 ti")
        'an RTX 4070 Ti'
    """
    spelled = " ".join(word.title() if word in _WORDS else word.upper() for word in name.split())
    return f"{'an' if spelled[0] in _SPOKEN_WITH_A_VOWEL else 'a'} {spelled}"


def _odd(where: str, found: Any, message: str) -> Mismatch:
    return Mismatch(where=where, found=found, message=message)


def _processor(evidence: Evidence) -> Iterator[Mismatch]:
    machine = evidence.known("/env/os/machine") or ""
    folded = machine.lower()
    x86, arm = (any(word in folded for word in words) for words in (_X86, _ARM))
    if x86 == arm:
        return
    foreign, models = (_ARM_SETS, _ARM_MODELS) if x86 else (_X86_SETS, _X86_MODELS)
    for place, word in enumerate(evidence.known("/env/cpu/isa") or []):
        if word.lower().startswith(foreign):
            yield _odd(f"/env/cpu/isa/{place}", word, f"an instruction set that no {machine} has")
    model = evidence.known("/env/cpu/model") or ""
    if models.search(model):
        yield _odd("/env/cpu/model", model, f"not a processor of {machine}")


def _libraries(evidence: Evidence) -> Iterator[Mismatch]:
    kind, libc = evidence.known("/generation/device"), evidence.known("/env/os/libc") or ""
    system = (evidence.known("/env/os/name") or "").lower()
    glibc: list[str] = _spec.table("registry/lists")["glibc_systems"]
    if libc.lower().startswith("musl") and system.startswith(tuple(glibc)):
        yield _odd("/env/os/libc", libc, f"not the C library of {system}")
    if libc.lower().startswith(("glibc", "musl")) and system.startswith(("windows", "macos", "darwin")):
        yield _odd("/env/os/libc", libc, f"not the C library of {system}")
    found = [(where, tool) for place in ("/env/runtime", "/env/packages") for where, tool in evidence.entries(place)]
    cuda = next((tool["version"] for _, tool in found if tool["name"].lower() == "cuda"), None)
    for where, tool in found:
        build = re.search(r"\+(cpu|cu(\d+)(\d)|rocm)", tool["version"]) if tool["name"].lower() == "torch" else None
        if build is None:
            continue
        wrong = {"cpu": {"cuda", "rocm", "xpu", "mps"}, "rocm": {"cuda", "mps"}}.get(build[1], {"rocm", "mps", "xpu"})
        if kind in wrong:
            yield _odd(f"{where}/version", tool["version"], f"a build that computes on no {kind}")
        elif build[2] and cuda is not None and not cuda.startswith(f"{build[2]}.{build[3]}"):
            yield _odd(f"{where}/version", f"{tool['version']} with CUDA {cuda}", "built for a different CUDA version")
    yield from _drivers(evidence, cuda)


def _unknown_versions(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield versions that nobody published, of Python and of the C library."""
    majors: dict[str, list[str]] = _spec.table("registry/lists")["majors"]
    python, libc = evidence.known("/env/python"), evidence.known("/env/os/libc")
    found = [] if python is None else [("/env/python/version", python["name"], python["version"])]
    if python is not None and (built := _YEAR.search(python.get("build", ""))) and built[0] > _year_of(evidence):
        yield _odd("/env/python/build", python["build"], "built after the run")
    library = evidence.known("/env/sound_library")
    if library is not None:
        found.append(("/env/sound_library/version", library["name"], library["version"]))
    if libc is not None:
        name, _, version = libc.rpartition(" ")
        found.append(("/env/os/libc", name, version))
    for where, name, version in found:
        known, major = majors.get(name.lower()), re.match(r"\d+", version)
        if known is not None and major is not None and major[0] not in known:
            yield _odd(where, f"{name} {version}", f"no version of {name} begins so")


def _year_of(evidence: Evidence) -> str:
    began: str = evidence.known("/timebase/origin/utc") or "9999"
    return began[:4]


def _drivers(evidence: Evidence, cuda: str | None) -> Iterator[Mismatch]:
    least = _spec.table("registry/devices")["cuda_drivers"].get((cuda or "").partition(".")[0])
    for where, device in evidence.entries("/env/devices"):
        driver = device["driver"]
        if not is_absent(driver) and _holds(device["model"], ["nvidia"]) and not driver[:1].isdecimal():
            yield _odd(f"{where}/driver", driver, "no driver of NVIDIA begins so")
        major = 0 if is_absent(driver) else int((re.match(r"\d+", driver) or ["0"])[0])
        if least is not None and 0 < major < least:
            yield _odd(f"{where}/driver", driver, f"CUDA {cuda} needs driver {least}")
