"""How much of a data set of 400 runs with audio is read to look at its flat columns."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent / "tests")]

import kit
import pyarrow.parquet as pq

from ttsartifact.packing import carriers

SEED_COLUMNS = [
    "run_id", "t_submit", "t_first_token", "t_last_token", "model_repo", "vocoder_repo", "engine", "gpu_model",
    "clock_mhz", "power_w", "util_gpu", "sample_rate_hz", "bit_depth", "codec", "input_text_hash", "ref_audio_hashes",
    "output_audio_hash", "failed_promotion", "notes",
]  # fmt: skip


class Counting:
    """A file that counts the bytes that are read from it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        """Read and count."""
        data = self._file.read(size)
        self.taken += len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def main() -> None:
    """Write 400 runs, read the seed columns, print the share of bytes."""
    folder = Path(tempfile.mkdtemp(prefix="ttsa-bench-"))
    try:
        runs = []
        for number in range(400):
            audio = kit.wav(kit.tone(64_000 + number))
            runs.append(kit.artifact(folder, name=f"{number}.tts.wav", audio=audio, run=kit.draft(traces=())))
        table = folder / "set.tts.parquet"
        carriers.convert(runs, table)
        size = table.stat().st_size
        file = Counting(table)
        found = pq.read_table(file, columns=SEED_COLUMNS)
        print(
            f"{len(found)} runs, {size} bytes; the {len(SEED_COLUMNS)} flat columns took {file.taken} bytes, "
            f"{100 * file.taken / size:.2f} %; goal under 2 %"
        )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
