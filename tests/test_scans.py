import sys

import nd2
import nibabel
import numpy as np
import pydicom
import pytest
from nibabel import cifti2
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from segmentation.files import dataset, scans


def numbers(*shape, dtype=np.uint16):
    """Values that are all different, so that no axis is taken for another."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def write_nifti(path, array, slope=None, intercept=None):
    image = nibabel.Nifti1Image(array, np.eye(4))
    if slope is not None:
        image.header.set_slope_inter(slope, intercept)
    nibabel.save(image, path)
    return path


def write_dicom(path, pixels, photometric="MONOCHROME2", frames=None, **elements):
    """A DICOM of pixels (height, width) or (height, width, 3), or of frames of them."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.CTImageStorage, uid.generate_uid()
    dataset.SamplesPerPixel = 3 if photometric in ("RGB", "YBR_FULL") else 1
    dataset.PhotometricInterpretation = photometric
    dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if dataset.SamplesPerPixel > 1 else pixels.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    if dataset.SamplesPerPixel > 1:
        dataset.PlanarConfiguration = 0
    if frames:
        dataset.NumberOfFrames = frames
    dataset.PixelData = pixels.tobytes()
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_czi(path, planes):
    """A CZI of planes: (array, plane, scene, location)."""
    czi = pytest.importorskip("pylibCZIrw.czi")  # there is none for Linux on ARM
    with czi.create_czi(str(path)) as document:
        for array, plane, scene, location in planes:
            document.write(array, plane=plane, scene=scene, location=location)
    return path


@pytest.fixture
def stand_in(monkeypatch):
    """In place of nd2.ND2File, which writes no files: an array, and the names of its axes."""

    def set_file(sizes, array=None):
        class File:
            def __init__(self, path):
                self.sizes = sizes

            def __enter__(self):
                return self

            def __exit__(self, *error):
                pass

            def asarray(self):
                return array

        monkeypatch.setattr(nd2, "ND2File", File)

    return set_file


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_slices_are_pages_with_rows_along_y(tmp_path, name):
    array = numbers(5, 4, 3, dtype=np.int16)
    pages, notes = scans.read_nifti(write_nifti(tmp_path / name, array))
    assert pages.dtype == np.int16
    assert pages.shape == (3, 4, 5)
    assert pages[2, 1, 4] == array[4, 1, 2]
    assert notes == ()


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (5, 4, 1, 1, 1)])
def test_a_flat_nifti_is_one_page(tmp_path, shape):
    array = numbers(*shape, dtype=np.uint8)
    pages, notes = scans.read_nifti(write_nifti(tmp_path / "a.nii", array))
    assert np.array_equal(pages, array.reshape(5, 4).T[np.newaxis])
    assert notes == ()


def test_nifti_times_are_read_one_after_another(tmp_path):
    array = numbers(5, 4, 3, 2, dtype=np.float32)
    pages, notes = scans.read_nifti(write_nifti(tmp_path / "a.nii", array))
    assert pages.shape == (6, 4, 5)
    assert np.array_equal(pages[1 * 3 + 2], array[:, :, 2, 1].T)
    assert notes == ("read as 6 pages, one after another: 2 times, each of 3 slices",)


def test_nifti_slope_and_intercept_are_applied(tmp_path):
    array = numbers(5, 4, 3, dtype=np.int16)
    whole, _ = scans.read_nifti(write_nifti(tmp_path / "whole.nii", array, 1, -1024))
    assert whole.dtype == np.int32
    assert whole[0, 0].tolist() == (array[:, 0, 0] * 1 - 1024).tolist()
    part, _ = scans.read_nifti(write_nifti(tmp_path / "part.nii", array, 0.5, 3))
    assert part.dtype == np.float32
    assert part[0, 0].tolist() == (array[:, 0, 0] * 0.5 + 3).tolist()


@pytest.mark.parametrize(("letters", "notes"), [("RGB", ()), ("RGBA", ("its alpha channel is left out",))])
def test_nifti_in_colour(tmp_path, letters, notes):
    array = np.zeros((5, 4, 1), [(letter, "u1") for letter in letters])
    array["R"], array["B"] = 200, numbers(5, 4, 1)
    pages, said = scans.read_nifti(write_nifti(tmp_path / "a.nii", array))
    assert pages.shape == (1, 4, 5, 3)
    assert pages[0, 1, 3].tolist() == [200, 0, array["B"][3, 1, 0]]
    assert said == notes


