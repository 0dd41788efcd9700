"""A speech in progress: iterate it for PCM, then ask for its report.

    text -> sentences of phones -> codes -> durations -> frames -> chunks of mel -> samples -> PCM

Sentences are planned when the decoder comes near them. A chunk of 32 frames is decoded with 48 frames of what came
before and 16 of what follows; the noise of a frame depends on its number alone. Nothing looks at a clock and nothing
waits for the consumer, so the PCM cannot depend on who listens how fast.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from reference_runner import digests
from reference_runner.errors import RequestError
from reference_runner.synthesis.report import SynthesisReport
from reference_runner.synthesis.request import Numerics, SynthesisRequest
from reference_runner.synthesis.run import Run
from reference_runner.synthesis.stations import Station

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference_runner.synthesis.arithmetic import Arithmetic, Prepared
    from reference_runner.synthesis.run import Chunk, Host, Item

__all__ = ["Speech"]


class Speech:
    """Requests being spoken as one batch: a sequence of chunks, and a report of each when the last was taken."""

    def __init__(self, host: Host, requests: list[SynthesisRequest], prepared: Prepared) -> None:
        self._host = host
        self._requests = requests
        self._prepared = prepared
        self._run = Run(host, requests, prepared)
        self._reports: tuple[SynthesisReport, ...] | None = None
        self._started = False

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks of a single request."""
        if len(self._requests) != 1:
            raise RequestError(f"got a batch of {len(self._requests)}: iterate `together()`")
        for _, chunk in self.together():
            yield chunk

    def together(self) -> Iterator[tuple[int, Chunk]]:
        """Yield (place in the batch, chunk) in the order of decoding."""
        if self._started:
            raise RequestError("this speech has been spoken; ask the synthesizer for another")
        self._started = True
        ops = self._prepared.ops
        if hasattr(ops, "forget_saturated"):
            ops.forget_saturated()
        run = self._run
        while not run.finished:
            yield from run.step()
        run.settle()
        self._reports = tuple(self._report(place, repeated) for place, repeated in enumerate(self._repeat()))

    @property
    def arithmetic(self) -> Arithmetic:
        """The profile that the run got."""
        return self._prepared.arithmetic

    @property
    def report(self) -> SynthesisReport:
        """The report of a single request, once it has been spoken."""
        return self.reports[0]

    @property
    def reports(self) -> tuple[SynthesisReport, ...]:
        """The reports of a batch, once it has been spoken."""
        if self._reports is None:
            raise RequestError("the report exists when the last chunk has been taken")
        return self._reports

    def _repeat(self) -> list[str]:
        """Speak once more where the profile promises nothing, and compare every station."""
        if self.arithmetic.used is Numerics.EXACT:
            return ["not_measured"] * len(self._requests)
        again = Run(self._host, self._requests, self._prepared)
        if any(request.repeat for request in self._requests):
            while not again.finished:
                for _ in again.step():
                    pass
            again.settle()
        return [
            ("equal" if first.stations.records() == second.stations.records() else "differs")
            if request.repeat
            else "not_measured"
            for request, first, second in zip(self._requests, self._run.items, again.items, strict=True)
        ]

    def _report(self, place: int, self_repeat: str) -> SynthesisReport:
        """Say everything that decided the run of one item."""
        item, checkpoint = self._run.items[place], self._host.checkpoint
        request = item.request
        assert item.code_margin is not None  # a run speaks one sentence at least
        assert item.duration_margin is not None
        return SynthesisReport(
            arithmetic=self.arithmetic,
            checkpoint_digest=f"sha256:{checkpoint.digest}",
            checkpoint_name=checkpoint.name,
            front_end=self._host.front_end.identity(),
            seed=request.seed,
            stage_seeds=dict(request.stage_seeds),
            steps=request.steps,
            temperature=request.temperature,
            prosody_temperature=request.prosody_temperature,
            prompt=item.voice.prompt_record,
            voice=item.voice.name,
            references=tuple(clip.record() for clip in item.voice.references),
            chunk_plan=asdict(request.chunk),
            batch_size=len(self._run.items),
            batch_place=place,
            batch_shapes=tuple(item.shapes),
            stage_hashes=_stage_hashes(item),
            stations=item.stations.records(),
            code_margin=item.code_margin,
            duration_margin=item.duration_margin,
            sentences=item.sentences,
            out_of_vocabulary=item.out_of_vocabulary,
            phones=item.phones,
            frames=item.frames,
            samples=item.samples,
            saturated=dict(getattr(self._prepared.ops, "saturated", {})),
            clipped_samples=item.clipped,
            self_repeat=self_repeat,
        )


def _stage_hashes(item: Item) -> dict[str, str]:
    stations = item.stations
    return {
        "noise": digests.spelled(item.noise),
        "phones": stations.digest(Station.PHONEME),
        "codes": stations.digest(Station.CODES),
        "durations": stations.digest(Station.DURATION),
        "mel": stations.digest(Station.MEL),
        "pcm": stations.digest(Station.PCM),
    }
