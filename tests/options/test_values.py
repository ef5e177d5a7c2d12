import pytest

from maskkit.errors import MaskkitError
from maskkit.options.values import (
    LevelValue,
    Tta,
    as_bytes,
    as_clock,
    as_duration,
    cuts_of,
    ignored_of,
    parse_bytes,
    parse_counts,
    parse_duration,
    parse_level,
    parse_normalize,
    parse_pseudo_weight,
    parse_size,
    parse_thresholds,
    parse_tta,
    spreads_of,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [("128x96", (128, 96)), ("224", (224, 224)), ("64X48", (64, 48)), ("16x4096", (16, 4096))],
)
def test_reads_a_size_as_height_and_width(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "x", "15", "4097", "128x", "128x96x3", "-128", "1e2", "128.0", "²24", "128 x 96"]
)
def test_what_is_no_size_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        parse_size(text)
    assert repr(text) in caught.value.what
    assert "--size 224" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "count"), [("20GB", 20 * 10**9), ("500 mb", 5 * 10**8), ("1.5KB", 1500), ("7B", 7), ("0", 0)]
)
def test_reads_amounts_of_memory(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["20", "GB", "-1GB", "20 GiB", "1e9B", ""])
def test_refuses_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(MaskkitError, match="not an amount of memory"):
        parse_bytes(text)


def test_writes_amounts_of_memory_for_people() -> None:
    assert [as_bytes(count) for count in (0, 999, 2_831_155_200)] == ["0 B", "999 B", "2.83 GB"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("2M30S", 150), (" 1h0m5s ", 3605)],
)
def test_reads_lengths_of_time(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds
    assert parse_duration(as_duration(seconds)) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "m", "0s", "-5m", "1.5h", "5 m", "30m1h", "5m5m", "1e2s", "1001h", "9" * 30 + "s", "²m"]
)
def test_refuses_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(MaskkitError, match="not a length of time") as caught:
        parse_duration(text)
    assert "--budget 5m" in caught.value.fix


def test_writes_lengths_of_time_in_whole_seconds() -> None:
    assert [as_duration(seconds) for seconds in (0.2, 59.6, 61, 3600, 5400.4)] == [
        "1s", "1m", "1m1s", "1h", "1h30m",
    ]  # fmt: skip


def test_writes_times_as_a_clock_shows_them() -> None:
    assert [as_clock(seconds) for seconds in (0, 59.7, 260.4, 3599.6, 3725)] == [
        "0:00", "1:00", "4:20", "1:00:00", "1:02:05",
    ]  # fmt: skip


def test_reads_a_mean_and_a_deviation_per_channel() -> None:
    assert parse_normalize("0.5, 0.25,0/1,0.1,0.2") == ((0.5, 0.25, 0), (1, 0.1, 0.2))


@pytest.mark.parametrize(
    "text",
    ["", "0.5,0.5,0.5", "0.5,0.5/1,1,1", "1,1,1,1/1,1,1", "0.5,x,0.5/1,1,1", "0,0,0/127,1,1", "-1,0,0/1,1,1",
     "nan,0.5,0.5/1,1,1", "0.5,0.5,0.5/0.2,0,0.2", "1,1,1/1,1,1/1,1,1"],
)  # fmt: skip
def test_refuses_what_is_no_mean_and_deviation(text: str) -> None:
    with pytest.raises(MaskkitError, match="--normalize is"):
        parse_normalize(text)


def test_reads_levels_with_and_without_a_value() -> None:
    assert parse_level("age=60plus", option="--x", example="age=60plus") == LevelValue("age", "60plus", "")
    assert parse_level(" mask = wear : 2", option="--x", example="a=b:1") == LevelValue("mask", "wear", "2")
    strong = parse_level("age=60plus:randaugment:ops=2,magnitude=9", option="--x", example="a=b:c")
    assert strong.value == "randaugment:ops=2,magnitude=9"


@pytest.mark.parametrize("text", ["", "age", "=60plus:2", "age=:2", "age=60plus", "age:60plus=2"])
def test_what_is_no_level_with_a_value_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        parse_level(text, option="--undersample", example="mask=wear:2")
    assert "--undersample mask=wear:2" in caught.value.fix


def test_reads_a_number_per_level_and_nothing_of_nothing() -> None:
    counts = parse_counts("mask=wear:2,age=60plus:10", option="--x", example="a=b:1")
    assert [(level.factor, level.level, count) for level, count in counts] == [
        ("mask", "wear", 2), ("age", "60plus", 10),
    ]  # fmt: skip
    assert parse_counts(None, option="--x", example="a=b:1") == ()


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "two"])
def test_refuses_a_number_of_photos_below_one(number: str) -> None:
    with pytest.raises(MaskkitError, match="mask=wear the number"):
        parse_counts(f"mask=wear:{number}", option="--undersample", example="mask=wear:2")


