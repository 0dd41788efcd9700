"""espeak-ng as a runner: a real engine, small enough to be everywhere, streaming the chunks that it decodes.

Each run loads a private copy of the library, so that no state of an earlier run is left in it, and so that the bytes
whose digest is stated are the bytes that ran. Its voices draw from the C library's rand(), or from 1.52 on from a
generator of its own; both are seeded here.
"""

from __future__ import annotations

import _ctypes
import contextlib
import ctypes
import hashlib
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from typing import TYPE_CHECKING, Any

from reference_runner import digests
from ttsartifact import (
    Conditions,
    Finished,
    Parameter,
    Prepared,
    Refused,
    Request,
    RunnerInfo,
    SoundFormat,
    Unavailable,
    absent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EspeakRunner"]

_LIBRARY = "libespeak-ng.so.1"
_OWN_SEED = "espeak_ng_SetRandSeed"
"""What espeak-ng exports from 1.52 on; it no longer asks rand(), and seeds itself with the time of day."""
_DEBIAN = "the Debian package libespeak-ng1"
_DATA_PACKAGE, _LIBRARY_PACKAGE = "espeak-ng-data", "libespeak-ng1"
# espeak-ng/speak_lib.h
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_CHARACTERS_UTF8, _END_PAUSE = 1, 0x1000
_POSITION_CHARACTER = 1
_BUFFER_MS = 40
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_SHARED_DATA = ("phondata", "phonindex", "phontab", "intonations")

_PARAMETERS = (
    # Letters, digits and one plus: a voice is looked up by name below the voice data and by no path.
    Parameter(
        name="voice",
        kind=str,
        default="en",
        pattern=r"[a-z]{2,3}(-[A-Za-z0-9]{1,16}){0,3}(\+[A-Za-z0-9]{1,24})?",
        help="language, and a variant after a plus: en, en-us+f3",
    ),
    Parameter(name="rate", kind=int, default=175, minimum=80, maximum=450, help="words a minute"),
    Parameter(name="pitch", kind=int, default=50, minimum=0, maximum=99, help="base pitch; 50 is the voice's own"),
    Parameter(name="range", kind=int, default=50, minimum=0, maximum=99, help="pitch range; 0 is monotone"),
    Parameter(name="volume", kind=int, default=100, minimum=0, maximum=200, help="per cent of full volume"),
)


class EspeakRunner:
    """espeak-ng through its library, with the synthesis callback."""

    def __init__(self) -> None:
        self._library: ctypes.CDLL | None = None
        self._request = Request(text="")
        self._seed = 1

    def describe(self) -> RunnerInfo:
        """Name the engine and every parameter it takes."""
        return RunnerInfo(name="espeak-ng", version="1.0.0", parameters=_PARAMETERS, seed_stages=("voice",))

    def prepare(self, request: Request) -> Prepared:
        """Load the library and the voice, and pin both; raises Unavailable when espeak-ng is not installed."""
        self._request = request
        # A fresh process, such as the espeak-ng program, draws as if it had been seeded with 1.
        self._seed = request.seeds.get("voice", 1)
        if not 0 <= self._seed < 2**32:
            raise Refused(
                "srand() takes 32 bits", where="/generation/seeds/0", found=self._seed, expected="0 to 2^32-1"
            )
        installed = _installed_library()
        self._library, library_digest = _private_copy(installed)
        rate_hz = self._library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, None, _DONT_EXIT)
        if rate_hz <= 0:
            raise Unavailable("espeak-ng finds no voice data", expected="the Debian package espeak-ng-data")
        version, data = self._about()
        parameters = request.parameters
        if self._library.espeak_SetVoiceByName(str(parameters["voice"]).encode()) != 0:
            raise Unavailable(
                "espeak-ng has no such voice", found=parameters["voice"], where="/generation/params/voice"
            )
        for number, name in ((_RATE, "rate"), (_VOLUME, "volume"), (_PITCH, "pitch"), (_RANGE, "range")):
            self._library.espeak_SetParameter(number, parameters[name], 0)
        return Prepared(
            format=SoundFormat(subtype="pcm_s16", sample_rate_hz=rate_hz, channels=1),
            conditions=self._conditions(version, library_digest, data),
        )

    def stream(self) -> Iterator[bytes]:
        """Yield the samples of each callback as they are decoded. espeak-ng decodes in a thread of its own."""
        library, text = self._ready(), self._request.text.encode()
        chunks: queue.SimpleQueue[bytes | int] = queue.SimpleQueue()
        stopped = threading.Event()

        def deliver(samples: int | None, count: int, _events: int | None) -> int:
            if samples and count > 0:
                chunks.put(ctypes.string_at(samples, 2 * count))
            return int(stopped.is_set())

        callback = _CALLBACK(deliver)
        library.espeak_SetSynthCallback(callback)

        def synthesise() -> None:
            seed_noise(library, self._seed)
            flags = _CHARACTERS_UTF8 | _END_PAUSE
            status = -1
            try:
                status = library.espeak_Synth(
                    text, ctypes.c_size_t(len(text) + 1), 0, _POSITION_CHARACTER, 0, flags, None, None
                )
            finally:
                chunks.put(int(status))

        worker = threading.Thread(target=synthesise, name="espeak-ng", daemon=True)
        worker.start()
        try:
            while isinstance(found := chunks.get(), bytes):
                yield found
            if found != 0:
                raise Refused("espeak-ng did not accept the text", found=f"error {found}")
        finally:
            stopped.set()
            worker.join()

    def finish(self) -> Finished:
        """Unload the private copy."""
        if self._library is not None:
            self._library.espeak_Terminate()
            _ctypes.dlclose(self._library._handle)  # noqa: SLF001 - ctypes has no public way to let go
            self._library = None
        return Finished()

    def _ready(self) -> ctypes.CDLL:
        if self._library is None:
            raise Refused("stream() was called before prepare()")
        return self._library

    def _generator(self) -> str:
        return "espeak_ng_rand" if hasattr(self._ready(), _OWN_SEED) else "libc_rand"

    def _about(self) -> tuple[str, str]:
        library = self._ready()
        library.espeak_Info.restype = ctypes.c_char_p
        folder = ctypes.c_char_p()
        version = library.espeak_Info(ctypes.byref(folder))
        return version.split()[0].decode(), os.fsdecode(folder.value or b"")

    def _conditions(self, version: str, library_digest: str, data: str) -> Conditions:
        engine: dict[str, Any] = {"name": "espeak-ng", "version": version, "digest": library_digest}
        built = _package_version(_LIBRARY_PACKAGE)
        if built is not None:
            engine |= {"build": built, "package": f"deb:{_LIBRARY_PACKAGE}"}
        named = self._request.seeds.get("voice")
        asked = absent("not_applicable", "none was asked for") if named is None else str(named)
        return Conditions(
            engine=engine,
            model=_voice_data(data, str(self._request.parameters["voice"])),
            vocoder={"integrated": True, "detail": "formant synthesis in the engine itself"},
            # Normalisation, letters to sounds and prosody are in the engine.
            frontend=({"name": "espeak-ng", "version": version, "digest": library_digest},),
            device="cpu",
            adaptation=absent("not_applicable", "the engine is not adapted"),
            seeds=(
                {"stage": "voice", "requested": asked, "effective": str(self._seed), "generator": self._generator()},
            ),
            precision=absent("not_applicable", "no network of weights"),
            # Measured: equal in new processes of one machine. Other processors and C libraries were not tried.
            determinism="same_device",
            numerics=absent("not_applicable", "no numerics profile"),
            marking="none",
        )


