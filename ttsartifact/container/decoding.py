"""Decodes one sound that a stranger made, in a process of its own, and says in one line of JSON what came out.

Run as a script with a file on stdin: `decoding.py FORMAT SUBTYPES BITS MAX_FRAMES MAX_SAMPLES MEMORY_BYTES CPU_S ENDS
[PCM]`, where ENDS is a file with the frames at which the chunks to be digested end, a JSON array, and PCM one to keep
the samples in: integers packed at their depth, and 32-bit floats of what has no depth. What a decoder may take of
memory and time is bounded before the first byte is looked at; a decoder that crashes affects no other process.
It imports nothing of ttsartifact: whatever breaks here stays here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import BinaryIO

BLOCK_FRAMES = 4096
# Bytes of a left-justified 32-bit little-endian sample.
_WIDTHS = {8: slice(3, 4), 16: slice(2, 4), 24: slice(1, 4), 32: slice(0, 4)}


def main(argv: list[str]) -> None:
    """Decode stdin to its last frame within the limits given, and print the facts or the reason why not."""
    container, subtypes, bits, max_frames, max_samples, memory_bytes, cpu_s, ends, *kept = argv
    short = _bound(int(memory_bytes), int(cpu_s))
    try:
        import soundfile  # noqa: F401 - what is missing here is no fact about the file
    except (ImportError, OSError, MemoryError) as error:
        needed = f"{short} and decoding takes {memory_bytes}" if short else f"soundfile: {error}"
        print(json.dumps({"unavailable": needed[:300]}))  # noqa: T201 - the answer is this process's output
        return
    try:
        with open(ends, encoding="utf-8") as file:
            chunks = Chunks(json.load(file))
        with open(kept[0] if kept else os.devnull, "wb") as pcm:
            bounds = int(max_frames), int(max_samples)
            answer = decode(container, subtypes.split(","), int(bits), bounds, chunks, pcm if kept else None)
    except ImportError as error:  # a fault of this machine, and no fact about the file
        answer = {"unavailable": str(error)}
    except MemoryError:
        answer = {"too_large": f"more than {memory_bytes} bytes of memory"}
        if short:
            answer = {"unavailable": f"{short} and decoding takes up to {memory_bytes}"}
    except Exception as error:  # noqa: BLE001 - whatever a decoder throws is a fact about the file
        answer = {"error": str(error)[:300] or type(error).__name__}
    print(json.dumps(answer))  # noqa: T201 - the answer is this process's output


class Chunks:
    """Digests of the PCM between one frame of `ends` and the next, from frame 0 on."""

    def __init__(self, ends: list[int]) -> None:
        self._ends, self._frame, self._state = iter(ends), 0, hashlib.sha256()
        self._end: int | None = next(self._ends, None)
        self.digests: list[str] = []

    def feed(self, pcm: memoryview, width: int) -> None:
        """Take whole frames of `width` bytes."""
        while self._end is not None and pcm:
            taken = pcm[: (self._end - self._frame) * width]
            self._state.update(taken)
            self._frame += len(taken) // width
            pcm = pcm[len(taken) :]
            if self._frame == self._end:
                self.digests.append(self._state.hexdigest())
                self._end, self._state = next(self._ends, None), hashlib.sha256()


def decode(
    container: str, subtypes: list[str], bits: int, bounds: tuple[int, int], chunks: Chunks, pcm: BinaryIO | None = None
) -> dict[str, Any]:
    """Return what decoding the file on stdin shows, within `bounds` of frames and of samples over all channels.

    Frames are counted, never believed.
    """
    import soundfile

    sha256, md5, frames = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with soundfile.SoundFile(0, closefd=False) as sound:
        if sound.format != container or sound.subtype not in subtypes:
            return {"error": f"the decoder sees {sound.format}/{sound.subtype}, not {container}"}
        max_frames = min(bounds[0], bounds[1] // sound.channels)
        block = bytearray(4 * sound.channels * BLOCK_FRAMES)
        while got := sound.buffer_read_into(block, "int32" if bits else "float32"):
            frames += got
            if frames > max_frames:
                return {"too_large": f"more than {max_frames} frames"}
            if bits:
                packed = _packed(block[: 4 * sound.channels * got], bits)
                sha256.update(packed)
                md5.update(packed)
                chunks.feed(memoryview(packed), sound.channels * bits // 8)
            if pcm is not None:
                pcm.write(packed if bits else block[: 4 * sound.channels * got])
        return {
            "frames": frames,
            "sample_rate_hz": sound.samplerate,
            "channels": sound.channels,
            "pcm_sha256": sha256.hexdigest() if bits else None,
            "pcm_md5": md5.hexdigest() if bits else None,
            "chunks": chunks.digests,
        }


def _packed(samples: bytearray, bits: int) -> bytearray:
    """Return left-justified 32-bit samples as integers of `bits`, packed (clause 8.3)."""
    kept = range(*_WIDTHS[bits].indices(4))
    packed = bytearray(len(samples) // 4 * len(kept))
    for place, byte in enumerate(kept):
        packed[place :: len(kept)] = samples[byte::4]
    return packed


def _bound(memory_bytes: int, cpu_s: int) -> str:
    """Bound memory and processor time as far as this system lets us; say where its own limit on memory is lower.

    A limit can be lowered and not raised. A system that refuses (macOS does for addresses) leaves the caller's timeout.
    """
    try:
        import resource
    except ImportError:
        return ""
    short = ""
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        held = [limit for limit in resource.getrlimit(kind) if limit != resource.RLIM_INFINITY]
        lowest = min(held, default=soft)
        if kind == resource.RLIMIT_AS and lowest < soft:
            short = f"this process may take {lowest} bytes of memory"
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (min(soft, lowest), min([hard, *held])))
    return short


if __name__ == "__main__":
    main(sys.argv[1:])
