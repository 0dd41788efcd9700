"""The Stable-TTS of this package as a runner: text, and clips if there are any, to chunks of 16 kHz PCM.

Nothing here imports torch before a run is prepared, so that everybody can ask what the runner takes.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any

from reference_runner.errors import RequestError
from reference_runner.model.noise_schedule import DEFAULT_STEPS, DEFAULT_TEMPERATURE
from reference_runner.refusals import as_refusals, require_packages
from ttsartifact import (
    BatchChunk,
    Conditions,
    Finished,
    Parameter,
    Prepared,
    Refused,
    Request,
    RunnerInfo,
    SoundFormat,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reference_runner.model.checkpoint import Checkpoint
    from reference_runner.synthesis.arithmetic import Arithmetic
    from reference_runner.synthesis.imperfecting import Imperfection
    from reference_runner.synthesis.references import HeardReference
    from reference_runner.synthesis.references import Reference as Clip
    from reference_runner.synthesis.report import SynthesisReport
    from reference_runner.synthesis.request import SynthesisRequest
    from reference_runner.synthesis.synthesizer import Synthesizer

__all__ = ["PARAMETERS", "StableTtsRunner"]

_PROSODY = "prosody"
_BATCH_MAXIMUM = 64
WARM_UP_TEXT = "Oh."
UNNAMED_PRIOR = -1
"""The parameter's word for no number."""
PARAMETERS = (
    Parameter(
        name="numerics",
        kind=str,
        default="exact",
        choices=("exact", "native"),
        help="exact: the same samples on every machine; native: as fast as the machine can",
    ),
    Parameter(
        name="precision",
        kind=str,
        default="float32",
        choices=("float32", "tf32", "bf16"),
        help="of the products of a native run's score decoder and vocoder; tf32 needs CUDA",
    ),
    Parameter(
        name="compile",
        kind=str,
        default="none",
        choices=("none", "graphs", "compile"),
        help="how a native run decodes: an operation a call, a CUDA graph, or code made by torch.compile",
    ),
    Parameter(
        name="warmup",
        kind=int,
        default=0,
        minimum=0,
        maximum=10,
        help="how often the text is spoken before the clock runs; with 0, CUDA speaks one syllable",
    ),
    Parameter(name="device", kind=str, default="cpu", choices=("cpu", "cuda"), help="where the network computes"),
    Parameter(
        name="steps",
        kind=int,
        default=DEFAULT_STEPS,
        minimum=0,
        maximum=200,
        help="of the score decoder; 0 is the mean",
    ),
    Parameter(
        name="temperature",
        kind=float,
        default=DEFAULT_TEMPERATURE,
        minimum=0.5,
        maximum=100.0,
        help="the noise is divided by it",
    ),
    Parameter(
        name="prosody_temperature",
        kind=float,
        default=0.0,
        minimum=0.0,
        maximum=4.0,
        help="of the prosody codes, drawn with the run's seed: 0 takes the likeliest, 1 draws as the model says",
    ),
    Parameter(
        name="prompt",
        kind=str,
        default="prior",
        choices=("prior", "self", "clip", "none"),
        help="whose manner is continued: a prior sample's, the first reference's, another clip's, or nobody's",
    ),
    Parameter(
        name="voice_encoder",
        kind=bool,
        default=True,
        former=False,
        help="whether clips of a voice are heard by the encoder that stands beside the weights, where there is one",
    ),
    Parameter(
        name="prior",
        kind=int,
        default=UNNAMED_PRIOR,
        minimum=UNNAMED_PRIOR,
        maximum=255,
        help="which prior sample; its voice too without --ref; -1: nearest to a voice that is given, else the built-in",
    ),
    Parameter(
        name="prompt_text",
        kind=str,
        default="",
        pattern=r"[^\x00-\x1f\x7f]{0,1000}",
        help="what the clip says that lends its manner, for self and clip",
    ),
    Parameter(
        name="threads",
        kind=int,
        default=1,
        minimum=1,
        maximum=64,
        help="of the CPU; more than one gains little, and on a busy machine loses much",
    ),
    Parameter(name="repeat", kind=bool, default=True, help="whether a native run is made twice and compared"),
)
_PLACES = {
    "request.text": "/input/text",
    "request.seed": "/generation/seeds",
    "request.steps": "/generation/params/steps",
    "request.temperature": "/generation/params/temperature",
    "request.prosody_temperature": "/generation/params/prosody_temperature",
    "request.prompt": "/generation/params/prompt",
    "request.references": "/input/refs",
    "request.prompt.prior": "/generation/params/prior",
    "request.prompt_text": "/generation/params/prompt_text",
    "request.precision": "/generation/params/precision",
    "request.compiled": "/generation/params/compile",
}


