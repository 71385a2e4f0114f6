"""What predict.py writes, read by ImageJ itself (Debian's package imagej)."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers import small_network

import predict
from segmentation.prediction import masks, networks, objects

IMAGEJ = Path("/usr/share/java/ij.jar")
REPORT = """
import ij.ImagePlus;
import ij.io.Opener;

public class Report {
    public static void main(String[] files) {
        for (String file : files) {
            ImagePlus image = new Opener().openImage(file);
            ij.measure.Calibration c = image.getCalibration();
            System.out.println(image.getWidth() + " " + image.getHeight() + " " + image.getStackSize());
            System.out.println(c.pixelWidth + " " + c.pixelHeight + " " + c.pixelDepth + " " + c.getUnit());
            for (int i = 1; i <= image.getStackSize(); i++) {
                int[] counts = image.getStack().getProcessor(i).getHistogram();
                System.out.println(counts[0] + " " + counts[counts.length - 1]);
            }
        }
    }
}
"""
REGIONS = """
import ij.ImagePlus;
import ij.gui.Roi;
import ij.io.Opener;
import ij.io.RoiDecoder;
import ij.measure.Measurements;
import java.util.zip.ZipInputStream;

public class Regions {
    public static void main(String[] files) throws Exception {
        ImagePlus image = new Opener().openImage(files[0]);
        ZipInputStream zip = new ZipInputStream(new java.io.FileInputStream(files[1]));
        while (zip.getNextEntry() != null) {
            Roi roi = new RoiDecoder(zip.readAllBytes(), "region").getRoi();
            image.setRoi(roi);
            ij.process.ImageStatistics found = image.getStatistics(Measurements.AREA | Measurements.MEAN);
            System.out.println(roi.getName() + " " + found.pixelCount + " " + found.min + " " + found.max);
        }
    }
}
"""


@pytest.fixture
def run_java(tmp_path):
    """Run a program with ImageJ on files, and give what it prints, in lines."""
    if not shutil.which("javac") or not IMAGEJ.is_file():
        pytest.skip("a JDK and ImageJ are not installed (apt install default-jdk-headless imagej)")

    def run(program, *files):
        name = program.split("public class ")[1].split()[0]
        (tmp_path / f"{name}.java").write_text(program)
        command = ["java", "-Djava.awt.headless=true", "-cp", str(IMAGEJ), str(tmp_path / f"{name}.java")]
        done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return run


def test_masks_and_stacks_open_in_imagej_with_their_size_and_calibration(run_java, tmp_path):
    networks.save_network(small_network(2), tmp_path / "model.keras", networks.Settings(border=1.0))
    stack = np.random.default_rng(0).integers(0, 255, (3, 21, 34)).astype(np.uint8)
    metadata = {"axes": "ZYX", "spacing": 50.0, "unit": "nm"}
    tifffile.imwrite(tmp_path / "stack.tif", stack, imagej=True, resolution=(0.25, 0.25), metadata=metadata)
    tifffile.imwrite(tmp_path / "one.tif", stack[0])
    # The median, so that masks hold both values.
    network, _ = networks.load_network(tmp_path / "model.keras")
    threshold = np.median(masks.predict(network, stack[0]))
    arguments = [tmp_path / "stack.tif", tmp_path / "one.tif", "--threshold", threshold, "--out", tmp_path]
    assert predict.main([*map(str, arguments), "--model", str(tmp_path / "model.keras")]) == 0
    written = tifffile.imread(tmp_path / "stack_predict.tif")
    found = run_java(REPORT, tmp_path / "stack_predict.tif", tmp_path / "one_predict.png")
    assert found[0] == "34 21 3"
    *sizes, unit = found[1].split()
    assert [float(size) for size in sizes] == pytest.approx([4, 4, 50])
    assert unit == "nm"
    counts = [f"{np.count_nonzero(mask == 0)} {np.count_nonzero(mask == 255)}" for mask in written]
    assert found[2:5] == counts
    assert "0" not in counts[0].split()
    assert found[5] == "34 21 1"
    assert found[7] == counts[0]


def test_regions_open_in_imagej_with_the_pixels_of_their_objects(run_java, tmp_path):
    mask = np.random.default_rng(0).random((40, 50)) > 0.45
    mask[5:20, 5:20] = True
    mask[8:12, 8:12] = False  # a hole
    tifffile.imwrite(tmp_path / "a.tif", np.uint8(mask))
    pages = np.zeros((1, 40, 50), np.uint8)
    objects.write_objects(tmp_path / "a.tif", tmp_path / "a", mask[np.newaxis], pages, networks.Settings())
    numbers = tifffile.imread(tmp_path / "a_objects.tif")
    found = run_java(REGIONS, tmp_path / "a_objects.tif", tmp_path / "a_rois.zip")
    areas = np.bincount(numbers.ravel())
    # Each region holds all pixels of the number that it is named by, and no others.
    assert found == [f"{i} {areas[i]} {float(i)} {float(i)}" for i in range(1, len(areas))]
