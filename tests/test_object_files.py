"""Objects of masks: numbered, measured, outlined, and the files of them."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import roifile
import tifffile
import zarr
from helpers import draw_section, save, small_network

import evaluate
import predict
from segmentation.files import folders, images, writing
from segmentation.prediction import masks, networks, objects

SETTINGS = networks.Settings(values=(0, 255), names=("membrane", "cell"))


def read_table(file):
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def find_area(path):
    """The area that corners (x, y) enclose, positive clockwise in a picture."""
    x, y = np.transpose(path).astype(float)
    return np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2


def list_paths(roi):
    """The closed paths of a region: list of arrays (corners, 2)."""
    if not roi.composite:
        return [roi.coordinates()]
    steps, paths, i = roi.multi_coordinates, [], 0
    while i < len(steps):
        if steps[i] == objects.CLOSE:
            i += 1
            continue
        if steps[i] == objects.MOVE:
            paths.append([])
        paths[-1].append(steps[i + 1 : i + 3])
        i += 3
    return [np.array(path) for path in paths]


def test_parts_of_each_class_are_numbered_and_specks_left_out():
    mask = np.array([[1, 1, 0, 2], [1, 2, 2, 0], [0, 2, 2, 1]], np.uint8)
    numbers, found = objects.number_objects(mask, [1, 2], smallest=2, first=5)
    np.testing.assert_array_equal(numbers, [[5, 5, 0, 0], [5, 6, 6, 0], [0, 6, 6, 0]])
    assert found.tolist() == [1, 2]
    numbers, found = objects.number_objects(mask == 1, [1])
    assert numbers.max() == len(found) == 2
    assert objects.number_objects(mask == 7, [1])[1].tolist() == []


def test_a_rectangle_is_measured_by_hand():
    numbers = np.zeros((10, 12), np.int32)
    numbers[2:6, 3:9] = 1
    image = np.dstack([np.full((10, 12), 7), np.tile(np.arange(12), (10, 1))]).astype(np.uint16)
    (row,) = objects.measure_objects(
        numbers, np.array([1]), image, replace(SETTINGS, channels=("a", "b")), (0.5, 0.5, "um")
    )
    assert (row["number"], row["class"], row["area"]) == (1, "cell", 24)
    assert (row["y"], row["x"]) == ("3.5", "5.5")
    assert (row["top"], row["left"], row["bottom"], row["right"]) == (2, 3, 6, 9)
    assert float(row["perimeter"]) == 16  # along the middles of the outer pixels
    assert float(row["major_axis"]) == pytest.approx(4 * np.sqrt((36 - 1) / 12), rel=1e-5)
    assert float(row["minor_axis"]) == pytest.approx(4 * np.sqrt((16 - 1) / 12), rel=1e-5)
    assert row["solidity"] == "1"
    assert (row["mean_a"], row["std_a"], row["mean_b"]) == ("7", "0", "5.5")
    assert float(row["std_b"]) == pytest.approx(np.std(np.arange(3, 9)), rel=1e-5)
    assert (row["area_um2"], float(row["perimeter_um"])) == ("6", 8)
    narrow = objects.measure_objects(numbers, np.array([1]), image, SETTINGS, (0.5, 0.25, "um"))[0]
    assert narrow["area_um2"] == "3"
    assert "perimeter_um" not in narrow


def test_outlines_enclose_the_pixels_of_their_objects_holes_left_out():
    rng = np.random.default_rng(0)
    mask = rng.random((40, 50)) > 0.45
    mask[5:20, 5:20] = True
    mask[8:12, 8:12] = False
    numbers, found = objects.number_objects(mask, [1])
    rois = objects.outline(numbers)
    assert [roi.name for roi in rois] == [str(i + 1) for i in range(len(found))]
    assert any(roi.composite for roi in rois)
    areas = [abs(sum(map(find_area, list_paths(roi)))) for roi in rois]
    np.testing.assert_array_equal(areas, np.bincount(numbers.ravel())[1:])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"imagej": True, "resolution": (2, 4), "metadata": {"axes": "YX", "unit": "\\u00B5m"}},
            pytest.approx((0.25, 0.5)),
        ),
        ({"imagej": True, "resolution": (0.25, 0.25), "metadata": {"axes": "YX", "unit": "nm"}}, (4, 4)),
        (
            {"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.3}},
            pytest.approx((0.3, 0.2)),
        ),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": "0,2", "PhysicalSizeY": "0,2"}}, None),
        ({"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": "NaN", "PhysicalSizeY": 1}}, None),
        ({"imagej": True, "metadata": {"axes": "YX"}}, None),
    ],
)
def test_the_size_of_a_pixel_is_read_where_it_is_a_length(options, expected, tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((4, 5), np.uint8), **options)
    size = images.read_pixel_size(tmp_path / "a.ome.tif")
    assert (size and size[:2]) == expected
    if size:
        assert size[2] in ("um", "nm")
    save(np.zeros((4, 5), np.uint8), tmp_path / "a.png")
    assert images.read_pixel_size(tmp_path / "a.png") is None


@pytest.fixture
def network(tmp_path):
    """A network whose masks hold many objects: the file."""
    made = small_network(2)
    networks.save_network(made, tmp_path / "model.keras", SETTINGS)
    return tmp_path / "model.keras"


def write_images(folder, threshold_of, count=1):
    """Noisy sections as one TIFF of a pixel size; returns it and a threshold at which half of the pixels are white."""
    stack = np.stack([draw_section(np.random.default_rng(i), 64, 80)[0] for i in range(count)])
    metadata = {"axes": "ZYX", "unit": "nm", "spacing": 50}
    tifffile.imwrite(folder / "a.tif", stack, imagej=True, resolution=(0.25, 0.25), metadata=metadata)
    loaded, _ = networks.load_network(threshold_of)
    return folder / "a.tif", float(np.median(masks.predict(loaded, stack[0])))


def test_predict_writes_numbers_table_and_regions_that_agree(network, tmp_path, capsys):
    file, threshold = write_images(tmp_path, network)
    command = [str(file), "--model", str(network), "--threshold", str(threshold), "--objects", "--smallest", "3"]
    assert predict.main([*command, "--out", str(tmp_path / "out")]) == 0
    numbers = tifffile.imread(tmp_path / "out" / "a_objects.tif")
    rows, rois = (
        read_table(tmp_path / "out" / "a_objects.csv"),
        roifile.roiread(tmp_path / "out" / "a_rois.zip"),
    )
    areas = np.bincount(numbers.ravel())[1:]
    assert numbers.dtype == np.uint16
    assert len(areas) > 3
    assert areas.min() >= 3
    assert [int(row["area"]) for row in rows] == areas.tolist()
    assert [float(row["area_nm2"]) for row in rows] == (16 * areas).tolist()
    assert [abs(sum(map(find_area, list_paths(roi)))) for roi in rois] == areas.tolist()
    white = images.read_array(tmp_path / "out" / "a_predict.png") == 255
    assert not np.any((numbers > 0) & ~white)
    # They are neither predicted the next time, nor told as files that are no images.
    (tmp_path / "out" / "b.png").write_bytes((tmp_path / "out" / "a_predict.png").read_bytes())
    assert list(folders.find_images(tmp_path / "out")) == ["b"]
    assert folders.find_others(tmp_path / "out") == []


def test_specks_are_left_out_as_the_network_knows_them_from_its_labels(network, tmp_path, capsys):
    file, threshold = write_images(tmp_path, network)
    loaded, settings = networks.load_network(network)
    networks.save_network(loaded, tmp_path / "model.keras", replace(settings, smallest=7))
    command = [str(file), "--model", str(tmp_path / "model.keras"), "--threshold", str(threshold), "--objects"]
    areas, said = [], []
    for more in [], ["--smallest", "1"], ["--smallest", "7"]:
        assert predict.main([*command, "--out", str(tmp_path / "out"), *more]) == 0
        areas.append([int(row["area"]) for row in read_table(tmp_path / "out" / "a_objects.csv")])
        said.append("fewer than 7 pixels" in capsys.readouterr().err)
    assert areas[0] == areas[2] == [area for area in areas[1] if area >= 7]
    assert len(areas[0]) < len(areas[1])
    assert said == [True, False, False]


def test_objects_of_tiles_are_those_of_the_image_in_one_piece(network, tmp_path):
    file, threshold = write_images(tmp_path, network)
    command = [str(file), "--model", str(network), "--threshold", str(threshold), "--objects"]
    for name, tile in ("whole", "512"), ("tiles", "32"):
        assert predict.main([*command, "--tile", tile, "--out", str(tmp_path / name)]) == 0
    for name in "a_objects.tif", "a_objects.csv":
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "tiles" / name).read_bytes()


def test_objects_of_a_stack_are_numbered_on_and_know_their_page(network, tmp_path):
    file, threshold = write_images(tmp_path, network, count=2)
    options = ["--threshold", str(threshold), "--objects", "--out", str(tmp_path)]
    assert predict.main([str(file), "--model", str(network), *options]) == 0
    numbers, rows = tifffile.imread(tmp_path / "a_objects.tif"), read_table(tmp_path / "a_objects.csv")
    assert [int(row["number"]) for row in rows] == list(range(1, numbers.max() + 1))
    assert {row["page"] for row in rows} == {"1", "2"}
    second = [int(row["number"]) for row in rows if row["page"] == "2"]
    assert set(np.unique(numbers[1])) == {0, *second}
    assert {roi.position for roi in roifile.roiread(tmp_path / "a_rois.zip")} == {1, 2}


def test_an_image_without_objects_has_a_table_without_rows(network, tmp_path):
    file, _ = write_images(tmp_path, network)
    options = ["--threshold", "1", "--objects", "--out", str(tmp_path)]
    assert predict.main([str(file), "--model", str(network), *options]) == 0
    assert read_table(tmp_path / "a_objects.csv") == []
    assert "area_nm2" in (tmp_path / "a_objects.csv").read_text()
    assert not tifffile.imread(tmp_path / "a_objects.tif").any()


def test_more_objects_than_uint16_holds_are_numbered_all_the_same(tmp_path):
    mask = np.indices((600, 600)).sum(0) % 2 == 0
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, mask.astype(np.uint8))
    numbers, _ = objects.number_objects(mask, [1])
    writing.write_numbers(tmp_path / "n.tif", numbers[None], like=file)
    assert tifffile.imread(tmp_path / "n.tif").max() == 180_000


def test_objects_of_a_volume_are_numbered_section_by_section(network, tmp_path):
    file, threshold = write_images(tmp_path, network, count=2)
    command = [str(file), "--model", str(network), "--threshold", str(threshold), "--out", str(tmp_path / "v.zarr")]
    assert predict.main([*command, "--objects", "--probability"]) == 2
    assert predict.main([*command, "--objects"]) == 0
    white = zarr.open_group(tmp_path / "v.zarr", mode="r")["0"][:]
    numbers = zarr.open_group(tmp_path / "v_objects.zarr", mode="r")["0"][:]
    rows = read_table(tmp_path / "v_objects.csv")
    np.testing.assert_array_equal(numbers > 0, white == 255)
    assert [int(row["area"]) for row in rows] == np.bincount(numbers.ravel())[1:].tolist()
    assert {row["z"] for row in rows} == {"0", "1"}
    for z in "01":
        expected, _ = objects.number_objects(white[int(z)] == 255, [1])
        assert sum(row["z"] == z for row in rows) == expected.max()


def test_regions_of_channels_lie_on_the_plane_of_their_first(tmp_path):
    pages, mask = np.zeros((3, 8, 9, 2), np.uint8), np.zeros((3, 8, 9), bool)
    mask[:, 2:4, 2:4] = True
    tifffile.imwrite(tmp_path / "a.tif", pages[..., 0])
    objects.write_objects(tmp_path / "a.tif", tmp_path / "a", mask, pages, SETTINGS)
    assert [roi.position for roi in roifile.roiread(tmp_path / "a_rois.zip")] == [1, 3, 5]


def test_channels_of_one_name_keep_a_column_each():
    image, settings = np.dstack([np.ones((4, 4)), np.full((4, 4), 9)]), replace(SETTINGS, channels=("MRI", "MRI"))
    (row,) = objects.measure_objects(np.ones((4, 4), np.int32), np.array([1]), image, settings)
    assert (row["mean_0"], row["mean_1"]) == ("1", "9")


def test_units_of_other_letters_are_kept_in_stacks(tmp_path):
    metadata = {"axes": "YX", "unit": "\\u00C5"}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), np.uint8), imagej=True, resolution=(2, 2), metadata=metadata)
    assert images.read_pixel_size(tmp_path / "a.tif") == (0.5, 0.5, "\u00c5")
    raw = (tmp_path / "a.tif").read_bytes().replace(b"unit=\\u00C5", b"unit=\xc5     ")
    (tmp_path / "a.tif").write_bytes(raw)
    writing.write_numbers(tmp_path / "b.tif", np.zeros((1, 4, 5), np.int32), like=tmp_path / "a.tif")
    assert tifffile.imread(tmp_path / "b.tif").shape == (4, 5)


def test_evaluate_leaves_out_objects_where_nothing_is_labelled(tmp_path, capsys):
    label = np.zeros((60, 100), np.uint8)
    for y in range(4, 60, 20):
        for x in range(4, 100, 20):
            label[y : y + 12, x : x + 12] = 255
    save(label, tmp_path / "masks" / "a.png")
    label[:, 60:] = 100
    save(label, tmp_path / "labels" / "a.png")
    assert evaluate.main([str(tmp_path / "masks"), str(tmp_path / "labels"), "--ignore", "100"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert next(line.split()[2:] for line in printed if line.startswith("IoU 0.9")) == ["1.0000"] * 4


def test_evaluate_scores_objects_where_they_are_many(tmp_path, capsys):
    label = np.zeros((40, 60), bool)
    for i in range(6):
        label[2 + 20 * (i // 3) : 16 + 20 * (i // 3), 2 + 20 * (i % 3) : 16 + 20 * (i % 3)] = True
    mask = label.copy()
    mask[:18, :18] = False  # one is missed
    mask[2:16, 22:26] = False  # of one 140 of 196 pixels are found
    save(label, tmp_path / "labels" / "a.png")
    save(mask, tmp_path / "masks" / "a.png")
    assert evaluate.main([str(tmp_path / "masks"), str(tmp_path / "labels")]) == 0
    printed = capsys.readouterr().out.splitlines()
    # precision, recall, F1 and mean IoU of what is found: 5 of 5, 5 of 6; 4 of 5, 4 of 6
    assert next(line.split()[2:] for line in printed if line.startswith("IoU 0.7")) == [
        "1.0000",
        "0.8333",
        "0.9091",
        f"{(4 + 140 / 196) / 5:.4f}",
    ]
    assert next(line.split()[2:] for line in printed if line.startswith("IoU 0.8")) == [
        "0.8000",
        "0.6667",
        "0.7273",
        "1.0000",
    ]
    assert f"SEG {(4 + 140 / 196) / 6:.4f}" in "".join(printed)