def test_nifti_that_holds_no_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected 2 to 4 dimensions .* found 5, of sizes 5x4x3x1x3"):
        scans.read_nifti(write_nifti(tmp_path / "vectors.nii", numbers(5, 4, 3, 1, 3, dtype=np.float32)))
    with pytest.raises(ValueError, match="complex"):
        scans.read_nifti(write_nifti(tmp_path / "complex.nii", numbers(5, 4, 3, dtype=np.complex64)))
    axes = (cifti2.ScalarAxis(["thickness"]), cifti2.SeriesAxis(0, 1, 6))
    nibabel.save(cifti2.Cifti2Image(numbers(1, 6, dtype=np.float32), axes), tmp_path / "a.dscalar.nii")
    with pytest.raises(ValueError, match="holds no image, but a Cifti2Image"):
        scans.read_nifti(tmp_path / "a.dscalar.nii")


def test_dicom_of_ct_is_in_hounsfield_units(tmp_path):
    stored = numbers(4, 5)
    file = write_dicom(tmp_path / "a.dcm", stored, RescaleSlope=1, RescaleIntercept=-1024)
    pages, notes = scans.read_dicom(file)
    assert pages.dtype == np.int32
    assert np.array_equal(pages[0], stored.astype(int) - 1024)
    assert notes == ()
    pages, _ = scans.read_dicom(write_dicom(tmp_path / "b.dcm", stored, RescaleSlope="0.25", RescaleIntercept=0))
    assert pages.dtype == np.float32
    assert np.array_equal(pages[0], stored / 4)


def test_dicom_without_a_scale_keeps_its_dtype(tmp_path):
    stored = numbers(4, 5, dtype=np.int16) - np.int16(7)
    pages, _ = scans.read_dicom(write_dicom(tmp_path / "a.dcm", stored))
    assert pages.dtype == np.int16
    assert np.array_equal(pages[0], stored)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_monochrome1_is_inverted(tmp_path, dtype):
    stored = numbers(4, 5, dtype=dtype)
    pages, notes = scans.read_dicom(write_dicom(tmp_path / "a.dcm", stored, "MONOCHROME1", BitsStored=12, HighBit=11))
    assert pages.dtype == dtype
    assert np.array_equal(pages[0], (4095 if dtype is np.uint16 else -1) - stored)
    assert notes == ("inverted, as a viewer shows it, for in the file high values are dark (MONOCHROME1)",)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_dicom_with_a_table_of_grey_values(tmp_path, photometric):
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4, 0, 16], "OD"
    table.LUTData = np.array([0, 10, 100, 1000], "<u2").tobytes()
    stored = np.array([[0, 1], [2, 3]], np.uint8)
    pages, _ = scans.read_dicom(write_dicom(tmp_path / "a.dcm", stored, photometric, ModalityLUTSequence=[table]))
    expected = np.array([[0, 10], [100, 1000]])
    assert np.array_equal(pages[0], expected if photometric == "MONOCHROME2" else 65535 - expected)


def test_dicom_frames_are_pages_each_with_its_own_scale(tmp_path):
    def group(slope):
        scale, group = Dataset(), Dataset()
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = slope, 0, "US"
        group.PixelValueTransformationSequence = [scale]
        return group

    stored = numbers(3, 4, 5)
    plain, _ = scans.read_dicom(write_dicom(tmp_path / "plain.dcm", stored, frames=3))
    assert np.array_equal(plain, stored)
    file = write_dicom(tmp_path / "a.dcm", stored, frames=3, SharedFunctionalGroupsSequence=[group(2)])
    assert np.array_equal(scans.read_dicom(file)[0], stored * 2)
    groups = [group(1), group(2), group(3)]
    file = write_dicom(tmp_path / "b.dcm", stored, frames=3, PerFrameFunctionalGroupsSequence=groups)
    assert np.array_equal(scans.read_dicom(file)[0], stored * np.array([1, 2, 3]).reshape(3, 1, 1))


def test_dicom_in_colour(tmp_path):
    colours = numbers(2, 4, 5, 3, dtype=np.uint8)
    pages, notes = scans.read_dicom(write_dicom(tmp_path / "rgb.dcm", colours, "RGB", frames=2))
    assert np.array_equal(pages, colours)
    assert notes == ()
    red = np.full((4, 5, 3), (76, 85, 255), np.uint8)
    pages, _ = scans.read_dicom(write_dicom(tmp_path / "ybr.dcm", red, "YBR_FULL"))
    assert pages[0, 0, 0].tolist() == [254, 0, 0]


