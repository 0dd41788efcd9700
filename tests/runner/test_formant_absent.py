"""espeak-ng that cannot speak: each lack is named, and the package that would end it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reference_runner import conditions, formant
from ttsartifact import Request
from ttsartifact.errors import Unavailable


def test_a_library_without_voices_names_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers no rate."""
    silent = SimpleNamespace(espeak_Initialize=lambda *_: -1)
    monkeypatch.setattr(formant, "_installed_library", lambda: "lib.so")
    monkeypatch.setattr(formant, "_private_copy", lambda _path: (silent, "sha256:"))
    with pytest.raises(Unavailable) as caught:
        formant.EspeakRunner().prepare(Request(text="a"))
    assert str(caught.value) == "espeak-ng finds no voice data: expected the Debian package espeak-ng-data"


def test_a_library_of_which_the_system_shows_no_path_is_not_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc is not mounted everywhere."""

    def unreadable(*_: object, **__: object) -> None:
        raise OSError

    found = SimpleNamespace(espeak_Initialize=formant.ctypes.c_void_p(4096))
    monkeypatch.setattr(formant.ctypes, "CDLL", lambda _name: found)
    monkeypatch.setattr("builtins.open", unreadable)
    with pytest.raises(Unavailable) as caught:
        formant._installed_library()
    monkeypatch.undo()
    assert str(caught.value).startswith("the system does not show where espeak-ng was loaded from")


def test_the_device_has_the_memory_that_torch_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """81,559 MiB of an H100, in MiB."""
    properties = SimpleNamespace(name="NVIDIA H100", total_memory=81_559 * 1024 * 1024, uuid="ab-cd")
    monkeypatch.setattr(conditions.torch.cuda, "get_device_properties", lambda _index: properties)
    entry = conditions._device_entry()
    assert (entry["index"], entry["model"], entry["memory_mib"]) == (0, "NVIDIA H100", 81_559)
    assert entry["uuid_digest"] == conditions.digests.of_bytes(b"GPU-ab-cd")
