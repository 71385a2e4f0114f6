import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers import ALPHA, COLOUR, COLOURED_ALPHA, GREY, count_up, draw_section, refuse
from PIL import Image

from segmentation.files import images


def write(folder, array, name="a.tif", **options):
    """Write TIFF, and give its path."""
    tifffile.imwrite(folder / name, array, **options)
    return folder / name


@pytest.mark.parametrize(
    ("array", "options", "expected"),
    [
        (GREY, {}, GREY),
        (GREY.astype(np.uint16) * 200, {"byteorder": ">"}, GREY.astype(np.uint16) * 200),
        (GREY / np.float32(255), {"compression": "lzw"}, GREY / np.float32(255)),
        (GREY > 100, {"photometric": "minisblack"}, np.uint8(GREY > 100) * 255),
        (COLOUR, {"photometric": "rgb", "compression": "zlib"}, COLOUR),
        (COLOURED_ALPHA, {"photometric": "rgb", "extrasamples": ["unassalpha"]}, COLOUR),
        (np.moveaxis(COLOUR, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}, COLOUR),
        (
            np.uint8([[0, 1]]),
            {"photometric": "palette", "colormap": np.uint16([[9 << 8, 1 << 8] + [0] * 254] * 3)},
            np.uint8([[9, 1]]),
        ),
    ],
)
def test_tiff_is_read_as_it_is(tmp_path, array, options, expected):
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    found = images.read_array(tmp_path / "a.tif")
    assert found.dtype == expected.dtype
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("options", [{"metadata": None}, {}, {"compression": "zlib"}, {"metadata": {"axes": "YX"}}])
@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 3)])
def test_pages_that_were_appended_are_one_stack(tmp_path, shape, options):
    stack = count_up(5, *shape)
    if len(shape) == 3 and options.get("metadata"):
        options = {"metadata": {"axes": "YXS"}}
    for i, page in enumerate(stack):
        photometric = "rgb" if len(shape) == 3 else "minisblack"
        write(tmp_path, page, append=i > 0, photometric=photometric, **options)
    np.testing.assert_array_equal(images.read_pages(tmp_path / "a.tif"), stack)


def test_pages_that_are_stored_in_different_ways_keep_their_order(tmp_path):
    stack = count_up(4, 32, 32)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page, compression in zip(stack, (None, "zlib", None, "lzw"), strict=True):
            writer.write(page, compression=compression, metadata=None)
    np.testing.assert_array_equal(images.read_pages(tmp_path / "a.tif"), stack)


@pytest.mark.parametrize("options", [{"metadata": None}, {}])
@pytest.mark.parametrize("count", [2, 12])
def test_previews_are_left_out_with_a_note(tmp_path, count, options):
    stack = count_up(count, 48, 48)
    with tifffile.TiffWriter(tmp_path / "a.lsm") as writer:
        for page in stack:  # as LSM does
            writer.write(page, **options)
            writer.write(page[::2, ::2].copy(), subfiletype=1, **options)
    raster = images.read_raster(tmp_path / "a.lsm")
    np.testing.assert_array_equal(raster.pages, stack)
    assert raster.notes[0] == "a preview of 24x24 pixels is left out"


@pytest.mark.parametrize("ome", [True, False])
def test_of_a_pyramid_the_full_resolution_is_read(tmp_path, ome):
    image = count_up(64, 64)
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=ome) as writer:
        writer.write(image, subifds=1, tile=(32, 32))
        writer.write(image[::2, ::2].copy(), subfiletype=1, tile=(32, 32))
    np.testing.assert_array_equal(images.read_array(tmp_path / "a.tif"), image)


@pytest.mark.parametrize("options", [{"metadata": None}, {}, {"ome": True}])
def test_images_of_different_sizes_are_refused(tmp_path, options):
    ome = options.get("ome", False)
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=ome) as writer:
        for size in (40, 24):
            writer.write(count_up(size, 40), **({} if ome else options))
    refuse(tmp_path / "a.tif", "of the sizes 40x40, 40x24; save each")


