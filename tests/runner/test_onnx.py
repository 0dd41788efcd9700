"""The graphs of the model and the engine that computes them: the same weights, other kernels."""

from __future__ import annotations

import copy
import hashlib
import json
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import ttsartifact
from reference_runner.errors import CertificateError, DeviceUnavailable, RequestError
from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.model.checkpoint import load_checkpoint, released_checkpoint_path
from reference_runner.model.contour_encoder import ContourEncoder
from reference_runner.model.model import StableTts
from reference_runner.model.prosody_language_model import ProsodyPrompt
from reference_runner.model.style_adaptive_encoder import EncodedFrames
from reference_runner.numerics.native import NativeOps
from reference_runner.stable_tts import StableTtsRunner
from reference_runner.stable_tts_onnx import StableTtsOnnxRunner
from reference_runner.synthesis.request import Numerics, SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer
from ttsartifact import Refused, RunOptions, Unavailable, compare_audio, condition_diff, run_runner, verify
from ttsartifact.cli import main
from ttsartifact.container.canonical import canonical_bytes

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

from reference_runner import __version__ as runner_version
from reference_runner.exporting.__main__ import main as export_main
from reference_runner.exporting.folder import export
from reference_runner.exporting.graphs import OPSET, draw, graphs_digest
from reference_runner.exporting.tracing import GraphOps, Traced
from reference_runner.exporting.weights import lay_out
from reference_runner.onnx_runtime import conditions as onnx_conditions
from reference_runner.onnx_runtime.parts import GraphContourEncoder, GraphParts
from reference_runner.onnx_runtime.sessions import SessionPlan
from reference_runner.onnx_runtime.synthesizer import GraphSynthesizer

OPS = NativeOps()
TEXT = "Hello there."
NOT_COMPUTED_WITH = {"prosody_quantizer.usage", "prosody_quantizer.sums", "vocoder.cosine"}
"""Two are training's; of the third the inverse transform's table is made, which is a weight of its own."""


@pytest.fixture(scope="module")
def model(small_checkpoint):
    return small_checkpoint.model


@pytest.fixture(scope="module")
def parts(model):
    return GraphParts(model, SessionPlan())


def real(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ids(*shape, below, seed=1):
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(seed))


def near(a, b):
    return a.shape == b.shape and torch.allclose(a, b, rtol=0.0, atol=1e-4)


# -- the graphs


def test_graphs_follow_from_the_sizes_alone(model):
    """Other weights give the same bytes; another size does not."""
    drawn = draw(model)
    other = draw(StableTts(model.config).eval())
    assert {name: graph.content for name, graph in drawn.items()} == {
        name: graph.content for name, graph in other.items()
    }
    wider = draw(StableTts(replace(model.config, style_channels=24)).eval())
    assert graphs_digest(wider) != graphs_digest(drawn)


def test_no_path_no_time_and_no_version_is_in_them(model):
    """What a run pins can be drawn again by anybody."""
    for graph in draw(model).values():
        read = onnx.load_model_from_string(graph.content)
        assert (read.producer_name, read.producer_version, read.doc_string) == ("ttsartifact", "", "")
        assert not read.metadata_props
        assert not any(node.doc_string or node.metadata_props for node in read.graph.node)


def test_every_weight_is_in_a_graph(model):
    """But for what no part computes with."""
    named = {place.name for graph in draw(model).values() for place in graph.weights}
    floating = {place.name for place in lay_out(model).values()}
    assert floating - named == NOT_COMPUTED_WITH


def test_a_tensor_that_is_no_weight_is_refused(model):
    """A graph that held its own copy would not follow an adapted voice."""
    ops = GraphOps(lay_out(model))
    with pytest.raises(CertificateError, match="hand parameters over whole and untouched"):
        ops.weight(torch.zeros(3))


# -- what they compute


@torch.inference_mode()
def test_an_adapted_voice_has_the_same_graphs_and_its_own_weights(model, parts):
    """What a delta adds to a weight is computed with."""
    adapted = copy.deepcopy(model)
    adapted.score_decoder.output.weight.data.mul_(3.0)
    its = GraphParts(adapted, SessionPlan())
    assert graphs_digest(its.graphs) == graphs_digest(parts.graphs)
    frames = EncodedFrames(mean=real(1, 20, 80), hidden=real(1, 20, model.config.hidden_channels))
    given = (real(1, 20, 80, seed=2), frames, real(1, model.config.style_channels))
    mine, theirs = (each.refine(OPS, *given, steps=2) for each in (its, adapted))
    assert near(mine, theirs)
    assert not near(mine, parts.refine(OPS, *given, steps=2))


