"""Weight files that the asker points at: matched by digest, data and no code."""

from __future__ import annotations

import json
import struct

import kit
import pytest

from ttsartifact.errors import Refused
from ttsartifact.rerunning.plan import Consent, match_weights, require, weights_of
from ttsartifact.rerunning.rerun import rerun_runner
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import Descriptor


def tensors(payload=b"\0" * 16):
    """Return a small safetensors file."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(header)) + header + payload


def pinned(path, data):
    """Return the entry that pins `data` under `path`."""
    return {"path": path, "size": len(data), "digest": digest.of(data)}


def test_files_are_matched_by_name_length_and_digest(tmp_path):
    """What matches is handed on by the name that the descriptor gives it."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "model.safetensors").write_bytes(tensors())
    (tmp_path / "config.json").write_bytes(b"{}")
    files = [pinned("sub/model.safetensors", tensors()), pinned("config.json", b"{}")]
    assert match_weights(tmp_path, files) == {
        "sub/model.safetensors": str(tmp_path / "sub" / "model.safetensors"),
        "config.json": str(tmp_path / "config.json"),
    }


@pytest.mark.parametrize(
    "name", ["../out.json", "/etc/passwd", "a/../../b.json", "a//b.json", "./a.json", "..\\a.json", "a/", ""]
)
def test_a_name_does_not_leave_its_folder(tmp_path, name):
    """No name of a stranger's reaches outside the folder that the asker named."""
    with pytest.raises(Refused, match="the name of a weight file leaves its folder"):
        match_weights(tmp_path, [pinned(name, b"{}")])


def test_a_link_does_not_leave_its_folder(tmp_path):
    """Neither a linked file nor a linked folder is followed."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.json").write_bytes(b"{}")
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "a.json").symlink_to(tmp_path / "elsewhere" / "a.json")
    (weights / "sub").symlink_to(tmp_path / "elsewhere")
    for name in ("a.json", "sub/a.json"):
        with pytest.raises(Refused, match="behind a symbolic link"):
            match_weights(weights, [pinned(name, b"{}")])


@pytest.mark.parametrize(
    "name", ["model.pt", "model.bin", "model.ckpt", "model.pkl", "model.onnx", "model.py", "model"]
)
def test_a_format_that_can_carry_code_is_refused(tmp_path, name):
    """The fourth rung: this version never executes code that an artifact names."""
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(Refused, match="this version never executes code that an artifact names"):
        match_weights(tmp_path, [pinned(name, b"\x80\x04.")])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("model.safetensors", b"\x80\x04\x95" + b"\0" * 20),
        ("model.safetensors", struct.pack("<Q", 1 << 40) + b"{}"),
        ("model.safetensors", b""),
        ("model.gguf", b"PK\x03\x04"),
    ],
)
def test_a_suffix_is_held_to_the_first_bytes(tmp_path, name, data):
    """A pickle by another name is still one."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Refused, match="not what its name says"):
        match_weights(tmp_path, [pinned(name, data)])


def test_a_missing_a_longer_and_another_file_are_refused(tmp_path):
    """Each with its own sentence."""
    entry = pinned("a.json", b"{}")
    with pytest.raises(Refused, match="a weight file is missing: No such file or directory"):
        match_weights(tmp_path, [entry])
    (tmp_path / "a.json").write_bytes(b"{ }")
    with pytest.raises(Refused, match="a weight file has the wrong length: found 3, expected 2"):
        match_weights(tmp_path, [entry])
    (tmp_path / "a.json").write_bytes(b"[]")
    with pytest.raises(Refused, match="a weight file has the wrong digest"):
        match_weights(tmp_path, [entry])


def test_the_ladder_ends_at_its_second_rung():
    """L0 to L2 pass; L3 and L4 are refused with what to do instead."""
    for level in (Consent.L0, Consent.L1, Consent.L2):
        require(level)
    with pytest.raises(Refused, match="this version downloads no files: get them yourself"):
        require(Consent.L3)
    with pytest.raises(Refused, match="install it as a runner if you trust it"):
        require(Consent.L4)


def test_weights_are_those_of_model_and_vocoder():
    """A vocoder that is part of its model has no files of its own."""
    value = kit.descriptor()
    value["pins"]["model"] = {
        "uri": "u",
        "revision": "5f3c1e0b9a7d4c2e8f6b1a3d5c7e9f0b2d4a6c8e",
        "files": [pinned("m.safetensors", tensors())],
    }
    value["pins"]["vocoder"] = {"integrated": True, "detail": "in the model"}
    assert [file["path"] for file in weights_of(Descriptor(b"", value))] == ["m.safetensors"]


def test_weights_reach_a_runner_by_digest_and_need_their_consent(odd_runner, tmp_path):
    """The plan names every file with its digest; without L2 nothing is read on behalf of a runner."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "m.safetensors").write_bytes(tensors())

    def pin(value):
        value["generation"]["runner"] = {"name": odd_runner, "version": "1.0"}
        value["pins"]["model"] = {
            "uri": "hub/m",
            "revision": "5f3c1e0b9a7d4c2e8f6b1a3d5c7e9f0b2d4a6c8e",
            "files": [pinned("m.safetensors", tensors())],
        }

    path = kit.artifact(tmp_path, patch=pin)
    found = rerun_runner(path, weights=tmp_path / "weights")
    assert found.plan is not None
    assert found.plan.consent is Consent.L2
    assert [(each.name, each.digest) for each in found.plan.weights] == [("m.safetensors", digest.of(tensors()))]
    with pytest.raises(Refused, match="weight files need consent L2"):
        rerun_runner(path, weights=tmp_path / "weights", consent=Consent.L1)
    (tmp_path / "weights" / "m.safetensors").write_bytes(tensors(b"\1" * 16))
    with pytest.raises(Refused, match="a weight file has the wrong digest"):
        rerun_runner(path, weights=tmp_path / "weights")