def test_pages_of_different_dtypes_are_refused(tmp_path):
    for dtype in (np.uint8, np.uint16):
        write(tmp_path, count_up(8, 9, dtype=dtype), append=dtype is np.uint16)
    refuse(tmp_path / "a.tif", "pages of different types")


BROKEN = {
    "plain": {"photometric": "minisblack"},
    "other": {"photometric": "minisblack", "metadata": None},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
    "lzw": {"photometric": "minisblack", "compression": "lzw"},
    "tiles": {"photometric": "minisblack", "compression": "zlib", "tile": (16, 16)},
    "jpeg": {"photometric": "minisblack", "compression": "jpeg"},
    "big": {"photometric": "minisblack", "bigtiff": True},
    "big endian": {"photometric": "minisblack", "byteorder": ">"},
}


@pytest.mark.parametrize("share", [0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.995, 0.997])
@pytest.mark.parametrize("kind", [*BROKEN, "one page of many", "one page of many, imagej"])
def test_a_cut_tiff_is_refused_wherever_it_was_cut(tmp_path, kind, share):
    stack, whole = np.random.default_rng(0).integers(1, 255, (5, 40, 50), np.uint8), io.BytesIO()
    if kind in BROKEN:
        tifffile.imwrite(whole, stack, **BROKEN[kind])
    else:
        with tifffile.TiffWriter(whole, imagej="imagej" in kind) as writer:
            writer.write(stack, truncate=True, photometric="minisblack", metadata={"axes": "ZYX"})
    content = whole.getvalue()
    (tmp_path / "a.tif").write_bytes(content)
    assert len(images.read_pages(tmp_path / "a.tif")) == 5
    (tmp_path / "a.tif").write_bytes(content[: int(len(content) * share)])
    refuse(tmp_path / "a.tif", "cut off|cannot be read" if share < 0.1 else "is cut off: .*; copy or save it again")


@pytest.mark.parametrize("description", ["ImageJ=1.53t\nimages=9\nslices=9\n", "OME"])
def test_a_description_of_more_images_than_there_are_is_refused(tmp_path, description):
    if description == "OME":
        stack = count_up(9, 8, 9)
        tifffile.imwrite(tmp_path / "a.tif", stack, ome=True, metadata={"axes": "ZYX"})
        with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
            description = tiff.ome_metadata
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for text in (description, None, None):
            writer.write(count_up(8, 9), description=text, metadata=None)
    refuse(tmp_path / "a.tif", "is cut off: its description names more images")


def write_ome_set(folder, stack, parts):
    """Write planes (C, Z or T, Y, X) into files, each of which names the whole set, as Bio-Formats does."""
    channels, slices = stack.shape[:2]
    names = {f"{name}.ome.tif": planes for name, planes in parts.items()}
    data = "".join(
        f'<TiffData FirstC="{c}" FirstZ="{z}" FirstT="0" IFD="{i}" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{name}</UUID></TiffData>'
        for name, planes in names.items()
        for i, (c, z) in enumerate(planes)
    )
    samples = "".join(f'<Channel ID="Channel:0:{c}" SamplesPerPixel="1"/>' for c in range(channels))
    for name, planes in names.items():
        description = (
            f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:{name}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
            f'SizeX="{stack.shape[3]}" SizeY="{stack.shape[2]}" SizeC="{channels}" SizeZ="{slices}" SizeT="1">'
            f"{samples}{data}</Pixels></Image></OME>"
        )
        pages = np.stack([stack[plane] for plane in planes])
        tifffile.imwrite(folder / name, pages, photometric="minisblack", metadata=None, description=description)


def test_of_a_set_of_ome_files_each_is_read_alone(tmp_path):
    stack = count_up(2, 3, 8, 5)
    parts = {"a": [(0, 0), (0, 1), (0, 2)], "b": [(1, 0), (1, 1), (1, 2)]}
    write_ome_set(tmp_path, stack, parts)
    for channel, name in enumerate("ab"):
        np.testing.assert_array_equal(images.read_pages(tmp_path / f"{name}.ome.tif"), stack[channel])
    (tmp_path / "a.ome.tif").unlink()
    np.testing.assert_array_equal(images.read_pages(tmp_path / "b.ome.tif"), stack[1])


