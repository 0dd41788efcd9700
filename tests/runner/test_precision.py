"""How `native` computes: precisions and compiled decoding are used where they are, and refused aloud elsewhere."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import ttsartifact
from reference_runner.errors import DeviceUnavailable, RequestError
from reference_runner.numerics.native import NativeOps
from reference_runner.stable_tts import _warm_up
from reference_runner.synthesis import decoding
from reference_runner.synthesis.decoding import Means, refuse_what_is_not_here
from reference_runner.synthesis.request import Compiled, Numerics, Precision, SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer
from ttsartifact import RunOptions, Unavailable, run_runner, verify
from ttsartifact.cli import main

TEXT = "Hello there. The harbor was quiet, and we waited for the boat."
NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
CPU = torch.device("cpu")


def native(**conditions):
    return SynthesisRequest(text=TEXT, seed=3, steps=2, numerics=Numerics.NATIVE, repeat=False, **conditions)


def speak(synthesizer, request):
    speech = synthesizer.speak(request)
    return np.concatenate([chunk.pcm for chunk in speech]).astype(float), speech.report


@pytest.fixture(scope="module")
def synthesizer(small_checkpoint):
    return Synthesizer(small_checkpoint)


def written(folder, small_checkpoint_path, name="run.tts.wav", **parameters):
    out = folder / name
    weights = {small_checkpoint_path.name: str(small_checkpoint_path)}
    run_runner(
        "stable-tts",
        TEXT,
        out,
        RunOptions(weights=weights, parameters={"numerics": "native", "steps": 2} | parameters),
        attempt=1,
    )
    return out


def test_bfloat16_is_stated_and_verifies(tmp_path, small_checkpoint_path):
    """Type, rounding and flags say which products were short; the run repeats itself."""
    out = written(tmp_path, small_checkpoint_path, precision="bf16")
    (report,) = verify(out)
    assert (report.findings, report.level_reached) == ((), "L3")
    descriptor = ttsartifact.open(out).descriptor
    assert descriptor.at("/generation/precision") == {
        "dtype": "float32; bfloat16 products in score decoder and vocoder",
        "quantisation": "weights and operands of those products rounded to bfloat16",
        "attention": "two matrix products and a softmax, unfused",
        "tf32": False,
        "autocast": False,
    }
    assert descriptor.at("/generation/determinism/self_repeat") == "equal"
    assert "cuda.matmul.allow_tf32=false" in descriptor.at("/generation/determinism/flags")
    assert descriptor.at("/generation/params/precision") == "bf16"
    other = ttsartifact.open(written(tmp_path, small_checkpoint_path, "other.tts.wav")).descriptor
    place = "/generation/numerics/fingerprint"
    assert descriptor.at(place) != other.at(place)


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_a_host_program_that_asked_for_short_products_changes_nothing(tmp_path, small_checkpoint_path, precision):
    """torch.set_float32_matmul_precision in the host program: the run sets what it states, and sounds the same."""
    usual = ttsartifact.open(written(tmp_path, small_checkpoint_path, "usual.tts.wav")).descriptor
    torch.set_float32_matmul_precision(precision)
    try:
        after = ttsartifact.open(written(tmp_path, small_checkpoint_path)).descriptor
    finally:
        torch.set_float32_matmul_precision("highest")
    for place in ("/audio/digest", "/generation/numerics/fingerprint"):
        assert after.at(place) == usual.at(place)


def test_exact_describes_a_stack_for_which_torch_has_no_one_word(tmp_path, small_checkpoint_path):
    """Products set to be short in one of torch's ways and long in the other: an exact run needs neither."""
    torch.set_float32_matmul_precision("high")
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        (report,) = verify(written(tmp_path, small_checkpoint_path, numerics="exact"))
    finally:
        torch.set_float32_matmul_precision("highest")
    assert report.findings == ()


def test_no_decision_hangs_on_a_short_product(synthesizer):
    """Phones, codes, durations and noise are those of float32; mel and samples are not."""
    whole, float32 = speak(synthesizer, native())
    short, bf16 = speak(synthesizer, native(precision=Precision.BF16))
    same = {name for name, digest in float32.stage_hashes.items() if bf16.stage_hashes[name] == digest}
    assert same == {"noise", "phones", "codes", "durations"}
    assert len(whole) == len(short)
    assert 10 * np.log10((whole**2).mean() / ((whole - short) ** 2).mean()) > 20


