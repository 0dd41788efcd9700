"""What a run of `stable_tts` says of itself, in the shapes of the descriptor."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from reference_runner import DISTRIBUTION, __version__, digests
from reference_runner.model.checkpoint import released_checkpoint_path
from reference_runner.model.config import MODEL_FAMILY
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.numerics.ops import ACTIVATION_FRACTION_BITS
from reference_runner.numerics.weights import MANTISSA_BITS
from reference_runner.synthesis.decoding import Means, compiler_version
from reference_runner.synthesis.references import LONGEST_MS
from reference_runner.synthesis.request import Compiled, Numerics, Precision, PromptKind
from reference_runner.synthesis.stations import Station
from ttsartifact import Conditions, Finished, Heard, Request, absent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference_runner.synthesis.arithmetic import Arithmetic
    from reference_runner.synthesis.references import HeardReference
    from reference_runner.synthesis.report import Margin, SynthesisReport
    from reference_runner.synthesis.request import SynthesisRequest
    from reference_runner.synthesis.synthesizer import Synthesizer

__all__ = ["SAMPLE_RATE_HZ", "fingerprint", "finished", "front_end", "heard", "of", "set_threads", "stack_facts"]

SAMPLE_RATE_HZ = FEATURE_SETTINGS.sample_rate_hz
EXTENSION = "urn:ttsartifact:stable-tts"
GENERATOR = "splitmix64-irwin-hall-12"
ALPHABET = "flite"
LICENSE = "Apache-2.0 AND MIT-Festival"
_CLIP_PROMPTS = frozenset({PromptKind.SELF, PromptKind.CLIP})
_DRIVER = Path("/sys/module/nvidia/version")
_GREATEST_INTEGER = (1 << 53) - 1
_DECODING_CODE = ("frontend", "model", "numerics", "synthesis", "conditions.py", "stable_tts.py")
_CODE_SUFFIXES = (".py", ".json", ".gz")
# Environment variables that choose kernels; their values are part of what `native` numbers follow from.
_KERNEL_VARIABLES = (
    *("ATEN_CPU_CAPABILITY", "MKL_CBWR", "MKL_DEBUG_CPU_TYPE", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_CORETYPE", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE"),
    *("CUBLAS_EMULATE_DOUBLE_PRECISION", "CUBLAS_EMULATION_STRATEGY", "TORCH_BLAS_PREFER_CUBLASLT"),
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)
_NATIVE_FLAGS = ("use_deterministic_algorithms", "cudnn.benchmark=false", "cudnn.deterministic=true")
_DTYPES = {
    Precision.FLOAT32: "float32",
    Precision.TF32: "float32; TF32 products in score decoder and vocoder",
    Precision.BF16: "float32; bfloat16 products in score decoder and vocoder",
}
_STAGES = {
    Station.TEXT: "text",
    Station.PHONEME: "phoneme",
    Station.CODES: "prosody_tokens",
    Station.DURATION: "duration",
    Station.MEL: "mel",
    Station.VOCODER: "vocoder_state",
    Station.PCM: "pcm",
}


def of(
    request: Request, wanted: SynthesisRequest, synthesizer: Synthesizer, arithmetic: Arithmetic, path: Path
) -> Conditions:
    """Return everything that is known before the first sample."""
    exact = arithmetic.used is Numerics.EXACT
    adaptation = synthesizer.checkpoint.adaptation
    mode = "cloned" if wanted.references else "prompted" if request.references else "plain"
    if adaptation is not None:
        mode = "adapted"
    return Conditions(
        engine={
            "name": "ttsartifact-stable-tts",
            "version": __version__,
            "build": f"source {source_digest()}",
            "package": DISTRIBUTION,
        },
        model=_model(synthesizer, path, wanted),
        vocoder={"integrated": True, "detail": "iSTFT vocoder, in the checkpoint of the model"},
        frontend=front_end(synthesizer.front_end.identity()),
        adaptation=adaptation.record() if adaptation else absent("not_applicable", "the model is not adapted"),
        references=adaptation.references if adaptation else (),
        device=wanted.device,
        seeds=tuple(_seed(request, wanted, stage) for stage in (*wanted.stage_seeds, "mel")),
        precision=_precision(arithmetic),
        determinism="bitwise" if exact else "same_device",
        determinism_flags=() if exact else _flags(arithmetic.means),
        numerics=_numerics(arithmetic, saturated=None),
        runtime=_runtime(wanted.device, arithmetic.means),
        devices=() if wanted.device == "cpu" else (_device_entry(),),
        imperfection="none",
        marking="none",
        mode=mode,
        lang="en",
    )


def set_threads(count: int) -> None:
    """Let torch compute with so many threads in this process: a condition of `native`, nothing to `exact`."""
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


def heard(clip: HeardReference) -> Heard:
    """Return what the model is fed of a clip, and by which recipe."""
    longest = -(-LONGEST_MS * clip.posted_sample_rate_hz // 1000)
    recipe = (
        f"the first {LONGEST_MS // 1000} s at most; to 24-bit integers; mean of the channels; windowed-sinc resampling "
        f"to {clip.fed_sample_rate_hz} Hz in integers (reference_runner/synthesis/resampling.py); "
        "to 16 bits, little-endian"
    )
    return Heard(
        segment=(0, min(clip.posted_samples, longest)),
        fed={
            "digest": clip.fed_digest,
            "sample_rate_hz": clip.fed_sample_rate_hz,
            "frames": clip.fed_samples,
            "recipe": recipe,
        },
        transcript=clip.transcript,
    )


def finished(report: SynthesisReport) -> Finished:
    """Return what only the end of a run tells."""
    return Finished(
        stages=tuple(_stages(report)),
        clipped_samples=report.clipped_samples,
        normalised_text=digests.of_bytes("\n".join(report.sentences).encode()),
        phonemes={
            "digest": report.stage_hashes["phones"],
            "alphabet": ALPHABET,
            "oov": list(report.out_of_vocabulary),
        },
        numerics=_numerics(report.arithmetic, saturated=sum(report.saturated.values()), shapes=report.batch_shapes),
        self_repeat=None if report.self_repeat == "not_measured" else report.self_repeat,
        ext={EXTENSION: _extension(report)},
    )


def fingerprint(arithmetic: Arithmetic, shapes: tuple[tuple[int, int], ...] = ()) -> str:
    """Return the digest over everything of this stack that can decide how floating point rounds.

    Equal fingerprints promise equal numbers of a `native` run that repeated itself; `exact` needs none.
    """
    facts = stack_facts(arithmetic.device) | {
        "carrier": arithmetic.carrier,
        "known_answers": arithmetic.known_answers_digest,
        "shapes": [list(shape) for shape in shapes],
        "precision": str(arithmetic.means.precision),
        # `exact` gives the same numbers captured or not.
        "compiled": _compiled_facts(Means() if arithmetic.used is Numerics.EXACT else arithmetic.means),
    }
    return digests.of_json(facts)


def stack_facts(device: str, *more: str) -> dict[str, Any]:
    """Return what of machine, libraries and settings decides how torch rounds; `more` as in `source_digest`."""
    return {
        "engine": [__version__, source_digest(*more)],
        "torch": [str(torch.__version__), torch.version.git_version, torch.__config__.show()],
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul_precision": _matmul_precision(),
        "mkldnn": torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled,
        "variables": {name: os.environ[name] for name in _KERNEL_VARIABLES if name in os.environ},
        "device": _device_facts(device),
    }


def _matmul_precision() -> str:
    """Return torch's word for float32 products; it has none where its parts were set apart from each other."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        parts: tuple[Any, ...] = (torch.backends.cuda, torch.backends.mkldnn)
        return ", ".join(str(part.matmul.fp32_precision) for part in parts)


