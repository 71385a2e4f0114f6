import re
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from segmentation.files.pairing import Pairing, find_shift, pair


def check(images, labels, rule):
    """Images and labels, given in the same order, belong together by the rule."""
    assert pair(images, labels) == Pairing(dict(zip(images, labels, strict=True)), rule, [], [])


def number(pattern, numbers=range(1, 13)):
    return [pattern.format(number) for number in numbers]


def test_equal_stems_need_no_rule():
    check(["s1", "s2", "s10"], ["s1", "s2", "s10"], "")
    check(["p1/s0", "p2/s0"], ["p1/s0", "p2/s0"], "")


def test_pairs_are_in_the_order_of_the_images():
    assert list(pair(["b", "a", "c"], ["a", "b", "c"]).labels) == ["b", "a", "c"]
    assert list(pair(["b", "a", "c"], ["a_m", "b_m", "c_m"]).labels.items()) == [
        ("b", "b_m"),
        ("a", "a_m"),
        ("c", "c_m"),
    ]


@pytest.mark.parametrize(
    ("images", "labels", "rule"),
    [
        ("ISIC_{:07}", "ISIC_{:07}_segmentation", 'labels are paired by their suffix "_segmentation"'),
        ("{}_training", "{}_manual1", 'labels are paired by their suffix "_manual1" where images have "_training"'),
        ("t{:03}", "man_seg{:03}", 'labels are paired by their prefix "man_seg" where images have "t"'),
        ("case_{:03}_0000", "case_{:03}", 'labels are paired by the suffix "_0000" of images'),
        ("img_{}", "mask_{}", 'labels are paired by their prefix "mask_" where images have "img_"'),
        ("image{}", "label{}", 'labels are paired by their prefix "label" where images have "image"'),
        ("s{}", "s{}_predict", 'labels are paired by their suffix "_predict"'),
        ("{}", "{}mask", 'labels are paired by their suffix "mask"'),
        ("{}_train", "{}_trace", 'labels are paired by their suffix "_trace" where images have "_train"'),
        ("{}", "m_{}_x", 'labels are paired by their prefix "m_" and by their suffix "_x"'),
        ("p1/s{}", "p1/s{}_mask", 'labels are paired by their suffix "_mask"'),
        ("p{}/image", "p{}/mask", 'labels are paired by their suffix "/mask" where images have "/image"'),
        ("p{0}/p{0}_t1", "p{0}/p{0}_seg", 'labels are paired by their suffix "_seg" where images have "_t1"'),
        ("images/{}", "masks/{}", 'labels are paired by their prefix "masks/" where images have "images/"'),
        ("細胞{}", "細胞{} マスク", 'labels are paired by their suffix " マスク"'),
    ],
)
def test_affixes(images, labels, rule):
    check(number(images), number(labels), rule)
    check(number(images, (3, 7)), number(labels, (3, 7)), rule)


def test_affixes_in_sub_folders():
    images, labels = ["p1/a", "p1/b", "p2/a"], ["p1/a_mask", "p1/b_mask", "p2/a_mask"]
    check(images, labels, 'labels are paired by their suffix "_mask"')
    images, labels = ["p1/img1", "p1/img2", "p2/img1"], ["p1/mask1", "p1/mask2", "p2/mask1"]
    check(images, labels, 'labels are paired by their prefix "mask" where images have "img"')


def test_words_are_cut_where_nothing_else_pairs():
    check(["cellA", "cellB"], ["maskA", "maskB"], 'labels are paired by their prefix "mask" where images have "cell"')
    check(["cat", "dog"], ["catmask", "dogmask"], 'labels are paired by their suffix "mask"')
    assert pair(["a"], ["a_mask", "banana"]).labels == {"a": "a_mask"}


def test_numbers_are_not_cut():
    assert pair(["s1", "s2"], ["s11_mask", "s12_mask"]).labels == {}
    assert pair(["s1", "s2", "s11"], ["s11_mask", "s2_mask"]).labels == {"s2": "s2_mask", "s11": "s11_mask"}
    assert pair(["1", "2"], ["11", "12"]).labels == {}


