"""What a codec layer does: declared and measured bitrate and loss of espeak-ng's speech sent as Opus packets.

    python benchmarks/codec_layers.py [JSON]

Needs the extra `codec`. The distance is that of log spectra (20 ms frames, 0 to 8 kHz, above -60 dB of the loudest)
between what was sent and what arrived, after the same resampling: Opus at 256 kbit/s without loss.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np

from ttsartifact import PcmFormat
from ttsartifact.perturbing.packets import perturb_packets

TEXT = "The quick brown fox jumps over the lazy dog, and two strangers can now argue conditions, not emotion. " * 3
KBPS, LOSSES_PPM = (6, 8, 12, 16, 24, 32, 48, 64), (0, 10_000, 50_000, 100_000, 200_000)
BURSTS = {"markov": {"p_ppm": 30_000, "r_ppm": 270_000, "k_ppm": 1_000_000, "h_ppm": 0}}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(["espeak-ng", "-w", path, TEXT], check=True)
        with wave.open(str(path)) as file:
            pcm, sound = file.readframes(file.getnframes()), PcmFormat(file.getframerate(), 1, 2)
    best = sent(pcm, sound, 256, {"per_packet_ppm": 0})[0]
    seconds = len(pcm) / 2 / sound.rate_hz
    print(f"{seconds:.1f} s of espeak-ng; declared and measured")
    print(
        f"{'kbit/s':>7} {'measured':>9} | {'loss':>6} {'measured':>9} {'packets':>8} {'bytes lost':>10} {'LSD dB':>7}"
    )
    rows = [row(pcm, sound, best, kbps, {"per_packet_ppm": 0}, "0 %") for kbps in KBPS]
    rows += [row(pcm, sound, best, 24, {"per_packet_ppm": ppm}, f"{ppm / 10_000:g} %") for ppm in LOSSES_PPM[1:]]
    rows.append(row(pcm, sound, best, 24, BURSTS, "bursts 10 %"))
    rows.append(row(pcm, sound, best, 24, BURSTS, "the same, repeated", conceal="repeat"))
    switched = {"kind": "bitrate_switch", "bitrates_bps": [6_000, 64_000]}
    rows.append(row(pcm, sound, best, 24, {"per_packet_ppm": 50_000}, "24, 6, 64 by turns", **switched))
    if len(sys.argv) > 1:
        found = {"seconds": seconds, "rows": rows}
        Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def row(pcm: bytes, sound: PcmFormat, best: np.ndarray, kbps: int, trigger: dict, said: str, **params: object) -> dict:
    """Print one layer's figures and return them."""
    made, found = sent(pcm, sound, kbps, trigger, **params)
    fired = [event for event in found.rows if event["fired"]]
    rate = len(fired) / len(found.rows)
    gone = sum(event["bytes_lost"] or 0 for event in fired)
    print(
        f"{kbps:7} {found.measured_bps / 1000:9.2f} | {said:>6} {rate:8.2%} {len(found.rows):8} {gone:10} "
        f"{distance(best, made):7.2f}"
    )
    return {
        "kbps": kbps, "measured_kbps": found.measured_bps / 1000, "trigger": said, "fired_percent": 100 * rate,
        "packets": len(found.rows), "bytes_lost": gone, "distance_db": distance(best, made),
    }  # fmt: skip


def sent(
    pcm: bytes, sound: PcmFormat, kbps: int, trigger: dict, kind: str = "packet_loss", **params: object
) -> tuple[np.ndarray, object]:
    """Return the samples that arrived, and everything else of it."""
    layer = {"id": "loss", "stage": "codec", "kind": kind, "trigger": trigger, "shape": {}, "enabled": True}
    found = perturb_packets(pcm, sound, layer | {"bitrate_bps": kbps * 1000, "params": params}, "4711")
    return np.frombuffer(found.pcm, "<i2").astype(float), found


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean over frames of the root mean square difference of log spectra."""
    spectra = []
    for samples in (one, other):
        frames = samples[: len(samples) // 960 * 960].reshape(-1, 960) * np.hanning(960)
        spectra.append(np.abs(np.fft.rfft(frames, axis=1))[:, :160] + 1e-9)
    floor = spectra[0].max() * 1e-3
    logs = [20 * np.log10(np.maximum(spectrum, floor)) for spectrum in spectra]
    heard = spectra[0].max(axis=1) > floor
    return float(np.sqrt(((logs[0] - logs[1])[heard] ** 2).mean(axis=1)).mean())


if __name__ == "__main__":
    main()
