"""Heuristics: each speaks of a run that is odd, none of a sound one, and nothing follows from it."""

from __future__ import annotations

import re
import tomllib
from functools import partial

import full_run
import kit
import pytest

from ttsartifact import _spec
from ttsartifact.terms.descriptor import absent
from ttsartifact.verifying.catalogue import catalogue
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.hints import looks
from ttsartifact.verifying.report import exit_code

TOML = tomllib.loads(_spec.read("hints.toml").decode())["hint"]


def plain(**edits):
    return partial(kit.artifact, patch=kit.put(**edits))


def sound(pcm, bits=16):
    return partial(kit.artifact, audio=kit.wav(pcm, bits=bits))


def full(traces=None, **edits):
    return partial(full_run.artifact, patch=kit.put(**edits), traces=traces, resum=True)


def reversed_power(values):
    columns = values["telemetry"]["columns"]
    columns["power_mw"] = [90_000 + k if util else 300_000 + k for k, util in enumerate(columns["util_gpu_pct"])]


def small_memory(values):
    values["telemetry"]["columns"]["mem_used_mib"] = [12] * full_run.READINGS


def sparse(values):
    telemetry = values["telemetry"]
    telemetry["columns"] = {name: column[::9] for name, column in telemetry["columns"].items()}
    telemetry["rows"] = len(telemetry["columns"]["t_ns"])


SLOW = {f"channels__{n}__rate_mhz": 2_222 for n in range(8)}
ODD = {
    "CAN07": plain(run__notes="nai\u0308ve"),
    "HSH15": plain(input__text__value=absent("withheld")),
    "PIN16": plain(pins__engine__name="Stable-TTS"),
    "REF07": full(),
    "TXT02": full(input__normalised_text=absent("unknown"), input__phonemes=absent("unknown")),
    "TIM05": plain(run__times__t_submit_ns=41_000_020, run__times__t_first_token_ns=41_000_021),
    "TIM07": plain(run__times__t_submit_ns=21_000_000),
    "AUD08": sound(b"".join(b"\0" + kit.tone()[k : k + 2] for k in range(0, 1600, 2)), bits=24),
    "AUD10": sound(kit.tone()[:-6] + b"\xff\x7f" * 3),
    "AUD11": sound(b"\x07\0" * 800),
    "TEL08": full(reversed_power),
    "TEL13": full(sparse, **SLOW),
    "TEL16": full(small_memory),
}


def test_hints_are_those_of_the_list():
    """Each is described once, has a function, is no rule, and stands under a clause."""
    ids = [hint["id"] for hint in TOML]
    assert ids == list(looks()) == list(ODD)
    assert not set(ids) & set(catalogue())
    anchors = set(re.findall(r'<a id="c-([0-9-]+)"></a>', _spec.read("ttsartifact.md").decode()))
    for hint in TOML:
        assert set(hint) == {"id", "name", "clause", "expects", "why"}
        assert hint["clause"].replace(".", "-") in anchors
        assert looks()[hint["id"]].__doc__


@pytest.mark.parametrize("key", ODD)
def test_each_speaks(key, tmp_path):
    """A run that is odd in this way gets the hint, and is no worse for it."""
    (report,) = verify(ODD[key](tmp_path))
    assert key in {hint.id for hint in report.hints}
    plain_rules = {f.rule for f in report.findings if f.rule == key}
    assert not plain_rules
    assert exit_code(report) == (1 if key == "TIM05" and kit.failed(report) - {"TIM06"} else 0)


def test_a_sound_run_gets_none(tmp_path):
    """An ordinary run is told nothing."""
    (report,) = verify(kit.artifact(tmp_path))
    assert report.hints == ()


def test_decisions_leave_no_gap():
    """Every rule that was thought of is asked, hinted at, or left out with its reason: numbers run without a gap."""
    left_out = [entry["id"] for entry in tomllib.loads(_spec.read("rules.toml").decode())["left_out"]]
    ids = [*left_out, *catalogue(), *looks()]
    assert len(ids) == len(set(ids))
    for family in {key[:3] for key in ids}:
        numbers = sorted(int(key[3:]) for key in ids if key[:3] == family)
        assert numbers == list(range(1, len(numbers) + 1)), family
