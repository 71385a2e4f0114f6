"""Predict volumes that are larger than memory, chunk by chunk, on this machine or on a cluster.

    python predict.py volume.zarr --out masks.zarr
    python predict.py volume.h5/raw --out masks.zarr --scheduler tcp://10.0.0.1:8786

A chunk is there whole or not at all: started again, the command writes those that are missing.
"""

import functools
import hashlib
import itertools
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import dask.array as da
import numpy as np
import zarr
from tqdm import tqdm

from segmentation import geometry
from segmentation.files import classes, scaling
from segmentation.prediction import masks, networks, tiling, watershed
from segmentation.scores import calibration
from segmentation.volumes import cluster, reading

SAMPLED, SAMPLED_SIDE = 16, 512  # sections, and the pixels of their middles, by which a volume is told


class Job(NamedTuple):
    """What makes a mask of a section, the same in every process; as from `make_job`."""

    model: Path
    digest: str  # of the model's file
    threshold: float
    border: float | None
    flips: bool
    probability: bool
    precision: str | None


def make_job(model, *, threshold=watershed.THRESHOLD, border=None, flips=True, probability=False, precision=None):
    """The `Job` of a network as its file is now.

    Parameters
    ----------
    model : Path
    threshold : float
        As for `watershed.mask_cells`.
    border : float or None
        As for `watershed.mask_cells`; None for the network's own choice.
    flips : bool
        Whether to average over the flips and rotations that the network was trained on.
    probability : bool
        Whether probabilities are written in place of the mask.
    precision : str or None
        As for `runtimes.load`.

    Raises
    ------
    ValueError
        If there is no such file.
    """
    return Job(
        model=model,
        digest=networks.read_digest(model),
        threshold=threshold,
        border=border,
        flips=flips,
        probability=probability,
        precision=precision,
    )


