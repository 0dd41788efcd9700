"""The child's side of `child.py`: bounds itself, then makes one run or one adaptation. It knows of no artifact."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ttsartifact.errors import TtsArtifactError


def main() -> int:
    """Read one job from standard input, make it, and answer by one line."""
    job = json.loads(sys.stdin.buffer.read())
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what an engine prints is not an answer
    _bound(job["limits"])
    try:
        result = _adapt(job) if "adapter" in job else _make(job)
    except TtsArtifactError as error:
        answer = {
            "error": type(error).__name__,
            "message": error.message,
            "where": error.where,
            "found": None if error.found is None else str(error.found),
            "expected": None if error.expected is None else str(error.expected),
        }
        print(json.dumps(answer), file=answers, flush=True)
        return 1
    print(json.dumps({"done": True, **result}), file=answers, flush=True)
    return 0


def _make(job: dict[str, Any]) -> dict[str, Any]:
    from ttsartifact.perturbing.plan import stated_plan
    from ttsartifact.recording.references import Reference
    from ttsartifact.running.run import RunOptions, run_runner

    run_runner(
        job["runner"],
        job["text"],
        job["out"],
        RunOptions(
            references=[Reference(path=path, role=role) for path, role in job["references"]],
            seeds={stage: int(seed) for stage, seed in job["seeds"].items()},
            parameters=job["parameters"],
            weights=job["weights"],
            imperfection=None if job["imperfection"] is None else stated_plan(job["imperfection"]),
        ),
        **({} if job["lang"] is None else {"lang": job["lang"]}),
    )
    return {}


def _adapt(job: dict[str, Any]) -> dict[str, Any]:
    """Make the adaptation again from what its delta says; the clips alone come from elsewhere, by their digests."""
    from ttsartifact.errors import Refused
    from ttsartifact.running.adapt import AdaptationClip, adapt_voice, load_adapter
    from ttsartifact.running.runner_protocol import translated

    name, paths = job["adapter"], job["clips"]
    with translated(f"adapter {name}"):
        recipe = load_adapter(name).recipe(job["delta"])
    if missing := [clip.digest for clip in recipe.clips if clip.digest not in paths]:
        raise Refused("the delta was made of a clip that the run does not name", where="the delta", found=missing[0])
    adapted = adapt_voice(
        name,
        [
            AdaptationClip(path=paths[clip.digest], transcript=clip.transcript, provenance=clip.provenance)
            for clip in recipe.clips
        ],
        job["out"],
        seed=recipe.seed,
        parameters=recipe.parameters,
        weights=job["weights"],
    )
    return {"delta": adapted.delta, "chain": adapted.record["chain"]}


def _bound(limits: dict[str, int]) -> None:
    """Set limits that this process cannot lift again; where the system has none, the parent's clock still ends it."""
    try:
        import resource
    except ImportError:
        return
    for kind, bound in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits["cpu_s"]),
        (resource.RLIMIT_DATA, limits["data_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
    ):
        hard = resource.getrlimit(kind)[1]
        least = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(kind, (least, least))


if __name__ == "__main__":
    sys.exit(main())
