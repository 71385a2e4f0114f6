"""Predict a folder of images on a cluster, image by image."""

import functools

from tqdm import tqdm

from segmentation.prediction import masks, networks
from segmentation.volumes import cluster


def write_masks(model, files, out, request, scheduler, precision=None):
    """As `masks.write_masks`, by the network of a file, on the workers of a dask.distributed `scheduler`.

    Parameters
    ----------
    model : Path
    files, out, request
        As for `masks.write_masks`.
    scheduler : str
        Its address.
    precision : str or None
        As for `runtimes.load`.

    Raises
    ------
    ValueError
        As `cluster.compute`; also if there is no such network.
    """
    write = functools.partial(_write_mask, model, networks.read_digest(model), precision, out, request)
    written = cluster.share(write, files.items(), scheduler)
    reports = dict(tqdm(written, total=len(files), desc="Predicting", unit="image"))
    return masks.describe_reports({file: reports[file] for file in files.values()})


def _write_mask(model, digest, precision, out, request, image):
    """Write the mask of one image, a stem and a file, in a worker: its file and its `masks.Report`."""
    stem, file = image
    network, settings = cluster.load(model, digest, precision)
    return file, masks.write_mask(network, stem, file, out, settings, request)