def test_reads_thresholds_for_all_by_level_and_by_class() -> None:
    read = parse_thresholds("0.9, age=60plus:0.6,wear/male/60plus:.5")
    assert read == (("", 0.9), ("age=60plus", 0.6), ("wear/male/60plus", 0.5))
    assert parse_thresholds("1") == (("", 1.0),)


@pytest.mark.parametrize("text", ["", "high", "0", "1.1", "nan", "0.9,", ":0.5", "age=60plus", "age=60plus:"])
def test_refuses_a_threshold_that_is_no_probability(text: str) -> None:
    with pytest.raises(MaskkitError, match="--threshold is"):
        parse_thresholds(text)


def test_reads_a_weight_of_pseudo_labels() -> None:
    assert parse_pseudo_weight("0.5") == (False, 0.5)
    assert parse_pseudo_weight("confidence") == (True, 1.0)
    assert parse_pseudo_weight("confidence:0.25") == (True, 0.25)


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "inf", "sure", "confidence:", "confidence:0", "confidence:x"]
)
def test_refuses_a_weight_that_is_no_number_above_zero(text: str) -> None:
    with pytest.raises(MaskkitError, match="--weight is"):
        parse_pseudo_weight(text)


def test_reads_views_in_any_order_and_writes_them_in_one() -> None:
    tta = parse_tta("shift, scale:1.1,hflip,scale:0.9")
    assert tta == Tta(hflip=True, scales=(0.9, 1.1), shift=0.05)
    assert str(tta) == "hflip,scale:0.9,scale:1.1,shift:0.05"
    assert tta.count == 14
    assert (str(parse_tta("none")), parse_tta("none").count) == ("none", 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("vflip", "there is no 'vflip'"),
        ("", "a view has no name"),
        ("hflip,", "a view has no name"),
        ("none,hflip", "there is no 'none'"),
        ("hflip,hflip", "a view is there twice"),
        ("scale:0.9,scale:0.90", "a view is there twice"),
        ("shift,shift:0.1", "a view is there twice"),
        ("hflip:2", "there is no 'hflip:2'"),
        ("scale", "scale takes a number, not ''"),
        ("scale:big", "scale takes a number, not 'big'"),
        ("scale:1", "scale is from 0.25 to 4 and not 1"),
        ("scale:nan", "scale takes a number, not 'nan'"),
        ("shift:0", "shift is from 0 to 0.5 and not 0"),
        ("shift:inf", "shift takes a number, not 'inf'"),
    ],
)
def test_views_that_do_not_exist_are_refused_with_those_that_do(text: str, why: str) -> None:
    with pytest.raises(MaskkitError, match="--tta is") as caught:
        parse_tta(text)
    assert caught.value.why.startswith(why)
    assert "hflip, scale:FACTOR and shift" in caught.value.why


def test_whole_cuts_stay_whole_and_others_are_read_as_numbers() -> None:
    found = cuts_of(["age=30, 58", "height = -1.5,0,2e1"])
    assert found == {"age": [30, 58], "height": [-1.5, 0, 20]}
    assert [type(cut) for cut in found["age"]] == [int, int]


def test_what_a_factor_is_ignored_at_several_times_is_joined() -> None:
    assert ignored_of(["age=57-59,30", "mask=none", "age=-5--3"]) == {
        "age": ["57-59", "30", "-5--3"],
        "mask": ["none"],
    }


@pytest.mark.parametrize("text", ["age", "age=", "=30", "age=30,", "age=,30", ""])
def test_what_has_another_form_is_refused_with_the_form(text: str) -> None:
    for read in (cuts_of, ignored_of, spreads_of):
        with pytest.raises(MaskkitError) as caught:
            read([text])
        assert "FACTOR=VALUE" in caught.value.why


def test_cuts_are_numbers_and_are_given_once() -> None:
    with pytest.raises(MaskkitError, match="cuts age at 'old'"):
        cuts_of(["age=30,old"])
    with pytest.raises(MaskkitError, match="given twice for age"):
        cuts_of(["age=30,58", "age=30,59"])


def test_a_spread_is_a_number_above_zero_and_is_given_once() -> None:
    found = spreads_of(["age=4", "height=0.5"])
    assert found == {"age": 4, "height": 0.5}
    assert type(found["age"]) is int
    for text in ("age=0", "age=-1", "age=far", "age=inf", "age=4,5"):
        with pytest.raises(MaskkitError, match="--train-spread is") as caught:
            spreads_of([text])
        assert "one number above 0" in caught.value.why
    with pytest.raises(MaskkitError, match="given twice for age"):
        spreads_of(["age=4", "age=3"])