def test_dicom_with_a_palette_has_its_colours(tmp_path):
    palette = {}
    for name, values in {"Red": [0, 200], "Green": [10, 20], "Blue": [250, 0]}.items():
        palette[f"{name}PaletteColorLookupTableDescriptor"] = [2, 0, 8]
        palette[f"{name}PaletteColorLookupTableData"] = bytes(values)
    file = write_dicom(tmp_path / "a.dcm", np.array([[0, 1]], np.uint8), "PALETTE COLOR", **palette)
    assert scans.read_dicom(file)[0].tolist() == [[[[0, 10, 250], [200, 20, 0]]]]


def test_compressed_dicom_is_decoded(tmp_path):
    stored = numbers(16, 20)
    for syntax in (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.JPEGLosslessSV1):
        file = write_dicom(tmp_path / "a.dcm", stored)
        compress(file, syntax)
        assert np.array_equal(scans.read_dicom(file)[0][0], stored), syntax.name


def compress(file, syntax):
    """Compress a DICOM file in place, by GDCM, which compresses in more ways than pydicom."""
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(file))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(file))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert pydicom.dcmread(file).file_meta.TransferSyntaxUID == syntax


def test_dicom_without_pixels_is_refused(tmp_path):
    file = write_dicom(tmp_path / "a.dcm", numbers(4, 5))
    dataset = pydicom.dcmread(file)
    del dataset.PixelData
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = uid.RTPlanStorage
    dataset.save_as(file)
    with pytest.raises(ValueError, match=r"^holds no pixels \(RT Plan Storage\); give"):
        scans.read_dicom(file)
    (tmp_path / "text.dcm").write_text("no image")
    with pytest.raises(ValueError, match="is no DICOM file"):
        scans.read_dicom(tmp_path / "text.dcm")


def test_tiles_of_a_slide_are_noted(tmp_path):
    elements = {"TotalPixelMatrixRows": 4, "TotalPixelMatrixColumns": 10}
    _, notes = scans.read_dicom(write_dicom(tmp_path / "a.dcm", numbers(2, 4, 5), frames=2, **elements))
    assert notes == ("its pages are tiles of a picture of 4x10 pixels, which is not put together",)


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path, monkeypatch, stand_in):
    monkeypatch.setattr(scans, "MOST_PIXELS", 19)
    stand_in({"Y": 4, "X": 5})
    files = {
        scans.read_nifti: write_nifti(tmp_path / "a.nii", numbers(5, 4)),
        scans.read_dicom: write_dicom(tmp_path / "a.dcm", numbers(4, 5)),
        scans.read_czi: write_czi(tmp_path / "a.czi", [(numbers(4, 5), {}, 0, (0, 0))]),
        scans.read_nd2: tmp_path / "a.nd2",
    }
    for read, file in files.items():
        with pytest.raises(ValueError, match="its 4x5 pixels are more than 19"):
            read(file)


def test_czi_of_one_grey_image(tmp_path):
    pages, notes = scans.read_czi(write_czi(tmp_path / "a.czi", [(numbers(4, 5), {}, 0, (7, -3))]))
    assert np.array_equal(pages, [numbers(4, 5)])
    assert pages.dtype == np.uint16
    assert notes == ()


def test_czi_channels_times_and_slices(tmp_path):
    array = numbers(2, 3, 2, 4, 5, dtype=np.float32)  # times, slices, channels
    # A part of a longer stack counts on from where it was.
    planes = [
        (array[t, z, c], {"T": t, "Z": z + 6, "C": c}, 0, (0, 0)) for t in range(2) for z in range(3) for c in range(2)
    ]
    pages, notes = scans.read_czi(write_czi(tmp_path / "a.czi", planes))
    assert np.array_equal(pages, np.moveaxis(array.reshape(6, 2, 4, 5), 1, -1))
    assert notes == ("read as 6 pages, one after another: 2 times, each of 3 slices",)


def test_czi_in_colour(tmp_path):
    blue_first = numbers(4, 5, 3, dtype=np.uint8)
    pages, _ = scans.read_czi(write_czi(tmp_path / "a.czi", [(blue_first, {}, 0, (0, 0))]))
    assert np.array_equal(pages, [blue_first[..., ::-1]])


