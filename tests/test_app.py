import io
import time
import zipfile
from contextlib import nullcontext
from pathlib import Path

import keras
import numpy as np
import pytest
import tifffile
from helpers import REPOSITORY, draw_section, save, serve_app, small_network

import predict
from model import unet

pytest.importorskip("gradio", reason="Gradio is not installed")

from segmentation import app, arguments
from segmentation.files import images
from segmentation.prediction import networks, tiling


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("run") / "model.keras"
    networks.save_network(small_network(2), file, networks.Settings(border=0.5))
    return file


@pytest.fixture
def predictor(model_file, tmp_path):
    (tmp_path / "results").mkdir()
    return app.Predictor(*networks.load_network(model_file), tmp_path / "results")


@pytest.fixture
def image_file(tmp_path):
    save(draw_section(np.random.default_rng(0), 90, 130)[0], tmp_path / "cell 1.png")
    return tmp_path / "cell 1.png"


def predicted(image_file, model_file, out, threshold):
    """The bytes that predict.py writes."""
    options = ["--model", str(model_file), "--out", str(out), "--threshold", str(threshold)]
    assert predict.main([str(image_file), *options, "--probability", "--objects"]) == 0
    names = ("_predict.png", "_objects.csv", "_rois.zip", "_probability.tif")
    return [unzip(out / f"{image_file.stem}{name}") for name in names]


def unzip(file):
    """The bytes of a file, of a ZIP those of what is in it, since it holds the time, too."""
    if not zipfile.is_zipfile(file):
        return Path(file).read_bytes()
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_results_are_those_of_predict(predictor, image_file, model_file, tmp_path):
    folder, message, *pictures, mask_file, table_file, rois_file, map_file = predictor.predict(image_file, 0.5)
    assert message.startswith("cell 1.png: 90x130 pixels; ")
    assert message.endswith(" objects")
    assert [picture.shape[:2] for picture in pictures] == [(90, 130)] * 5
    files = [unzip(file) for file in (mask_file, table_file, rois_file, map_file)]
    assert files == predicted(image_file, model_file, tmp_path / "a", 0.5)
    threshold = round(float(np.median(tifffile.imread(map_file))), 2)
    *_, mask_file, table_file, rois_file, map_file = predictor.move_threshold(folder, threshold)
    files = [unzip(file) for file in (mask_file, table_file, rois_file, map_file)]
    assert files == predicted(image_file, model_file, tmp_path / "b", threshold)
    predictor.forget(folder)
    assert not list(predictor.results.iterdir())


def test_a_wrong_file_gives_a_sentence_and_leaves_nothing(predictor, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    tifffile.imwrite(tmp_path / "float.tif", np.full((8, 8), 7, "float32"))
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((3, 8, 8), np.uint8), photometric="minisblack")
    for name, expected in [
        ("text.png", "text.png: cannot be read as an image"),
        ("float.tif", "float.tif: expected 8 or 16 bits without sign"),
        ("stack.tif", "stack.tif: a stack of 3 images"),
    ]:
        folder, message, *rest = predictor.predict(tmp_path / name, 0.5)
        assert message.startswith(expected)
        assert folder is None
        assert rest == [None] * 9
    assert not list(predictor.results.iterdir())


def test_of_several_classes_the_mask_is_that_of_predict(image_file, tmp_path):
    keras.utils.set_random_seed(0)
    network, model_file = unet(classes=3, width=2, depth=2), tmp_path / "three.keras"
    networks.save_network(network, model_file, networks.Settings(values=(0, 100, 200)))
    predictor = app.Predictor(*networks.load_network(model_file), tmp_path)
    _, _, *pictures, mask_file, table_file, rois_file, map_file = predictor.predict(image_file, 0.5)
    assert [picture.shape[:2] for picture in pictures] == [(90, 130)] * 5
    files = [unzip(file) for file in (mask_file, table_file, rois_file, map_file)]
    assert files == predicted(image_file, model_file, tmp_path / "out", 0.5)


def test_in_tiles_too_a_moved_threshold_gives_what_predict_does(predictor, model_file, tmp_path):
    side = tiling.fitting_tile(predictor.network) + 300
    save(draw_section(np.random.default_rng(0), 60, side)[0], tmp_path / "wide.png")
    folder, *_, map_file = predictor.predict(tmp_path / "wide.png", 0.5)
    threshold = round(float(np.median(tifffile.imread(map_file))), 2)
    _, message, *_, mask_file, table_file, rois_file, map_file = predictor.move_threshold(folder, threshold)
    options = ["--model", str(model_file), "--out", str(tmp_path), "--threshold", str(threshold), "--probability"]
    assert predict.main([str(tmp_path / "wide.png"), *options]) == 0
    assert unzip(mask_file) == unzip(tmp_path / "wide_predict.png")
    assert unzip(map_file) == unzip(tmp_path / "wide_probability.tif")
    # Noise has objects in thousands, which would be measured again at every move.
    assert message.endswith("too many to be measured here; predict.py does")
    assert table_file is rois_file is None
    assert 0 < images.read_array(mask_file).mean() < 255