def test_a_query_sees_every_key_that_nothing_hides():
    """Drawn attention is torch's, with and without a look ahead."""
    given = {name: real(1, 3, 4, seed=place) for place, name in enumerate("qkv")}
    for asked in ({}, {"causal": True}):
        ops = GraphOps({})
        seen = ops.attention(*(Traced(ops, name, (1, 3, 4)) for name in given), 2, **asked)
        inputs, output = (
            [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, 3, 4)) for name in names]
            for names in (given, [seen.name])
        )
        drawn = onnx.helper.make_graph(ops.nodes, "attention", inputs, output, list(ops.constants.values()))
        opset = [onnx.helper.make_opsetid("", OPSET)]
        whole = onnx.helper.make_model(drawn, opset_imports=opset, ir_version=8).SerializeToString()
        session = onnxruntime.InferenceSession(whole, providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {name: value.numpy() for name, value in given.items()})
        assert near(torch.from_numpy(found), OPS.attention(*given.values(), 2, **asked))


@torch.inference_mode()
@pytest.mark.parametrize("phones", [1, 9])
def test_planning_agrees(model, parts, phones):
    """Text, style, prosody, codes, durations and frames, each from the same input as torch's."""
    config = model.config
    text_ids = (ids(1, phones, below=30), ids(1, phones, below=2), ids(1, phones, below=3))
    text = model.text_encoder(OPS, *text_ids)
    assert near(parts.text_encoder(OPS, *text_ids), text)
    style = model.timbre_encoder(OPS, real(1, 21, 80))
    assert near(parts.timbre_encoder(OPS, real(1, 21, 80)), style)
    prompt = ProsodyPrompt(text=real(1, 5, config.hidden_channels), codes=ids(1, 5, below=config.prosody_codes))
    for given in (None, prompt):
        mine, theirs = (each.prosody_language_model.decode(OPS, text, given) for each in (parts, model))
        assert torch.equal(mine.codes, theirs.codes)
        assert near(mine.margins, theirs.margins)
    plans = [each.plan(OPS, text, theirs.codes, theirs.margins, style) for each in (parts, model)]
    assert near(plans[0].content, plans[1].content)
    assert torch.equal(plans[0].durations, plans[1].durations)
    durations = ids(1, phones, below=4) + 1
    frames = [each.style_adaptive_encoder(OPS, plans[1].content, durations, style) for each in (parts, model)]
    assert near(frames[0].mean, frames[1].mean)
    assert near(frames[0].hidden, frames[1].hidden)
    heard = real(1, int(durations.sum()), config.prosody_mel_bands + 3)
    latents = model.prosody_encoder(OPS, heard, durations)
    assert near(parts.prosody_encoder(OPS, heard, durations), latents)
    assert torch.equal(parts.prosody_quantizer(OPS, latents)[0], model.prosody_quantizer(OPS, latents)[0])


@torch.inference_mode()
@pytest.mark.parametrize("width", [-1.0, 0.0, 1.5])
def test_a_prompts_width_is_followed_as_torch_follows_it(model, parts, width):
    """The plain encoder's graph with the weights of the one that is given a width: frames as wide as torch's."""
    torch.manual_seed(4)
    encoder = ContourEncoder(model.config)
    encoder.width.data = real(model.config.hidden_channels)
    given = (
        real(1, 6, model.config.hidden_channels), ids(1, 6, below=4) + 1, real(1, model.config.style_channels),
        torch.full((1, 1, 1), width),
    )  # fmt: skip
    found, expected = GraphContourEncoder(parts, encoder, SessionPlan())(OPS, *given), encoder(OPS, *given)
    assert near(found.mean, expected.mean)
    assert near(found.hidden, expected.hidden)
    plain = encoder.encoder(OPS, *given[:3])
    assert near(found.mean, plain.mean) is (width == 0.0)


@torch.inference_mode()
@pytest.mark.parametrize("lengths", [(1,), (40,), (40, 13)])
def test_decoding_agrees(model, parts, lengths):
    """Noise to mel to samples, of one item and of a batch whose items end at different frames."""
    items, longest = len(lengths), max(lengths)
    frames = EncodedFrames(mean=real(items, longest, 80), hidden=real(items, longest, model.config.hidden_channels))
    mask = OPS.mask_from_lengths(torch.tensor(lengths), longest) if items > 1 else None
    style, noise = real(items, model.config.style_channels), real(items, longest, 80, seed=2)
    mels = [each.refine(OPS, noise, frames, style, steps=3, mask=mask) for each in (parts, model)]
    for item, length in enumerate(lengths):
        assert near(mels[0][item, :length], mels[1][item, :length])
    waves = [each.vocoder(OPS, mels[1], mask) for each in (parts, model)]
    assert near(*waves)


