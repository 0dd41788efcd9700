"""What breaks a schema is told by place, and nothing that a stranger's JSON holds ends the asking."""

from __future__ import annotations

from pathlib import Path

import full_run
import kit
import pytest

from ttsartifact.claiming.claim import load_claim
from ttsartifact.cli import main
from ttsartifact.container.schemas import SchemaFault, fault_of, holds_as, validator
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import Refused
from ttsartifact.gating.policy_file import load_policy
from ttsartifact.packing.pack import RunInMemory, build, write
from ttsartifact.perturbing.plan import load_plan


@pytest.mark.parametrize(
    ("value", "where"),
    [({"a": ["b", "\ud800"]}, "/a/1"), ({"a": {"\udfff": 1}}, "/a"), ("\ud83d", ""), ({"a": "b\ud800c"}, "/a")],
)
def test_a_lone_surrogate_is_a_fault_with_a_place(value: object, where: str) -> None:
    """4.1: UTF-8 holds none; jsonschema-rs raises where it meets one."""
    fault = SchemaFault(where, "a string holds a lone surrogate", "no Unicode text")
    assert fault_of(validator("claim-result"), value) == fault
    assert not holds_as("digest", value)


CLAIM = (Path(__file__).parents[2] / "examples" / "claims" / "faster.toml").read_text(encoding="utf-8")
CHECK = 'id = "a"\nversion = "1.0"\n[[check]]\nmetric = "peak"\nthreshold = 1\noperator = "<"\n'
LAYER = '[[layer]]\nid = "x"\nkind = "dropout"\nrate_per_min = 6\n'
WRONG = {
    "a claim's list that is a word for it": (load_claim, CLAIM.replace('free = ["text"]', "free = true")),
    "a claim's margin of a hundred million digits": (load_claim, CLAIM.replace("margin = ", "margin = 1e99999999\n#")),
    "a policy's operator of a list": (load_policy, CHECK.replace('"<"', "[]")),
    "a policy's threshold beyond decimals": (load_policy, CHECK.replace("= 1\n", "= 1e99999999\n")),
    "a policy's source that is true": (load_policy, CHECK + "source = true"),
    "a plan's layers that are true": (load_plan, "layer = true"),
    "a plan's layers of words": (load_plan, 'layer = ["x"]'),
    "a plan's rate that is NaN": (load_plan, LAYER.replace("= 6", "= nan")),
    "a plan's rate that is infinite": (load_plan, LAYER.replace("= 6", "= inf")),
    "a plan's parameters that are a word": (load_plan, LAYER + 'params = "x"'),
    "a plan's date for a name": (load_plan, LAYER.replace('"x"', "1979-05-27")),
    "a plan's chain that is true": (load_plan, LAYER.replace("rate_per_min = 6", "markov = true")),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_of_ours_with_a_value_of_another_type_is_refused(name: str, tmp_path: Path) -> None:
    """Claims, policies and plans are posted too: whatever TOML holds, the file is named and no program fails."""
    load, text = WRONG[name]
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Refused, match=r"a\.toml"):
        load(tmp_path / "a.toml")


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