def test_channels_within_a_file_of_a_set_stay_channels(tmp_path):
    stack = count_up(2, 3, 8, 5)
    write_ome_set(tmp_path, stack, {"a": [(0, 0), (1, 0)], "b": [(0, 1), (1, 1), (0, 2), (1, 2)]})
    np.testing.assert_array_equal(images.read_array(tmp_path / "a.ome.tif"), np.moveaxis(stack[:, 0], 0, -1))
    np.testing.assert_array_equal(images.read_pages(tmp_path / "b.ome.tif"), np.moveaxis(stack[:, 1:], 0, -1))


def test_an_ome_file_under_another_name_is_read(tmp_path):
    stack = count_up(2, 1, 8, 5)
    write_ome_set(tmp_path, stack, {"a": [(0, 0), (1, 0)]})
    (tmp_path / "a.ome.tif").rename(tmp_path / "b.tif")
    np.testing.assert_array_equal(images.read_array(tmp_path / "b.tif"), np.moveaxis(stack[:, 0], 0, -1))


def test_two_files_of_a_set_that_tifffile_describes_are_read_alone(tmp_path):
    stacks = {"a.ome.tif": count_up(2, 8, 5), "b.ome.tif": count_up(2, 8, 5) + np.uint8(100)}
    xml = tifffile.OmeXml()
    xml.addimage("uint8", (4, 8, 5), (4, 1, 1, 8, 5, 1), axes="ZYX")
    single = xml.tostring()
    data = "".join(
        f'<TiffData FirstZ="{2 * i}" IFD="0" PlaneCount="2"><UUID FileName="{name}">urn:uuid:{i}</UUID></TiffData>'
        for i, name in enumerate(stacks)
    )
    start, end = single.index("<TiffData"), single.index("</Pixels>")
    for name, stack in stacks.items():
        description = single[:start] + data + single[end:]
        tifffile.imwrite(tmp_path / name, stack, photometric="minisblack", metadata=None, description=description)
    for name, stack in stacks.items():
        np.testing.assert_array_equal(images.read_pages(tmp_path / name), stack)


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((2, 40, 50), {"imagej": True, "metadata": {"axes": "CYX"}}, (1, 40, 50, 2)),
        ((5, 2, 40, 50), {"imagej": True, "metadata": {"axes": "ZCYX"}}, (5, 40, 50, 2)),
        ((6, 40, 50), {"imagej": True, "metadata": {"axes": "ZYX"}}, (6, 40, 50)),
        ((6, 40, 50), {"imagej": True}, (6, 40, 50)),
        ((6, 40, 50, 3), {"imagej": True}, (6, 40, 50, 3)),
        ((5, 40, 50), {"imagej": True, "metadata": {"axes": "CYX", "mode": "composite"}}, (1, 40, 50, 5)),
        ((2, 2, 3, 40, 50), {"ome": True, "metadata": {"axes": "TCZYX"}}, (6, 40, 50, 2)),
        ((2, 3, 2, 40, 50), {"ome": True, "metadata": {"axes": "CZTYX"}}, (6, 40, 50, 2)),
        ((3, 40, 50), {"ome": True, "metadata": {"axes": "ZYX"}}, (3, 40, 50)),
        ((3, 40, 50), {"ome": True, "metadata": {"axes": "CYX"}}, (1, 40, 50, 3)),
        ((40, 50, 3), {"ome": True, "metadata": {"axes": "YXS"}}, (1, 40, 50, 3)),
        ((2, 40, 50), {"metadata": {"axes": "CYX"}}, (1, 40, 50, 2)),
        ((3, 40, 50), {"photometric": "minisblack", "metadata": {"axes": "ZYX"}}, (3, 40, 50)),
        ((2, 40, 50), {"metadata": {"axes": "QYX"}}, (2, 40, 50)),
        ((2, 3, 40, 50), {"photometric": "minisblack"}, (6, 40, 50)),
        ((40, 50, 2), {"photometric": "minisblack", "planarconfig": "contig"}, (1, 40, 50, 2)),
        ((40, 50, 5), {"photometric": "minisblack", "planarconfig": "contig"}, (1, 40, 50, 5)),
        ((40, 50, 2), {"metadata": {"axes": "YXC"}}, (1, 40, 50, 2)),
        ((40, 50, 1), {}, (1, 40, 50)),
        ((40, 50, 4), {"photometric": "rgb", "extrasamples": ["unspecified"]}, (1, 40, 50, 4)),
        ((2, 40, 50, 4), {"photometric": "rgb", "extrasamples": ["unspecified"]}, (2, 40, 50, 4)),
    ],
)
def test_axes_are_told_by_their_names(tmp_path, shape, options, expected):
    array = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    file = write(tmp_path, array, **options)
    raster = images.read_raster(file)
    axes = {3: "QYX", 4: "QQYX", 5: "QQQYX"}[len(shape)]
    axes = options.get("metadata", {}).get("axes", axes)
    if len(expected) == 4 and "C" in axes:
        array = np.moveaxis(array, axes.index("C"), -1)
    if "ZT" in axes:  # times come first, so that an image and its label agree
        array = array.swapaxes(0, 1)
    np.testing.assert_array_equal(raster.pages, array.reshape(expected))
    assert raster.alpha is None


