"""Exported generators give the same images in other programs."""

import base64
import io
import json
import shutil

import mindspore as ms
import numpy as np
import onnxruntime
import pytest
from archives import contents
from browser import SCREENS, check, look
from conftest import ROOT, script, snakemake
from PIL import Image

from pix2pix.browser.half import half_precision
from pix2pix.browser.page import read_runtime
from pix2pix.config.settings import GeneratorSettings, TrainSettings
from pix2pix.export.card import write_card
from pix2pix.export.files import EXPORTS, export_files
from pix2pix.export.onnx_graph import onnx_model
from pix2pix.export.torch_names import torch_weights
from pix2pix.model.checkpoint import save_network, stored_parameters
from pix2pix.model.description import Description
from pix2pix.model.networks import Generator, compile_forward, initialise
from pix2pix.system.errors import InputError


def make_generator(**settings) -> tuple[GeneratorSettings, Generator]:
    generator = GeneratorSettings(**{"g_ngf": 4, "g_layers": 4, **settings})
    network = Generator(generator, 64)
    training = TrainSettings(**generator.model_dump(), train_pic_size=64, load_size=64, init_gain=0.2)
    initialise(network, training)
    draw = np.random.default_rng(3)
    for parameter in network.trainable_params():
        if parameter.name.endswith((".gamma", ".beta", ".bias")):
            parameter.set_data(ms.Tensor(draw.normal(0.5, 0.3, parameter.shape).astype(np.float32)))
    return generator, network


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"norm": "instance", "alpha": 0.1},
        {"pad_mode": "REFLECT", "skip_connections": False},
        {"pad_mode": "SYMMETRIC", "norm": "instance", "g_in_planes": 1},
        {"g_layers": 2, "g_out_planes": 1},
    ],
)
def test_onnx_gives_the_output_of_the_network_at_any_size_and_batch(settings):
    generator, network = make_generator(**settings)
    weights = {each.name: each.asnumpy() for each in stored_parameters(network)}
    model = onnx_model(generator, weights, "{}")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    forward = compile_forward(network)
    for height, width in ((32, 32), (16, 48)):
        x = np.random.default_rng(4).uniform(-1, 1, (2, generator.g_in_planes, height, width)).astype(np.float32)
        [found] = session.run(None, {"input": x})
        assert found.shape == (2, generator.g_out_planes, height, width)
        for number in range(2):
            alone = forward(ms.Tensor(x[number : number + 1])).asnumpy()
            off = np.abs(found[number] - alone[0])
            # normalisation of the innermost layers, of a few values, enlarges rounding errors
            assert np.median(off) <= 1e-6
            assert off.max() <= 1e-3


def test_weights_have_the_names_of_the_network_in_pytorch():
    _, network = make_generator()
    weights = {each.name: each.asnumpy() for each in stored_parameters(network)}
    names = set(torch_weights(weights))
    norms = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    inner = "model.1.model.3.model.3.model"
    expected = {f"model.{index}.weight" for index in (0, 3)}
    expected |= {f"model.1.model.{index}.weight" for index in (1, 5)}
    expected |= {f"model.1.model.{index}.{name}" for index in (2, 6) for name in norms}
    expected |= {f"model.1.model.3.model.{index}.weight" for index in (1, 5)}
    expected |= {f"model.1.model.3.model.{index}.{name}" for index in (2, 6) for name in norms}
    expected |= {f"{inner}.{index}.weight" for index in (1, 3)} | {f"{inner}.4.{name}" for name in norms}
    assert names == expected


def test_predictions_of_another_checkpoint_are_noticed_and_nothing_is_kept(finished, tmp_path):
    work, _ = finished
    shutil.copytree(work / "results/roofs", tmp_path / "run")
    with Image.open(tmp_path / "run/predict/prediction/1.png") as image:
        Image.fromarray(255 - np.asarray(image)).save(tmp_path / "run/predict/prediction/1.png")
    flags = ["--predict_dir", tmp_path / "run/predict", "--metrics", tmp_path / "run/metrics.json"]
    result = script("export", tmp_path / "out", "--ckpt", tmp_path / "run/ckpt/Generator_2.ckpt", *flags)
    assert result.returncode == 1
    assert "Generator.onnx: gives other images than predict" in result.stdout.splitlines()[-1]
    other = work / "results/roofs_backwards/ckpt/Generator_2.ckpt"
    result = script("export", tmp_path / "out", "--ckpt", other, *flags)
    assert "is about another checkpoint" in result.stdout.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_an_export_does_not_replace_the_run_that_it_is_of(finished, tmp_path):
    run = shutil.copytree(finished[0] / "results/roofs", tmp_path / "run")
    flags = ["--ckpt", run / "ckpt/Generator_2.ckpt", "--predict_dir", run / "predict"]
    before = contents(run)
    for output in (run, run / "predict"):
        result = script("export", output, *flags, "--metrics", run / "metrics.json")
        assert result.returncode == 1
        assert f"error: {output}: exists already and contains " in result.stdout.splitlines()[-1]
    assert contents(run) == before
    for _ in range(2):
        assert script("export", tmp_path / "out", *flags, "--metrics", run / "metrics.json").returncode == 0


def test_card_says_what_the_checkpoint_was_trained_on_and_what_was_scored(tmp_path):
    report = {"dataset": "roofs", "direction": "BtoA", "n": 3, "predict_split": "val", "val_pic_size": (256, 512)}
    report |= {"metrics": {}, "definitions": {}}
    settings = GeneratorSettings()
    trained = Description(version="1", dataset="facades", epochs=9, direction="AtoB", generator=settings)
    for description, words in ((trained, "trained on the dataset facades\n(AtoB, 9 epochs)"), (None, "does not say")):
        write_card(tmp_path / "c.md", "given", report, settings.model_dump(), description, dict.fromkeys(EXPORTS, ""))
        card = (tmp_path / "c.md").read_text()
        assert words in card
        assert "On 3 images of the split val of roofs (BtoA), at 512x256 pixels" in card
        assert "images of roofs" not in card