class StableTtsRunner:
    """A checkpoint that speaks: one run, or several as one batch."""

    name = "stable-tts"
    packages: tuple[str, ...] = ("torch", "safetensors")
    """Those that compute; the extra of that name installs them."""
    extra = ""
    parameters: tuple[Parameter, ...] = PARAMETERS
    imperfection_stages: tuple[str, ...] = (*("text", "phoneme", "duration", "prosody_tokens", "mel", "vocoder_state"),)

    def __init__(self) -> None:
        self._synthesizer: Synthesizer | None = None
        self._requests: list[SynthesisRequest] = []
        self._reports: tuple[SynthesisReport, ...] = ()
        self._imperfection: Imperfection | None = None

    def describe(self) -> RunnerInfo:
        """Name the engine and every parameter it takes."""
        # One clip for the manner beside sixteen for the voice.
        return RunnerInfo(
            name=self.name,
            version="1.0.0",
            parameters=self.parameters,
            seed_stages=("prosody_tokens", "mel"),
            references=(0, 17),
            batch=_BATCH_MAXIMUM,
            imperfection_stages=self.imperfection_stages,
        )

    def prepare(self, request: Request) -> Prepared:
        """Read the checkpoint, ask this machine the known answers, and refuse what cannot be spoken."""
        (prepared,) = self.prepare_batch((request,))
        return prepared

    def prepare_batch(self, requests: Sequence[Request]) -> list[Prepared]:
        """Make ready for several requests at once; they differ in their texts alone."""
        first = requests[0]
        with as_refusals(_PLACES):
            require_packages(self.name, self.packages, extra=self.extra)
            from reference_runner import conditions

            conditions.set_threads(first.parameters["threads"])
            wanted = [_asked(each) for each in requests]
            checkpoint, path = _checkpoint(first)
            self._synthesizer = synthesizer = self._synthesizer_of(checkpoint, first)
            self._imperfection = _hooked(synthesizer, first)
            for each in wanted:
                self._refuse_what_cannot_begin(each)
            heard = _hear(first)
            arithmetic = synthesizer.prepare_for(wanted)
            self._requests = wanted
            warm_ups = _warm_up(synthesizer, wanted, first.parameters["warmup"])
        if arithmetic.used is not wanted[0].numerics:
            _tell_demotion(arithmetic)
        return [
            Prepared(
                format=SoundFormat(subtype="pcm_s16", sample_rate_hz=conditions.SAMPLE_RATE_HZ),
                conditions=self._with_plan(self._told(request, each, synthesizer, arithmetic, path)),
                heard=tuple(conditions.heard(clip) for clip in heard),
                warmup_runs=warm_ups,
            )
            for request, each in zip(requests, wanted, strict=True)
        ]

    def _refuse_what_cannot_begin(self, wanted: SynthesisRequest) -> None:
        """Raise RequestError for a text or a prompt that would stop the run after its clock began."""
        assert self._synthesizer is not None
        checkpoint, front_end = self._synthesizer.checkpoint, self._synthesizer.front_end
        front_end.read(wanted.text)
        if wanted.prompt.prior is not None and not 0 <= wanted.prompt.prior < len(checkpoint.priors):
            raise RequestError(
                f"got prior sample {wanted.prompt.prior}, the checkpoint has {len(checkpoint.priors)}",
                where="request.prompt.prior",
            )
        if checkpoint.adaptation is not None and wanted.references and wanted.prompt.kind != "self":
            raise RequestError(
                "the voice is the delta's; a reference lends it its manner with the prompt self or clip",
                where="request.references",
            )
        if wanted.prompt.kind in {"self", "clip"}:
            lender = wanted.prompt.clip or next(iter(wanted.references), None)
            if lender is None:
                raise RequestError("a self prompt needs a reference", where="request.prompt")
            if checkpoint.adaptation is not None and wanted.prompt.kind == "self":
                checkpoint.adaptation.refuse_stranger(lender.path)
            if lender.transcript is None:
                raise RequestError(
                    "a clip that lends its manner needs its words: --prompt-text", where="request.prompt_text"
                )
            front_end.read(lender.transcript)

    def stream(self) -> Iterator[bytes]:
        """Yield PCM as it is decoded; a native run is then made once more and compared."""
        for chunk in self.stream_batch():
            if chunk.pcm:
                yield chunk.pcm

    def stream_batch(self) -> Iterator[BatchChunk]:
        """Yield the PCM of every request as it is decoded."""
        if self._synthesizer is None:
            raise Refused("stream() was asked for before prepare()")
        with as_refusals(_PLACES):
            speech = self._synthesizer.speak_together(self._requests)
            for place, chunk in speech.together():
                yield BatchChunk(place=place, pcm=chunk.pcm.astype("<i2").tobytes(), last=chunk.last)
            self._reports = speech.reports

    def finish(self) -> Finished:
        """Let go of the checkpoint and tell what only the end tells."""
        return next(iter(self.finish_batch()), Finished())

    def finish_batch(self) -> list[Finished]:
        """Let go of the checkpoint and tell what only the end tells, of every request."""
        synthesizer, reports = self._synthesizer, self._reports
        self._reports, self._synthesizer, self._requests = (), None, []
        imperfection, self._imperfection = self._imperfection, None
        learned = [self._learned(report, synthesizer) for report in reports]
        if imperfection is None:
            return learned
        log = tuple(imperfection.rows())
        return [replaced(each, imperfection=imperfection.section(), imperfection_log=log) for each in learned]

    def _with_plan(self, told: Conditions) -> Conditions:
        """Return the conditions with the plan of imperfection that the run follows."""
        return told if self._imperfection is None else replaced(told, imperfection=self._imperfection.section())

    def _synthesizer_of(self, checkpoint: Checkpoint, request: Request) -> Synthesizer:
        """Return what speaks with a checkpoint."""
        del request
        from reference_runner.synthesis.synthesizer import Synthesizer

        return Synthesizer(checkpoint)

    def _told(
        self, request: Request, wanted: SynthesisRequest, synthesizer: Any, arithmetic: Arithmetic, path: Path
    ) -> Conditions:
        """Return everything that is known before the first sample."""
        from reference_runner import conditions

        return conditions.of(request, wanted, synthesizer, arithmetic, path)

    def _learned(self, report: SynthesisReport, synthesizer: Any) -> Finished:
        """Return what only the end tells."""
        del synthesizer
        from reference_runner import conditions

        return conditions.finished(report)


