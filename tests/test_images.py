import struct
import zlib

import numpy as np
import pytest
import tifffile
from helpers import ALPHA, COLOUR, COLOURED_ALPHA, GREY, count_up, draw_section, make_indexed, refuse, save, write_bomb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from segmentation.files import images


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    save(draw_section(np.random.default_rng(0))[0], tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:900])
    for name in ("text.png", "empty.png", "cut.png"):
        with pytest.raises(ValueError, match=f"{name}: cannot be read"):
            images.read_array(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("grey.png", Image.fromarray(GREY), GREY),
        ("grey.bmp", Image.fromarray(GREY), GREY),
        ("bits.png", Image.fromarray(GREY > 100), np.uint8(GREY > 100) * 255),
        ("alpha.png", Image.fromarray(np.dstack([GREY, ALPHA]), "LA"), GREY),
        ("16.png", Image.fromarray(GREY.astype(np.uint16) * 200), GREY.astype(np.uint16) * 200),
        ("colour.png", Image.fromarray(COLOUR), COLOUR),
        ("colour.BMP", Image.fromarray(COLOUR), COLOUR),
        ("colour alpha.png", Image.fromarray(COLOURED_ALPHA), COLOUR),
        ("palette.png", make_indexed(np.uint8([[0, 1]]), [(9, 8, 7), (1, 2, 3)]), np.uint8([[(9, 8, 7), (1, 2, 3)]])),
        ("grey palette.png", make_indexed(np.uint8([[0, 1]]), [(9, 9, 9), (1, 1, 1)]), np.uint8([[9, 1]])),
    ],
)
def test_pictures_are_read_as_they_are(tmp_path, name, image, expected):
    image.save(tmp_path / name)
    array = images.read_array(tmp_path / name)
    assert array.dtype == expected.dtype
    np.testing.assert_array_equal(array, expected)


def test_jpeg_is_read_nearly_as_it_was(tmp_path):
    smooth = np.uint8(np.add.outer(np.arange(32), np.arange(40)) * 3)
    Image.fromarray(smooth).save(tmp_path / "a.jpeg", quality=95)
    assert np.abs(images.read_array(tmp_path / "a.jpeg") - smooth.astype(int)).max() < 4