def test_the_folder_is_what_any_runtime_reads(model, small_checkpoint, tmp_path, capsys, small_checkpoint_path):
    """Graphs, weights and manifest: the same bytes twice, digests that hold, and the answers of torch."""
    manifest = export(small_checkpoint, tmp_path / "a")
    call = ["--weights", str(small_checkpoint_path), "--output", str(tmp_path / "b")]
    assert export_main(call) == 0
    assert manifest["graphs_digest"] in capsys.readouterr().out
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 12
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    for file in (*manifest["graphs"], manifest["weights"]):
        content = (tmp_path / "a" / file["path"]).read_bytes()
        assert (len(content), digest_of(content)) == (file["size"], file["digest"])
    assert manifest["checkpoint"]["digest"] == f"sha256:{small_checkpoint.digest}"
    session = onnxruntime.InferenceSession(tmp_path / "a" / "timbre_encoder.onnx", providers=["CPUExecutionProvider"])
    (style,) = session.run(None, {"mel": real(1, 21, 80).numpy()})
    assert np.allclose(style, model.timbre_encoder(OPS, real(1, 21, 80)).numpy(), atol=1e-4)
    with pytest.raises(SystemExit) as ended:
        export_main(call)
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"python -m reference_runner.exporting: the folder exists; name another one (in {tmp_path / 'b'})\n"
    )


def test_an_exported_voice_names_its_base_and_its_delta(small_checkpoint, tmp_path):
    """The manifest whole: what was exported, by what, and every file with size and digest."""
    adapted = replace(small_checkpoint, adaptation=SimpleNamespace(name="voice", digest="sha256:" + "1" * 64))
    manifest = export(adapted, tmp_path / "a")
    files = [manifest.pop("weights"), *manifest.pop("graphs")]
    for file in files:
        content = (tmp_path / "a" / file.pop("path")).read_bytes()
        assert file == {"size": len(content), "digest": digest_of(content)}
    assert len(files) == 11
    assert manifest == {
        "format": "ttsartifact-stable-tts-onnx/1",
        "model_family": "stable-tts-2412.20155",
        "checkpoint": {"name": "small", "digest": f"sha256:{small_checkpoint.digest}"},
        "adaptation": {"name": "voice", "digest": "sha256:" + "1" * 64},
        "config": json.loads(small_checkpoint.model.config.to_json()),
        "opset": 18,
        "exporter": {"ttsartifact-reference-runner": runner_version, "onnx": onnx.__version__},
        "graphs_digest": graphs_digest(draw(small_checkpoint.model)),
    }


def test_the_fingerprint_is_of_all_that_computed(small_checkpoint, monkeypatch):
    """The host's arithmetic, engine, runtime, machine and options, as one JSON text."""
    synthesizer = GraphSynthesizer(small_checkpoint)
    facts = {"engine": {"name": "an engine"}, "runtime": {"name": "a runtime"}, "machine": "a machine"}
    monkeypatch.setattr(onnx_conditions, "_engine", lambda _: facts["engine"])
    monkeypatch.setattr(onnx_conditions, "_runtime", lambda _: facts["runtime"])
    monkeypatch.setattr(onnx_conditions.platform, "machine", lambda: facts["machine"])
    facts |= {"host": "sha256:a", "flags": list(synthesizer.plan.flags())}
    found = onnx_conditions._numerics({"profile": "native", "fingerprint": "sha256:a"}, synthesizer)
    assert found == {"profile": "native", "fingerprint": digest_of(canonical_bytes(facts))}


def test_the_engine_is_named_with_the_code_that_decides(small_checkpoint):
    """Digest of the sorted lines of sha256sum: what decodes in torch, what draws the graphs, what runs them."""
    root = Path(str(files("reference_runner")))
    folders, alone = ("exporting", "frontend", "model", "numerics", "onnx_runtime", "synthesis"), ("conditions.py",)
    chosen = [path for folder in folders for path in (root / folder).rglob("*")]
    chosen += [root / name for name in (*alone, "stable_tts.py", "stable_tts_onnx.py")]
    lines = sorted(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root).as_posix()}\n"
        for path in chosen
        if path.suffix in {".py", ".json", ".gz"}
    )
    engine = onnx_conditions._engine(GraphSynthesizer(small_checkpoint))
    assert engine["build"].endswith(f", source sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}")