def _warm_up(synthesizer: Synthesizer, wanted: list[SynthesisRequest], asked: int) -> int:
    """Speak before the clock runs, without imperfections, and return how often.

    On CUDA a syllable is spoken where nothing was asked for: the first call of a process loads libraries and captures
    graphs, which is no property of the run.
    """
    texts: list[str | None] = [None] * asked or ([WARM_UP_TEXT] if wanted[0].device != "cpu" else [])
    hooks, synthesizer.hooks = synthesizer.hooks, {}
    for text in texts:
        spoken = [replaced(each, repeat=False, text=text or each.text) for each in wanted]
        for _ in synthesizer.speak_together(spoken).together():
            pass
    synthesizer.hooks = hooks
    return len(texts)


def _hooked(synthesizer: Synthesizer, request: Request) -> Imperfection | None:
    """Let the plan of a request act at the synthesizer's stations; raises Refused for what it cannot do."""
    if request.imperfection is None:
        return None
    from reference_runner.synthesis.imperfecting import Imperfection

    found = Imperfection(request.imperfection, codes=synthesizer.checkpoint.model.config.prosody_codes)
    synthesizer.hooks.update(found.hooks())
    return found


def _checkpoint(request: Request) -> tuple[Any, Any]:
    """Read the released weights or the base that was given, add what else was given, and return the base's path.

    A file says itself, in its metadata, whether it is a base, a delta, or an encoder that stands beside a base.
    """
    from pathlib import Path

    from reference_runner.model.adapted import apply_delta, load_delta
    from reference_runner.model.checkpoint import load_checkpoint, released_checkpoint_path
    from reference_runner.model.companions import read_companion
    from reference_runner.model.contour_encoder import CONTOUR
    from reference_runner.model.delta import DELTA_FORMAT
    from reference_runner.model.voice_encoder import VOICE
    from reference_runner.model.weight_files import file_format

    paths = [Path(path) for path in request.weights.values()]
    deltas, contours, voices = (
        [path for path in paths if file_format(path) == kind] for kind in (DELTA_FORMAT, CONTOUR.format, VOICE.format)
    )
    bases = [path for path in paths if path not in (*deltas, *contours, *voices)]
    if max(map(len, (bases, deltas, contours, voices))) > 1:
        raise Refused(
            "stable-tts takes one base, one delta, one contour encoder and one voice encoder",
            where="/pins/model/files",
            found=f"{len(bases)} bases, {len(deltas)} deltas, {len(contours)} contour encoders, {len(voices)} voice "
            "encoders",
        )
    path = bases[0] if bases else released_checkpoint_path()
    if not bases and not path.is_file():
        raise Unavailable("the released checkpoint is not installed", found=f"no {path.name}")
    checkpoint = load_checkpoint(path) if bases else load_checkpoint()
    base = f"sha256:{checkpoint.digest}"
    if contours:
        checkpoint = replaced(checkpoint, contour=read_companion(CONTOUR, contours[0], checkpoint.config, base=base))
    if voices:
        checkpoint = replaced(checkpoint, voice=read_companion(VOICE, voices[0], checkpoint.config, base=base))
    if not request.parameters["voice_encoder"]:
        checkpoint = replaced(checkpoint, voice=None)
    return (apply_delta(checkpoint, load_delta(deltas[0], checkpoint)) if deltas else checkpoint), path


