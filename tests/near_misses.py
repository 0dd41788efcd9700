"""A near miss for every rule: a sound run that a careless implementation of the rule would call broken.

A case of a family's test may hold that of its rule (`kit.Case.near`); rules with a threshold have theirs in
boundaries.py; a rule that no single file can fail has none.
"""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import credentials
import full_run
import imperfect_voice
import judged
import kit
import signed
import statements

from ttsartifact.formulas.timebase import from_utc, to_utc
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["NEAR"]


def full(traces: Any = None, *, resum: bool = False, **edits: Any) -> Callable[[Path], Path]:
    return partial(full_run.artifact, patch=kit.put(**edits), traces=traces, resum=resum)


def adapted(**edits: Any) -> Callable[[Path], Path]:
    """Return a recipe of the rich run whose chain follows its edits."""

    def patch(value: dict[str, Any]) -> None:
        kit.put(**edits)(value)
        full_run.rechain(value)

    return partial(full_run.artifact, patch=patch)


def plain(traces: Any = None, **edits: Any) -> Callable[[Path], Path]:
    return partial(kit.artifact, patch=kit.put(**edits), traces=traces)


def audio(data: bytes, **edits: Any) -> Callable[[Path], Path]:
    return partial(kit.artifact, audio=data, patch=kit.put(**edits))


def with_chunk(name: bytes, body: bytes, *, last: bool = False) -> bytes:
    """Return the tone with a chunk of its own before `fmt `, or behind `data`."""
    bare = kit.wav()
    extra = struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) & 1)
    whole = bare + extra if last else bare[:12] + extra + bare[12:]
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


def rf64(frames: int) -> bytes:
    bare = kit.wav()
    pcm = bare[44:]
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, 72 + len(pcm), len(pcm), frames, 0)
    data = struct.pack("<4sI", b"data", 0xFFFFFFFF) + pcm
    return struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + ds64 + bare[12:36] + data


def one_chunk(values: dict[str, Any]) -> None:
    values["chunks"]["columns"] |= {"t_ns": [41_000_029] * 2}


def twice_at_once(values: dict[str, Any]) -> None:
    values["queue"]["columns"]["t_ns"] = [0, 180_000_001, 180_000_001]


def chunked(frames: int, first: int | None = None, **edits: Any) -> Callable[[Path], Path]:
    """Return a recipe of `frames` frames, the first chunk `first` of them long."""
    log = kit.chunk_log(frames)
    first = frames // 2 if first is None else first
    columns = log.columns | {"frame_start": [0, first], "frame_count": [first, frames - first]}
    run = kit.draft(traces=(Trace("chunks", columns),))
    patch = kit.put(run__times__first_chunk_frames=first, **edits)
    return partial(kit.artifact, audio=kit.wav(kit.tone(frames)), run=run, patch=patch)


def idle(values: dict[str, Any]) -> None:
    values["telemetry"]["columns"]["util_gpu_pct"] = [0] * (full_run.READINGS - 1) + [1]


