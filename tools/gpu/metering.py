"""The step `meter`: a run between two coded loads of the device, beside a log that another program writes of its power.

The log is put on the run's axis twice, by the code and by the clocks of one machine; both places must agree within
their bounds, and the artifact that carries the log must verify. Where RAPL can be read, a run on the CPU carries its
energy too.
"""

from __future__ import annotations

import glob
import io
import json
import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from steps import Work

SMI = ("nvidia-smi", "--query-gpu=timestamp,power.draw.instant", "--format=csv", "-lms", "100")
CHIP_S = 0.5
BY_PYNVML = """
import time, pynvml as nv
nv.nvmlInit()
handle = nv.nvmlDeviceGetHandleByIndex(0)
print("Timestamp (ns),Power Draw (W)", flush=True)
while True:
    instant = nv.nvmlDeviceGetFieldValues(handle, [nv.NVML_FI_DEV_POWER_INSTANT])[0]
    print(f"{time.time_ns()},{instant.value.uiVal / 1000}", flush=True)
    time.sleep(0.1)
"""
"""The meter where nvidia-smi is not installed."""
LAG_MS = "100"
"""What a driver shows may be as old as this: an H100 renews its power ten times a second."""


def meter(work: Work, weights: list[str], spoken: str) -> dict[str, Any]:
    """Record, align by both ways, carry the log in a new artifact, verify it."""
    folder = work.results / "meter"
    folder.mkdir(parents=True, exist_ok=True)
    run, log, metered = folder / "run.tts.wav", folder / "power.csv", folder / "metered.tts.wav"
    if work.pretend:
        _record(run, spoken, weights, load=None, chip_s=0.02, device="cpu")
        _write_pretended(run, log)
    else:
        with _metered(log):
            time.sleep(3)
            _record(run, spoken, weights, load=_busy, chip_s=CHIP_S, device="cuda")
            time.sleep(3)
    here = time.strftime("%z")  # nvidia-smi writes the machine's own time
    zone = ("--zone", f"{here[:3]}:{here[3:]}")
    by_code = _aligned(run, log, "load-fit", *zone)
    by_clock = _aligned(run, log, "clock", "--sync-ms", "1", *zone)
    apart = abs(by_code["offset_ns"] - by_clock["offset_ns"])
    _ttsa(
        "align",
        run,
        "--sensor",
        log,
        "--method",
        "load-fit",
        "--lag-ms",
        LAG_MS,
        "--append",
        "-o",
        metered,
        "--force",
        *zone,
    )
    if not work.pretend and apart > by_code["bound_ns"] + by_clock["bound_ns"]:
        raise RuntimeError(f"the places by code and by clock are {apart / 1e6:.1f} ms apart, more than their bounds")
    said = json.loads(_ttsa("verify", metered, "--format", "json"))[0]
    return {
        "written by": "this script" if work.pretend else SMI[0] if shutil.which(SMI[0]) else "pynvml",
        "against": by_code["against"],
        "places apart": f"{apart / 1e6:.1f} ms, bounds {by_code['bound_ns'] / 1e6:.0f} and "
        f"{by_clock['bound_ns'] / 1e6:.0f} ms",
        "with the log": said["verdict"],
        "RAPL": _cpu_run(folder, spoken, weights),
    }


def _record(run: Path, spoken: str, weights: list[str], *, load: Any, chip_s: float, device: str) -> None:
    from ttsartifact import Nvml, RunOptions, SyncBurst, run_runner

    burst = SyncBurst(chip_s=chip_s) if load is None else SyncBurst(chip_s=chip_s, load=load)
    options = RunOptions(
        seed=7, sync_burst=burst, replace=True, sensor=Nvml() if device == "cuda" else None,
        parameters={"device": device} | ({"steps": 1} if weights else {}),
        weights={os.path.basename(path): path for path in weights},
    )  # fmt: skip
    run_runner("stable-tts", spoken, run, options, attempt=1)


def _busy(is_over: Callable[[], bool]) -> None:
    """Multiply matrices on the device until it is over; each product ends before the next begins."""
    import torch

    x = torch.randn(4096, 4096, device="cuda")
    while not is_over():
        x = torch.nn.functional.normalize(x @ x)
        torch.cuda.synchronize()


@contextmanager
def _metered(log: Path) -> Iterator[None]:
    """Have another process write the device's power while the block runs."""
    command = list(SMI) if shutil.which(SMI[0]) else [sys.executable, "-c", BY_PYNVML]
    with log.open("w", encoding="utf-8") as file, subprocess.Popen(command, stdout=file) as child:
        try:
            yield
        finally:
            child.terminate()


def _aligned(run: Path, log: Path, method: str, *more: str) -> dict[str, Any]:
    words = ("align", run, "--sensor", log, "--method", method, "--lag-ms", LAG_MS, "--format", "json")
    return dict(json.loads(_ttsa(*words, *more))["mapping"])


def _ttsa(*words: Any) -> str:
    from ttsartifact.cli import main

    said = io.StringIO()
    with redirect_stdout(said):
        code = main([str(word) for word in words])
    if code:
        raise RuntimeError(f"ttsa {' '.join(map(str, words))}: exit code {code}\n{said.getvalue()}")
    return said.getvalue()


def _cpu_run(folder: Path, spoken: str, weights: list[str]) -> str:
    """Record a run on the CPU with the processors' energy, where it can be read."""
    if not any(os.access(path, os.R_OK) for path in glob.glob("/sys/class/powercap/*/energy_uj")):
        return "cannot be read"
    out = folder / "cpu.tts.wav"
    more = [word for path in weights for word in ("--weights", path)] + (["--steps", "1"] if weights else [])
    _ttsa("run", spoken, "--sensor", "rapl", "--attempt", "1", "-o", out, "--force", *more)
    return str(json.loads(_ttsa("verify", out, "--format", "json"))[0]["verdict"])


def _write_pretended(run: Path, log: Path) -> None:
    """Write what a meter would have seen of the code: 40 W, 60 more while it loads, every 10 ms, in UTC."""
    from ttsartifact import open as open_artifact
    from ttsartifact.formulas.timebase import from_utc

    artifact = open_artifact(run)
    code = artifact.trace("channel/sync_burst")
    assert code is not None
    origin_ns = from_utc(artifact.descriptor.known("/timebase/origin/utc"))
    drawn, lines, place = random.Random(1), ["Timestamp (ns),Power Draw (W)"], 0
    for t in range(0, code.columns["t_ns"][-1], 10_000_000):
        while place + 1 < code.rows and code.columns["t_ns"][place + 1] <= t:
            place += 1
        watts = 40 + 60 * bool(code.columns["value"][place]) + drawn.gauss(0, 1)
        lines.append(f"{origin_ns + t},{watts:.3f}")
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")