def test_two_axes_of_channels_are_refused(tmp_path):
    file = write(tmp_path, count_up(2, 40, 50, 3), ome=True, metadata={"axes": "CYXS"})
    refuse(file, "more than one axis of channels, C of 2 and S of 3")


@pytest.mark.parametrize("options", [{}, {"imagej": True}, {"metadata": None}])
@pytest.mark.parametrize("channels", [2, 5])
def test_an_image_of_channels_that_was_written_as_a_stack_is_refused(tmp_path, channels, options):
    refuse(
        write(tmp_path, count_up(96, 80, channels), **options), f"holds 96 images of {channels}x80 pixels.*planarconf"
    )


@pytest.mark.parametrize("planes", [3, 4])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_plane_is_lost_as_alpha(tmp_path, planes):
    stack = count_up(planes, 40, 50)
    raster = images.read_raster(write(tmp_path, stack))
    np.testing.assert_array_equal(raster.pages[0], np.moveaxis(stack, 0, -1))
    assert raster.alpha is None
    assert raster.notes == (f"its {planes} planes are read as channels",)


@pytest.mark.parametrize("kind", ["assocalpha", "unassalpha"])
@pytest.mark.parametrize("array", [COLOURED_ALPHA, np.dstack([GREY, ALPHA])])
def test_alpha_of_tiff_is_kept_apart(tmp_path, array, kind):
    options = {"photometric": "rgb" if array.shape[2] == 4 else "minisblack", "planarconfig": "contig"}
    raster = images.read_raster(write(tmp_path, array, extrasamples=[kind], **options))
    np.testing.assert_array_equal(raster.pages[0], COLOUR if array.shape[2] == 4 else GREY)
    np.testing.assert_array_equal(raster.alpha[0], ALPHA)


def test_alpha_of_more_than_two_values_is_told_of(tmp_path):
    bands = count_up(5, 6, 4)
    raster = images.read_raster(write(tmp_path, bands, photometric="rgb", extrasamples=["unassalpha"]))
    np.testing.assert_array_equal(raster.pages[0], bands[..., :3])
    np.testing.assert_array_equal(raster.alpha[0], bands[..., 3])
    assert images.list_notes(raster) == (
        "its alpha channel is left out; write it as an unspecified channel if it is a band",
    )