def source_digest(*more: str) -> str:
    """Return the digest over the files that decide how a request becomes sound: sorted lines "sha256  path".

    `more` are further files and folders of an engine that has its own.
    """
    root = files("reference_runner")
    chosen = frozenset((*_DECODING_CODE, *more))
    lines = sorted(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in _sources(root, chosen))
    return digests.of_bytes("".join(lines).encode())


def _sources(root: Any, chosen: frozenset[str], prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in root.iterdir():
        name = f"{prefix}{entry.name}"
        if not prefix and entry.name not in chosen:
            continue
        if entry.is_dir():
            yield from _sources(entry, chosen, f"{name}/")
        elif entry.name.endswith(_CODE_SUFFIXES):
            yield name, entry.read_bytes()


def _model(synthesizer: Synthesizer, path: Path, wanted: SynthesisRequest) -> dict[str, Any]:
    checkpoint = synthesizer.checkpoint
    digest = f"sha256:{checkpoint.digest}"
    released = path == released_checkpoint_path()
    place = f"pkg:pypi/{DISTRIBUTION}#reference_runner/weights" if released else f"urn:{digest}"
    contour = checkpoint.contour if wanted.prompt.kind in _CLIP_PROMPTS else None
    voice = checkpoint.voice if wanted.references and checkpoint.adaptation is None else None
    more = [
        {"path": file.name, "size": file.size, "digest": file.digest}
        for file in (contour, voice, checkpoint.adaptation)
        if file is not None
    ]
    return {
        "family": MODEL_FAMILY,
        "uri": place,
        "revision": digest,
        "files": [{"path": path.name, "size": path.stat().st_size, "digest": digest}, *more],
        **({"license": LICENSE} if released else {}),
    }


def front_end(identity: dict[str, str]) -> tuple[dict[str, Any], ...]:
    """Return the pins of the text front end."""
    version = identity["version"]
    return (
        {
            "name": identity["name"],
            "version": version,
            "package": DISTRIBUTION,
            "digest": f"sha256:{identity['lexicon_sha256']}",
        },
        {
            "name": "ttsartifact-letter-to-sound",
            "version": version,
            "package": DISTRIBUTION,
            "digest": f"sha256:{identity['letter_to_sound_sha256']}",
        },
    )


def _seed(request: Request, wanted: SynthesisRequest, stage: str) -> dict[str, Any]:
    requested = request.seeds.get(stage)
    return {
        "stage": stage,
        "requested": absent("not_applicable", "none was requested") if requested is None else str(requested),
        "effective": str(wanted.seed_of(stage)),
        "generator": GENERATOR,
    }


def _precision(arithmetic: Arithmetic) -> dict[str, Any]:
    means = arithmetic.means
    if arithmetic.used is Numerics.EXACT:
        dtype = "float64 holding integers"
        grid = f"weights of at most {MANTISSA_BITS} bits, activations on a grid of 2**-{ACTIVATION_FRACTION_BITS}"
        quantisation: Any = grid
    else:
        dtype = _DTYPES[means.precision]
        narrow = means.precision is Precision.BF16
        # The sums are wider: oneDNN and cuBLAS add bfloat16 products in float32.
        quantisation = (
            "weights and operands of those products rounded to bfloat16"
            if narrow
            else absent("not_applicable", "weights as they were trained")
        )
    return {
        "dtype": dtype,
        "quantisation": quantisation,
        "attention": "two matrix products and a softmax, unfused",
        "tf32": means.precision is Precision.TF32,
        "autocast": False,
    }


def _flags(means: Means) -> tuple[str, ...]:
    allowed = str(means.precision is Precision.TF32).lower()
    return (
        *_NATIVE_FLAGS,
        f"cuda.matmul.allow_tf32={allowed}",
        f"cudnn.allow_tf32={allowed}",
        "cuda.matmul.allow_bf16_reduced_precision_reduction=false",
        *(() if means.compiled is Compiled.NONE else (f"compiled={means.compiled}",)),
    )


def _compiled_facts(means: Means) -> list[Any]:
    """Return what decides the code that is run, where it is not torch's own."""
    facts: list[Any] = [str(means.compiled), means.items, means.frames, means.steps]
    if means.compiled is Compiled.COMPILE:
        from torch._inductor import config

        settings = json.dumps(config.save_config_portable(), sort_keys=True, default=str)
        facts += [compiler_version(), digests.of_bytes(settings.encode())]
    return facts


def _numerics(
    arithmetic: Arithmetic, *, saturated: int | None, shapes: tuple[tuple[int, int], ...] = ()
) -> dict[str, Any]:
    exact = arithmetic.used is Numerics.EXACT
    # In `exact` no shape, thread or kernel can matter, so two lengths of the same stack share a fingerprint.
    found: dict[str, Any] = {
        "profile": str(arithmetic.used),
        "kat_digest": arithmetic.known_answers_digest or absent("not_applicable", "native numerics were asked for"),
        "kat_passed": arithmetic.known_answers_digest is not None and not arithmetic.known_answers_failed,
        "fingerprint": fingerprint(arithmetic, () if exact else shapes),
        "weights_digest": arithmetic.weights_digest or absent("not_applicable", "weights as they were trained"),
    }
    if saturated is not None and exact:
        found["saturated"] = saturated
    return found


def _runtime(device: str, means: Means) -> tuple[dict[str, Any], ...]:
    if means.compiled is not Compiled.COMPILE:
        return torch_runtime(device)
    return (
        *torch_runtime(device),
        {"name": "inductor", "version": str(torch.__version__), "build": compiler_version()},
    )


def torch_runtime(device: str) -> tuple[dict[str, Any], ...]:
    """Return torch, and CUDA where it computes: what most often differs between two machines, in clear."""
    kernels = f"{torch.backends.cpu.get_cpu_capability()} kernels, threads {torch.get_num_threads()}"
    found: list[dict[str, Any]] = [{"name": "torch", "version": str(torch.__version__), "build": kernels}]
    if torch.version.git_version:
        found[0]["revision"] = torch.version.git_version
    if device == "cuda":
        versions = {
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "cublas": cublas_version(),
            "nvidia-driver": driver_version(),
        }
        found += [{"name": name, "version": str(version)} for name, version in versions.items() if version]
    return tuple(found)


def _device_facts(device: str) -> list[Any]:
    if device == "cpu":
        return ["cpu"]
    properties = torch.cuda.get_device_properties(0)
    # cuBLAS chooses kernels by the number of multiprocessors too, which parts of one capability do not share.
    part = [properties.name, [properties.major, properties.minor], properties.multi_processor_count]
    return ["cuda", *part, torch.version.cuda, torch.backends.cudnn.version(), cublas_version(), driver_version()]


def _device_entry() -> dict[str, Any]:
    """Return the CUDA device as torch knows it, for /env/devices; NVML gives its UUID in the same form."""
    properties, unread = torch.cuda.get_device_properties(0), absent("not_measured", "no sensor was read")
    uuid = getattr(properties, "uuid", None)  # since torch 2.5
    return {
        "index": 0,
        "model": properties.name,
        "uuid_digest": unread if uuid is None else digests.of_bytes(f"GPU-{uuid}".encode()),
        "driver": driver_version() or unread,
        "firmware": unread,
        "partition": unread,
        "power_limit_mw": unread,
        "max_clock_mhz": unread,
        "memory_mib": properties.total_memory >> 20,
    }


def cublas_version() -> str | None:
    """Return the version of the cuBLAS that this process computes with, or None where it cannot be asked."""
    major = str(torch.version.cuda).partition(".")[0]
    try:
        ask = ctypes.CDLL(f"libcublas.so.{major}").cublasGetProperty
    except (OSError, AttributeError):
        return None
    numbers = [ctypes.c_int(-1) for _ in range(3)]
    for which, number in enumerate(numbers):
        ask(which, ctypes.byref(number))
    return ".".join(str(number.value) for number in numbers)


def driver_version() -> str | None:
    """Return the version of NVIDIA's kernel module, or None where the system does not say."""
    try:
        return _DRIVER.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _stages(report: SynthesisReport) -> Iterator[dict[str, Any]]:
    margins = {Station.CODES: report.code_margin, Station.DURATION: report.duration_margin}
    for record in report.stations:
        entry: dict[str, Any] = {"stage": _STAGES[record.station], "digest": record.output_digest}
        if record.station in margins:
            entry["margin_nano"] = _nano(margins[record.station])
        yield entry
        if record.station is Station.DURATION:  # how much noise is drawn follows from the durations
            yield {"stage": "noise", "digest": report.stage_hashes["noise"]}


def _extension(report: SynthesisReport) -> dict[str, Any]:
    """Return what the descriptor has no place for; everything in it is integers, words and digests."""
    arithmetic = report.arithmetic
    prompt = {key: value for key, value in report.prompt.items() if key in {"kind", "prior", "name", "digest"}}
    if report.prompt["kind"] in _CLIP_PROMPTS:
        prompt = {"kind": str(report.prompt["kind"]), "digest": str(report.prompt["fed_digest"])}
        prompt |= {key: value for key, value in report.prompt.items() if key == "contour_cents"}
    return {
        "voice": report.voice,
        "prompt": prompt,
        "numerics_requested": str(arithmetic.requested),
        "known_answers_failed": list(arithmetic.known_answers_failed),
        "carrier": arithmetic.carrier,
        "compiled": str(arithmetic.means.compiled),
        "chunk_plan": dict(report.chunk_plan),
        "batch": {"size": report.batch_size, "place": report.batch_place},
        "batch_shapes": [list(shape) for shape in report.batch_shapes],
        "sentences": len(report.sentences),
        "phones": report.phones,
        "mel_frames": report.frames,
        "fragile_decisions": report.code_margin.fragile or report.duration_margin.fragile,
        "saturated": [{"operation": name, "count": count} for name, count in sorted(report.saturated.items())],
        "stations": [
            {
                "station": str(record.station),
                "pieces": record.pieces,
                "input_digest": record.input_digest,
                "output_digest": record.output_digest,
                **({"hook": record.hook} if record.hook else {}),
            }
            for record in report.stations
        ],
    }


def _nano(margin: Margin) -> int:
    return min(round(margin.smallest * 1e9), _GREATEST_INTEGER)
