"""One file per run of speech synthesis: the audio, its conditions, its timebase, and digests over every byte.

`Recorder` stamps the chunks of an engine as they reach host memory, and `record_command` does it for any command.
`record_http` does it for one answer of a speech server, which a `SpeechRequest` asks for.
`recover` makes an artifact of what was delivered when a recording did not come to its end.
`pack` makes one file of what was recorded, whole or not at all.
`open` reads it back, lazily and within limits, as an `Artifact` with its `Descriptor` and `Trace`s; `read_range` reads
a part of its audio, verified.
`validate` asks whether its structure holds, `verify` whether every byte and claim does: a `Report` of `Finding`s.
`strip`, `convert` and `reattach` move a run between carriers without changing it.
`diff` says which condition changed between two runs, how far their sounds are apart, and how their times compare.
`rerun_command`, `rerun_factory` and `rerun_runner` repeat it without using anything that the file names, and report
how close they came.
`load_claim` reads a claim that was written before its runs, `check_claim` settles it on them, and `session_over` says
where a session changes.
A `Runner` is an engine that can be run by name, with `run_runner`; `adapt_voice` has an
`Adapter` fit it to a voice.

Names load when they are first used, so that `import ttsartifact` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ttsartifact._spec import FORMAT_VERSION
    from ttsartifact._version import __version__ as __version__
    from ttsartifact.attesting.checking import AttestationKind, Attested, Standing
    from ttsartifact.attesting.keys import Checkpoint, NoteKey
    from ttsartifact.attesting.runlog import Entry, EntryKind, Proof, RunLog
    from ttsartifact.attesting.trust import Authority, Requirements, Signer, Trust
    from ttsartifact.claiming.claim import (
        Aspect,
        Claim,
        ClaimProcedure,
        ClaimTest,
        Direction,
        Effect,
        RunGroup,
        claim_of,
        load_claim,
    )
    from ttsartifact.claiming.evaluate import Answer, Decided, Evaluation, Registered
    from ttsartifact.claiming.matching import Confounder, Matched
    from ttsartifact.claiming.obstacles import ClaimedRun, Obstacle, ObstacleKind
    from ttsartifact.claiming.session import ChangePoint, Course, Session, SessionRow
    from ttsartifact.claiming.settle import check_claim, session_over
    from ttsartifact.claiming.testing import Tested
    from ttsartifact.comparing.audio import AudioComparison, Divergence, Tolerance, compare_audio
    from ttsartifact.comparing.changes import Change, Unstated
    from ttsartifact.comparing.conditions import Difference, StageComparison, condition_diff
    from ttsartifact.comparing.diff import Diff, FaultyPart, Side, diff
    from ttsartifact.comparing.timing import Quantity, Timing
    from ttsartifact.container.canonical import Fault
    from ttsartifact.container.hard_binding import Credential
    from ttsartifact.container.source import Source, Span
    from ttsartifact.errors import (
        CapsuleLost,
        CommandFailed,
        Damaged,
        InvalidDescriptor,
        NotAnArtifact,
        NotFound,
        NotReadable,
        OutputExists,
        Refused,
        TooLarge,
        TtsArtifactError,
        Unavailable,
    )
    from ttsartifact.formulas.chain import adaptation_chain
    from ttsartifact.formulas.draws import draw, schedule
    from ttsartifact.formulas.pcm_kinds import PcmFormat, length_us
    from ttsartifact.formulas.text_events import event_row, perturb_text
    from ttsartifact.gating.policy_file import load_policy, policy_of
    from ttsartifact.measuring.metrics import Metric, MetricKind
    from ttsartifact.packing.carriers import convert, reattach, strip
    from ttsartifact.packing.judging import Judged, gate
    from ttsartifact.packing.pack import Packed, pack
    from ttsartifact.perturbing.perturb import LayerCount, Perturbed, perturb, perturb_wav
    from ttsartifact.perturbing.plan import ImperfectionPlan, load_plan, plan_of
    from ttsartifact.reading.artifact import Artifact, Parts
    from ttsartifact.reading.derived import read_range
    from ttsartifact.recording.bursting import SyncBurst
    from ttsartifact.recording.clock import Clock
    from ttsartifact.recording.command import record_command
    from ttsartifact.recording.recorder import Recorder, RecorderOptions
    from ttsartifact.recording.recovering import recover
    from ttsartifact.recording.references import Reference
    from ttsartifact.recording.run import Channel
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.recording.sensors.nvml import Nvml
    from ttsartifact.recording.statements import Stated
    from ttsartifact.recording.wrapping import record_tts, wrap_async_iterator, wrap_iterator
    from ttsartifact.reporting.plot import open_artifact as open  # noqa: A004 - as in gzip and wave
    from ttsartifact.rerunning.factory import rerun_factory
    from ttsartifact.rerunning.plan import Consent, Plan, PlannedInput
    from ttsartifact.rerunning.readapt import Readaptation
    from ttsartifact.rerunning.rerun import rerun_command, rerun_runner
    from ttsartifact.rerunning.verdict import Expectation, Judgement, Nearness
    from ttsartifact.rerunning.workplace import Rerun
    from ttsartifact.running.adapt import (
        AdaptationClip,
        AdaptationRecipe,
        AdaptationRequest,
        Adapted,
        Adapter,
        RecordedClip,
        adapt_voice,
    )
    from ttsartifact.running.child import ChildLimits
    from ttsartifact.running.run import RunOptions, run_batch, run_runner
    from ttsartifact.running.runner_protocol import (
        BatchChunk,
        BatchRunner,
        Conditions,
        Finished,
        Heard,
        Parameter,
        Prepared,
        Request,
        Runner,
        RunnerInfo,
        SoundFormat,
    )
    from ttsartifact.serving.keeping import record_http
    from ttsartifact.serving.request import SpeechRequest
    from ttsartifact.terms.descriptor import Descriptor, absent
    from ttsartifact.terms.draft import Draft
    from ttsartifact.terms.finding import Finding, Hint, Outcome, Recomputed, Severity, Verdict
    from ttsartifact.terms.level import Cause, Level
    from ttsartifact.terms.policy import Check, Policy
    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.engine import validate, verify
    from ttsartifact.verifying.report import Reason, Report

_PLACES = {
    "ttsartifact.claiming.claim": (
        "Aspect",
        "Claim",
        "ClaimProcedure",
        "ClaimTest",
        "Direction",
        "Effect",
        "RunGroup",
        "claim_of",
        "load_claim",
    ),
    "ttsartifact.claiming.evaluate": ("Answer", "Decided", "Evaluation", "Registered"),
    "ttsartifact.claiming.matching": ("Confounder", "Matched"),
    "ttsartifact.claiming.obstacles": ("ClaimedRun", "Obstacle", "ObstacleKind"),
    "ttsartifact.claiming.session": ("ChangePoint", "Course", "Session", "SessionRow"),
    "ttsartifact.claiming.settle": ("check_claim", "session_over"),
    "ttsartifact.claiming.testing": ("Tested",),
    "ttsartifact.measuring.metrics": ("Metric", "MetricKind"),
    "ttsartifact.gating.policy_file": ("load_policy", "policy_of"),
    "ttsartifact.packing.judging": ("Judged", "gate"),
    "ttsartifact.serving.keeping": ("record_http",),
    "ttsartifact.serving.request": ("SpeechRequest",),
    "ttsartifact.terms.policy": ("Check", "Policy"),
    "ttsartifact.formulas.draws": ("draw", "schedule"),
    "ttsartifact.formulas.pcm_kinds": ("PcmFormat", "length_us"),
    "ttsartifact.formulas.text_events": ("event_row", "perturb_text"),
    "ttsartifact.perturbing.plan": ("ImperfectionPlan", "load_plan", "plan_of"),
    "ttsartifact.perturbing.perturb": ("LayerCount", "Perturbed", "perturb", "perturb_wav"),
    "ttsartifact.attesting.checking": ("AttestationKind", "Attested", "Standing"),
    "ttsartifact._spec": ("FORMAT_VERSION",),
    "ttsartifact.attesting.keys": ("Checkpoint", "NoteKey"),
    "ttsartifact.attesting.runlog": ("Entry", "EntryKind", "Proof", "RunLog"),
    "ttsartifact.attesting.trust": ("Authority", "Requirements", "Signer", "Trust"),
    "ttsartifact.comparing.audio": ("AudioComparison", "Divergence", "Tolerance", "compare_audio"),
    "ttsartifact.comparing.changes": ("Change", "Unstated"),
    "ttsartifact.comparing.conditions": ("Difference", "StageComparison", "condition_diff"),
    "ttsartifact.comparing.diff": ("Diff", "FaultyPart", "Side", "diff"),
    "ttsartifact.comparing.timing": ("Quantity", "Timing"),
    "ttsartifact.container.canonical": ("Fault",),
    "ttsartifact.container.hard_binding": ("Credential",),
    "ttsartifact.container.source": ("Source", "Span"),
    "ttsartifact.errors": (
        "CapsuleLost",
        "CommandFailed",
        "Damaged",
        "InvalidDescriptor",
        "NotAnArtifact",
        "NotFound",
        "NotReadable",
        "OutputExists",
        "Refused",
        "TooLarge",
        "TtsArtifactError",
        "Unavailable",
    ),
    "ttsartifact.formulas.chain": ("adaptation_chain",),
    "ttsartifact.packing.carriers": ("convert", "reattach", "strip"),
    "ttsartifact.packing.pack": ("Packed", "pack"),
    "ttsartifact.reading.artifact": ("Artifact", "Parts"),
    "ttsartifact.reading.derived": ("read_range",),
    "ttsartifact.recording.clock": ("Clock",),
    "ttsartifact.recording.command": ("record_command",),
    "ttsartifact.recording.bursting": ("SyncBurst",),
    "ttsartifact.recording.recorder": ("Recorder", "RecorderOptions"),
    "ttsartifact.recording.recovering": ("recover",),
    "ttsartifact.recording.references": ("Reference",),
    "ttsartifact.recording.run": ("Channel",),
    "ttsartifact.recording.sensors": ("Sensor",),
    "ttsartifact.recording.sensors.nvml": ("Nvml",),
    "ttsartifact.recording.statements": ("Stated",),
    "ttsartifact.recording.wrapping": ("record_tts", "wrap_async_iterator", "wrap_iterator"),
    "ttsartifact.reporting.plot": ("open",),
    "ttsartifact.rerunning.plan": ("Consent", "Plan", "PlannedInput"),
    "ttsartifact.rerunning.factory": ("rerun_factory",),
    "ttsartifact.rerunning.readapt": ("Readaptation",),
    "ttsartifact.rerunning.rerun": ("rerun_command", "rerun_runner"),
    "ttsartifact.rerunning.verdict": ("Expectation", "Judgement", "Nearness"),
    "ttsartifact.rerunning.workplace": ("Rerun",),
    "ttsartifact.running.adapt": (
        "AdaptationClip",
        "AdaptationRecipe",
        "AdaptationRequest",
        "Adapted",
        "Adapter",
        "RecordedClip",
        "adapt_voice",
    ),
    "ttsartifact.running.child": ("ChildLimits",),
    "ttsartifact.running.run": ("RunOptions", "run_batch", "run_runner"),
    "ttsartifact.running.runner_protocol": (
        "BatchChunk",
        "BatchRunner",
        "Conditions",
        "Finished",
        "Heard",
        "Parameter",
        "Prepared",
        "Request",
        "Runner",
        "RunnerInfo",
        "SoundFormat",
    ),
    "ttsartifact.terms.level": ("Cause", "Level"),
    "ttsartifact.terms.descriptor": ("Descriptor", "absent"),
    "ttsartifact.terms.draft": ("Draft",),
    "ttsartifact.terms.finding": ("Finding", "Hint", "Outcome", "Recomputed", "Severity", "Verdict"),
    "ttsartifact.terms.trace": ("Trace",),
    "ttsartifact.verifying.engine": ("validate", "verify"),
    "ttsartifact.verifying.report": ("Reason", "Report"),
}
_HOMES = {name: module for module, names in _PLACES.items() for name in names}
_CALLED_THERE = {"open": "open_artifact"}

__all__ = [
    "FORMAT_VERSION",
    "AdaptationClip",
    "AdaptationRecipe",
    "AdaptationRequest",
    "Adapted",
    "Adapter",
    "Answer",
    "Artifact",
    "Aspect",
    "AttestationKind",
    "Attested",
    "AudioComparison",
    "Authority",
    "BatchChunk",
    "BatchRunner",
    "CapsuleLost",
    "Cause",
    "Change",
    "ChangePoint",
    "Channel",
    "Check",
    "Checkpoint",
    "ChildLimits",
    "Claim",
    "ClaimProcedure",
    "ClaimTest",
    "ClaimedRun",
    "Clock",
    "CommandFailed",
    "Conditions",
    "Confounder",
    "Consent",
    "Course",
    "Credential",
    "Damaged",
    "Decided",
    "Descriptor",
    "Diff",
    "Difference",
    "Direction",
    "Divergence",
    "Draft",
    "Effect",
    "Entry",
    "EntryKind",
    "Evaluation",
    "Expectation",
    "Fault",
    "FaultyPart",
    "Finding",
    "Finished",
    "Heard",
    "Hint",
    "ImperfectionPlan",
    "InvalidDescriptor",
    "Judged",
    "Judgement",
    "LayerCount",
    "Level",
    "Matched",
    "Metric",
    "MetricKind",
    "Nearness",
    "NotAnArtifact",
    "NotFound",
    "NotReadable",
    "NoteKey",
    "Nvml",
    "Obstacle",
    "ObstacleKind",
    "Outcome",
    "OutputExists",
    "Packed",
    "Parameter",
    "Parts",
    "PcmFormat",
    "Perturbed",
    "Plan",
    "PlannedInput",
    "Policy",
    "Prepared",
    "Proof",
    "Quantity",
    "Readaptation",
    "Reason",
    "Recomputed",
    "RecordedClip",
    "Recorder",
    "RecorderOptions",
    "Reference",
    "Refused",
    "Registered",
    "Report",
    "Request",
    "Requirements",
    "Rerun",
    "RunGroup",
    "RunLog",
    "RunOptions",
    "Runner",
    "RunnerInfo",
    "Sensor",
    "Session",
    "SessionRow",
    "Severity",
    "Side",
    "Signer",
    "SoundFormat",
    "Source",
    "Span",
    "SpeechRequest",
    "StageComparison",
    "Standing",
    "Stated",
    "SyncBurst",
    "Tested",
    "Timing",
    "Tolerance",
    "TooLarge",
    "Trace",
    "Trust",
    "TtsArtifactError",
    "Unavailable",
    "Unstated",
    "Verdict",
    "absent",
    "adapt_voice",
    "adaptation_chain",
    "check_claim",
    "claim_of",
    "compare_audio",
    "condition_diff",
    "convert",
    "diff",
    "draw",
    "event_row",
    "gate",
    "length_us",
    "load_claim",
    "load_plan",
    "load_policy",
    "open",
    "pack",
    "perturb",
    "perturb_text",
    "perturb_wav",
    "plan_of",
    "policy_of",
    "read_range",
    "reattach",
    "record_command",
    "record_http",
    "record_tts",
    "recover",
    "rerun_command",
    "rerun_factory",
    "rerun_runner",
    "run_batch",
    "run_runner",
    "schedule",
    "session_over",
    "strip",
    "validate",
    "verify",
    "wrap_async_iterator",
    "wrap_iterator",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("ttsartifact._version").__version__
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), _CALLED_THERE.get(name, name))


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
