"""What breaks a schema is told by place, and nothing that a stranger's JSON holds ends the asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import full_run
import kit
import pytest

from ttsartifact.cli import main
from ttsartifact.container.schemas import SchemaFault, fault_of, holds_as, validator
from ttsartifact.container.source import BytesSource
from ttsartifact.packing.pack import RunInMemory, build, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "where"),
    [({"a": ["b", "\ud800"]}, "/a/1"), ({"a": {"\udfff": 1}}, "/a"), ("\ud83d", ""), ({"a": "b\ud800c"}, "/a")],
)
def test_a_lone_surrogate_is_a_fault_with_a_place(value: object, where: str) -> None:
    """4.1: UTF-8 holds none; jsonschema-rs raises where it meets one."""
    fault = SchemaFault(where, "a string holds a lone surrogate", "no Unicode text")
    assert fault_of(validator("claim-result"), value) == fault
    assert not holds_as("digest", value)


@pytest.mark.parametrize("value", [b'"\\ud800"', b"[[]]", b"{}", b'"x"', b"1.5"])
@pytest.mark.parametrize("command", ["stats", "gate", "convert", "diff", "session"])
def test_a_descriptor_of_the_wrong_shape_is_refused(
    value: bytes, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that goes on with a descriptor says that it breaks its schema; none fails of its own."""
    built = build(full_run.draft(), BytesSource(kit.wav()))
    raw = built.parts["descriptor"].replace(b'"t_submit_ns":203000011', b'"t_submit_ns":' + value)
    run = RunInMemory(
        parts=built.parts | {"descriptor": raw}, audio=built.audio, wave=built.wave, audio_digest=built.audio_digest
    )
    path, policy = tmp_path / "run.tts.wav", tmp_path / "p.toml"
    write(run, path, carrier="wav")
    policy.write_text('id = "a@1"\n[[check]]\nmetric = "peak_dbfs"\nat_most = "0"\n')
    more = {"gate": ["--policy", policy], "convert": ["-o", tmp_path / "m.wav", "--multichannel"], "diff": [path]}
    assert main([command, str(path), *map(str, more.get(command, []))]) in {2, 4}
    assert "internal error" not in capsys.readouterr().err