def seed_noise(library: Any, seed: int) -> None:
    """Seed what the voices draw from: the C library's rand(), and from espeak-ng 1.52 on a generator of its own."""
    ctypes.CDLL(None).srand(ctypes.c_uint(seed))
    if hasattr(library, _OWN_SEED):
        getattr(library, _OWN_SEED)(ctypes.c_long(seed))


def _installed_library() -> str:
    """Return the path of the library that the loader would take."""
    try:
        found = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise Unavailable("espeak-ng is not installed", expected=_DEBIAN) from error
    address = ctypes.cast(found.espeak_Initialize, ctypes.c_void_p).value or 0
    with contextlib.suppress(OSError), open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            start, _, end = line.split(" ", 1)[0].partition("-")
            if int(start, 16) <= address < int(end, 16):
                return line.split(maxsplit=5)[5].rstrip("\n")
    raise Unavailable("the system does not show where espeak-ng was loaded from", expected=_DEBIAN)


def _private_copy(path: str) -> tuple[ctypes.CDLL, str]:
    """Load a private copy of the library, and return it and its digest."""
    with tempfile.TemporaryDirectory(prefix="ttsa-espeak-") as folder:
        copy = shutil.copyfile(path, os.path.join(folder, "libespeak-ng.so"))
        try:
            return ctypes.CDLL(copy), _digest_of(copy)[1]
        except OSError as error:
            raise Unavailable(f"cannot load a private copy of espeak-ng: {error}") from error


def _voice_data(folder: str, voice: str) -> dict[str, Any]:
    """Pin the files of the voice data that a voice speaks from: its own, the dictionary, and what all voices share."""
    language, _, variant = voice.partition("+")
    wanted = {*_SHARED_DATA, f"{language.split('-')[0]}_dict"}
    files = []
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.relpath(os.path.join(place, name), folder)
            own = name.lower() == language.lower() and path.startswith("lang")
            if path in wanted or own or (variant and path == f"voices/!v/{variant}"):
                size, digest = _digest_of(os.path.join(place, name))
                files.append({"path": path, "size": size, "digest": digest})
    files.sort(key=lambda file: str(file["path"]))
    listed = "".join(f"{file['digest']}  {file['path']}\n" for file in files)
    built = _package_version(_DATA_PACKAGE)
    return {
        "family": "espeak-ng",
        "uri": f"pkg:deb/debian/{_DATA_PACKAGE}" + (f"@{built}" if built else ""),
        "revision": digests.of_bytes(listed.encode()),
        "files": files,
    }


def _digest_of(path: str) -> tuple[int, str]:
    with open(path, "rb") as file:
        digest = digests.spelled(hashlib.file_digest(file, "sha256"))
        return file.tell(), digest


def _package_version(name: str) -> str | None:
    """Return the version of an installed Debian package, or None where there is no dpkg or no such package."""
    tool = shutil.which("dpkg-query")
    if tool is None:
        return None
    asked = subprocess.run([tool, "-W", "-f", "${Version}", name], capture_output=True, check=False, timeout=30)
    return asked.stdout.decode("ascii", "replace").strip() or None if asked.returncode == 0 else None
