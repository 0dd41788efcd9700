"""A descriptor of any shape goes through every command that reads one: each answers, and none breaks."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.cli import main
from ttsartifact.reading.artifact import open_artifact

if TYPE_CHECKING:
    from pathlib import Path

VALUES: tuple[Any, ...] = (None, 7, "words", [1], {"a": 1})
SHAPES = list(itertools.product(kit.descriptor(), VALUES))

POLICY = '[[checks]]\nmetric = "peak"\noperator = "<="\nthreshold = "1"\n'
PLAN = 'seed = 1\n[[layers]]\nstage = "pcm"\nkind = "click"\n'
METER = "time,power\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:01Z,2\n"
CALLS = [
    call.split()
    for call in (
        "show RUN",
        "show RUN --format json",
        "show RUN --format tsv",
        "show RUN --receipt",
        "verify RUN",
        "verify RUN GOOD --as-set --format markdown",
        "verify RUN --profile latency --level L3 --text Hello --format sarif",
        "validate RUN --format junit",
        "diff RUN GOOD",
        "diff GOOD RUN --format json",
        "report RUN -o OUT",
        "report RUN GOOD -o OUT",
        "export RUN --perfetto -o OUT",
        "align RUN --sensor METER --time time --time-form iso --value power --unit W --method clock",
        "unpack RUN -o OUT",
        "pack BARE --descriptor FOLDER/descriptor.json -o OUT.tts.wav",
        "convert RUN GOOD -o OUT.tts.parquet",
        "convert RUN -o OUT.tts.wav",
        "strip RUN -o OUT",
        "reattach BARE --descriptor FOLDER -o OUT.tts.wav",
        "reattach BARE --descriptor RUN -o OUT.tts.wav",
        "perturb RUN --spec PLAN -o OUT.tts.wav",
        "gate RUN GOOD --policy POLICY -o OUT.tts.parquet",
        "timestamp RUN --request OUT",
        "statement computation-receipt RUN",
        "rerun RUN -- true",
    )
]


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return what the calls name beside the run: a good run, its bare file, a policy, a plan and a meter's log."""
    folder = tmp_path_factory.mktemp("around")
    held = {"GOOD": kit.artifact(folder), "BARE": folder / "bare.wav"}
    held["BARE"].write_bytes(kit.wav())
    for word, text in (("POLICY", POLICY), ("PLAN", PLAN), ("METER", METER)):
        held[word] = folder / word.lower()
        held[word].write_text(text)
    return held


def unpacked(run: Path, folder: Path) -> Path:
    """Write the parts of a run as `unpack` does, whatever its shape."""
    folder.mkdir()
    parts = open_artifact(run).parts
    for name in parts.names():
        (folder / (name.replace("/", "-") + ".json")).write_bytes(parts.part(name))
    return folder


@pytest.mark.parametrize("calls", [1, pytest.param(len(CALLS), marks=pytest.mark.exhaustive)])
def test_every_command_answers_a_descriptor_of_any_shape(
    calls: int, around: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each member of the descriptor is replaced by null, a number, a string, a list and an object in turn."""
    turn = itertools.cycle(CALLS)
    for number, (member, value) in enumerate(SHAPES):
        run = kit.artifact(tmp_path, name=f"{number}.tts.wav", patch=kit.put(**{member: value}))
        words = {"RUN": run, "FOLDER": unpacked(run, tmp_path / f"folder-{number}"), **around}
        for place, call in enumerate(itertools.islice(turn, calls)):
            given = []
            for word in call:
                name = str(tmp_path / f"out-{number}-{place}") if word.startswith("OUT") else word
                name += word.removeprefix("OUT") if word.startswith("OUT") else ""
                head, _, rest = name.partition("/")
                given.append(str(words[head]) + (f"/{rest}" if rest else "") if head in words else name)
            code = main(given)
            said = capsys.readouterr()
            assert code in {0, 1, 2, 3, 4}, (call, member, value, said.err)
            assert "internal error" not in said.out + said.err, (call, member, value)
            if "json" in call:
                json.loads(said.out or "null")


def test_what_cannot_be_read_on_is_named(
    around: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder whose descriptor lists its traces wrongly is no source, and a run of no shape no trace of events."""
    run = kit.artifact(tmp_path, patch=kit.put(traces=[7]))
    folder = unpacked(run, tmp_path / "folder")
    out = str(tmp_path / "out.tts.wav")
    assert main(["reattach", str(around["BARE"]), "--descriptor", str(folder), "-o", out]) == 4
    assert capsys.readouterr().err == 'ttsa: 7 is not of type "object": found 7 (at /traces/0)\n'
    assert main(["export", str(run), "--perfetto", "-o", out]) == 4
    assert capsys.readouterr().err == f"ttsa: the descriptor breaks its schema; `ttsa validate` says where (at {run})\n"