@NO_CUDA
@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("precision=tf32", "TF32 is a product of CUDA devices of compute capability 8.0 or more, got the CPU"),
        ("compile=graphs", "CUDA graphs need a CUDA device, got the CPU"),
    ],
)
def test_what_only_cuda_has_is_refused_elsewhere(parameter, said, tmp_path, small_checkpoint_path, capsys):
    """A silent float32 would be a false condition."""
    out = tmp_path / "x.tts.wav"
    call = ["run", "Hello.", "-o", str(out), "--numerics", "native", "--param", parameter, "--sensor", "none"]
    assert main([*call, "--weights", str(small_checkpoint_path)]) == 3
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (9, 0)])
def test_short_products_need_tensor_cores(capability, monkeypatch):
    """Before compute capability 8.0 they would be emulated, or silently float32."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    for precision in (Precision.TF32, Precision.BF16):
        means = Means(precision=precision)
        if capability >= (8, 0):
            refuse_what_is_not_here(means, torch.device("cuda"))
        else:
            with pytest.raises(DeviceUnavailable, match=r"got compute capability 7\.5"):
                refuse_what_is_not_here(means, torch.device("cuda"))


def test_without_a_compiler_nothing_is_compiled(tmp_path, small_checkpoint_path, monkeypatch):
    """And the address is the parameter."""
    monkeypatch.setattr(decoding.shutil, "which", lambda _name: None)
    with pytest.raises(Unavailable, match="needs a C\\+\\+ compiler") as refused:
        written(tmp_path, small_checkpoint_path, compile="compile")
    assert refused.value.where == "/generation/params/compile"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"precision": Precision.BF16}, "bf16 belongs to native numerics"),
        ({"compiled": Compiled.COMPILE}, "compile belongs to native numerics"),
    ],
)
def test_exact_has_one_precision(asked, said):
    """It is not changed in silence either."""
    with pytest.raises(RequestError, match=said):
        SynthesisRequest(text=TEXT, **asked)


def test_a_fixed_shape_changes_rounding_at_most(synthesizer, small_checkpoint, monkeypatch):
    """Padded windows, which graphs and compiled code need, sound as unpadded ones; the shape is in the report."""
    monkeypatch.setattr(decoding.FixedDecoder, "_compile", lambda self, examples: None)
    monkeypatch.setattr(decoding, "_cpp_compiler", lambda: "/usr/bin/true")
    whole, _ = speak(synthesizer, native())
    fixed, report = speak(Synthesizer(small_checkpoint), native(compiled=Compiled.COMPILE))
    assert set(report.batch_shapes) == {(1, 96)}
    assert np.abs(whole - fixed).max() <= 2


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, where it compiles
def test_compiled_code_sounds_the_same(tmp_path, small_checkpoint_path):
    """A run by torch.compile verifies, names its compiler and is within tolerance of the other."""
    plain = written(tmp_path, small_checkpoint_path)
    out = written(tmp_path, small_checkpoint_path, "compiled.tts.wav", compile="compile")
    assert not verify(out)[0].findings
    runtime = {each["name"]: each for each in ttsartifact.open(out).descriptor.at("/env/runtime")}
    assert runtime["inductor"]["build"] == decoding.compiler_version()
    assert ttsartifact.compare_audio(ttsartifact.open(plain), ttsartifact.open(out)).within()


def test_a_warm_up_is_told(tmp_path, small_checkpoint_path):
    """It lies before the clock, and the first call was not this one."""
    times = ttsartifact.open(written(tmp_path, small_checkpoint_path, warmup=1)).descriptor.at("/run/times")
    assert (times["warmup_runs"], times["first_call"]) == (1, False)


@pytest.mark.parametrize(
    ("device", "asked", "texts"),
    [
        ("cpu", 0, []), ("cpu", 2, ["Hello.", "Hello."]), ("cuda", 0, ["Oh."]), ("cuda", 1, ["Hello."]),
    ],
)  # fmt: skip
def test_a_gpu_warms_up_by_itself_and_a_cpu_where_it_is_asked_to(device, asked, texts):
    """A syllable, or the run's own text; once each, without what makes it imperfect, which comes back after it."""
    spoken = []

    class Watched:
        hooks = {"a station": "an imperfection"}  # noqa: RUF012 - of the test

        def speak_together(self, requests):
            spoken.extend((each.text, each.repeat, dict(self.hooks)) for each in requests)
            return SimpleNamespace(together=lambda: iter(()))

    watched = Watched()
    request = SynthesisRequest(text="Hello.", numerics=Numerics.NATIVE, device=device)
    assert _warm_up(watched, [request], asked) == len(texts)
    assert spoken == [(text, False, {}) for text in texts]
    assert watched.hooks == {"a station": "an imperfection"}


def test_a_warm_up_is_not_made_twice(small_checkpoint):
    """A run that is repeated to see whether it comes out equal warms up as often as it was asked to, and no more."""

    class Counting(NativeOps):
        calls = 0

        def linear(self, x, weight, bias=None):
            Counting.calls += 1
            return super().linear(x, weight, bias)

    def counted(act):
        before = Counting.calls
        act()
        return Counting.calls - before

    counting = Synthesizer(small_checkpoint, native_ops=lambda device: Counting(device=device))
    request = SynthesisRequest(text="Hello.", steps=1, numerics=Numerics.NATIVE)
    list(counting.speak(replace(request, repeat=False)))  # the first call reads the prior, too
    once = counted(lambda: list(counting.speak(replace(request, repeat=False))))
    assert counted(lambda: _warm_up(counting, [request], 1)) == once > 0