def test_alpha_behind_a_channel_of_its_own_is_found(tmp_path):
    array = count_up(4, 5, 5)
    options = {"photometric": "rgb", "extrasamples": ["unspecified", "unassalpha"], "planarconfig": "contig"}
    raster = images.read_raster(write(tmp_path, array, **options))
    np.testing.assert_array_equal(raster.pages[0], array[..., :4])
    np.testing.assert_array_equal(raster.alpha[0], array[..., 4])


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (GREY > 100, np.uint8([[255, 255, 0], [0, 0, 0]])),
        (GREY, np.uint8([[255, 204, 153], [102, 51, 0]])),
        (np.uint16([[0, 65535]]), np.uint16([[65535, 0]])),
    ],
)
def test_white_is_zero_is_read_as_it_is_shown(tmp_path, array, expected):
    found = images.read_array(write(tmp_path, array, photometric="miniswhite"))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("compression", ["group4", "group3", "tiff_lzw", None])
@pytest.mark.parametrize("mode", ["1", "L"])
def test_pillow_reads_the_same(tmp_path, compression, mode):
    if compression in ("group3", "group4") and (mode == "L" or not hasattr(imagecodecs, "ccittfax4_decode")):
        pytest.skip("fax is of bits, and older imagecodecs do not read it")
    image = Image.fromarray(draw_section(np.random.default_rng(0))[0]).convert(mode)
    for photometric in (0, 1):
        image.save(tmp_path / "a.tif", compression=compression, tiffinfo={262: photometric})
        with Image.open(tmp_path / "a.tif") as opened:
            expected = np.asarray(opened.convert("L"))
        np.testing.assert_array_equal(images.read_array(tmp_path / "a.tif"), expected)


def test_bits_whose_zero_is_white_are_told_of(tmp_path):
    raster = images.read_raster(write(tmp_path, GREY > 100))  # tifffile's own choice for bits
    assert raster.pages.tolist() == [[[255, 255, 0], [0, 0, 0]]]
    assert raster.notes == ("its bits are WhiteIsZero: 0 is read as white, as viewers show it",)


def test_white_is_zero_of_floats_is_refused(tmp_path):
    refuse(write(tmp_path, GREY.astype(np.float32), photometric="miniswhite"), "WhiteIsZero.*save it as BlackIsZero")


@pytest.mark.parametrize("factor", [256, 1])
def test_the_palette_of_tiff_is_kept_beside_its_indices(tmp_path, factor):
    colours = np.zeros((3, 256), np.uint16)
    colours[:, :2] = [[9, 1], [8, 2], [7, 3]]
    file = write(tmp_path, np.uint8([[[0, 1]], [[1, 1]]]), photometric="palette", colormap=colours * np.uint16(factor))
    raster = images.read_raster(file)
    assert raster.pages.tolist() == [[[0, 1]], [[1, 1]]]
    assert raster.palette.shape == (256, 3)
    assert raster.palette[:2].tolist() == [[9, 8, 7], [1, 2, 3]]
    assert images.to_pages(raster)[1].tolist() == [[[1, 2, 3], [1, 2, 3]]]


@pytest.mark.parametrize(
    ("array", "options", "words"),
    [
        (COLOURED_ALPHA, {"photometric": "separated"}, "holds CMYK; save it as RGB"),
        (COLOUR, {"photometric": "cielab"}, "holds CIELAB; save it as RGB"),
        (COLOUR, {"photometric": "ycbcr"}, "holds YCBCR; save it as RGB"),
        (GREY.astype(np.complex64), {}, "kind complex64"),
    ],
)
def test_what_is_no_grey_and_no_rgb_is_refused(tmp_path, array, options, words):
    refuse(write(tmp_path, array, **options), words)


def test_jpeg_within_tiff_is_rgb(tmp_path):
    smooth = np.dstack(
        [np.uint8(np.add.outer(np.arange(32), np.arange(48)) * 3)] * 2 + [np.full((32, 48), 99, np.uint8)]
    )
    options = {"compression": "jpeg", "compressionargs": {"level": 98}, "photometric": "rgb"}
    found = images.read_array(write(tmp_path, smooth, **options))
    assert np.abs(found - smooth.astype(int)).max() < 12


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int32", "float16", "float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"compression": "zstd"}])
def test_dtypes_are_kept(tmp_path, dtype, options):
    array = count_up(6, 7, dtype=dtype)
    found = images.read_array(write(tmp_path, array, **options))
    assert found.dtype == array.dtype
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, array)
