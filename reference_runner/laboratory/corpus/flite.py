"""flite through its C library: speech together with the phones, stresses and breaks it was made from.

Only this module uses flite. The library is a tool of the corpus builder and must be installed to build the
corpus (Debian: `libflite1`); the runner itself never loads it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.errors import PackageMissing

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FLITE_VOICES", "FliteLibrary", "SpokenSegment", "SpokenUtterance"]

FLITE_VOICES = ("slt", "rms", "awb", "kal16")


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class _Voice(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


@dataclass(frozen=True, kw_only=True, slots=True)
class SpokenSegment:
    """One phone as flite spoke it."""

    phone: str
    end_s: float
    stress: int
    """1 in a syllable with lexical stress."""
    word: str
    """The word it belongs to, empty in a pause."""
    word_index: int
    """How many words began before this phone ended; it distinguishes "that that"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpokenUtterance:
    """What flite said: 16-bit samples and their phones."""

    samples: NDArray[np.int16]
    sample_rate_hz: int
    segments: tuple[SpokenSegment, ...]


class _Track(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("num_frames", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("times", ctypes.POINTER(ctypes.c_float)),
        ("frames", ctypes.POINTER(ctypes.POINTER(ctypes.c_float))),
    )


_SIGNATURES = (
    ("flite_synth_text", ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_void_p)),
    ("utt_relation", ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p)),
    ("relation_head", ctypes.c_void_p, (ctypes.c_void_p,)),
    ("item_next", ctypes.c_void_p, (ctypes.c_void_p,)),
    ("item_feat_string", ctypes.c_char_p, (ctypes.c_void_p, ctypes.c_char_p)),
    ("item_feat_float", ctypes.c_float, (ctypes.c_void_p, ctypes.c_char_p)),
    ("ffeature_string", ctypes.c_char_p, (ctypes.c_void_p, ctypes.c_char_p)),
    ("delete_utterance", None, (ctypes.c_void_p,)),
    ("utt_wave", ctypes.POINTER(_Wave), (ctypes.c_void_p,)),
    ("feat_set_float", None, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float)),
    ("feat_val", ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p)),
    ("val_track", ctypes.POINTER(_Track), (ctypes.c_void_p,)),
    ("val_cg_db", ctypes.c_void_p, (ctypes.c_void_p,)),
    ("mlpg", ctypes.POINTER(_Track), (ctypes.c_void_p, ctypes.c_void_p)),
    (
        "mlsa_resynthesis",
        ctypes.POINTER(_Wave),
        (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int),
    ),
    ("delete_track", None, (ctypes.c_void_p,)),
    ("delete_wave", None, (ctypes.c_void_p,)),
)
_IN_WORD = b"R:SylStructure.parent.parent.name"
_STRESS = b"R:SylStructure.parent.stress"
_LOWEST_F0_HZ, _HIGHEST_F0_HZ = 60.0, 400.0
_EXCITATION_SEED = 1
"""flite's excitation comes from the C library's rand(): seeded, an utterance does not depend on those before it."""


