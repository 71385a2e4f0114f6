"""Package a trained network for other programs: a BioImage.IO model with ONNX, TensorFlow and Keras weights.

    python -m segmentation.export runs/membrane/model.keras --out membrane.zip

Fiji (deepImageJ), ilastik, QuPath and others read such packages: https://bioimage.io. It is tested with bioimageio.core
before it is written.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import lazy_loader
import numpy as np

from segmentation import arguments, devices, extras
from segmentation.files import folders, scaling, writing
from segmentation.prediction import masks, networks, tiling
from segmentation.training import runs

keras = lazy_loader.load("keras")

BUNDLED = Path(__file__).parents[1] / "data" / "membrane"
SIDE = 256  # of the test image, at most
OPSET = 18
CITATIONS = [
    ("U-Net: Ronneberger, Fischer, Brox, MICCAI 2015", "10.1007/978-3-319-24574-4_28", None),
    ("Keras: Chollet and others", None, "https://keras.io"),
]
MEMBRANES = (
    "Sections that the bundled, simulated ones are modelled on: Arganda-Carreras et al., Front. Neuroanat. 2015",
    "10.3389/fnana.2015.00142",
    None,
)
DOCUMENTATION = """# {name}

A U-Net that gives, at each pixel, the probability of {what}. Images are scaled to about 0 to 1 as in
training, and have sides that {multiple} divides; larger images can be predicted in tiles that begin at multiples of
{multiple}, with {halo} pixels more on each side.

{run}

## Validation