def write_volume(text, out, job, *, tile=None, scheduler=None, axes=None):
    """Write the masks of a volume, or its probabilities, as an OME-Zarr; go on where an earlier run has stopped.

    Parameters
    ----------
    text : str
        As for `reading.find_volume`.
    out : Path
    job : Job
    tile : int or None
        Side of a chunk in pixels, rounded up to what the network takes; memory goes with its square. None for
        `tiling.fitting_tile`.
    scheduler : str
        Address of a dask.distributed scheduler; None for this process.
    axes : str or None
        As for `reading.find_volume`; what is guessed is printed.

    Returns
    -------
    int
        How many chunks had been missing.

    Raises
    ------
    ValueError
        If the volume is not one for the network, or `out` was begun with another volume or other settings.
    """
    network, settings = load(job)
    if job.probability and network.output_shape[-1] > 1:
        raise ValueError("--probability of a volume is for networks of two classes.")
    volume = reading.find_volume(text, network.input_shape[-1], axes)
    if volume.guessed:
        print(f"{volume.path}: its axes, of shape {volume.shape}, are taken for {volume.axes}; --axes names others.")
    scaling.check(np.zeros(1, volume.dtype), settings.scaling, volume.path)
    middle = reading.Section(volume, [volume.shape[volume.axes.index(axis)] // 2 for axis in volume.leading])
    if difference := scaling.find_difference(scaling.survey([middle]), settings.scaling):
        print(f"Warning: {volume.path} has other grey values than the training images: {difference}.")
    multiple = tiling.size_multiple(network)
    halo = tiling.find_halo(network)
    tile = geometry.round_up(max(tile or tiling.fitting_tile(network), halo), multiple)
    dtype = np.dtype("float32") if job.probability else classes.mask_dtype(settings.values)
    stamp = _stamp(volume, job, tile, axes) | {"pixels": _digest(volume)}
    target = _open_target(volume, out, stamp, dtype, tile)
    missing = list(_find_missing(target, out, tile, halo))
    writes = (_write_chunk(volume, target, chunk, job, tile, halo, settings.scaling) for chunk in missing)
    for _ in tqdm(_compute(writes, scheduler), total=len(missing), desc="Predicting", unit="chunk"):
        pass
    return len(missing)


def _stamp(volume, job, tile, axes=None):
    """All that decides what is written, as the result keeps it.

    Its names stay as they are: a command uses them to continue what an earlier version began.
    """
    left_out = {"digest"} | ({"precision"} if job.precision is None else set())
    settings = {name: value for name, value in job._asdict().items() if name not in left_out}
    stamp = {"volume": volume.path.name, "array": volume.name, "shape": list(volume.shape), "tile": tile}
    return stamp | settings | {"model": job.digest} | ({"axes": axes} if axes else {})


def _digest(volume):
    """SHA-256 of the type of a volume and of the middles of some of its sections, in hexadecimal."""
    positions = list(np.ndindex(*(volume.shape[volume.axes.index(axis)] for axis in volume.leading)))
    digest = hashlib.sha256(str(volume.dtype).encode())
    for position in positions[:: len(positions) // SAMPLED + 1]:
        section = reading.Section(volume, position)
        starts = [max(side - SAMPLED_SIDE, 0) // 2 for side in section.shape[:2]]
        window = tuple(slice(start, start + SAMPLED_SIDE) for start in starts)
        digest.update(np.ascontiguousarray(section[window]).tobytes())
    return digest.hexdigest()


@contextmanager
def _every_chunk_written():
    """Let Zarr write chunks of zeros too: a chunk that is there is one that is done."""
    with zarr.config.set({"array.write_empty_chunks": True}):
        yield


def _open_target(volume, out, stamp, dtype, tile):
    """Open what a prediction is written to, or make it: an OME-Zarr with the axes and the scale of its volume.

    Parameters
    ----------
    volume : Volume
    out : Path
    stamp : dict
        All that decides what is written.
    dtype : numpy.dtype
    tile : int
        Side of a chunk.

    Returns
    -------
    zarr.Array

    Raises
    ------
    ValueError
        If there is something else at `out`, or it was begun with another stamp.
    """
    with _every_chunk_written():
        if out.exists():
            try:
                group = zarr.open_group(out, mode="r+")
                begun = dict(group.attrs).get("prediction")
            except (OSError, ValueError):
                begun = None
            if begun and "pixels" not in begun:  # by an earlier version
                stamp = {name: value for name, value in stamp.items() if name != "pixels"}
            if begun != stamp:
                fix = "remove it, or choose another --out"
                raise ValueError(f"{out}: is not of this volume, network and settings; {fix}.")
            for left in out.rglob("*.partial"):  # by a run that was killed
                left.unlink()
            return group["0"]
        temporary = out.with_name(f".unfinished-{out.name}")
        shutil.rmtree(temporary, ignore_errors=True)
        make_target(volume, temporary, stamp, dtype, tile)
        temporary.replace(out)
        return zarr.open_group(out, mode="r+")["0"]


def make_target(volume, out, stamp, dtype, tile):
    """Make an OME-Zarr without chunks, version 0.4 for Zarr 2, 0.5 for Zarr 3; returns its array."""
    kept = [volume.axes.index(axis) for axis in (*volume.leading, *reading.SECTION)]
    kinds = {"t": "time", "z": "space", "y": "space", "x": "space"}
    axes = [{"name": volume.axes[i], "type": kinds.get(volume.axes[i], "space")} for i in kept]
    for axis, i in zip(axes, kept, strict=True):
        if volume.units[i]:
            axis["unit"] = volume.units[i]
    scale = {"type": "scale", "scale": [volume.scale[i] for i in kept]}
    scales = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
    group = zarr.open_group(out, mode="w", zarr_format=volume.zarr_format)
    if volume.zarr_format == 2:
        group.attrs.update({"multiscales": [{"version": "0.4", **scales}], "prediction": stamp})
        options = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    else:
        group.attrs.update({"ome": {"version": "0.5", "multiscales": [scales]}, "prediction": stamp})
        options = {"dimension_names": [axis["name"] for axis in axes]}
    shape = [volume.shape[i] for i in kept]
    return group.create_array("0", shape=shape, chunks=(*(1,) * (len(shape) - 2), tile, tile), dtype=dtype, **options)


def _is_written(out, target, region):
    """Whether all chunks of a region, a tuple of slices, are there."""
    ranges = (
        range(part.start // size, -(-part.stop // size)) for part, size in zip(region, target.chunks, strict=True)
    )
    return all((out / "0" / target.metadata.encode_chunk_key(chunk)).is_file() for chunk in itertools.product(*ranges))


def load(job):
    """The network of a job and the settings of its masks; raises as `cluster.load`."""
    network, settings = cluster.load(job.model, job.digest, job.precision)
    return network, settings if job.border is None else replace(settings, border=job.border)


def _find_missing(target, out, tile, halo):
    """Regions of `target` that are not written, a chunk each: tuples of slices, whose leading ones hold one section."""
    *leading, height, width = target.shape
    rows, columns = (_to_slices(_chunk_lengths(side, tile, halo)) for side in (height, width))
    for position in np.ndindex(*leading):
        for section in itertools.product(rows, columns):
            region = (*(slice(i, i + 1) for i in position), *section)
            if not _is_written(out, target, region):
                yield region


def _chunk_lengths(length, tile, halo):
    """Lengths of the chunks along an axis; what is left at its end joins the last one if it is less than a halo."""
    count, rest = divmod(length, tile)
    if count and 0 < rest < halo:
        return (*(tile,) * (count - 1), tile + rest)
    return (*(tile,) * count, *((rest,) if rest else ()))


def _to_slices(lengths):
    """Slices of those lengths, one after the other."""
    return [slice(int(end) - length, int(end)) for length, end in zip(lengths, np.cumsum(lengths), strict=True)]


def _write_chunk(volume, target, region, job, tile, halo, scaled):
    """A dask value that, when it is computed, predicts one region and writes it to `target`."""
    *leading, rows, columns = region
    section = reading.Section(volume, [part.start for part in leading])
    scaled = _fit(scaled, volume, tuple(part.start for part in leading))
    chunks = [_chunk_lengths(side, tile, halo) for side in section.shape[:2]]
    array = da.from_array(section, (*chunks, *section.shape[2:]), name=False, meta=np.empty((0,) * section.ndim))
    predicted = array.map_overlap(
        _predict_section,
        depth={axis: halo if len(chunks[axis]) > 1 else 0 for axis in (0, 1)},
        boundary="none",
        dtype=target.dtype,
        drop_axis=list(range(2, section.ndim)),
        meta=np.empty((0, 0), target.dtype),
        job=job,
        path=volume.path,
        scaled=scaled,
    )
    block = predicted[rows, columns][(np.newaxis,) * len(leading)]
    return da.store([block], [target], regions=[region], lock=False, compute=False)


@functools.lru_cache(1)  # the chunks of a section follow each other
def _fit(scaled, volume, position):
    """The scaling of a whole section, which its chunks share."""
    return scaling.fit(scaled, reading.Section(volume, position))


def _predict_section(section, job, path, scaled):
    """Mask, or probability, of an array (height, width) or (height, width, channels), part of a section."""
    network, settings = load(job)
    scaling.check(section, scaled, path)
    turns = settings.choose_turns(job.flips)
    probability = masks.predict(network, section, turns, tile=max(section.shape), scaled=scaled)
    if job.probability:
        return calibration.calibrate(probability, settings.temperature)
    return classes.to_values(masks.to_mask(probability, settings, job.threshold), settings.values)


def _compute(writes, scheduler):
    """Compute dask values one after the other, or on a cluster; yields as each is done."""
    if scheduler:
        yield from cluster.compute(writes, scheduler)
    else:
        for write in writes:
            yield write.compute(scheduler="synchronous")
