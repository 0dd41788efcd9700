"""The machine that a run happened on: what can change its samples or times, without its owner's identity.

Facts and variables are taken by allow-list: no host name, user name, home path or serial number (clause 6.6). A value
that holds a path is withheld.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import os
import platform
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent, is_absent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# Distributions that can change samples or times. The others are in the lock by digest, and not told by name.
_PACKAGES = re.compile(
    r"torch|torchaudio|triton|numpy|scipy|onnxruntime(-gpu)?|tensorflow|jax|jaxlib|ctranslate2|transformers|diffusers"
    r"|tokenizers|safetensors|accelerate|librosa|soundfile|soxr|vocos|phonemizer|piper-tts|kokoro|coqui-tts|tts|f5-tts"
    r"|flash-attn|bitsandbytes|vllm|nvidia-[a-z0-9-]+|intel-openmp|mkl|numba|einops|g2p-en|misaki|ttsartifact"
)
_VARIABLES = re.compile(
    r"(CUDA|CUBLAS|CUDNN|OMP|MKL|OPENBLAS|ONEDNN|ATEN|TORCH|PYTORCH|HIP|ORT|ESPEAK)_[A-Z0-9_]*|TORCH[A-Z0-9_]*"
    r"|NVIDIA_TF32_OVERRIDE|PYTHONHASHSEED|LC_ALL|LANG|TZ"
)
_DEVICE_UUID = re.compile(r"(GPU|MIG)-[0-9a-fA-F/-]{8,}")
_ISA = re.compile(
    r"sse4_1|sse4_2|avx|avx2|fma|f16c|avx512[a-z0-9_]*|avx_vnni|amx_[a-z0-9]+|asimd[a-z0-9]*|sve[a-z0-9]*|fphp|bf16|i8mm"
)
_VENDORS = {
    "QEMU": "qemu",
    "KVM": "kvm",
    "VMware": "vmware",
    "VirtualBox": "virtualbox",
    "Microsoft Corporation": "hyper-v",
    "Amazon EC2": "ec2",
    "Google": "gce",
    "Xen": "xen",
}


def capture(
    *,
    devices: list[dict[str, Any]],
    runtime: list[dict[str, Any]],
    no_devices: dict[str, Any],
    in_process: bool,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """Return /env. `no_devices` stands where no device was seen; Python is ours only when the engine runs in it."""
    elsewhere = absent("unknown", "the engine runs outside the recorder's interpreter")
    return {
        "os": _os(),
        "cpu": _cpu(),
        "memory_mib": _memory_mib(),
        "devices": devices or no_devices,
        "runtime": runtime or absent("not_applicable", "no accelerator's runtime was seen"),
        "python": _python() if in_process else elsewhere,
        "packages": packages() if in_process else elsewhere,
        "variables": variables(environ),
        "virtualisation": _virtualisation(environ),
        "sound_library": _sound_library() if in_process else elsewhere,
    }


def unknown() -> dict[str, Any]:
    """Return /env of a run made on a different machine; this machine's properties are not its conditions."""
    there = absent("unknown", "a different machine computed and does not state it")
    names = ("os", "cpu", "memory_mib", "devices", "runtime", "python", "packages", "virtualisation", "sound_library")
    return {**dict.fromkeys(names, there), "variables": []}