Compare masks (probability above 0.5) with labels that the network was not trained on; accuracy alone says little, since
one answer for every pixel may already be right at most of them.
"""


def save_weights(network, folder):
    """Save a network as weights.onnx and saved_model.zip in a folder; returns the two paths."""
    network.predict_on_batch(np.zeros((1, 64, 64, network.input_shape[-1]), "float32"))  # an ONNX export needs a call
    onnx, saved_model = folder / "weights.onnx", folder / "saved_model"
    with _without_reshape_optimizer():
        network.export(onnx, format="onnx", opset_version=OPSET, verbose=False)
    archive = keras.export.ExportArchive()
    archive.track(network)
    signature = keras.InputSpec(shape=network.input_shape, dtype="float32")
    # By name, as bioimageio.core wants it.
    archive.add_endpoint("serve", lambda image: {"probability": network(image)}, [signature])
    archive.write_out(saved_model, verbose=False)
    return onnx, Path(shutil.make_archive(str(saved_model), "zip", saved_model))


@contextlib.contextmanager
def _without_reshape_optimizer():
    """Let tf2onnx do without one of its optimizers: failing once, it left an answer of one channel an axis too many."""
    import tf2onnx.optimizer

    table = tf2onnx.optimizer._optimizers
    before = dict(table)
    table.pop("reshape_optimizer", None)
    try:
        yield
    finally:
        table.clear()
        table.update(before)


def _describe_run(model):
    """What is known of the training of a model file, from the run.json beside it, in a sentence."""
    summary = runs.read_summary(model.parent)
    if not summary:
        return "How it was trained is not recorded."
    scores = summary.get("scores", {}).get("held out", {})
    listed = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
    return f"Trained on {summary['arguments']['data']}; on the sections held out from it: {listed}."


def _describe_package(model, image_file, folder, *, name, authors, license_name, citations):
    """Describe a network as BioImage.IO does.

    Parameters
    ----------
    model : Path
        A .keras file.
    image_file : Path
        An image as in training; a crop of it, and what the network makes of that, become the package's test.
    folder : Path
        For the files that the package takes in.
    name, license_name : str
    authors : list of str
    citations : list of (text, DOI or None, URL or None)

    Returns
    -------
    bioimageio.spec.model.v0_5.ModelDescr

    Raises
    ------
    ValueError
        If the model or the image cannot be read, or do not fit together.
    """
    from bioimageio.spec.model import v0_5

    network, settings = networks.load_network(model)
    network = networks.in_float32(network)
    image = _crop_image(network, settings, image_file)
    probability = network.predict_on_batch(scaling.scale(image, settings.scaling)[np.newaxis])
    np.save(folder / "test_input.npy", image[np.newaxis])
    np.save(folder / "test_output.npy", probability)
    _draw_cover(network, settings, image, folder / "cover.png")
    classes = list(settings.titles) if probability.shape[-1] > 1 else [settings.titles[1]]
    what = "each class" if len(classes) > 1 else classes[0]
    multiple, halo = tiling.size_multiple(network), tiling.find_halo(network)
    text = DOCUMENTATION.format(name=name, what=what, multiple=multiple, halo=halo, run=_describe_run(model))
    (folder / "README.md").write_text(text)
    return v0_5.ModelDescr(
        name=name,
        description=f"U-Net for segmentation in 2D: the probability of {what}.",
        authors=[v0_5.Author(name=author) for author in authors],
        cite=[v0_5.CiteEntry(text=text, doi=doi, url=url) for text, doi, url in citations],
        license=license_name,
        documentation=v0_5.FileDescr(source=folder / "README.md"),
        covers=[v0_5.FileDescr(source=folder / "cover.png")],
        tags=["unet", "keras", "semantic-segmentation", "2d"],
        inputs=[_describe_input(image, settings, multiple, folder / "test_input.npy")],
        outputs=[_describe_output(classes, folder / "test_output.npy")],
        weights=_describe_weights(network, settings, folder),
    )


def _find_example(data):
    """An image that a network was trained for: the first test or training image of its dataset, a path in run.json."""
    parts = [Path(data) / part for part in ("test", "train/image")] if data else []
    for folder in filter(Path.is_dir, parts):
        for file in folders.find_images(folder).values():
            return file
    raise ValueError("the data that the network was trained on is not here; give an image like it with --image.")


def _crop_image(network, settings, image_file):
    """An image (height, width, channels) of the file's dtype, of at most `SIDE` and a size that the network takes."""
    pages, _ = masks.read_pages(network, image_file)
    masks.check_pages(network, settings, pages, image_file)
    multiple = tiling.size_multiple(network)
    height, width = (min(side, SIDE) // multiple * multiple for side in pages.shape[1:3])
    if not height or not width:
        raise ValueError(f"{image_file}: is smaller than the {multiple} pixels that the network needs.")
    return pages[0, :height, :width].reshape(height, width, -1)


def _draw_cover(network, settings, image, path):
    """Draw an image beside its mask."""
    from segmentation import figures  # here, since matplotlib takes half a second to start

    scaled = scaling.scale(image, settings.scaling)
    mask = masks.to_mask(masks.predict(network, scaled, turns="none"), settings)
    figures.save_picture(np.hstack([figures.show_grey(scaled), mask / max(mask.max(), 1)]), path)


def _describe_scaling(image, scaled):
    """The package's preprocessing: what makes the network's input of images like this one, as `scaling.scale` does."""
    from bioimageio.spec.model import v0_5

    as_float = v0_5.EnsureDtypeDescr(kwargs=v0_5.EnsureDtypeKwargs(dtype="float32"))
    clip = v0_5.ClipDescr(kwargs=v0_5.ClipKwargs(min=scaling.BEYOND[0], max=scaling.BEYOND[1]))
    if scaled.rule == "dtype":
        gain = 1 / float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0
        steps = [v0_5.ScaleLinearDescr(kwargs=v0_5.ScaleLinearKwargs(gain=gain, offset=0))]
    elif scaled.rule == "dataset":
        gains = [1 / max(high - low, 1e-12) for low, high in zip(scaled.low, scaled.high, strict=True)]
        offsets = [-low * gain for low, gain in zip(scaled.low, gains, strict=True)]
        kwargs = v0_5.ScaleLinearKwargs(gain=gains[0], offset=offsets[0])
        if len(gains) > 1:
            kwargs = v0_5.ScaleLinearAlongAxisKwargs(axis="channel", gain=gains, offset=offsets)
        steps = [v0_5.ScaleLinearDescr(kwargs=kwargs), clip]
    else:
        low, high = scaling.IMAGE_PERCENTILES
        kwargs = v0_5.ScaleRangeKwargs(axes=("y", "x"), min_percentile=low, max_percentile=high)
        steps = [v0_5.ScaleRangeDescr(kwargs=kwargs), clip]
    return [as_float, *steps, as_float]  # the last, or the type of the image would be added


def _describe_input(image, settings, multiple, test_tensor):
    """The package's input: images of the dtype of `image`, scaled as in training, of sides that `multiple` divides."""
    from bioimageio.spec.model import v0_5

    size = v0_5.ParameterizedSize(min=multiple, step=multiple)
    usual = {1: ("grey",), 3: ("red", "green", "blue")}
    count = image.shape[-1]
    channels = list(settings.channels or usual.get(count, [f"channel {i + 1}" for i in range(count)]))
    return v0_5.InputTensorDescr(
        id="image",
        axes=[
            v0_5.BatchAxis(),
            v0_5.SpaceInputAxis(id="y", size=size),
            v0_5.SpaceInputAxis(id="x", size=size),
            v0_5.ChannelAxis(channel_names=channels),
        ],
        test_tensor=v0_5.FileDescr(source=test_tensor),
        data=v0_5.IntervalOrRatioDataDescr(type=image.dtype.name),
        preprocessing=_describe_scaling(image, settings.scaling),
    )


def _describe_output(classes, test_tensor):
    """The package's output: probabilities of the size of the image, a channel a class."""
    from bioimageio.spec.model import v0_5

    same = {axis: v0_5.SizeReference(tensor_id="image", axis_id=axis) for axis in "yx"}
    return v0_5.OutputTensorDescr(
        id="probability",
        axes=[
            v0_5.BatchAxis(),
            *(v0_5.SpaceOutputAxis(id=axis, size=reference) for axis, reference in same.items()),
            v0_5.ChannelAxis(channel_names=classes),
        ],
        test_tensor=v0_5.FileDescr(source=test_tensor),
        data=v0_5.IntervalOrRatioDataDescr(type="float32", range=(0, 1)),
    )


def _describe_weights(network, settings, folder):
    """The package's weights, three times: for Keras, ONNX and TensorFlow."""
    from bioimageio.spec.model import v0_5

    onnx, saved_model = save_weights(network, folder)
    networks.save_network(network, folder / "weights.keras", settings)
    backend = keras.backend.backend()
    return v0_5.WeightsDescr(
        keras_v3=v0_5.KerasV3WeightsDescr(
            source=folder / "weights.keras",
            keras_version=v0_5.Version(keras.__version__),
            backend=(backend, v0_5.Version(version(backend))),
        ),
        onnx=v0_5.OnnxWeightsDescr(source=onnx, opset_version=OPSET, parent="keras_v3"),
        tensorflow_saved_model_bundle=v0_5.TensorflowSavedModelBundleWeightsDescr(
            source=saved_model, tensorflow_version=v0_5.Version(version("tensorflow")), parent="keras_v3"
        ),
    )


def _check(package):
    """Run bioimageio.core's test on a package, with every kind of weights in it; ValueError if it does not pass."""
    # It unpacks the SavedModel into the current folder.
    with (
        devices.environment(KERAS_BACKEND=keras.backend.backend()),
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
    ):
        from bioimageio.core import test_model

        summary = test_model(package)
    if summary.status != "passed":
        errors = [f"{error.loc}: {error.msg}" for detail in summary.details for error in detail.errors]
        raise ValueError(f"{package}: does not pass bioimageio.core's test: {'; '.join(errors)}.")


def _parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], formatter_class=arguments.Help)
    add = parser.add_argument
    arguments.add_network(parser, "model", nargs="?")
    add("--out", type=Path, help="the package; named after the folder of the network if not given")
    add(
        "--image",
        type=Path,
        help="an image as in training, for its test; the first of the network's own data if not given",
    )
    add("--name", help="what it is called; named after the network's data if not given")
    add("--authors", nargs="+", default=["the authors of this repository"], help="who trained it")
    add("--license", default="MIT", help="as SPDX abbreviates it")
    how = "what else is to be cited, a text and a DOI each; of a network for the bundled data, its source if not given"
    add("--cite", nargs=2, action="append", metavar=("TEXT", "DOI"), help=how)
    return parser.parse_args(argv)


