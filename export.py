"""Package a trained network for other programs: a BioImage.IO model with ONNX, TensorFlow and Keras weights.

    python export.py runs/membrane/model.keras --out membrane.zip

Fiji (deepImageJ), ilastik, QuPath and others read such packages: https://bioimage.io. It is tested with bioimageio.core
before it is written.
"""

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

import data
import figures
import formats
import options
import predict
import record
import tiles

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

A U-Net that gives, at each pixel, the probability of {what}. Images are scaled by their type, to [0, 1], and have sides
that {multiple} divides; larger images can be predicted in tiles that begin at multiples of {multiple}, with {halo}
pixels more on each side.

{run}

## Validation

Compare masks (probability above 0.5) with labels that the network was not trained on; accuracy alone says little, since
one answer for every pixel may already be right at most of them.
"""


def save_weights(network, folder):
    """Save a network as weights.onnx and saved_model.zip in a folder; returns the two paths."""
    import tf2onnx.optimizer

    network.predict_on_batch(np.zeros((1, 64, 64, network.input_shape[-1]), "float32"))  # an ONNX export needs a call
    onnx, saved_model = folder / "weights.onnx", folder / "saved_model"
    # Should it fail once, tf2onnx goes on, and an answer of one channel has an axis too many, as was seen once.
    tf2onnx.optimizer._optimizers.pop("reshape_optimizer", None)
    network.export(onnx, format="onnx", opset_version=OPSET, verbose=False)
    archive = keras.export.ExportArchive()
    archive.track(network)
    signature = keras.InputSpec(shape=network.input_shape, dtype="float32")
    # By name, as bioimageio.core wants it.
    archive.add_endpoint("serve", lambda image: {"probability": network(image)}, [signature])
    archive.write_out(saved_model, verbose=False)
    return onnx, Path(shutil.make_archive(str(saved_model), "zip", saved_model))


def describe_run(model):
    """What is known of the training of a model file, from the run.json beside it, in a sentence."""
    file = model.with_name("run.json")
    if not file.is_file():
        return "How it was trained is not recorded."
    run = json.loads(file.read_text())
    scores = run.get("scores", {}).get("held out", {})
    listed = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
    return f"Trained on {run['arguments']['data']}; on the sections held out from it: {listed}."


def build(model, image_file, folder, name, authors, license_name, citations):
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

    network, settings = record.load_network(model)
    network = record.in_float32(network)
    pages = formats.read_pages(image_file)
    predict.check_kind(network, pages, image_file)
    multiple = tiles.size_multiple(network)
    halo = tiles.find_halo(network)
    height, width = (min(side, SIDE) // multiple * multiple for side in pages.shape[1:3])
    if not height or not width:
        raise ValueError(f"{image_file}: is smaller than the {multiple} pixels that the network needs.")
    image = pages[:1, :height, :width].reshape(1, height, width, -1)
    probability = network.predict_on_batch(data.scale(image[0])[np.newaxis])
    np.save(folder / "test_input.npy", image)
    np.save(folder / "test_output.npy", probability)
    mask = predict.to_mask(predict.predict(network, data.scale(image[0]), flips=False), settings)
    grey = data.scale(image[0]).mean(-1)
    figures.save_picture(np.hstack([grey, mask / max(mask.max(), 1)]), folder / "cover.png")
    classes = [formats.name_value(value) for value in settings["values"]] if probability.shape[-1] > 1 else ["inside"]
    what = "each class" if len(classes) > 1 else "the inside of a cell"
    text = DOCUMENTATION.format(name=name, what=what, multiple=multiple, halo=halo, run=describe_run(model))
    (folder / "README.md").write_text(text)
    onnx, saved_model = save_weights(network, folder)
    record.save_network(network, folder / "weights.keras", **settings)

    as_float = v0_5.EnsureDtypeDescr(kwargs=v0_5.EnsureDtypeKwargs(dtype="float32"))
    gain = 1 / float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0
    scaling = v0_5.ScaleLinearDescr(kwargs=v0_5.ScaleLinearKwargs(gain=gain, offset=0))
    size = v0_5.ParameterizedSize(min=multiple, step=multiple)
    channels = ["red", "green", "blue"] if image.shape[-1] == 3 else ["grey"]
    inputs = v0_5.InputTensorDescr(
        id="image",
        axes=[
            v0_5.BatchAxis(),
            v0_5.SpaceInputAxis(id="y", size=size),
            v0_5.SpaceInputAxis(id="x", size=size),
            v0_5.ChannelAxis(channel_names=channels),
        ],
        test_tensor=v0_5.FileDescr(source=folder / "test_input.npy"),
        data=v0_5.IntervalOrRatioDataDescr(type=image.dtype.name),
        preprocessing=[as_float, scaling, as_float],  # the last, or the type of the image would be added
    )
    same = {axis: v0_5.SizeReference(tensor_id="image", axis_id=axis) for axis in "yx"}
    outputs = v0_5.OutputTensorDescr(
        id="probability",
        axes=[
            v0_5.BatchAxis(),
            *(v0_5.SpaceOutputAxis(id=axis, size=reference) for axis, reference in same.items()),
            v0_5.ChannelAxis(channel_names=classes),
        ],
        test_tensor=v0_5.FileDescr(source=folder / "test_output.npy"),
        data=v0_5.IntervalOrRatioDataDescr(type="float32", range=(0, 1)),
    )
    weights = v0_5.WeightsDescr(
        keras_v3=v0_5.KerasV3WeightsDescr(
            source=folder / "weights.keras",
            keras_version=v0_5.Version(keras.__version__),
            backend=(keras.backend.backend(), v0_5.Version(version(keras.backend.backend()))),
        ),
        onnx=v0_5.OnnxWeightsDescr(source=onnx, opset_version=OPSET, parent="keras_v3"),
        tensorflow_saved_model_bundle=v0_5.TensorflowSavedModelBundleWeightsDescr(
            source=saved_model, tensorflow_version=v0_5.Version(version("tensorflow")), parent="keras_v3"
        ),
    )
    return v0_5.ModelDescr(
        name=name,
        description=f"U-Net for segmentation in 2D: the probability of {what}.",
        authors=[v0_5.Author(name=author) for author in authors],
        cite=[v0_5.CiteEntry(text=text, doi=doi, url=url) for text, doi, url in citations],
        license=license_name,
        documentation=v0_5.FileDescr(source=folder / "README.md"),
        covers=[v0_5.FileDescr(source=folder / "cover.png")],
        tags=["unet", "keras", "semantic-segmentation", "2d"],
        inputs=[inputs],
        outputs=[outputs],
        weights=weights,
    )


def check(package):
    """Run bioimageio.core's test on a package, with every kind of weights in it; ValueError if it does not pass."""
    # Without it bioimageio.core would set it to torch, for all that follows.
    os.environ["KERAS_BACKEND"] = keras.backend.backend()
    from bioimageio.core import test_model

    # It unpacks the SavedModel into the current folder.
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        summary = test_model(package)
    if summary.status != "passed":
        errors = [f"{error.loc}: {error.msg}" for detail in summary.details for error in detail.errors]
        raise ValueError(f"{package}: does not pass bioimageio.core's test: {'; '.join(errors)}.")


def parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    record.add_model(parser, "model", nargs="?")
    add("--out", type=Path, default=Path("membrane.zip"), help="the package")
    add("--image", type=Path, default=Path("data/membrane/test/0.png"), help="an image as in training, for its test")
    add("--name", default="U-Net for membranes", help="what it is called")
    add("--authors", nargs="+", default=["the authors of this repository"], help="who trained it")
    add("--license", default="MIT", help="as SPDX abbreviates it")
    how = "what else is to be cited, a text and a DOI each; the bundled data's source if not given"
    add("--cite", nargs=2, action="append", metavar=("TEXT", "DOI"), help=how)
    return parser.parse_args(argv)


def main(argv=None):
    arguments = parse(argv)
    cited = [(text, doi, None) for text, doi in arguments.cite] if arguments.cite else [MEMBRANES]
    try:
        from bioimageio.spec import save_bioimageio_package

        if keras.backend.backend() != "tensorflow":
            raise ValueError(f"packages are made with KERAS_BACKEND=tensorflow, found {keras.backend.backend()}.")
        if problems := options.writable(arguments.out.parent):
            raise ValueError(problems[0])
        with tempfile.TemporaryDirectory() as place, formats.whole_file(arguments.out) as temporary:
            about = arguments.name, arguments.authors, arguments.license, CITATIONS + cited
            model = build(arguments.model, arguments.image, Path(place), *about)
            save_bioimageio_package(model, output_path=temporary)
            check(temporary.resolve())
    except ModuleNotFoundError as error:
        print(f"export.py: needs {error.name}: pip install -r requirements-export.txt", file=sys.stderr)
        return 2
    except (ValueError, OSError) as error:
        print(f"export.py: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    with zipfile.ZipFile(arguments.out) as package:
        print(f"{arguments.out}: {', '.join(package.namelist())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
