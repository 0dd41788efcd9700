"""A run on the CPU and the log of a meter, aligned and carried in one file: `python examples/power/record.py [FOLDER]`.

The machine of the sample had no meter and no readable RAPL, so the meter is a stated formula over a measured load:
another process reads ten times a second how much processor time the run has used (/proc/PID/stat) and writes
20 W + 35 W for each busy core. The load is real, the watts are not. With a meter of your own, start its log and give
its file to `ttsa align`; with RAPL say `--sensor rapl`. Everything else is the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from ttsartifact import RunOptions, SyncBurst, run_runner, verify
from ttsartifact.cli import main as ttsa

HERE = Path(__file__).resolve().parent
TEXT = "The model, the sound and the power of this run lie in one file."
IDLE_W, CORE_W, EVERY_S = 20.0, 35.0, 0.1
CHIP_S = 0.5


def write_log(pid: int, path: Path) -> None:
    """Write time in epoch nanoseconds and watts by the formula above, until the parent ends this process."""
    tick = os.sysconf("SC_CLK_TCK")

    def used_s() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / tick  # utime and stime, proc(5)

    with path.open("w", encoding="utf-8", buffering=1) as log:
        log.write("Timestamp (ns),Power Draw (W)\n")
        before_s, before = time.monotonic(), used_s()
        while True:
            time.sleep(EVERY_S)
            now_s, now = time.monotonic(), used_s()
            log.write(f"{time.time_ns()},{IDLE_W + CORE_W * (now - before) / (now_s - before_s):.2f}\n")
            before_s, before = now_s, now


def main() -> int:
    """Record, align, carry, verify."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    run, log, metered = folder / "run.tts.wav", folder / "formula.csv", folder / "metered.tts.wav"
    meter = subprocess.Popen([sys.executable, __file__, "--log", str(os.getpid()), str(log)])
    try:
        time.sleep(1)
        options = RunOptions(seed=7, sync_burst=SyncBurst(chip_s=CHIP_S), replace=True)
        notes = "The power is a formula over the measured load of the CPU: see examples/power."
        run_runner("stable-tts", TEXT, run, options, attempt=1, notes=notes)
        time.sleep(1)
    finally:
        meter.terminate()
        meter.wait()
    words = ["align", run, "--sensor", log, "--method", "load-fit", "--lag-ms", "0", "--name", "formula_power_mw"]
    code = ttsa([str(word) for word in [*words, "--append", "-o", metered, "--force"]])
    (report,) = verify(metered)
    print(f"{metered.name}: {report.verdict}, level {report.level_reached}")
    run.unlink()
    log.unlink()  # it travels in the artifact
    return code


if __name__ == "__main__":
    if sys.argv[1:2] == ["--log"]:
        write_log(int(sys.argv[2]), Path(sys.argv[3]))
    sys.exit(main())