def twenty_updates(values: dict[str, Any]) -> None:
    """Renew the counter about every 140 ms."""
    counter = values["telemetry"]["columns"]["energy_mj"]
    values["telemetry"]["columns"]["energy_mj"] = [counter[int(row // 2.75 * 2.75)] for row in range(len(counter))]


def nine_tenths(values: dict[str, Any]) -> None:
    counter = values["telemetry"]["columns"]["energy_mj"]
    values["telemetry"]["columns"]["energy_mj"] = [9_000_000 + (value - 9_000_000) * 9 // 10 for value in counter]


PARQUET = "run.tts.parquet"
LISTED = f"numpy==2.0.0 {digest.of(b'one')}\npiper-tts==1.8.0 {digest.of(b'two')}\n"
_RUN = full_run.draft().descriptor
TIMBRE, TARGET, OTHER = _RUN["input"]["refs"]
PRIOR = OTHER | {"role": "prior", "digest": digest.of(b"a prior sample"), "transcript_digest": absent("unknown")}
BASE, _, DELTA = _RUN["pins"]["model"]["files"]
MEASURED = {
    "duration_ms": 15_000,
    "snr_millidb": 31_250,
    "clipped_samples": 3,
    "alignment_milli": -7_120,
    "outlier": False,
}


def encoded(
    kind: str, encoder: dict[str, str] | None = None, *, name: str = PARQUET, **facts: Any
) -> Callable[[Path], Path]:
    """Return a recipe of encoded audio, which comes without a chunk log; `facts` are more of what is said of it."""

    def make(folder: Path) -> Path:
        import numpy as np
        import soundfile

        file = io.BytesIO()
        samples = np.frombuffer(kit.tone(4_000), "<i2")
        soundfile.write(file, samples, kit.RATE_HZ, format=kind, subtype="PCM_16" if kind == "FLAC" else None)
        run = kit.descriptor()["run"]
        run["times"] |= {"first_chunk_frames": absent("not_measured"), "stalls": absent("not_measured")}
        draft = kit.draft(audio={"encoder": encoder or absent("unknown")} | facts, traces=(), run=run)
        return kit.artifact(folder, name=name, audio=file.getvalue(), run=draft)

    return make


def written_anew(folder: Path) -> Path:
    """Write a run of level L0 as a tool writes it that knows nothing of seals."""
    import pyarrow.parquet as pq

    path = kit.artifact(folder, name=PARQUET, patch=kit.put(level="L0"))
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path, compression="zstd", write_statistics=False)
    return path


def as_pandas_writes(folder: Path) -> Path:
    """Write a run as pandas leaves it, with statistics, page indexes and a key of its own, and seal that."""
    import pyarrow.parquet as pq
    import sealing

    path = kit.artifact(folder, name=PARQUET)
    table = pq.read_table(path)
    frame = table.to_pandas(ignore_metadata=True).drop(columns=["audio", "parts", "chunks", "telemetry", "events"])
    keys = type(table).from_pandas(frame).schema.metadata
    return sealing.reshelve(path, table, {"pandas": keys[b"pandas"]}, write_page_index=True)


NEAR: dict[str, Callable[[Path], Path]] = {
    # Words that only look like a carrier's marks, and chunks that nobody knows.
    "CON01": plain(run__notes="fLaC ID3 PAR1 RF64 WAVE"),
    "CON02": audio(with_chunk(b"note", b"", last=True)),
    "CON03": audio(with_chunk(b"note", b"odd")),
    "CON04": plain(run__notes="TTSA/1\nseal sha256:" + "0" * 64 + "\n\n"),
    "CON05": audio(with_chunk(b"note", b"\xff" * 8)),
    "CON06": audio(with_chunk(b"junk", b"\0" * 64, last=True)),
    "CON07": audio(with_chunk(b"LIST", b"INFOICMT\x04\0\0\0own\0", last=True)),
    "CON08": audio(rf64(0)),
    "CON09": encoded("FLAC", name="run.tts.flac"),
    "CON11": partial(kit.artifact, name=PARQUET, patch=kit.put(ext={"org.example": {"notes": 1}})),
    "CON17": as_pandas_writes,
    "CON14": partial(kit.artifact, name=PARQUET, patch=kit.put(run__notes="ttsartifact.seal")),
    # JSON that is odd and sound.
    "CAN01": plain(run__notes="\ufeffna\u00efve \U0001f600 \ufffd"),
    "CAN02": plain(generation__params={"a": {"a": {"a": 1}}}),
    "CAN03": plain(generation__params={"a": 0.5, "b": 1e-7, "c": 1e21, "d": 333333333.3333333}),
    "CAN05": plain(run__notes='\u2028 / " \\ \b\t\u007f \u20ac \ud7ff'),
    "CAN06": plain(
        ext={"https://example.org/Über-Keys": {"a_1": 1}},
        generation__params={"guidanceScale": 3, "speaker-id": 2, "voice.settings": {"2Pass": True, "a:b": 1}},
    ),
    "SCH01": plain(spec_version="1.0"),
    "SCH02": plain(generation__params={"anything": ["goes", {"here": True}]}),
    "SCH03": plain(ext={"org.example": {"sampel_rate": 16_000}}),
    "SCH05": plain(ext={"org.example": {}}, ext_critical=[]),
    "SCH06": plain(run__notes="  a note may have white space around it  "),
    "SCH07": plain(run__notes="none", env__virtualisation="kvm"),
    "SCH09": plain(run__run_id="01HGW2BBG0000000000000000Z"),
    "SCH10": full(level="L2"),
    "HSH01": plain(pins__container_image="sha256:" + "0123456789abcdef" * 3 + "fedcba9876543210"),
    "HSH02": audio(with_chunk(b"note", b"behind the samples", last=True)),
    "HSH03": chunked(799),
    "HSH04": audio(with_chunk(b"note", b"before the samples")),
    "HSH05": plain(run__notes="ttsartifact:1.0 id=sha256:" + "ab" * 32),
    "HSH06": plain(traces__0__name="chunks"),
    "HSH07": chunked(800, 799),
    "HSH08": plain(
        input__text__value="\u00e9 e\u0301\n",
        input__text__digest=digest.of("\u00e9 e\u0301\n".encode()),
        input__text__size=7,
    ),
    "HSH09": full(),
    "HSH10": plain(pins__container_image="sha256:" + "0" * 63 + "1"),
    "HSH14": adapted(generation__seeds__1__effective="77", pins__adaptation__seed="18"),
    "SEA01": written_anew,
    "SEA02": plain(run__notes="seal sha256:" + "0" * 64),
    "SEA04": partial(kit.artifact, name=PARQUET, patch=kit.put(run__notes="ttsartifact.seal sha256:" + "1" * 64)),
    # Pins.
    "PIN01": full(pins__model__uri="https://example.org/main/latest-voice"),
    "PIN03": full(pins__model__files__0__path="..weights/model..safetensors"),
    "PIN04": plain(pins__vocoder={"integrated": True, "detail": "the formants are the voice"}),
    "PIN05": full(pins__engine__name="latest-engine"),
    "PIN06": full(pins__frontend__0__version="1.51-x.y+main.3"),
    "PIN07": full(pins__engine__dirty=False, pins__engine__diff_digest=...),
    "PIN08": full(pins__frontend__0__package="espeak-ng"),
    "PIN09": full(generation__precision__dtype="float16"),
    "PIN10": full(pins__lock__packages=3, pins__lock__digest=digest.of(b"a longer lock")),
    # 5.4: a machine whose accelerator no sensor reads.
    "PIN11": plain(generation__device="mps", env__devices=absent("not_measured"), env__os__name="macOS", level="L1"),
    "PIN12": full(
        pins__adaptation__steps=1,
        pins__adaptation__quality=[MEASURED, MEASURED | {"duration_ms": 5_000, "snr_millidb": absent("not_measured")}],
        pins__adaptation__stopped_early=True,
        pins__adaptation__loss_micro={
            "target_first": 1_250_000,
            "target_last": -980_112,
            "prior_first": absent("not_applicable"),
            "prior_last": absent("not_applicable"),
        },
    ),
    # The chain follows the order of the adaptation, which is not that of the list where order does not matter.
    "PIN17": adapted(
        input__refs_ordered=False,
        input__refs=[TIMBRE, OTHER, TARGET, PRIOR],
        pins__adaptation__with_prior_preservation=True,
        pins__adaptation__prior_refs=[PRIOR["digest"]],
    ),
    "PIN18": full(pins__model__files=[DELTA | {"path": "renamed.bin"}, BASE]),
    "PIN15": plain(
        pins__model={
            "family": "kdaip-stabletts",
            "uri": "https://models.example/KDAIP/StableTTS1.1",
            "revision": digest.of(b"a tree"),
            "files": absent("not_measured"),
        },
        pins__engine__name="stable-tts",  # several models go by that name: it names none
    ),
    # Marking: other software's chunks and frames, answers that do not decide, and exclusions beside the audio.
    "MRK01": plain(generation__marking=[credentials.entry(absent("withheld"), stage="transport")]),
    "MRK02": audio(credentials.grown(kit.wav(), credentials.chunk(b"application/c2pa", b"c2pa"))),
    "MRK03": audio(credentials.wav(kit.wav(), alg="sha512", exclude=[(20, 4), (24, 0)])),
    "MRK04": plain(
        generation__marking=[
            credentials.heard("inconclusive", score_milli=12, threshold_milli=500),
            credentials.heard("present", score_milli=-500, threshold_milli=-500),
        ]
    ),
    "HSH20": partial(kit.artifact, run=replace(kit.draft(), leaves=True), name=PARQUET),
    "PIN24": partial(
        kit.artifact,
        run=replace(kit.draft(), lock=b"speak=1.0:all\n"),
        patch=kit.put(pins__lock={"kind": "dpkg-closure", "digest": digest.of(b"speak=1.0:all\n"), "packages": 1}),
        name=PARQUET,
    ),
    "PIN25": partial(
        kit.artifact,
        run=replace(kit.draft(), lock=LISTED.encode()),
        patch=kit.put(
            pins__lock={"kind": "pip-record", "digest": digest.of(LISTED.encode()), "packages": 2},
            env__packages=[
                {"name": "Piper.TTS", "version": "1.8.0", "digest": digest.of(b"two")},
                {"name": "numpy", "version": "2.0.0", "digest": absent("unknown")},
            ],
        ),
    ),
    # References and text.
    "REF01": full(input__mode="adapted"),
    "REF02": full(input__refs__2__origin={"kind": "recording", "name": "nobody's: a tone"}),
    "REF05": full(input__refs_ordered=False),
    "TXT01": plain(input__text__form="raw_utf8"),
    # Clocks and times.
    "CLK04": full(claims=[], timebase__clocks__1__sync__synced=False),
    "CLK06": full(channels__0__clock="host.utc"),
    "CLK08": full(input__refs__1__origin__retrieved="2024-02-29T23:59:59Z"),
    "CLK09": full(timebase__snapshots__2__round_trip_ns=0),
    "TIM02": full(run__times__t_start_ns=absent("unknown")),
    "TIM04": full(run__times__t_first_token_semantics="device"),
    # Audio and chunks.
    "AUD01": audio(kit.wav(rate_hz=15_999)),
    "AUD02": audio(kit.wav(kit.tone(800, 3), channels=3)),
    "AUD03": audio(kit.wav(b"\x00\x00\x80" * 800, bits=24)),
    "AUD04": audio(kit.wav(struct.pack("<800f", *[0.25] * 800), bits=32, tag=3)),
    "AUD05": chunked(801),
    "AUD06": encoded("FLAC", {"name": "libFLAC", "version": "1.4.3", "level": "5"}),
    "AUD07": encoded("FLAC"),
    "AUD15": audio(kit.wav(((b"\xff\xfb\x90\x64" + bytes(413)) * 2 + kit.tone())[:1600])),
    "HSH19": encoded("MP3", name="run.tts.mp3"),
    "HSH12": encoded(
        "MP3",
        name="run.tts.mp3",
        decoded={"digest": digest.of(b"what came out"), "decoder": {"name": "minimp3", "version": "afb604c0"}},
    ),
    "HSH13": encoded("FLAC"),
    "CHK01": chunked(800, 798),
    "CHK02": audio(kit.wav(kit.tone(800, 2), channels=2)),
    "CHK03": plain(one_chunk, run__times__t_first_token_ns=41_000_029, run__times__streaming=False),
    "CHK04": plain(one_chunk, run__times__t_first_token_ns=41_000_029, run__times__streaming=False),
    # Telemetry and environment.
    "TEL01": full(traces__2__rows=3),
    "TEL02": full(twice_at_once, run__load__queue_depth_at_submit=2),
    "TEL09": full(channels__4__window_ns=absent("unknown"), timebase__uncertainty_ns=absent("not_measured")),
    "TEL10": full(env__variables=[{"name": "TORCH_VOCODER_SEED", "value": "77"}]),
    "TEL11": full(idle, resum=True),
    "TEL24": full(twenty_updates, resum=True),
    "TEL25": full(nine_tenths, resum=True),
    "TEL26": full(idle, resum=True),
    "TEL27": full(channels__8__mapping=full_run.mapping()),
    "TEL28": full_run.carried,
    "TEL12": full(channels__8__meter__calibrated="1999-12-31T23:59:59Z"),
    "ENV01": full(env__os__version="unstable"),
    "ENV02": full(env__devices__1__model="NVIDIA H200"),
    "ENV03": full(generation__determinism__class="statistical", generation__determinism__self_repeat="differs"),
    "ENV05": full(
        env__variables=[
            {"name": "CUDA_VISIBLE_DEVICES", "value": full_run.GPU},
            {"name": "TORCH_VOCODER_SEED", "value": "77"},
            {"name": "TORCH_VOCODER_SEED_2", "value": "77"},
        ]
    ),
    "PRJ01": partial(kit.artifact, name=PARQUET, patch=kit.put(run__notes="\t\\N\n")),
    "PRJ02": partial(
        full_run.artifact,
        name=PARQUET,
        patch=kit.put(
            timebase__origin__utc=to_utc(from_utc(full_run.ORIGIN) + 1),
        ),
    ),
    "PRJ03": partial(full_run.artifact, name=PARQUET, traces=idle, resum=True),
    "AUD20": full_run.rendered,
    "IMP14": imperfect_voice.perturbed,
    # Attestations of the right run; one of two signatures is enough, and words in the notes register nothing.
    "SIG01": signed.run,
    "SIG02": partial(signed.run, make=signed.beside_an_unknown_one),
    "LOG01": plain(run__notes="preregistered sha256:" + "ab" * 32),
}
NEAR |= judged.NEAR | statements.NEAR