def test_generator_with_dropout_is_refused(tmp_path):
    generator, network = make_generator(dropout=True, g_layers=6)
    save_network(network, "", tmp_path / "g.ckpt")
    with pytest.raises(InputError, match="was trained with dropout"):
        export_files(generator, tmp_path / "g.ckpt", 64, "{}", tmp_path, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".sha256"] == ["g.ckpt"]


def test_predictions_without_a_common_size_are_refused(tmp_path):
    generator, network = make_generator(g_layers=6)
    save_network(network, "", tmp_path / "g.ckpt")
    with pytest.raises(InputError, match=r"^val_pic_size: native: a MindIR file takes images of one size"):
        export_files(generator, tmp_path / "g.ckpt", "native", "{}", tmp_path, tmp_path)


@pytest.fixture(scope="module")
def try_page(finished):
    """try.html of the finished run; tests that use it are skipped where its runtime is not installed."""
    try:
        read_runtime(ROOT / "workflow/try/runtime")
    except InputError:
        pytest.skip("no runtime for try.html; to install it: make try")
    work, own = finished
    snakemake(work, "results/roofs/try.html", "--configfile", str(own))
    return work / "results/roofs/try.html"


def shown(window, canvas: str = "output") -> np.ndarray:
    """The pixels of a canvas, once the generator has nothing left to do."""
    window.wait_for_function("ready && !busy && !waiting")
    uri = window.evaluate("id => document.getElementById(id).toDataURL()", canvas)
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_try_page_gives_the_predictions(chromium, try_page, width, scheme):
    window = look(chromium, try_page, width, scheme)
    for name in ("1", "3"):
        window.get_by_role("button", name=name, exact=True).click()
        window.wait_for_function("name => !waiting && !busy && output.dataset.name === name", arg=name)
        with Image.open(try_page.parent / f"predict/prediction/{name}.png") as image:
            off = np.abs(shown(window) - np.asarray(image)).max(axis=2)
        assert np.mean(off <= 1) >= 0.99
    fetched = window.evaluate("performance.getEntriesByType('resource').map(each => each.name)")
    assert [uri for uri in fetched if not uri.startswith(("data:", "blob:"))] == []
    check(window)


def test_try_page_translates_what_is_painted(chromium, try_page):
    window = look(chromium, try_page)
    before = shown(window)
    drawing = window.locator("#drawing")
    box = drawing.bounding_box()
    window.get_by_role("radio").last.check()
    window.mouse.move(box["x"] + 20, box["y"] + 20)
    window.mouse.down()
    window.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=5)
    window.mouse.up()
    stroke = shown(window)
    assert np.abs(stroke - before).max() > 1
    drawing.focus()
    for key in (" ", "ArrowLeft", "ArrowLeft", " "):
        drawing.press(key)
    shown(window)
    drawing.press("Control+z")
    assert np.array_equal(shown(window), stroke), "one undo per stroke"
    window.get_by_role("button", name="Undo").click()
    assert np.array_equal(shown(window), before)
    assert window.get_by_role("button", name="Undo").is_disabled()
    window.get_by_role("button", name="Clear").click()
    assert np.ptp(shown(window, "drawing"), axis=(0, 1)).max() == 0


def drop(window, file, name: str) -> None:
    """Drop a file on the page."""
    data = window.evaluate_handle(
        "([bytes, name]) => {"
        " const data = new DataTransfer(); data.items.add(new File([new Uint8Array(bytes)], name)); return data; }",
        [list(file.read_bytes()), name],
    )
    window.dispatch_event("#drawing", "drop", {"dataTransfer": data})


def test_try_page_opens_an_image_and_saves_the_output(chromium, try_page, tmp_path):
    Image.new("RGB", (90, 40), (200, 10, 30)).save(tmp_path / "my house.jpg", quality=100)
    window = look(chromium, try_page)
    shown(window)
    window.locator("#file").set_input_files(tmp_path / "my house.jpg")
    window.wait_for_function("output.dataset.name === 'my house'")
    after = shown(window)
    assert after.shape == (14, 32, 3), "it fits into the generator's size, and keeps its aspect ratio"
    with window.expect_download() as download:
        window.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "my house.png"
    with Image.open(download.value.path()) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), after)
    drop(window, tmp_path / "my house.jpg", "my barn.jpg")
    window.wait_for_function("output.dataset.name === 'my barn'")
    assert np.array_equal(shown(window), after)
    (tmp_path / "text.png").write_text("no image")
    window.locator("#file").set_input_files(tmp_path / "text.png")
    window.get_by_text("text.png: is not an image that this browser can read").wait_for()


def test_missing_runtime_of_the_try_page_says_what_installs_it(tmp_path):
    with pytest.raises(InputError, match="run `make try`"):
        read_runtime(tmp_path)


def test_weight_beyond_half_precision_is_refused(tmp_path):
    generator, network = make_generator()
    weights = {each.name: each.asnumpy() for each in stored_parameters(network)}
    largest = max(weights, key=lambda name: weights[name].size)
    weights[largest] = weights[largest] * 1e9
    (tmp_path / "g.onnx").write_bytes(onnx_model(generator, weights, json.dumps({"generator": {}})).SerializeToString())
    with pytest.raises(InputError, match="beyond 65504"):
        half_precision(tmp_path / "g.onnx")
    (tmp_path / "g.onnx").write_bytes(b"no graph")
    with pytest.raises(InputError, match="cannot be read"):
        half_precision(tmp_path / "g.onnx")
