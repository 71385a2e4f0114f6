import hashlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers import save, small_network

from segmentation.files import folders, scaling

pytest.importorskip("zarr", reason="zarr is not installed")
pytest.importorskip("dask.array", reason="dask is not installed")

import h5py
import zarr

import predict
from segmentation.prediction import masks, networks
from segmentation.volumes import chunks, reading

SHAPE = (3, 75, 150)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("run") / "model.keras"
    networks.save_network(small_network(2), file, networks.Settings(border=1.0))
    return file


@pytest.fixture
def volume():
    return np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)


def run(source, out, model_file, *options):
    """Run predict.py with tiles of 40 pixels, of which 75 and 150 are no multiples, and one prediction a tile."""
    arguments = [source, "--out", out, "--model", model_file, "--tile", "40", "--no-flips", *options]
    return predict.main([str(argument) for argument in arguments])


def expected(volume, model_file):
    network, _ = networks.load_network(model_file)
    return np.stack([masks.predict(network, scaling.scale(section), turns="none", tile=1000) for section in volume])


def write_zarr(path, volume, zarr_format=3):
    zarr.create_array(path, data=volume, chunks=(1, 64, 64, 3)[: volume.ndim], zarr_format=zarr_format)


def write_hdf5(path, volume, name="raw"):
    with h5py.File(path, "a") as file:
        file[name] = volume


@pytest.mark.parametrize("rule", ["dataset", "image"])
def test_chunks_are_scaled_as_their_whole_section(rule, volume, tmp_path):
    counts = np.uint16(volume * 3.0 * [[[1]], [[4]], [[9]]])
    scaled = scaling.choose([scaling.survey(section[np.newaxis]) for section in counts], rule)
    network, file = small_network(2), tmp_path / "model.keras"
    networks.save_network(network, file, networks.Settings(scaling=scaled))
    write_zarr(tmp_path / "a.zarr", counts)
    assert run(tmp_path / "a.zarr", tmp_path / "out.zarr", file, "--probability") == 0
    whole = [masks.predict(network, section, "none", 1000, scaled) for section in counts]
    np.testing.assert_allclose(zarr.open(tmp_path / "out.zarr")["0"][:], whole, atol=1e-5)


@pytest.mark.parametrize("kind", ["zarr", "zarr 2", "ZARR", "h5", "H5", "tif"])
def test_a_volume_in_chunks_is_that_in_one_piece(kind, volume, model_file, tmp_path):
    source = tmp_path / f"a b.{kind.split()[0]}"
    if kind.lower() == "h5":
        write_hdf5(source, volume)
    elif kind == "tif":
        tifffile.imwrite(source, volume, imagej=True, metadata={"axes": "ZYX"})
    else:
        write_zarr(source, volume, 2 if kind == "zarr 2" else 3)
    assert run(source, tmp_path / "maps.zarr", model_file, "--probability") == 0
    whole = expected(volume, model_file)
    maps = zarr.open_group(tmp_path / "maps.zarr", mode="r")["0"]
    assert maps.metadata.zarr_format == (2 if kind == "zarr 2" else 3)
    np.testing.assert_allclose(maps[:], whole, atol=1e-5)
    assert np.ptp(whole) > 0.01
    assert run(source, tmp_path / "masks.zarr", model_file) == 0
    masks = zarr.open_group(tmp_path / "masks.zarr", mode="r")["0"][:]
    assert masks.dtype == np.uint8
    # Where the probability is 0.5 to the last digits, chunks may fall on either side.
    clear = np.abs(whole - 0.5) > 1e-5
    np.testing.assert_array_equal(masks[clear], np.where(whole > 0.5, 255, 0)[clear])


