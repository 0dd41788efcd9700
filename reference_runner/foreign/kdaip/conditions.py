"""The conditions of a run of `kdaip-stabletts`, in the shapes of the descriptor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference_runner import DISTRIBUTION, __version__, conditions, digests
from reference_runner.foreign.kdaip.symbols import ALPHABET
from reference_runner.frontend.text_frontend import TextFrontEnd
from ttsartifact import Conditions, Finished, Request, absent

if TYPE_CHECKING:
    from reference_runner.foreign.kdaip.speaking import Account, Asked, Reading
    from reference_runner.foreign.kdaip.weights import WeightFile

__all__ = ["EXTENSION", "FAMILY", "finished", "of"]

FAMILY = "kdaip-stabletts"
ENGINE = "ttsartifact-kdaip-stabletts"
EXTENSION = "urn:ttsartifact:kdaip-stabletts"
PUBLISHED_CODE = "71dfa4138c511df8e0aedf444df98c6baa44cad4"
"""The commit of the authors' repository whose architecture this is."""
_OWN_CODE = ("foreign", "refusals.py")
_FLAGS = (
    *("use_deterministic_algorithms", "cudnn.benchmark=false", "cudnn.deterministic=true"),
    *("cuda.matmul.allow_tf32=false", "cudnn.allow_tf32=false"),
)


def of(request: Request, asked: Asked, reading: Reading, acoustic: WeightFile, vocoder: WeightFile) -> Conditions:
    """Return everything that is known before the first sample."""
    named = request.seeds.get("mel")
    return Conditions(
        engine={
            "name": ENGINE,
            "version": __version__,
            "build": f"source {conditions.source_digest(*_OWN_CODE)}",
            "package": DISTRIBUTION,
        },
        model=_repository(acoustic) | {"family": FAMILY},
        vocoder=_repository(vocoder),
        # Symbols that were given are nobody's work here; ours are not those of the authors' front end.
        frontend=_front_end() if reading.spoken else None,
        adaptation=absent("not_applicable", "the published weights are used as they are"),
        device=asked.device,
        seeds=(
            {
                "stage": "mel",
                "requested": absent("not_applicable", "none was asked for") if named is None else str(named),
                "effective": str(asked.seed),
                "generator": conditions.GENERATOR,
            },
        ),
        precision={
            "dtype": "float32",
            "quantisation": absent("not_applicable", "weights as they were trained"),
            "attention": "torch scaled_dot_product_attention",
            "tf32": False,
            "autocast": False,
        },
        determinism="same_device",
        determinism_flags=_FLAGS,
        numerics=_numerics(asked.device, []),
        runtime=conditions.torch_runtime(asked.device),
        imperfection="none",
        marking="none",
        mode="cloned",
        lang="en" if reading.spoken else None,
    )


def finished(
    reading: Reading, asked: Asked, account: Account, files: tuple[WeightFile, WeightFile], self_repeat: str | None
) -> Finished:
    """Return the conditions that are known only after a run."""
    found = account.digests()
    stages: list[dict[str, Any]] = [{"stage": stage, "digest": digest} for stage, digest in found.items()]
    stages[1]["margin_nano"] = round(account.margin * 1e9)
    spoken = "\n".join(reading.spoken).encode()
    return Finished(
        stages=tuple(stages),
        clipped_samples=account.clipped,
        normalised_text=digests.of_bytes(spoken) if reading.spoken else None,
        phonemes={"digest": found["phoneme"], "alphabet": ALPHABET, "oov": list(reading.out_of_vocabulary)}
        if reading.spoken
        else None,
        # Kernels are chosen by shapes, and the sentences' lengths are those.
        numerics=_numerics(asked.device, [account.symbols, account.frames]),
        self_repeat=self_repeat,
        ext={EXTENSION: _extension(reading, asked, account, files)},
    )


def _repository(file: WeightFile) -> dict[str, Any]:
    return {
        "uri": f"urn:{file.digest}",
        "revision": file.digest,
        "files": [{"path": file.path.name, "size": file.size, "digest": file.digest}],
        "tensors_digest": file.tensors_digest,
    }


def _front_end() -> tuple[dict[str, Any], ...]:
    spelling = {
        "name": "ttsartifact-kdaip-spelling",
        "version": __version__,
        "package": DISTRIBUTION,
        "build": f"source {conditions.source_digest(*_OWN_CODE)}",
    }
    return (*conditions.front_end(TextFrontEnd().identity()), spelling)


def _numerics(device: str, shapes: list[int]) -> dict[str, Any]:
    facts = conditions.stack_facts(device, *_OWN_CODE) | {"shapes": shapes}
    return {
        "profile": "native",
        "kat_digest": absent("not_applicable", "this model has no exact numerics"),
        "kat_passed": False,
        "fingerprint": digests.of_json(facts),
        "weights_digest": absent("not_applicable", "weights as they were trained"),
    }


def _extension(
    reading: Reading, asked: Asked, account: Account, files: tuple[WeightFile, WeightFile]
) -> dict[str, Any]:
    """Return what the descriptor has no place for; everything in it is integers, words and digests."""
    unknown = absent("unknown", "the file does not say what it was converted from")
    return {
        "published_code": PUBLISHED_CODE,
        "converted_from": [file.source_digest or unknown for file in files],
        "front_end": "ours, spelled in the model's symbols; not the authors'" if reading.spoken else "symbols as given",
        "sentences": len(reading.sentences),
        "symbols": account.symbols,
        "mel_frames": account.frames,
        "function_evaluations": account.evaluations,
        "function_evaluations_a_sentence": asked.evaluations,
    }
