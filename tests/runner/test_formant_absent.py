"""espeak-ng that cannot speak: each lack is named, and the package that would end it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from reference_runner import conditions, formant
from ttsartifact import Request
from ttsartifact.errors import Unavailable
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path


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
    monkeypatch.setattr(conditions, "driver_version", lambda: "580.1")
    unread = absent("not_measured", "no sensor was read")
    assert conditions._device_entry() == {
        "index": 0,
        "model": "NVIDIA H100",
        "uuid_digest": digest.of(b"GPU-ab-cd"),
        "driver": "580.1",
        "firmware": unread,
        "partition": unread,
        "power_limit_mw": unread,
        "max_clock_mhz": unread,
        "memory_mib": 81_559,
    }


def test_the_files_that_a_voice_speaks_from_are_pinned(tmp_path: Path) -> None:
    """Its own, its language's dictionary and its variant, by path; no other voice's."""
    texts = {"en_dict": b"1", "de_dict": b"2", "lang/gmw/en": b"3", "lang/gmw/de": b"4", "voices/!v/f3": b"5"}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text)
    for voice, names in (("en", ["en_dict", "lang/gmw/en"]), ("en+f3", ["en_dict", "lang/gmw/en", "voices/!v/f3"])):
        assert formant._voice_data(str(tmp_path), voice)["files"] == [
            {"path": name, "size": 1, "digest": digest.of(texts[name])} for name in names
        ]