@pytest.mark.parametrize(("version", "zarr_format"), [("0.4", 2), ("0.5", 3)])
def test_ome_zarr_keeps_its_axes_and_its_scale(version, zarr_format, volume, model_file, tmp_path):
    group = zarr.open_group(tmp_path / "in.zarr", mode="w", zarr_format=zarr_format)
    group.create_array("s0", data=volume[np.newaxis], chunks=(1, 1, 64, 64))
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "nanometer"} for n in "zyx")]
    transforms = [{"type": "scale", "scale": [1, 50, 4, 4]}]
    scales = {"axes": axes, "datasets": [{"path": "s0", "coordinateTransformations": transforms}]}
    if version == "0.4":
        group.attrs["multiscales"] = [{"version": version, **scales}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [scales]}
    assert run(tmp_path / "in.zarr", tmp_path / "out.zarr", model_file) == 0
    out = zarr.open_group(tmp_path / "out.zarr", mode="r")
    found = dict(out.attrs) if version == "0.4" else out.attrs["ome"]
    assert (found["multiscales"][0] if version == "0.4" else found)["version"] == version
    found = found["multiscales"][0]
    assert found["axes"] == axes[1:]
    assert found["datasets"][0]["coordinateTransformations"] == [{"type": "scale", "scale": [50, 4, 4]}]
    assert out["0"].shape == SHAPE


