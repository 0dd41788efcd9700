"""Words that several commands share: the formats, a file, a folder, an output."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = [
    "Determinism",
    "Device",
    "FailOn",
    "Files",
    "Force",
    "Level",
    "Out",
    "Profile",
    "ReportFormat",
    "RerunFormat",
    "Sensor",
    "ShowFormat",
]


class ReportFormat(StrEnum):
    """How a report is spoken."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    TSV = "tsv"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"
    MARKDOWN = "markdown"


class ShowFormat(StrEnum):
    """How a card is spoken."""

    TEXT = "text"
    JSON = "json"
    TSV = "tsv"
    MARKDOWN = "markdown"


class RerunFormat(StrEnum):
    """How a rerun is spoken."""

    TEXT = "text"
    JSON = "json"


class Sensor(StrEnum):
    """What reads the accelerator while a run is recorded."""

    NVML = "nvml"
    NONE = "none"


class Device(StrEnum):
    """Where a model computes."""

    CPU = "cpu"
    CUDA = "cuda"
    ROCM = "rocm"
    MPS = "mps"
    XPU = "xpu"
    NPU = "npu"
    OTHER = "other"


class Determinism(StrEnum):
    """What a poster promises of a rerun."""

    BITWISE = "bitwise"
    SAME_DEVICE = "same_device"
    STATISTICAL = "statistical"
    NONE = "none"


class Level(StrEnum):
    """The conformance levels."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


class Profile(StrEnum):
    """The profiles of clause 9.5."""

    POWER = "power"
    ENERGY = "energy"
    LATENCY = "latency"
    PROSODY = "prosody"
    SESSION = "session"
    COMPARISON = "comparison"
    IMPERFECTION = "imperfection"
    GATED_SET = "gated-set"
    SIGNED = "signed"
    UTC = "utc"


class FailOn(StrEnum):
    """The least severity that makes an exit code."""

    WARN = "warn"
    ERROR = "error"


Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="Artifacts, or folders of them.")]
Out = Annotated[str, typer.Option("-o", "--out", metavar="OUT", help="The file to write, whole or not at all.")]
Force = Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")]