def test_what_a_session_was_asked_for_is_listed():
    """Threads, order, optimisation, and on CUDA no shorter products and no kernel chosen by a race."""
    common = [
        "use_deterministic_compute", "graph_optimization_level=all", "execution_mode=sequential",
        "intra_op_num_threads=3", "inter_op_num_threads=1", "session.intra_op.allow_spinning=0",
    ]  # fmt: skip
    assert list(SessionPlan(threads=3).flags()) == common
    assert list(SessionPlan(device="cuda", threads=3).flags()) == [
        *common, "CUDAExecutionProvider.use_tf32=0", "CUDAExecutionProvider.cudnn_conv_algo_search=DEFAULT",
    ]  # fmt: skip


def test_a_provider_that_does_not_begin_is_refused(model, monkeypatch):
    """ONNX Runtime would compute with another one, in silence."""

    class Elsewhere(onnxruntime.InferenceSession):
        def get_providers(self):
            return ["AnotherExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Elsewhere)
    with pytest.raises(DeviceUnavailable) as refused:
        GraphParts(model, SessionPlan())
    said = "CPUExecutionProvider did not begin, and nothing else computes in its place (in device)"
    assert str(refused.value) == said


def digest_of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_failed_export_leaves_nothing(small_checkpoint, tmp_path, monkeypatch):
    """Whole or not at all."""

    def refuse(*_, **__):
        raise onnx.checker.ValidationError("not today")

    monkeypatch.setattr(onnx.checker, "check_model", refuse)
    with pytest.raises(onnx.checker.ValidationError):
        export(small_checkpoint, tmp_path / "a")
    assert not list(tmp_path.iterdir())


# -- the engine


def test_a_batch_is_decoded_as_torch_decodes_it(small_checkpoint):
    """Two texts of different length, chunk by chunk, within a few steps of 16 bits."""
    requests = [
        SynthesisRequest(text=text, numerics=Numerics.NATIVE, steps=2, repeat=False)
        for text in ("Hello.", "The harbor was quiet, and we waited.")
    ]
    spoken = []
    front_end = TextFrontEnd()
    for kind in (GraphSynthesizer, Synthesizer):
        synthesizer = kind(small_checkpoint, front_end=front_end)
        pcm = [[], []]
        speech = synthesizer.speak_together(requests)
        for place, chunk in speech.together():
            pcm[place].append(chunk.pcm.astype(np.int64))
        spoken.append([np.concatenate(each) for each in pcm])
        assert speech.reports[1].batch_shapes[0][0] == 2
    for mine, theirs in zip(*spoken, strict=True):
        assert mine.shape == theirs.shape
        assert np.abs(mine - theirs).max() <= 2


def test_only_native_float32_is_computed(small_checkpoint):
    """Exact is another engine's."""
    with pytest.raises(RequestError, match=r"ONNX Runtime computes native numerics in float32 \(in request.numerics\)"):
        GraphSynthesizer(small_checkpoint).speak(SynthesisRequest(text="Hello."))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """One text, one checkpoint, one seed; two engines."""
    if not released_checkpoint_path().is_file():
        pytest.skip("the released weights are not here")
    folder = tmp_path_factory.mktemp("engines")
    made = []
    for runner, parameters in (("stable-tts", {"numerics": "native"}), ("stable-tts-onnx", {})):
        out = folder / f"{runner}.tts.wav"
        run_runner(runner, TEXT, out, RunOptions(seed=5, parameters=parameters), attempt=1)
        made.append(out)
    return made


def test_two_engines_of_one_checkpoint_differ_by_rounding_and_by_name(both):
    """Both verify, decide alike, sound alike; of the conditions that differ the engine stands first."""
    for report in (report for path in both for report in verify(path)):
        assert (report.verdict, report.findings, report.level_reached) == (ttsartifact.Verdict.INTACT, (), "L3")
    a, b = (ttsartifact.open(path) for path in both)
    audio = compare_audio(a, b)
    assert not audio.pcm_equal
    assert audio.within()
    stages = [{each["stage"]: each["digest"] for each in side.descriptor.at("/generation/stages")} for side in (a, b)]
    decided = ("text", "phoneme", "prosody_tokens", "duration", "noise")
    assert [stages[0][stage] for stage in decided] == [stages[1][stage] for stage in decided]
    found = condition_diff(a.descriptor, b.descriptor)
    assert (found[0].label, found[0].a, found[0].b) == ("engine name", "ttsartifact-stable-tts", "onnxruntime")
    assert not {"inputs", "weights"} & {each.cause for each in found}
    assert ttsartifact.diff(*both).blamed[0].subject == "engine"


def test_what_computed_is_pinned(both):
    """Engine, provider, graphs, checkpoint, session options; the run repeated itself."""
    descriptor = ttsartifact.open(both[1]).descriptor
    checkpoint = load_checkpoint()
    graphs = draw(checkpoint.model)
    engine = descriptor.at("/pins/engine")
    assert (engine["name"], engine["version"]) == ("onnxruntime", onnxruntime.__version__)
    assert engine["build"].startswith(f"CPUExecutionProvider, graphs {graphs_digest(graphs)}, source sha256:")
    assert [file["digest"] for file in descriptor.at("/pins/model/files")] == [f"sha256:{checkpoint.digest}"]
    assert descriptor.at("/pins/model/family") == "stable-tts-2412.20155"
    assert descriptor.at("/env/runtime/0/name") == "onnxruntime"
    assert descriptor.at("/env/runtime/0/build").startswith("CPUExecutionProvider, threads 1; ")
    assert descriptor.at("/generation/precision/dtype") == "float32"
    assert descriptor.at("/generation/determinism/flags")[:2] == [
        "use_deterministic_compute",
        "graph_optimization_level=all",
    ]
    assert descriptor.at("/generation/determinism/self_repeat") == "equal"
    numerics = [ttsartifact.open(path).descriptor.at("/generation/numerics") for path in both]
    assert numerics[1]["profile"] == "native"
    assert numerics[0]["fingerprint"] != numerics[1]["fingerprint"]
    listed = descriptor.at("/ext")["urn:ttsartifact:stable-tts-onnx"]["graphs"]
    assert {each["path"]: each["digest"] for each in listed} == {graph.file: graph.digest for graph in graphs.values()}


def test_it_is_made_again_to_the_sample(both, capsys):
    """In a process of its own, by the runner that the run names."""
    assert main(["rerun", str(both[1]), "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["verdict"], result["explanation"]) == ("PCM-EXACT", "the same numerics, and the run repeated itself")


@pytest.mark.exhaustive
def test_the_other_engine_makes_it_again_within_tolerance(both, capsys):
    """The parameters have the same names, so a rerun needs no more than the other runner's."""
    for path, runner in zip(both, ("stable-tts-onnx", "stable-tts"), strict=True):
        assert main(["rerun", str(path), "--runner", runner, "--format", "json"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["words"], result["explanation"]) == (
            "STAGE-EXACT(5)",
            "no guarantee covers a different engine name",
        )
        assert result["causes"][0]["label"] == "engine name"
        assert result["audio"]["max_difference_lsb"] <= 2


# -- what stops it


def test_it_takes_what_stable_tts_takes():
    """Every name, and of each value only what this engine computes."""
    mine, theirs = (
        {each.name: each for each in runner().describe().parameters}
        for runner in (StableTtsOnnxRunner, StableTtsRunner)
    )
    assert list(mine) == list(theirs)
    assert {name: mine[name].choices for name in ("numerics", "precision", "compile")} == {
        "numerics": ("native",),
        "precision": ("float32",),
        "compile": ("none",),
    }
    with pytest.raises(Refused, match="no value of this parameter"):
        StableTtsOnnxRunner().describe().checked({"numerics": "exact"})


def test_a_provider_that_is_not_here_is_refused(tmp_path, small_checkpoint_path, monkeypatch):
    """Nothing computes in its place."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    weights = {small_checkpoint_path.name: str(small_checkpoint_path)}
    with pytest.raises(Unavailable) as caught:
        run_runner(
            "stable-tts-onnx",
            "Hello.",
            tmp_path / "x.tts.wav",
            RunOptions(weights=weights, parameters={"device": "cuda"}),
        )
    assert caught.value.message == (
        f"this onnxruntime {onnxruntime.__version__} has no CUDAExecutionProvider, it has CPUExecutionProvider"
    )
    assert not list(tmp_path.iterdir())


def test_without_onnxruntime_it_says_what_to_install(tmp_path, monkeypatch):
    """And can still be asked what it takes."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert StableTtsOnnxRunner().describe().name == "stable-tts-onnx"
    with pytest.raises(Unavailable) as caught:
        run_runner("stable-tts-onnx", "Hello.", tmp_path / "x.tts.wav")
    assert caught.value.message == (
        "stable-tts-onnx needs onnxruntime, which is not installed; "
        'run: pip install "ttsartifact-reference-runner[onnx]"'
    )
