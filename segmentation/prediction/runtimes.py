"""Predictions computed by OpenVINO in place of Keras's backend: in float32, bfloat16, or 8-bit integers.

A network is converted once, and kept beside its file; for int8 NNCF quantises it, calibrated with training images.
Where all of its layers are Keras's own, what is kept is enough for later commands to do without TensorFlow.
"""

import errno
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np

from segmentation import devices, extras
from segmentation.files import folders, scaling, writing
from segmentation.prediction import masks, networks, tiling

PRECISIONS = ("float32", "bfloat16", "int8")
HINTS = {"float32": "f32", "bfloat16": "bf16"}  # OpenVINO's names; what is not int8 in int8 is left to it
IMAGES, SIDE = 20, 512  # that int8 is calibrated with, and the pixels of their sides at most
QUIET = {"CI": "true", "NNCF_CI": "1"}  # or both packages would report their use to their makers


def prepare(file, precision, images=None):
    """Convert a network for `load`, and keep the result beside its file, unless that was done before.

    Parameters
    ----------
    file : Path
        Of a network, as for `networks.load_network`.
    precision : str
        One of `PRECISIONS`.
    images : Path or None
        A folder of training images, by some of which int8 is calibrated.

    Raises
    ------
    ValueError
        As `networks.load_network`; also if the extra is missing, the processor has no bfloat16, or there are no images
        to calibrate with.
    OSError
        If the result cannot be kept.
    """
    core = _start()
    if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ValueError("--precision bfloat16: this processor does not compute in it; use int8 or float32.")
    if _read_kept(core, file, precision):
        return
    files = list(folders.find_images(images).values()) if precision == "int8" and images and images.is_dir() else []
    if precision == "int8" and not files:
        raise ValueError(
            f"{file}: int8 is calibrated with the images of its training, which are not in "
            f"{images.resolve() if images else 'a run.json'}; put them there, or leave out --precision int8."
        )
    network, settings = networks.load_network(file)
    if files:
        print(f"Calibrating with images of {images}; this is done once.")
    some = [_read_input(network, settings, each) for each in files[:: len(files) // IMAGES + 1]]
    members = networks.find_members(networks.in_float32(network))  # or what is converted would be bfloat16
    plain = all(type(layer).__module__.startswith("keras.") for member in members for layer in member.layers)
    facts = {"digest": networks.read_digest(file), "members": len(members), "plain": plain}
    kind = _find_place(file, precision, "").stem
    for left in [place for place in file.parent.glob("*.xml") if re.fullmatch(rf"{re.escape(kind)}\d+", place.stem)]:
        left.unlink()  # of another network, or damaged
    for number, member in enumerate(members, start=1):
        _convert(member, some, facts, _find_place(file, precision, number))


def load(file, precision=None):
    """Load a network: as `networks.load_network` or, in a precision that `prepare` has converted it to, for OpenVINO.

    Of the latter only `predict_on_batch` is OpenVINO's.

    Raises
    ------
    ValueError
        As `networks.load_network`; also if it has not been converted since it was last trained.
    """
    if precision is None:
        return networks.load_network(file)
    core = _start()
    kept = _read_kept(core, file, precision)
    if not kept:
        raise ValueError(f"{file}: is not converted to {precision} here; predict.py --runtime openvino does that.")
    if kept[0].get_rt_info(["segmentation", "plain"]).astype(str) == "True" and "keras.src" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "openvino")  # which starts in half of the time of TensorFlow
    network, settings = networks.load_network(file)
    hint = {"INFERENCE_PRECISION_HINT": HINTS[precision]} if precision in HINTS else {}
    for member, converted in zip(networks.find_members(network), kept, strict=True):
        compiled = core.compile_model(converted, "CPU", {"PERFORMANCE_HINT": "LATENCY", **hint})
        member.predict_on_batch = lambda batch, compiled=compiled: compiled(np.float32(batch))[0]
    return network, settings


def _start():
    """OpenVINO's devices."""
    with extras.needs("fast"), devices.environment(**QUIET):
        import openvino
    return openvino.Core()


def _find_place(file, precision, number):
    """Where the network of a number is kept, one of those that an average is of; bfloat16 is float32 until it runs."""
    kind = "int8" if precision == "int8" else "float32"
    return file.with_name(f"{file.stem}_{kind}_{number}.xml")


def _read_kept(core, file, precision):
    """What is kept for a network: as many converted ones as it is an average of, or none unless all are of its file."""
    digest, found = networks.read_digest(file), []
    try:
        while (place := _find_place(file, precision, len(found) + 1)).is_file():
            found.append(core.read_model(place))
    except RuntimeError:  # what a damaged file raises
        return []
    named = ("digest", "members")
    if not all(one.has_rt_info(["segmentation", name]) for one in found for name in named):
        return []
    facts = [[one.get_rt_info(["segmentation", name]).astype(str) for name in named] for one in found]
    return found if all(each == [digest, str(len(found))] for each in facts) else []


def _read_input(network, settings, file):
    """The middle of an image, as a network takes it: float32 array (1, height, width, channels)."""
    pages, _ = masks.read_pages(network, file)
    masks.check_pages(network, settings, pages, file)
    page, multiple = pages[len(pages) // 2], tiling.size_multiple(network)
    sides = [min(side, SIDE) // multiple * multiple for side in page.shape[:2]]
    window = tuple(slice((all_ - side) // 2, (all_ + side) // 2) for all_, side in zip(page.shape, sides, strict=False))
    return scaling.scale(page[window], scaling.fit(settings.scaling, page))[np.newaxis]


def _convert(network, inputs, facts, place):
    """Write a keras.Model as OpenVINO's, with some facts in it; in int8 if there are inputs to calibrate it with."""
    with (
        extras.needs("fast"),
        devices.environment(**QUIET),
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
    ):
        import openvino

        whole = Path(folder) / "network.xml"
        if sys.version_info >= (3, 13) and devices.keras.backend.backend() != "torch":
            # OpenVINO 2026.4 cannot take a network from TensorFlow's memory there.
            network.export(str(whole.with_suffix("")), format="tf_saved_model", verbose=False)
            converted = openvino.convert_model(whole.with_suffix(""))
        else:
            network.export(str(whole), format="openvino", verbose=False)
            converted = openvino.Core().read_model(whole)
        if inputs:
            import nncf

            converted = nncf.quantize(converted, nncf.Dataset(inputs), subset_size=len(inputs))
        for name, fact in facts.items():
            converted.set_rt_info(str(fact), ["segmentation", name])
        # Two files, of which the one that `_read_kept` looks for comes last.
        with writing.whole_file(place) as text, writing.whole_file(place.with_suffix(".bin")):
            try:
                openvino.save_model(converted, text, compress_to_fp16=False)
            except RuntimeError as error:  # as on a full disk, of which it says no more
                reason = str(error).splitlines()[-1]
                raise OSError(errno.EIO, f"the converted network cannot be written ({reason})", str(place)) from None