def test_stacks_are_read_by_pages_and_refused_as_one_image(tmp_path):
    stack = count_up(4, 2, 5)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True)
    tifffile.imwrite(tmp_path / "b.tiff", np.stack([COLOUR] * 2), photometric="rgb")
    np.testing.assert_array_equal(images.read_pages(tmp_path / "a.tif"), stack)
    assert images.read_pages(tmp_path / "b.tiff").shape == (2, 2, 3, 3)
    with pytest.raises(ValueError, match=r"a\.tif: a stack of 4"):
        images.read_array(tmp_path / "a.tif")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    write_bomb(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: cannot be read.*30000x30000 pixels are more than"):
        images.read_array(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.PNG", ".png"), ("b.nii.gz", ".nii.gz"), ("b.NII.GZ", ".nii.gz"), ("c.tar.gz", ".gz"), ("d", "")],
)
def test_the_suffix_tells_the_format(name, suffix):
    assert images.find_suffix(f"folder.x/{name}") == suffix


def test_a_file_of_another_suffix_is_tried_and_the_formats_are_named(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.x", format="png")
    np.testing.assert_array_equal(images.read_array(tmp_path / "a.x"), COLOUR)
    tifffile.imwrite(tmp_path / "b.svs", count_up(5, 8, 9))
    assert len(images.read_pages(tmp_path / "b.svs")) == 5
    (tmp_path / "c.x").write_text("none")
    refuse(tmp_path / "c.x", r"no format that is known\); what is read is \.png, \.tif.*\.nd2\.$")


# Pictures


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "16.png", "a.tif", "palette.png"])
def test_pictures_are_turned_as_their_orientation_says(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    file = tmp_path / name
    if name == "16.png":
        write_16_bit_png(file, COLOURED_ALPHA.astype(np.uint16) * 257, exif=exif)
        image = Image.fromarray(COLOURED_ALPHA)
        image.getexif()[274] = orientation
    elif name == "palette.png":
        image = make_indexed(np.uint8([[0, 1, 2], [2, 1, 1]]), [(9, 8, 7), (1, 2, 3), (4, 5, 6)])
        image.save(file, exif=exif)
        image = Image.open(file)
    elif name == "a.tif":
        tifffile.imwrite(file, COLOURED_ALPHA, extrasamples=["unassalpha"], extratags=[(274, 3, 1, orientation, True)])
        image = Image.fromarray(COLOURED_ALPHA)
        image.getexif()[274] = orientation
    else:
        image = Image.fromarray(COLOURED_ALPHA if name != "a.jpg" else COLOUR)
        image.save(file, exif=exif, **({"lossless": True, "exact": True} if name == "a.webp" else {}))
        image = Image.open(file)
    expected = np.asarray(ImageOps.exif_transpose(image).convert("RGBA"))
    raster = images.read_raster(file)
    np.testing.assert_array_equal(images.to_pages(raster)[0] // (257 if name == "16.png" else 1), expected[..., :3])
    if raster.alpha is not None:
        assert raster.alpha.shape == raster.pages.shape[:3]
        np.testing.assert_array_equal(raster.alpha[0] // (257 if name == "16.png" else 1), expected[..., 3])


def test_an_image_that_is_stored_lying_is_read_upright(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # the first row stored is the right column seen
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(images.read_array(tmp_path / "a.png"), [[153, 0], [204, 51], [255, 102]])


@pytest.mark.parametrize(("array", "mode"), [(np.dstack([GREY, ALPHA]), "LA"), (COLOURED_ALPHA, "RGBA")])
def test_alpha_is_kept_apart(tmp_path, array, mode):
    Image.fromarray(array, mode).save(tmp_path / "a.png")
    raster = images.read_raster(tmp_path / "a.png")
    np.testing.assert_array_equal(raster.pages[0], array[..., 0] if mode == "LA" else array[..., :3])
    np.testing.assert_array_equal(raster.alpha, ALPHA[np.newaxis])


@pytest.mark.parametrize(("transparency", "alpha"), [(None, None), (1, [[255, 0]]), (b"\xff\xff", None)])
def test_a_palette_is_kept_beside_its_indices(tmp_path, transparency, alpha):
    options = {} if transparency is None else {"transparency": transparency}
    make_indexed(np.uint8([[0, 1]]), [(9, 8, 7), (1, 2, 3)]).save(tmp_path / "a.png", **options)
    raster = images.read_raster(tmp_path / "a.png")
    assert raster.pages.tolist() == [[[0, 1]]]
    assert raster.palette.dtype == np.uint8
    assert raster.palette[:2].tolist() == [[9, 8, 7], [1, 2, 3]]
    assert (raster.alpha if alpha is None else raster.alpha[0].tolist()) == alpha


def test_an_index_beyond_a_palette_is_black(tmp_path):
    make_indexed(np.uint8([[0, 1]]), [(9, 8, 7)]).save(tmp_path / "a.png", bits=8)
    assert images.read_array(tmp_path / "a.png").tolist() == [[[9, 8, 7], [0, 0, 0]]]


@pytest.mark.parametrize(("array", "transparency"), [(GREY, 51), (COLOUR, (0, 153, 0))])
def test_a_colour_that_png_calls_transparent_is_no_alpha(tmp_path, array, transparency):
    Image.fromarray(array).save(tmp_path / "a.png", transparency=transparency)
    raster = images.read_raster(tmp_path / "a.png")
    np.testing.assert_array_equal(raster.pages[0], array)
    assert raster.alpha is None


def write_16_bit_png(file, array, exif=None, interlaced=False, transparent=False):
    """Write a PNG of 16 bits a channel by hand."""
    channels = array.shape[2] if array.ndim == 3 else 1
    array = array.astype(">u2").reshape(*array.shape[:2], channels)
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [array[top::down, left::right] for top, left, down, right in passes]
    rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    header = struct.pack(">IIBBBBB", *array.shape[1::-1], 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, interlaced)
    chunks = [(b"IHDR", header), *([(b"eXIf", exif.tobytes()[6:])] if exif else [])]
    chunks += [(b"tRNS", array[0, 0].tobytes())] if transparent else []
    with file.open("wb") as opened:
        opened.write(b"\x89PNG\r\n\x1a\n")
        for name, content in [*chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]:
            check = struct.pack(">I", zlib.crc32(name + content))
            opened.write(struct.pack(">I", len(content)) + name + content + check)


@pytest.mark.parametrize("options", [{}, {"interlaced": True}, {"transparent": True}])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_16_bits_keeps_them(tmp_path, channels, options):
    if channels in (2, 4) and "transparent" in options:
        pytest.skip("PNG has no transparent colour beside alpha")
    array = count_up(9, 11, channels, dtype=np.uint16) * 157
    array = array[..., 0] if channels == 1 else array
    write_16_bit_png(tmp_path / "a.png", array, **options)
    raster = images.read_raster(tmp_path / "a.png")
    assert raster.pages.dtype == np.uint16
    assert raster.pages.dtype.isnative
    colours = {1: array, 2: array[..., 0], 3: array, 4: array[..., :3]}[channels]
    np.testing.assert_array_equal(raster.pages[0], colours)
    if channels in (2, 4):
        np.testing.assert_array_equal(raster.alpha[0], array[..., -1])
    else:
        assert raster.alpha is None


def test_a_cut_png_of_16_bits_is_refused(tmp_path):
    write_16_bit_png(tmp_path / "a.png", np.random.default_rng(0).integers(0, 65536, (20, 20, 3)))
    content = (tmp_path / "a.png").read_bytes()
    for keep in (30, 60, 500, len(content) - 60):
        (tmp_path / "a.png").write_bytes(content[:keep])
        refuse(tmp_path / "a.png", "cannot be read")


def test_cmyk_and_other_colours_of_jpeg_become_rgb(tmp_path):
    red = np.full((16, 16, 3), (255, 0, 0), np.uint8)
    for mode in ("CMYK", "RGB"):
        Image.fromarray(red).convert(mode).save(tmp_path / "a.jpg", quality=100)
        array = images.read_array(tmp_path / "a.jpg")
        assert array.shape == (16, 16, 3)
        assert np.abs(array - red.astype(int)).max() < 6


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_the_frames_of_an_animation_are_pages(tmp_path, suffix):
    frames = np.random.default_rng(0).integers(0, 2, (4, 20, 30, 1), dtype=np.uint8) * np.uint8([200, 100, 50])
    first, *others = map(Image.fromarray, frames)
    options = {"lossless": True} if suffix == ".webp" else {}
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=others, **options)
    raster = images.read_raster(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(raster.pages, frames)
    assert raster.alpha is None


def test_frames_of_gif_are_what_a_viewer_shows_and_grey_if_they_are(tmp_path):
    frames = np.zeros((3, 20, 30), np.uint8)
    frames[1:, 5:8, 5:9] = 255  # the second frame is stored as this rectangle, the third as nearly nothing
    frames[2, 15, 15] = 128
    first, *others = map(Image.fromarray, frames)
    first.save(tmp_path / "a.gif", save_all=True, append_images=others)
    np.testing.assert_array_equal(images.read_pages(tmp_path / "a.gif"), frames)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_a_cut_animation_is_refused(tmp_path, suffix):
    frames = np.random.default_rng(0).integers(0, 255, (4, 20, 30, 3), dtype=np.uint8)
    first, *others = map(Image.fromarray, frames)
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=others)
    content = (tmp_path / f"a{suffix}").read_bytes()
    for share in (0.3, 0.6, 0.9):
        (tmp_path / f"a{suffix}").write_bytes(content[: int(len(content) * share)])
        refuse(tmp_path / f"a{suffix}", "cut off|cannot be read")


def test_a_gif_of_one_image_is_read_as_its_greys(tmp_path):
    mask = np.uint8(GREY > 100) * np.uint8(255)
    Image.fromarray(mask).save(tmp_path / "a.gif")
    np.testing.assert_array_equal(images.read_array(tmp_path / "a.gif"), mask)


def test_the_previews_of_a_camera_are_left_out(tmp_path):
    first, second = Image.fromarray(COLOUR), Image.fromarray(COLOUR[:1])
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    raster = images.read_raster(tmp_path / "a.jpg")
    assert raster.pages.shape == (1, 2, 3, 3)
    assert len(raster.notes) == 1


# Others


@pytest.mark.parametrize("array", [GREY, GREY > 100, GREY.astype(">f4"), GREY.astype(np.int64).T])
def test_npy_is_one_image_of_two_axes(tmp_path, array):
    for saved in (array, array[np.newaxis], array[..., np.newaxis]):
        np.save(tmp_path / "a.npy", saved)
        found = images.read_array(tmp_path / "a.npy")
        assert found.dtype.isnative
        np.testing.assert_array_equal(found, np.uint8(array) * 255 if array.dtype == bool else array)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (COLOUR, r"shape \(2, 3, 3\), whose axes cannot be known; save it as TIFF"),
        (np.zeros((0, 5)), "holds no pixels|cannot be read"),
        (GREY.astype(complex), "complex128"),
        (np.array([[{}]]), "cannot be read"),
    ],
)
def test_other_npy_is_refused(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array)
    refuse(tmp_path / "a.npy", words)


@pytest.mark.parametrize(
    ("name", "function"),
    [("a.nii", "nifti"), ("a.nii.gz", "nifti"), ("a.dcm", "dicom"), ("a.CZI", "czi"), ("a.nd2", "nd2")],
)
def test_scans_are_read_and_what_they_say_passes(tmp_path, monkeypatch, name, function):
    file = tmp_path / name
    stack = count_up(3, 4, 5, dtype=">i2")
    monkeypatch.setattr(images.scans, f"read_{function}", lambda file: (stack, ("a note",)), raising=False)
    raster = images.read_raster(file)
    np.testing.assert_array_equal(raster.pages, stack)
    assert raster.pages.dtype.isnative
    assert raster.notes == ("a note",)
    for text in ("x is not installed: pip install x", f"{file}: x is not installed: pip install x"):

        def fail(file, text=text):
            raise ValueError(text)

        monkeypatch.setattr(images.scans, f"read_{function}", fail)
        refuse(file, "x is not installed: pip install x$")


PICTURES = [suffix for suffix in images.READERS if suffix not in (".nii", ".nii.gz", ".dcm", ".czi", ".nd2")]


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    """One file of each format, as bytes."""
    folder = tmp_path_factory.mktemp("whole")
    for suffix in PICTURES:
        if suffix == ".npy":
            np.save(folder / "a.npy", GREY)
        else:
            Image.fromarray(COLOUR).save(folder / f"a{suffix}", format="TIFF" if suffix == ".lsm" else None)
    return {suffix: (folder / f"a{suffix}").read_bytes() for suffix in PICTURES}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(PICTURES),
    noise=st.binary(max_size=80),
    place=st.integers(0, 400),
    keep=st.booleans(),
)
def test_readers_raise_nothing_but_value_error(tmp_path, whole_files, suffix, noise, place, keep):
    file, content = tmp_path / f"noise{suffix}", whole_files[suffix]
    file.write_bytes(content[:place] + noise + content[place + len(noise) :] if keep else noise)
    try:
        assert images.read_pages(file).ndim in (3, 4)
    except ValueError as error:
        assert str(file) in str(error)