def test_a_large_picture_is_shrunk_to_be_shown(predictor, tmp_path):
    save(np.zeros((40, 3000), np.uint8), tmp_path / "wide.png")
    _, _, *pictures, mask_file, _, _, _ = predictor.predict(tmp_path / "wide.png", 0.5)
    assert all(max(picture.shape) <= app.SHOWN for picture in pictures)
    assert images.read_array(mask_file).shape == (40, 3000)


def test_without_a_model_it_ends_with_a_sentence(tmp_path, capsys):
    assert app.main(["--model", str(tmp_path / "none.keras")]) == 2
    assert "none.keras: no such file" in capsys.readouterr().err


@pytest.fixture(scope="module")
def address(model_file):
    """Where the page is served."""
    with serve_app("--model", str(model_file)) as served:
        yield served


def open_page(browser, address):
    page = browser.new_context(accept_downloads=True).new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    return page


def upload(page, file, expected):
    """Upload a file and wait for a message on the page."""
    page.locator("#upload input[type=file]").set_input_files(file)
    page.locator("#message", has_text=expected).wait_for()


def download(page, name):
    """The bytes behind one of the two buttons."""
    with page.expect_download() as waiting:
        page.locator(f"#{name}").click()
    return Path(waiting.value.path()).read_bytes()


def downloaded(page, name, expected):
    """The bytes behind a button, once they are the expected ones, or after half a minute: a page takes its time."""
    until = time.monotonic() + 30
    while (found := download(page, name)) != expected and time.monotonic() < until:
        time.sleep(1)
    return found


def test_upload_slide_and_download_in_a_browser(browser, address, image_file, model_file, tmp_path):
    page = open_page(browser, address)
    upload(page, image_file, "90x130 pixels")
    mask, table, _, probability = predicted(image_file, model_file, tmp_path / "a", 0.5)
    for name, expected in {"mask": mask, "objects": table, "probability": probability}.items():
        assert downloaded(page, name, expected) == expected
    assert zipfile.is_zipfile(io.BytesIO(download(page, "regions")))
    page.locator("input[type=number]").fill("0.4")
    page.locator("input[type=number]").press("Enter")
    page.locator("#message", has_text="threshold 0.4").wait_for()
    expected, *_ = predicted(image_file, model_file, tmp_path / "b", 0.4)
    assert downloaded(page, "mask", expected) == expected
    page.context.close()


def test_two_sessions_a_large_upload_and_no_image(browser, address, image_file, model_file, tmp_path):
    save(draw_section(np.random.default_rng(1), 64, 70)[0], tmp_path / "other.png")
    first, second = open_page(browser, address), open_page(browser, address)
    upload(first, image_file, "90x130 pixels")
    upload(second, tmp_path / "other.png", "64x70 pixels")
    for page, file in (first, image_file), (second, tmp_path / "other.png"):
        expected, *_ = predicted(file, model_file, tmp_path / file.stem, 0.5)
        assert downloaded(page, "mask", expected) == expected
    (tmp_path / "text.png").write_text("no image")
    page = open_page(browser, address)
    upload(page, tmp_path / "text.png", "text.png: cannot be read as an image")
    tifffile.imwrite(tmp_path / "large.tif", np.random.default_rng(0).random((64, 80)))
    with (tmp_path / "large.tif").open("ab") as file:
        file.write(bytes(51_000_000))
    page = open_page(browser, address)
    upload(page, tmp_path / "large.tif", "64x80 pixels")


def test_the_example_is_pictured(browser, address, request, tmp_path):
    """`--screenshot FILE` keeps the picture, then with the network of the repository: img/app.png is made so."""
    kept = request.config.getoption("--screenshot")
    bundled = serve_app("--model", str(arguments.PRETRAINED.relative_to(REPOSITORY)))
    with bundled if kept else nullcontext(address) as served:
        page = open_page(browser, served)
        page.set_viewport_size({"width": 1200, "height": 760})
        page.locator("#example").click()
        page.locator("#message", has_text="512x512").wait_for()
        page.wait_for_function("[...document.images].filter(image => image.naturalWidth == 512).length >= 4")
        page.screenshot(path=kept or tmp_path / "app.png")
        page.context.close()
