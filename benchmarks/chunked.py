"""Measure the prediction of volumes: speed by the number of workers, and memory by the size of the volume.

    python -m benchmarks.chunked                       # megapixels a second
    python -m benchmarks.chunked --sizes 0.5 2 8       # and the memory for volumes of so many gigabytes

Speed is that of the network of main.py's defaults, untrained, one prediction a tile; each worker is kept to one core,
and so is "the bare network", Keras alone on an image of a tile's size without a halo. Memory is that of `python
predict.py`, with a network of width 2 and depth 1 so that the hours are spared: what grows with a volume would not be
the network.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import distributed
import numpy as np
import zarr

from benchmarks import large
from model import unet
from segmentation.prediction import networks
from segmentation.volumes import chunks


def write_volume(path, sections, side=2048):
    """A volume of noise, uint8, not compressed."""
    chunk = (1, min(side, 1024), min(side, 1024))
    array = zarr.create_array(path, shape=(sections, side, side), chunks=chunk, dtype="uint8", compressors=None)
    rng = np.random.default_rng(0)
    for i in range(sections):
        array[i] = rng.integers(0, 255, (side, side), np.uint8)
    return sections * side**2 / 1e6


def bare_speed(model, tile, turns):
    """Megapixels a second of the network alone on one core; to be called in a process of its own."""
    os.sched_setaffinity(0, {0})
    network, _ = networks.load_network(model)
    image = np.random.default_rng(0).random((1, tile, tile, network.input_shape[-1]), "float32")
    network.predict_on_batch(image)
    begun = time.perf_counter()
    for _ in range(turns):
        network.predict_on_batch(image)
    return turns * tile**2 / 1e6 / (time.perf_counter() - begun)


def cluster_speed(model, workers, scratch, sections, side, tile):
    """Megapixels a second of a cluster of workers on this machine, a core each."""
    with (
        distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        for core, worker in enumerate(client.scheduler_info()["workers"]):
            client.run(os.sched_setaffinity, 0, {core % os.cpu_count()}, workers=[worker])
        job = chunks.make_job(model, border=1.0, flips=False)
        for name, count in (("warm", workers), ("timed", sections)):
            pixels = write_volume(scratch / f"{name}{workers}.zarr", count, side)
            begun = time.perf_counter()
            out = scratch / f"{name}{workers}_out.zarr"
            chunks.write_volume(
                scratch / f"{name}{workers}.zarr", out, job, tile=tile, scheduler=cluster.scheduler_address
            )
        return pixels / (time.perf_counter() - begun)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--workers", type=int, nargs="+", default=[1, 2], help="sizes of the cluster")
    add("--sections", type=int, default=6, help="of the volume whose prediction is timed")
    add("--side", type=int, default=2048, help="of its sections")
    add("--tile", type=int, default=1024, help="side of a tile")
    add("--sizes", type=float, nargs="*", default=[], help="gigabytes of the volumes whose memory is measured")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        networks.save_network(unet(width=12), scratch / "model.keras", networks.Settings(border=1.0))
        with distributed.Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
            bare = client.submit(bare_speed, scratch / "model.keras", arguments.tile, 4).result()
        print(f"the bare network: {bare:.3f} megapixels a second")
        for workers in arguments.workers:
            speed = cluster_speed(
                scratch / "model.keras", workers, scratch, arguments.sections, arguments.side, arguments.tile
            )
            print(f"{workers} workers: {speed:.3f} megapixels a second, {speed / bare:.2f} of the bare network")
        networks.save_network(unet(width=2, depth=1), scratch / "small.keras", networks.Settings(border=1.0))
        for size in arguments.sizes:
            with tempfile.TemporaryDirectory(dir=scratch) as inner:
                source, out = Path(inner) / "source.zarr", Path(inner) / "out.zarr"
                write_volume(source, max(1, round(size * 1e9 / arguments.side**2)), arguments.side)
                seconds, memory = large.measure_memory(
                    "predict", source, "--no-flips", "--out", out, "--model", scratch / "small.keras"
                )
            print(f"{size} GB: {seconds:.0f} s, at most {memory:.2f} GiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