def _load(name: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(f"lib{name}.so.1", mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        message = f"flite's library {name!r} cannot be loaded ({error}); install libflite1 to build the corpus"
        raise PackageMissing(message) from error


class FliteLibrary:
    """flite, loaded once; voices are registered when first asked for."""

    def __init__(self) -> None:
        self._core = _load("flite")
        _load("flite_usenglish")
        _load("flite_cmulex")
        for name, result, arguments in _SIGNATURES:
            function = getattr(self._core, name)
            function.restype = result
            function.argtypes = arguments
        self._core.flite_init()
        self._c_library = ctypes.CDLL(None)
        self._voices: dict[str, int] = {}
        # flite keeps the pointer to a feature's name, so the bytes must outlive the voice.
        self._names = {
            name: ctypes.create_string_buffer(name.encode())
            for name in ("int_f0_target_mean", "int_f0_target_stddev", "duration_stretch")
        }

    def _voice(self, name: str) -> int:
        if name not in self._voices:
            library = _load(f"flite_cmu_us_{name}")
            register = getattr(library, f"register_cmu_us_{name}")
            register.restype = ctypes.c_void_p
            register.argtypes = (ctypes.c_char_p,)
            self._voices[name] = register(None)
        return self._voices[name]

    def speak(
        self,
        text: str,
        *,
        voice: str,
        f0_mean_hz: float,
        f0_deviation_hz: float,
        duration_stretch: float,
        contour_factor: float | None = None,
    ) -> SpokenUtterance:
        """Say one sentence with one voice at these settings.

        `contour_factor` widens the pitch contour about its median, in semitones. Not every voice follows
        `f0_deviation_hz`: in some of flite's voices a later model of accents overwrites what it scales.
        """
        handle = self._voice(voice)
        features = ctypes.cast(handle, ctypes.POINTER(_Voice)).contents.features
        settings = {
            "int_f0_target_mean": f0_mean_hz,
            "int_f0_target_stddev": f0_deviation_hz,
            "duration_stretch": duration_stretch,
        }
        for name, value in settings.items():
            self._core.feat_set_float(features, ctypes.cast(self._names[name], ctypes.c_char_p), value)
        utterance = self._core.flite_synth_text(text.encode("ascii"), handle)
        try:
            wave = self._core.utt_wave(utterance).contents
            samples = _samples_of(wave) if contour_factor is None else self._resynthesised(utterance, contour_factor)
            return SpokenUtterance(
                samples=samples,
                sample_rate_hz=wave.sample_rate,
                segments=tuple(self._segments(utterance)),
            )
        finally:
            self._core.delete_utterance(utterance)

    def _resynthesised(self, utterance: int, contour_factor: float) -> NDArray[np.int16]:
        """Return the samples of an utterance whose F0 track is widened about its median."""
        core = self._core
        features = ctypes.cast(utterance, ctypes.POINTER(ctypes.c_void_p))[0]
        track, strengths = (core.val_track(core.feat_val(features, name)) for name in (b"param_track", b"str_track"))
        _widen(track.contents, contour_factor)
        database = core.val_cg_db(core.feat_val(features, b"cg_db"))
        smooth = core.mlpg(track, database)
        self._c_library.srand(_EXCITATION_SEED)
        wave = core.mlsa_resynthesis(smooth, strengths, database, None, 0)
        try:
            return _samples_of(wave.contents)
        finally:
            core.delete_wave(wave)
            core.delete_track(smooth)

    def _segments(self, utterance: int) -> list[SpokenSegment]:
        core = self._core
        segments: list[SpokenSegment] = []
        word_index = -1
        previous_word_end = ""
        item = core.relation_head(core.utt_relation(utterance, b"Segment"))
        while item:
            word = core.ffeature_string(item, _IN_WORD).decode()
            word = "" if word == "0" else word
            ordinal = core.ffeature_string(item, b"R:SylStructure.parent.parent.R:Word.p.name").decode() + "|" + word
            if word and ordinal != previous_word_end:
                word_index += 1
            previous_word_end = ordinal if word else ""
            segments.append(
                SpokenSegment(
                    phone=core.item_feat_string(item, b"name").decode(),
                    end_s=core.item_feat_float(item, b"end"),
                    stress=int(core.ffeature_string(item, _STRESS).decode() == "1"),
                    word=word,
                    word_index=word_index if word else -1,
                )
            )
            item = core.item_next(item)
        return segments


def _samples_of(wave: _Wave) -> NDArray[np.int16]:
    return np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).astype(np.int16, copy=True)


def _widen(track: _Track, factor: float) -> None:
    """Scale the F0 of voiced frames, the first channel, about its median on a logarithmic axis; in place."""
    f0_hz = np.array([track.frames[frame][0] for frame in range(track.num_frames)], dtype=np.float64)
    voiced = f0_hz > 0
    if not voiced.any():
        return
    median = np.median(f0_hz[voiced])
    wanted = np.clip(median * (f0_hz[voiced] / median) ** factor, _LOWEST_F0_HZ, _HIGHEST_F0_HZ)
    for frame, value in zip(np.flatnonzero(voiced).tolist(), wanted.tolist(), strict=True):
        track.frames[frame][0] = value
