import numpy as np
import pytest
import tifffile
from helpers import draw_section, make_indexed, save, write_bomb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from segmentation.files import folders, images, labels


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    save(draw_section(np.random.default_rng(0))[0], tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:900])
    for name in ("text.png", "empty.png", "cut.png"):
        with pytest.raises(ValueError, match=f"{name}: cannot be read"):
            images.read_array(tmp_path / name)


GREY = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY // 2], axis=-1)
ALPHA = np.full_like(GREY, 7)
COLOURED_ALPHA = np.dstack([COLOUR, ALPHA])


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


@pytest.mark.parametrize(
    ("array", "options", "expected"),
    [
        (GREY, {}, GREY),
        (GREY.astype(np.uint16) * 200, {"byteorder": ">"}, GREY.astype(np.uint16) * 200),
        (GREY / np.float32(255), {"compression": "lzw"}, GREY / np.float32(255)),
        (GREY > 100, {}, np.uint8(GREY > 100) * 255),
        (COLOUR, {"photometric": "rgb", "compression": "zlib"}, COLOUR),
        (COLOURED_ALPHA, {"photometric": "rgb", "extrasamples": ["unassalpha"]}, COLOUR),
        (np.moveaxis(COLOUR, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}, COLOUR),
        (
            np.uint8([[0, 1]]),
            {"photometric": "palette", "colormap": np.uint16([[9 << 8, 1 << 8] + [0] * 254] * 3)},
            np.uint8([[(9, 9, 9), (1, 1, 1)]]),
        ),
    ],
)
def test_tiff_is_read_as_it_is(tmp_path, array, options, expected):
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    found = images.read_array(tmp_path / "a.tif")
    assert found.dtype == expected.dtype
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, expected)


def test_stacks_are_read_by_pages_and_refused_as_one_image(tmp_path):
    stack = np.arange(40, dtype=np.uint8).reshape(4, 2, 5)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True)
    tifffile.imwrite(tmp_path / "b.tiff", np.stack([COLOUR] * 2), photometric="rgb")
    np.testing.assert_array_equal(images.read_pages(tmp_path / "a.tif"), stack)
    assert images.read_pages(tmp_path / "b.tiff").shape == (2, 2, 3, 3)
    for read in (images.read_array, labels.read_label):
        with pytest.raises(ValueError, match=r"a\.tif: a stack of 4"):
            read(tmp_path / "a.tif")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    write_bomb(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: cannot be read.*30000x30000 pixels are more than"):
        images.read_array(tmp_path / "a.png")


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    """One file of each format, as bytes."""
    folder = tmp_path_factory.mktemp("whole")
    for suffix in folders.SUFFIXES:
        Image.fromarray(COLOUR).save(folder / f"a{suffix}")
    return {suffix: (folder / f"a{suffix}").read_bytes() for suffix in folders.SUFFIXES}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(folders.SUFFIXES),
    noise=st.binary(max_size=80),
    place=st.integers(0, 400),
    keep=st.booleans(),
)
def test_readers_raise_nothing_but_value_error(tmp_path, whole_files, suffix, noise, place, keep):
    file, content = tmp_path / f"noise{suffix}", whole_files[suffix]
    file.write_bytes(content[:place] + noise + content[place + len(noise) :] if keep else noise)
    for read in (images.read_array, labels.read_label):
        try:
            assert read(file).ndim in (2, 3)
        except ValueError as error:
            assert str(file) in str(error)


def test_read_image_scales_by_dtype_not_by_content(tmp_path):
    save(np.array([[0, 51], [102, 51]], np.uint8), tmp_path / "dark.png")
    image = images.read_image(tmp_path / "dark.png")
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[..., 0], [[0, 0.2], [0.4, 0.2]], rtol=1e-6)
