"""Whether device, sensors, system and variables can belong to one machine (clauses 4.10 and 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact import _spec
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.env_numerics import variables
from ttsartifact.verifying.rules.shared import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_NOTHING_VISIBLE = frozenset({"", "-1", "none", "void", "nodevfiles"})
_NOT_NVIDIA = frozenset({"rocm", "mps", "xpu", "npu"})


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