def test_a_killed_run_goes_on_with_the_chunks_that_are_missing(volume, model_file, tmp_path, monkeypatch, capsys):
    write_zarr(tmp_path / "in.zarr", volume)
    assert run(tmp_path / "in.zarr", tmp_path / "whole.zarr", model_file) == 0
    assert "24 chunks written" in capsys.readouterr().out
    predicted = []
    section = chunks._predict_section

    def stop_at_ten(*arguments, **options):
        predicted.append(1)
        if len(predicted) == 10:
            raise KeyboardInterrupt
        return section(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(chunks, "_predict_section", stop_at_ten)
        assert run(tmp_path / "in.zarr", tmp_path / "broken.zarr", model_file) == 130
    left = next((tmp_path / "broken.zarr" / "0").rglob("0")).with_suffix(".killed.partial")
    left.write_bytes(b"part")
    assert run(tmp_path / "in.zarr", tmp_path / "broken.zarr", model_file) == 0
    assert "15 chunks written" in capsys.readouterr().out
    assert not left.exists()
    whole, broken = (zarr.open_group(tmp_path / name, mode="r")["0"][:] for name in ("whole.zarr", "broken.zarr"))
    np.testing.assert_array_equal(whole, broken)
    assert run(tmp_path / "in.zarr", tmp_path / "broken.zarr", model_file) == 0
    assert "0 chunks written" in capsys.readouterr().out


def test_users_mistakes_are_one_sentence(volume, model_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("segmentation.volumes.cluster.CONNECT_SECONDS", 1)
    write_zarr(tmp_path / "in.zarr", volume)
    write_zarr(tmp_path / "colour.zarr", np.zeros((2, 20, 30, 3), np.uint8))
    write_zarr(tmp_path / "signed.zarr", volume.astype(np.int16))
    write_hdf5(tmp_path / "two.h5", volume, "a")
    write_hdf5(tmp_path / "two.h5", volume, "b")
    (tmp_path / "text.h5").write_text("no volume")
    (tmp_path / "folder.zarr").mkdir()
    assert run(tmp_path / "in.zarr", tmp_path / "out.zarr", model_file) == 0
    capsys.readouterr()
    for source, options, message in [
        ("nowhere.zarr", [], "nowhere.zarr: no such file"),
        ("colour.zarr", [], "colour.zarr: expected 1 channels, as in training, found 3"),
        ("signed.zarr", [], "signed.zarr: expected 8 or 16 bits"),
        ("two.h5", [], "name one as"),
        ("two.h5/c", [], "holds no dataset c, but a, b"),
        ("text.h5", [], "text.h5: cannot be read as a volume"),
        ("folder.zarr", [], "folder.zarr: cannot be read as a volume"),
        ("in.zarr", ["--threshold", "0.7"], "out.zarr: is not of this volume, network and settings"),
        ("in.zarr", ["--scheduler", "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1"),
    ]:
        out = tmp_path / ("out.zarr" if "--threshold" in options else "other.zarr")
        assert run(tmp_path / source, out, model_file, *options) == 2
        error = capsys.readouterr().err
        assert message in error.splitlines()[-1]
        assert "Traceback" not in error


def test_a_cluster_without_workers_is_one_sentence(volume, model_file, tmp_path, monkeypatch, capsys):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("segmentation.volumes.cluster.CONNECT_SECONDS", 1)
    write_zarr(tmp_path / "in.zarr", volume)
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        options = ["--scheduler", cluster.scheduler_address]
        assert run(tmp_path / "in.zarr", tmp_path / "out.zarr", model_file, *options) == 2
    assert "this scheduler has no workers; start some in this folder" in capsys.readouterr().err


def test_colour_volumes_and_a_named_dataset(tmp_path):
    network = small_network(2, channels=3)
    networks.save_network(network, tmp_path / "model.keras", networks.Settings(border=1.0))
    colour = np.random.default_rng(0).integers(0, 65535, (2, 50, 60, 3)).astype(np.uint16)
    write_hdf5(tmp_path / "in.h5", np.zeros(3), "table")
    write_hdf5(tmp_path / "in.h5", colour, "group/raw")
    model_file = tmp_path / "model.keras"
    assert run(tmp_path / "in.h5" / "group" / "raw", tmp_path / "out.zarr", model_file, "--probability") == 0
    maps = zarr.open_group(tmp_path / "out.zarr", mode="r")["0"][:]
    np.testing.assert_allclose(maps, expected(colour, model_file), atol=1e-5)


def test_chunks_are_cut_so_that_none_is_narrower_than_the_halo():
    assert chunks._chunk_lengths(100, 40, 20) == (40, 40, 20)
    assert chunks._chunk_lengths(99, 40, 20) == (40, 59)
    assert chunks._chunk_lengths(10, 40, 20) == (10,)
    assert chunks._to_slices((40, 59)) == [slice(0, 40), slice(40, 99)]


def test_what_is_a_volume_is_known_by_its_name():
    assert folders.is_volume("a/b.ome.zarr")
    assert folders.is_volume("a.h5/raw")
    assert not folders.is_volume("a/b.tif")


def test_a_cluster_gives_the_same_also_when_a_worker_is_killed(volume, model_file, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    write_zarr(tmp_path / "in.zarr", volume)
    assert run(tmp_path / "in.zarr", tmp_path / "alone.zarr", model_file, "--probability") == 0
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        victim = next(iter(cluster.workers.values())).pid
        done = []

        def kill_after_four(chunks_done, **options):
            for chunk in chunks_done:
                done.append(chunk)
                if len(done) == 4:
                    os.kill(victim, signal.SIGKILL)
                yield chunk

        monkeypatch.setattr(chunks, "tqdm", kill_after_four)
        options = ["--probability", "--scheduler", cluster.scheduler_address]
        assert run(tmp_path / "in.zarr", tmp_path / "cluster.zarr", model_file, *options) == 0
    assert len(done) == 24
    alone, cluster = (zarr.open_group(tmp_path / name, mode="r")["0"][:] for name in ("alone.zarr", "cluster.zarr"))
    # Workers with other threads add up in another order.
    np.testing.assert_allclose(alone, cluster, atol=1e-6)


def test_a_cluster_shares_a_folder_of_images(model_file, tmp_path, capsys):
    distributed = pytest.importorskip("distributed")
    rng = np.random.default_rng(0)
    for name in ("a", "b/c"):
        save(rng.integers(0, 255, (50, 60), np.uint8), tmp_path / "images" / f"{name}.png")
    save(rng.integers(0, 255, (50, 60, 3), np.uint8), tmp_path / "images" / "colour.png")
    command = [str(tmp_path / "images"), "--model", str(model_file), "--probability", "--objects", "--out"]
    assert predict.main([*command, str(tmp_path / "alone")]) == 2
    expected = capsys.readouterr()
    with distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        assert predict.main([*command, str(tmp_path / "shared"), "--scheduler", cluster.scheduler_address]) == 2
    found = capsys.readouterr()
    assert found.out.replace("shared", "alone") == expected.out
    assert "expected 1 channels" in found.err
    names = sorted(file.relative_to(tmp_path / "alone") for file in (tmp_path / "alone").rglob("*") if file.is_file())
    assert len(names) == 10
    for name in names:
        if name.suffix != ".zip":  # which holds when it was made
            assert (tmp_path / "shared" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_a_network_trained_anew_into_the_same_path_is_the_one_that_predicts(volume, tmp_path):
    model_file, maps = tmp_path / "model.keras", []
    write_zarr(tmp_path / "in.zarr", volume)
    for seed in (0, 1):
        networks.save_network(small_network(2, seed), model_file)
        assert run(tmp_path / "in.zarr", tmp_path / f"{seed}.zarr", model_file, "--probability") == 0
        maps.append(zarr.open_group(tmp_path / f"{seed}.zarr", mode="r")["0"][:])
        np.testing.assert_allclose(maps[-1], expected(volume, model_file), atol=1e-5)
    assert np.abs(maps[0] - maps[1]).max() > 0.01


def test_a_worker_refuses_another_network_than_that_of_the_job(tmp_path):
    model_file = tmp_path / "model.keras"
    networks.save_network(small_network(2, 0), model_file)
    job = chunks.make_job(model_file)
    networks.save_network(small_network(2, 1), model_file)
    with pytest.raises(ValueError, match=r"model\.keras: has changed since this prediction began"):
        chunks.load(job)


def test_a_result_of_version_1_0_is_gone_on_with(model_file):
    """Its stamp holds these names, the model by its fingerprint."""
    volume = reading.Volume(Path("a.zarr"), "", SHAPE, np.dtype("uint8"), "zyx", (None,) * 3, (1.0,) * 3)
    job = chunks.make_job(model_file, threshold=0.4, flips=False)
    assert chunks._stamp(volume, job, 40) == {
        "volume": "a.zarr",
        "array": "",
        "shape": [3, 75, 150],
        "tile": 40,
        "model": hashlib.sha256(model_file.read_bytes()).hexdigest(),
        "threshold": 0.4,
        "border": None,
        "flips": False,
        "probability": False,
    }


def test_another_volume_of_the_same_name_and_shape_is_not_gone_on_with(volume, model_file, tmp_path, capsys):
    for day, pixels in (("1", volume), ("2", 255 - volume), ("3", volume.astype(np.uint16))):
        (tmp_path / day).mkdir()
        tifffile.imwrite(tmp_path / day / "stack.tif", pixels, imagej=True, metadata={"axes": "ZYX"})
    assert run(tmp_path / "1" / "stack.tif", tmp_path / "m.zarr", model_file) == 0
    assert run(tmp_path / "1" / "stack.tif", tmp_path / "m.zarr", model_file) == 0
    group = zarr.open_group(tmp_path / "m.zarr", mode="r+")
    stamp = dict(group.attrs["prediction"])
    group.attrs["prediction"] = {
        name: value for name, value in stamp.items() if name != "pixels"
    }  # an earlier version's
    assert run(tmp_path / "1" / "stack.tif", tmp_path / "m.zarr", model_file) == 0
    group.attrs["prediction"] = stamp
    for day in ("2", "3"):
        capsys.readouterr()
        assert run(tmp_path / day / "stack.tif", tmp_path / "m.zarr", model_file) == 2
        assert "m.zarr: is not of this volume, network and settings" in capsys.readouterr().err