def variables(environ: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the variables of the allow-list; a path is withheld, a device's UUID becomes its digest."""
    found = {name: value for name, value in environ.items() if _VARIABLES.fullmatch(name)}
    return [{"name": name, "value": _public(value)} for name, value in sorted(found.items())]


def packages() -> list[dict[str, Any]]:
    """Return the installed distributions of the allow-list by version and by the digest of what was installed."""
    return [dict(entry) for entry in _installed() if _PACKAGES.fullmatch(entry["name"])]


def dependency_lock(path: Sequence[str] | None = None) -> Lock:
    """Return the lock over every distribution on our own path, or on `path`, as `pip-record` (clause 5.8)."""
    nothing = record_digest("")
    found = _installed() if path is None else _distributions(path)
    return Lock.of(
        "pip-record",
        (
            f"{entry['name']}=={entry['version']} {nothing if is_absent(entry['digest']) else entry['digest']}"
            for entry in found
        ),
    )


def record_digest(record: str) -> str:
    """Return the digest over the sorted `path,hash` rows of a RECORD, without what each install makes again."""
    rows = [
        f"{row[0]},{row[1]}\n"
        for row in csv.reader(record.splitlines())
        if len(row) >= 2
        and not row[0].endswith(".pyc")
        and not row[0].startswith("../")
        and os.path.basename(row[0]) not in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
    ]
    return digest.spelled(hashlib.sha256("".join(sorted(rows)).encode()).hexdigest())


@cache
def _installed() -> tuple[dict[str, Any], ...]:
    return _distributions(sys.path)


def _distributions(path: Sequence[str]) -> tuple[dict[str, Any], ...]:
    found: dict[str, dict[str, Any]] = {}
    for distribution in importlib.metadata.distributions(path=list(path)):
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()  # PEP 503
        if not name or name in found:
            continue  # the first on the path is the one that is imported
        record = distribution.read_text("RECORD")
        found[name] = {
            "name": name,
            "version": distribution.version,
            "digest": record_digest(record) if record else absent("unknown", "installed without a RECORD"),
        }
    return tuple(found[name] for name in sorted(found))


def _os() -> dict[str, Any]:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {"NAME": platform.system() or sys.platform, "VERSION_ID": platform.mac_ver()[0]}
    return {
        "name": release["NAME"],
        "version": release.get("VERSION_ID") or absent("unknown", "a rolling release"),
        "kernel": platform.release() or absent("unknown"),
        "machine": platform.machine() or sys.platform,
        "libc": " ".join(platform.libc_ver()).strip() or absent("unknown"),
    }


def _cpu() -> dict[str, Any]:
    facts: dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                facts.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    flags = sorted(filter(_ISA.fullmatch, (facts.get("flags") or facts.get("Features") or "").split()))
    return {
        "model": facts.get("model name") or facts.get("Model") or platform.processor() or platform.machine(),
        "logical_cores": os.cpu_count() or 1,
        "isa": flags[:64] or absent("unknown", "the system does not list them"),
    }


def _memory_mib() -> int | dict[str, Any]:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    except (ValueError, OSError, AttributeError):
        return absent("unknown", "the system does not say")


def _python() -> dict[str, Any]:
    return {
        "name": platform.python_implementation(),
        "version": platform.python_version(),
        "build": " ".join(part for part in (*platform.python_build(), platform.python_compiler()) if part),
    }


def _sound_library() -> dict[str, Any]:
    """Return libsndfile as soundfile loads it. Asked after the run: the import pulls numpy and costs 90 ms."""
    try:
        import soundfile
    except (ImportError, OSError):
        return absent("not_applicable", "libsndfile is not installed")
    return {"name": "libsndfile", "version": soundfile.__libsndfile_version__}


def _virtualisation(environ: Mapping[str, str]) -> str | dict[str, Any]:
    words = [word for word in (_hypervisor(), _container(environ)) if word]
    return " + ".join(words) or absent("unknown", "no sign of any")


def _hypervisor() -> str | None:
    if "gVisor" in _first_line("/proc/version"):
        return "gvisor"
    dmi = " ".join(_first_line(f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name"))
    named = next((word for mark, word in _VENDORS.items() if mark in dmi), None)
    if named is not None:
        return named
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return "hypervisor" if re.search(r"^flags\s*:.*\bhypervisor\b", file.read(), re.MULTILINE) else None
    except OSError:
        return None


def _container(environ: Mapping[str, str]) -> str | None:
    if "KUBERNETES_SERVICE_HOST" in environ:
        return "kubernetes"
    marks = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
    return next((word for mark, word in marks.items() if os.path.exists(mark)), None)


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""


def _public(value: str) -> str:
    value = _DEVICE_UUID.sub(lambda uuid: digest.of(uuid[0].encode()), value)
    return "(a path, withheld)" if re.search(r"[/\\~]", value) else value[:4096]


class Lock(NamedTuple):
    """An installed set of packages."""

    kind: str
    """How the lines are made: `pip-record` or `dpkg-closure`."""
    listing: bytes
    """The sorted lines."""

    @classmethod
    def of(cls, kind: str, lines: Iterable[str]) -> Lock:
        """Return the lock over `lines`, each without its end."""
        return cls(kind, "".join(f"{line}\n" for line in sorted(lines)).encode())

    def to_value(self) -> dict[str, Any]:
        """Return /pins/lock."""
        return {"kind": self.kind, "digest": digest.of(self.listing), "packages": self.listing.count(b"\n")}


PACKAGE_FIELDS = "${Package}\t${Version}\t${Architecture}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
"""What `dpkg-query -W -f` is to print of every package."""

_PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def closure_of(package: str, listing: str) -> Lock | None:
    """Return the lock over `package` and all it depends on, from a listing in `PACKAGE_FIELDS`; None if it is absent.

    Of alternatives, and of the packages that provide a name, every installed one counts: which of them was used, no
    package manager knows.
    """
    rows = [row for line in listing.splitlines() if len(row := line.split("\t")) == 5]
    by_name: dict[str, list[list[str]]] = {}
    for row in rows:
        for name in (row[0], *_names(row[4])):
            by_name.setdefault(name, []).append(row)
    if package not in by_name:
        return None
    found: dict[str, None] = {}
    waiting = [package]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for row in by_name.get(name, ()):
            found[f"{row[0]}={row[1]}:{row[2]}"] = None
            waiting += _names(row[3])
    return Lock.of("dpkg-closure", found)


def _names(relations: str) -> Iterator[str]:
    """Yield the names in `a (>= 1), b:any | c`."""
    for relation in re.split(r"[,|]", relations):
        if (name := _PACKAGE_NAME.match(relation.strip())) is not None:
            yield name[0]