def _asked(request: Request) -> SynthesisRequest:
    """Return the request in the runner's own terms; raises RequestError for one that cannot be."""
    from reference_runner.synthesis.request import (
        CHOICE_STAGE,
        Compiled,
        Numerics,
        Precision,
        Prompt,
        PromptKind,
        SynthesisRequest,
    )

    parameters = request.parameters
    kind = PromptKind(parameters["prompt"])
    voices, manners = _clips(request)
    if len(manners) != (kind is PromptKind.CLIP):
        raise RequestError(
            f"got {len(manners)} clips of role {_PROSODY}, expected one with the prompt clip and none with another",
            where="request.prompt",
        )
    seed, drawn = request.seeds.get("mel", 0), float(parameters["prosody_temperature"])
    prior = parameters["prior"]
    return SynthesisRequest(
        text=request.text,
        references=tuple(voices),
        seed=seed,
        stage_seeds={CHOICE_STAGE: request.seeds.get("prosody_tokens", seed)} if drawn else {},
        steps=parameters["steps"],
        temperature=float(parameters["temperature"]),
        prosody_temperature=drawn,
        prompt=Prompt(kind=kind, prior=None if prior == UNNAMED_PRIOR else prior, clip=next(iter(manners), None)),
        numerics=Numerics(parameters["numerics"]),
        device=parameters["device"],
        precision=Precision(parameters["precision"]),
        compiled=Compiled(parameters["compile"]),
        repeat=parameters["repeat"],
    )


def _clips(request: Request) -> tuple[list[Clip], list[Clip]]:
    """Return the clips of the voice, and those that lend their manner alone."""
    from reference_runner.synthesis.references import Reference as Clip

    words = request.parameters["prompt_text"] or None
    voices: list[Clip] = []
    manners: list[Clip] = []
    for path, role in zip(request.references, request.roles or ("timbre",) * len(request.references), strict=True):
        if role == _PROSODY:
            manners.append(Clip(path=path, transcript=words))
        else:
            own = words if request.parameters["prompt"] == "self" and not voices else None
            voices.append(Clip(path=path, transcript=own))
    return voices, manners


def _hear(request: Request) -> list[HeardReference]:
    """Hear every clip once before the clock runs: a clip that cannot be used stops the run here."""
    from reference_runner.synthesis.references import hear

    voices, manners = _clips(request)
    heard = {clip.path: hear(clip) for clip in (*voices, *manners)}
    return [heard[os.fspath(path)] for path in request.references]


def _tell_demotion(arithmetic: Arithmetic) -> None:
    """Say aloud that the run is not what was asked for; the artifact says it too."""
    logging.getLogger("ttsartifact").warning(
        "this machine does not give the known answers of exact numerics (%s): the run is native, not exact",
        ", ".join(arithmetic.known_answers_failed),
    )