def main(argv=None):
    options = _parse(argv)
    try:
        model, line = arguments.find_network(options.model)
        networks.check_file(model)
        devices.start()
        # When it is imported, bioimageio.core reads this variable, and else sets it to torch.
        with extras.needs("export"), devices.environment(KERAS_BACKEND=keras.backend.backend()):
            import bioimageio.core
            import tf2onnx  # noqa: F401 (so that what is missing is said before a network is loaded)

        if keras.backend.backend() != "tensorflow":
            raise ValueError(f"packages are made with KERAS_BACKEND=tensorflow, found {keras.backend.backend()}.")
        print(line, flush=True)
        data = runs.read_arguments(model.parent).get("data")
        out = options.out or Path(f"{model.resolve().parent.name}.zip")
        if obstacle := writing.find_obstacle(out.parent):
            raise ValueError(obstacle)
        cited = [MEMBRANES] if data and Path(data).resolve() == BUNDLED else []
        with tempfile.TemporaryDirectory() as folder, writing.whole_file(out) as temporary:
            described = _describe_package(
                model,
                options.image or _find_example(data),
                Path(folder),
                name=options.name or (f"U-Net for {Path(data).name}" if data else "U-Net"),
                authors=options.authors,
                license_name=options.license,
                citations=CITATIONS + ([(*cite, None) for cite in options.cite] if options.cite else cited),
            )
            bioimageio.spec.save_bioimageio_package(described, output_path=temporary)
            _check(temporary.resolve())
    except (ValueError, OSError) as error:
        print(f"export.py: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    with zipfile.ZipFile(out) as written:
        print(f"{out}: {', '.join(written.namelist())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