def test_a_stem_that_begins_another():
    images = ["a", "ab", "a_b", "a_b_c"]
    check(images, [f"{stem}_mask" for stem in images], 'labels are paired by their suffix "_mask"')


def test_some_are_missing():
    images, labels = number("s{}", (1, 2, 3, 5, 8, 9)), [*number("s{}_mask", (1, 3, 4, 8, 9)), "notes"]
    assert pair(images, labels) == Pairing(
        {"s1": "s1_mask", "s3": "s3_mask", "s8": "s8_mask", "s9": "s9_mask"},
        'labels are paired by their suffix "_mask"',
        ["s2", "s5"],
        ["s4_mask", "notes"],
    )
    assert pair(["s1", "s2", "s3"], ["s2"]) == Pairing({"s2": "s2"}, "", ["s1", "s3"], [])
    few = pair(number("frame_{}", range(200)), number("mask_frame_{}", (40, 7)))
    assert few.labels == {"frame_7": "mask_frame_7", "frame_40": "mask_frame_40"}
    assert pair(["x", "s7", "s8"], number("s{}_mask")).orphans == number("s{}_mask", (1, 2, 3, 4, 5, 6, 9, 10, 11, 12))


def test_the_labels_of_one_patient_are_not_those_of_another():
    images = [f"a_{patient}_{scan}" for patient in (1, 2, 3) for scan in (1, 2, 3)]
    assert pair(images, ["m_2_1", "m_2_3"]).labels == {"a_2_1": "m_2_1", "a_2_3": "m_2_3"}
    assert pair(images, ["a_1_2_x", "a_3_2_x"]).labels == {"a_1_2": "a_1_2_x", "a_3_2": "a_3_2_x"}


def test_an_affix_with_another_number_is_none():
    assert not pair(["p1_s1", "p1_s2"], ["p2_s1", "p2_s2"]).labels
    paired = pair([*number("1-{}"), "2-7", "2-8"], number("2-{}_mask"))
    assert paired.labels == {"2-7": "2-7_mask", "2-8": "2-8_mask"}


def test_equal_stems_come_first():
    labels = [name for stem in number("s{}") for name in (stem, f"{stem}_mask")]
    assert pair(number("s{}"), labels) == Pairing(
        {stem: stem for stem in number("s{}")}, "", [], [f"{stem}_mask" for stem in number("s{}")]
    )
    # Most are equal: the others are not paired by another rule.
    assert pair(["s1", "s2", "s3"], ["s1", "s2", "s3_mask"]).unlabelled == ["s3"]
    # A few are equal: a rule that pairs more is better, one that does not is none.
    mixed = pair(number("s{}", range(6)), ["s0", *number("s{}_mask", range(1, 6))])
    # What it leaves over, and has one name, is a pair all the same.
    assert (mixed.labels["s5"], mixed.labels["s0"], mixed.unlabelled, mixed.orphans) == ("s5_mask", "s0", [], [])
    assert pair(["s1", "a", "b"], ["s1", "x", "y"]) == Pairing({"s1": "s1"}, "", ["a", "b"], ["x", "y"])


def test_whole_names_come_before_longer_ones():
    images = [name for stem in number("ISIC_{:07}") for name in (stem, f"{stem}_superpixels")]
    paired = pair(images, number("ISIC_{:07}_segmentation"))
    assert list(paired.labels) == number("ISIC_{:07}") and paired.rule.endswith('suffix "_segmentation"')
    assert paired.unlabelled == number("ISIC_{:07}_superpixels")