def test_czi_tiles_are_put_together(tmp_path):
    planes = [(numbers(4, 5) + 1, {}, 0, (0, 0)), (numbers(4, 5) + 101, {}, 0, (6, 0))]
    pages, notes = scans.read_czi(write_czi(tmp_path / "a.czi", planes))
    assert pages.shape == (1, 4, 11)
    assert np.array_equal(pages[0], np.hstack([numbers(4, 5) + 1, np.zeros((4, 1)), numbers(4, 5) + 101]))
    assert notes == ("its 2 tiles are put together; where there is none it is black",)


def test_czi_scenes_are_pages_if_they_have_one_size(tmp_path):
    scenes = [(numbers(4, 5) + 50 * s, {}, s, (20 * s, 0)) for s in range(2)]
    pages, notes = scans.read_czi(write_czi(tmp_path / "a.czi", scenes))
    assert np.array_equal(pages, [numbers(4, 5), numbers(4, 5) + 50])
    assert notes == ("read as 2 pages, one after another: 2 scenes",)
    scenes.append((numbers(6, 5), {}, 2, (40, 0)))
    with pytest.raises(ValueError, match=r"^its 3 scenes differ in size \(4x5, 6x5\); save each as a file of its own$"):
        scans.read_czi(write_czi(tmp_path / "b.czi", scenes))


def test_czi_without_an_image_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^holds no image$"):
        scans.read_czi(write_czi(tmp_path / "a.czi", []))


def test_nd2_axes_are_taken_by_name(stand_in):
    """With a stand-in for nd2.ND2File, as no package writes ND2: no file that a microscope wrote is read here."""
    array = numbers(2, 3, 4, 2, 6, 5)
    stand_in({"T": 2, "P": 3, "Z": 4, "C": 2, "Y": 6, "X": 5}, array)
    pages, notes = scans.read_nd2("a.nd2")
    assert np.array_equal(pages, np.moveaxis(array.reshape(24, 2, 6, 5), 1, -1))
    assert notes == ("read as 24 pages, one after another: 2 times, each of 3 positions, each of 4 slices",)
    stand_in({"Z": 4, "Y": 6, "X": 5}, array[0, 0, :, 0])
    pages, notes = scans.read_nd2("a.nd2")
    assert np.array_equal(pages, array[0, 0, :, 0])
    assert notes == ()


def test_nd2_in_colour(stand_in):
    """With a stand-in, as above: that its files hold blue first is how Bio-Formats and others read them."""
    blue_first = numbers(6, 5, 3, dtype=np.uint8)
    stand_in({"Y": 6, "X": 5, "S": 3}, blue_first)
    assert np.array_equal(scans.read_nd2("a.nd2")[0], [blue_first[..., ::-1]])
    stand_in({"C": 2, "Y": 6, "X": 5, "S": 3}, np.stack([blue_first, blue_first + 1]))
    both = np.concatenate([blue_first[..., ::-1], blue_first[..., ::-1] + 1], axis=-1)
    assert np.array_equal(scans.read_nd2("a.nd2")[0], [both])


@pytest.mark.parametrize(
    ("read", "package", "extra"),
    [
        (scans.read_nifti, "nibabel", "medical"),
        (scans.read_dicom, "pydicom", "medical"),
        (scans.read_czi, "pylibCZIrw", "microscopy"),
        (scans.read_nd2, "nd2", "microscopy"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(monkeypatch, read, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf'^{package} is not installed: pip install -e "\.\[{extra}\]"$'):
        read("a")


def test_a_label_of_another_orientation_than_its_image_is_refused(tmp_path):
    volume = np.random.default_rng(0).integers(0, 255, (20, 24, 3)).astype(np.uint8)
    for i in range(4):
        for part, array, affine in (
            ("image", volume + np.uint8(i), np.diag([2, 2, 2, 1])),
            ("label", np.uint8(volume > 90)[::-1], np.diag([-2 if i == 2 else 2, 2, 2, 1])),
        ):
            place = tmp_path / "train" / part
            place.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(array, affine), place / f"{i}.nii.gz")
    # The first of four has no affine, by which nothing can be known.
    nibabel.save(nibabel.Nifti1Image(np.uint8(volume > 90)[::-1], None), tmp_path / "train/label/0.nii.gz")
    (problem,) = dataset.survey(tmp_path).problems
    text = "has another orientation than its image by their affines; save both in the same."
    assert problem == f"{tmp_path}/train/label/2.nii.gz: {text}"
