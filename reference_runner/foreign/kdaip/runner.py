"""KdaiP/StableTTS as a runner: text and one clip to 44.1 kHz PCM, from two weight files that the caller holds.

Nothing here imports torch before a run is prepared, so that its parameters can be listed cheaply.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference_runner.errors import CheckpointError, RequestError
from reference_runner.foreign.kdaip.solver import SOLVERS
from reference_runner.refusals import as_refusals, require_packages
from ttsartifact import Finished, Parameter, Prepared, Refused, Request, RunnerInfo, SoundFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference_runner.foreign.kdaip.speaking import Account, Asked, Reading, Speaker
    from reference_runner.foreign.kdaip.weights import WeightFile

__all__ = ["KdaipStableTtsRunner"]

_DIGEST = "([0-9a-f]{64})?"
_PARAMETERS = (
    Parameter(
        name="model_sha256",
        kind=str,
        default="",
        pattern=_DIGEST,
        help="required: the digest that the acoustic model's file must have",
    ),
    Parameter(
        name="vocoder_sha256",
        kind=str,
        default="",
        pattern=_DIGEST,
        help="required: the digest that the Vocos file must have",
    ),
    Parameter(
        name="phonemes",
        kind=str,
        default="",
        pattern=r"[^\x00-\x1f\x7f]{0,4000}",
        help="symbols of the model instead of our front end's; bars part those of several letters",
    ),
    Parameter(name="steps", kind=int, default=10, minimum=1, maximum=200, help="of the solver"),
    Parameter(
        name="solver",
        kind=str,
        default="euler",
        choices=SOLVERS,
        help="fixed steps alone: 1, 2 and 4 evaluations a step",
    ),
    Parameter(
        name="cfg",
        kind=float,
        default=3.0,
        minimum=0.0,
        maximum=20.0,
        help="guidance; 1 is none, and half the work",
    ),
    Parameter(
        name="temperature", kind=float, default=1.0, minimum=0.0, maximum=4.0, help="the noise is multiplied by it"
    ),
    Parameter(name="length_scale", kind=float, default=1.0, minimum=0.25, maximum=4.0, help="over 1 is slower speech"),
    Parameter(name="device", kind=str, default="cpu", choices=("cpu", "cuda"), help="where the networks compute"),
    Parameter(name="threads", kind=int, default=1, minimum=1, maximum=64, help="of the CPU"),
    Parameter(name="repeat", kind=bool, default=True, help="whether the run is made twice and compared"),
)
_PLACES = {
    "request.text": "/input/text",
    "request.phonemes": "/generation/params/phonemes",
    "request.device": "/generation/device",
}


class KdaipStableTtsRunner:
    """Two checkpoints that speak; one run each."""

    def __init__(self) -> None:
        self._speaker: Speaker | None = None
        self._asked: Asked | None = None
        self._reading: Reading | None = None
        self._account: Account | None = None
        self._files: tuple[WeightFile, WeightFile] | None = None
        self._repeat = False
        self._self_repeat: str | None = None

    def describe(self) -> RunnerInfo:
        """Name the engine and every parameter it takes."""
        return RunnerInfo(
            name="kdaip-stabletts",
            version="1.0.0",
            parameters=_PARAMETERS,
            seed_stages=("mel",),
            references=(1, 1),
        )

    def prepare(self, request: Request) -> Prepared:
        """Hold both files to their digests, load them, and hear the clip."""
        with as_refusals(_PLACES):
            require_packages(self.describe().name, ("torch", "safetensors"))
            from reference_runner.conditions import heard, set_threads
            from reference_runner.foreign.kdaip import conditions, speaking, weights
            from reference_runner.foreign.kdaip.mel import SAMPLE_RATE_HZ
            from reference_runner.synthesis.arithmetic import settle_native
            from reference_runner.synthesis.references import Reference, hear

            set_threads(request.parameters["threads"])
            settle_native()
            asked = _asked(request)
            self._files = _files(request)
            acoustic, vocoder = weights.build_acoustic(self._files[0]), weights.build_vocoder(self._files[1])
            reading = speaking.read_text(request.text, request.parameters["phonemes"])
            clip = hear(Reference(path=request.references[0]), to_hz=SAMPLE_RATE_HZ)
            self._speaker = speaking.Speaker(acoustic, vocoder, clip, asked.device)
            self._asked, self._reading, self._repeat = asked, reading, request.parameters["repeat"]
        return Prepared(
            format=SoundFormat(subtype="pcm_s16", sample_rate_hz=SAMPLE_RATE_HZ),
            conditions=conditions.of(request, asked, reading, *self._files),
            heard=(heard(clip),),
        )

    def stream(self) -> Iterator[bytes]:
        """Yield the PCM of each sentence; the run is then made once more and compared."""
        if self._speaker is None or self._reading is None or self._asked is None:
            raise Refused("stream() was called before prepare()")
        from reference_runner.foreign.kdaip.speaking import Account

        account = Account()
        with as_refusals(_PLACES):
            yield from self._speaker.speak(self._reading, self._asked, account)
            self._account = account
            if self._repeat:
                again = Account()
                for _ in self._speaker.speak(self._reading, self._asked, again):
                    pass
                self._self_repeat = "equal" if again.digests() == account.digests() else "differs"

    def finish(self) -> Finished:
        """Release the networks and return the final conditions."""
        account, self._account, self._speaker = self._account, None, None
        if account is None or self._reading is None or self._asked is None or self._files is None:
            return Finished()
        from reference_runner.foreign.kdaip import conditions

        return conditions.finished(self._reading, self._asked, account, self._files, self._self_repeat)


def _asked(request: Request) -> Asked:
    import torch

    from reference_runner.errors import DeviceUnavailable
    from reference_runner.foreign.kdaip.speaking import Asked
    from reference_runner.numerics.noise import SEED_LIMIT

    parameters: Any = request.parameters
    if parameters["device"] == "cuda" and not torch.cuda.is_available():
        raise DeviceUnavailable("CUDA was requested but is not available", where="request.device")
    seed = request.seeds.get("mel", 0)
    if not 0 <= seed < SEED_LIMIT:
        raise RequestError(f"a seed is within 0..2**64-1, got {seed}", where="/generation/seeds/0")
    return Asked(
        seed=seed,
        steps=parameters["steps"],
        solver=parameters["solver"],
        guidance=float(parameters["cfg"]),
        temperature=float(parameters["temperature"]),
        length_scale=float(parameters["length_scale"]),
        device=parameters["device"],
    )


def _files(request: Request) -> tuple[WeightFile, WeightFile]:
    """Return the files of model and vocoder, distinguished by their tensors and compared with the stated digests."""
    from reference_runner.foreign.kdaip.weights import ACOUSTIC_TENSOR, VOCODER_TENSOR, read_weights

    if len(request.weights) != 2:
        raise CheckpointError(
            f"got {len(request.weights)} weight files, expected two: --weights MODEL.safetensors --weights "
            "VOCOS.safetensors; none is shipped and none is fetched",
            where="/pins/model/files",
        )
    given = [read_weights(Path(path)) for path in request.weights.values()]
    found = []
    for tensor, parameter in ((ACOUSTIC_TENSOR, "model_sha256"), (VOCODER_TENSOR, "vocoder_sha256")):
        file = next((each for each in given if tensor in each.tensors), None)
        if file is None:
            raise CheckpointError(
                f"no file holds the tensor {tensor}", where=", ".join(each.path.name for each in given)
            )
        where, stated = f"/generation/params/{parameter}", request.parameters[parameter]
        got = file.digest.removeprefix("sha256:")
        if stated != got:
            wanted = f"expected {stated}" if stated else f"none was stated: --param {parameter}=DIGEST"
            raise CheckpointError(f"the digest of {file.path.name} is {got}, {wanted}", where=where)
        found.append(file)
    return found[0], found[1]