def test_case_and_unicode_forms():
    check(["S1", "s2"], ["s1", "S2"], "labels are paired with images though upper and lower case differ")
    composed = ["é1", "ü2", "Å3"]
    apart = [unicodedata.normalize("NFD", stem) for stem in composed]
    check(apart, composed, "labels are paired with images though their Unicode forms differ")
    check(
        composed, [stem.lower() for stem in apart], "labels are paired with images though upper and lower case differ"
    )
    # Both are of one side: case tells them apart.
    assert pair(["a", "A"], ["a", "A"]).labels == {"a": "a", "A": "A"}
    assert pair(["a", "A", "b"], ["A", "B", "c"]).labels == {"A": "A"}


def test_case_and_unicode_forms_with_affixes():
    check(
        number("IMG_{}"),
        number("img_{}_Mask"),
        'labels are paired by their suffix "_mask", though upper and lower case differ',
    )
    check(
        [unicodedata.normalize("NFD", stem) for stem in number("é{}")],
        number("é{}_mask"),
        'labels are paired by their suffix "_mask", though their Unicode forms differ',
    )
    check(number("IMG_{}"), number("MASK_{}"), 'labels are paired by their prefix "MASK_" where images have "IMG_"')


def test_two_labels_of_each_image():
    with pytest.raises(ValueError) as error:
        pair(number("{}_training", (21, 22)), ["21_manual1", "21_manual2", "22_manual1", "22_manual2"])
    assert str(error.value) == (
        'two labels fit each image: by the suffix "_manual1" (21_training with 21_manual1) or by the suffix "_manual2" '
        "(21_training with 21_manual2); keep one of each in the folder."
    )
    with pytest.raises(ValueError, match=r'by the prefix "obs1/" \(a with obs1/a\) or by the prefix "obs2/"'):
        pair(["a", "b"], ["obs1/a", "obs1/b", "obs2/a", "obs2/b"])
    with pytest.raises(ValueError, match="two labels fit each image"):
        pair(["1"], ["1_manual1", "1_manual2"])


def test_two_images_of_each_label():
    with pytest.raises(ValueError) as error:
        pair(["a_0000", "a_0001", "b_0000", "b_0001"], ["a", "b"])
    assert str(error.value) == (
        'two images fit each label: by the suffix "_0000" (a_0000 with a) or by the suffix "_0001" (a_0001 with a); '
        "keep one of each in the folder of images."
    )


def test_two_rules_for_different_images():
    with pytest.raises(ValueError, match=r"the names follow two rules: by the suffix .* name all in one way"):
        pair(number("s{}", range(4)), ["s0_x", "s1_x", "s2_y", "s3_y"])


def test_a_second_observer_of_some_images_is_left_over():
    paired = pair(number("{}_training"), number("{}_manual1") + number("{}_manual2", range(1, 6)))
    assert paired.labels == dict(zip(number("{}_training"), number("{}_manual1"), strict=True))
    assert paired.orphans == number("{}_manual2", range(1, 6))


def test_a_single_pair_needs_one_name_in_the_other():
    check(["scan"], ["scan_mask"], 'labels are paired by their suffix "_mask"')
    check(["scan_0000"], ["scan"], 'labels are paired by the suffix "_0000" of images')
    assert pair(["img_1"], ["mask_1"]) == Pairing({}, "", ["img_1"], ["mask_1"])


@pytest.mark.parametrize(("images", "labels"), [((), ()), ("ab", ()), ((), "ab"), (("cat", "dog"), ("x1", "y2"))])
def test_nothing_is_paired(images, labels):
    assert pair(images, labels) == Pairing({}, "", list(images), list(labels))


def test_thousands_of_stems():
    numbers = range(5000)
    check(
        number("ISIC_{:07}", numbers),
        number("ISIC_{:07}_segmentation", numbers),
        'labels are paired by their suffix "_segmentation"',
    )
    missing = [number for number in numbers if number % 7]
    paired = pair(number("IMG_{}", numbers), number("mask_{}", missing))
    assert len(paired.labels) == len(missing) and paired.unlabelled == number("IMG_{}", range(0, 5000, 7))
    both = [f"{stem}_manual{observer}" for stem in numbers for observer in (1, 2)]
    with pytest.raises(ValueError, match="two labels fit each image"):
        pair(number("{}_training", numbers), both)
    assert not pair(number("a_long_name_{}", numbers), number("another_name_{}_x", range(5000, 10000))).labels


CORES = st.lists(st.from_regex(r"[a-z]{1,3}_?[0-9]{0,3}", fullmatch=True), min_size=2, max_size=9, unique=True)
PREFIX, SUFFIX = (st.from_regex(shape, fullmatch=True) for shape in ("([A-Z]{1,4}[0-9]?_)?", "(_[A-Z]{1,4}[0-9]?)?"))


def differ_in_number(affix, other):
    return affix != other and re.sub(r"\d", "", affix) == re.sub(r"\d", "", other)


@settings(deadline=None, max_examples=60)
@given(CORES, PREFIX, SUFFIX, PREFIX, SUFFIX, st.data())
def test_right_pairs_come_out(cores, image_prefix, image_suffix, label_prefix, label_suffix, data):
    assume(not differ_in_number(image_prefix, label_prefix) and not differ_in_number(image_suffix, label_suffix))
    images = [image_prefix + core + image_suffix for core in cores]
    labels = [label_prefix + core + label_suffix for core in cores]
    shuffled = data.draw(st.permutations(labels))
    assert pair(images, shuffled).labels == dict(zip(images, labels, strict=True))


@settings(deadline=None, max_examples=60)
@given(CORES, PREFIX, SUFFIX, SUFFIX, st.data())
def test_right_pairs_come_out_where_some_are_missing(cores, prefix, suffix, other, data):
    labelled = data.draw(st.sets(st.sampled_from(cores), min_size=2))
    assume(len(labelled) < len(cores) and not differ_in_number(suffix, other))
    paired = pair([core + suffix for core in cores], [prefix + core + other for core in cores if core in labelled])
    assert paired.labels == {core + suffix: prefix + core + other for core in cores if core in labelled}
    assert paired.unlabelled == [core + suffix for core in cores if core not in labelled]


def test_folders_of_one_side_may_be_the_beginnings_of_names_on_the_other():
    images = [f"p{patient}/{i:03}" for patient in (1, 2) for i in range(3)]
    rule = "labels are paired with images though folders of one are the beginnings of names of the other"
    check(images, [stem.replace("/", "_") for stem in images], rule)


def test_labels_that_are_numbered_otherwise_are_found():
    assert find_shift(number("img_{}", range(10)), number("mask_{}", range(1, 11))) == ("img_0", "mask_10")
    assert find_shift(number("img_{}", (3, 7, 9)), number("Label_{}", (1, 2, 3))) == ("img_7", "Label_1")
    assert find_shift(number("img_{}", range(10)), number("mask_{}", range(10))) is None
    assert find_shift(number("img_{}", (4, 6, 8)), number("mask_{}", (4, 6, 9))) is None  # some are missing
    assert find_shift(number("img_{}", range(1, 11)), number("mask_{}", (*range(1, 10), 11))) is None
    assert find_shift(number("img_{}", range(10)), number("mask_{}", range(1, 8))) is None
    assert find_shift(number("img_{}", range(10)), number("mask_{}", (*range(1, 5), *range(6, 11)))) is not None
    assert find_shift(number("img_{}", range(10)), number("mask_{}", (1, 3, 11))) is None  # no more fit so


def test_a_number_that_other_names_have_otherwise_is_no_affix():
    labels = [f"a{i}/a{i}_mask_{j}" for i in range(8) for j in range(1, 4)]
    assert not pair(number("a{}", range(8)), labels).labels


def test_a_few_images_of_another_day_do_not_make_pairs_of_others():
    images = [*number("day1_img_{}", range(8)), "day2_img_0"]
    pairs = pair(images, number("day1_mask_{}", range(9))).labels
    assert pairs == {f"day1_img_{i}": f"day1_mask_{i}" for i in range(8)}
