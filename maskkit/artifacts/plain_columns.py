"""Columns of any Arrow type as the few types that all commands can work with.

polars, DuckDB, pandas and Spark write types of which Arrow cannot take rows, or number the values. Each is
replaced once, where a table is read: texts of any kind, JSON and UUIDs by `string`, categories by a
dictionary of texts, decimals by whole numbers or float64, half floats by float32, durations by seconds,
moments by microseconds in UTC without their zone, bytes of fixed length by hexadecimal text, other bytes by
text if they are UTF-8. Lists, structs, maps and bytes that are no text are kept, and are no keys.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.errors import MaskkitError, examples, reason

log = logging.getLogger(__name__)

NUMBERS = (
    pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(),
    pa.uint64(), pa.float32(), pa.float64(),
)  # fmt: skip
CODES = (pa.int16(), pa.int32())  # of a dictionary
MOST_SHORT = 2**15  # values of one with codes of 16 bits
MOMENT, CLOCK = pa.timestamp("us"), pa.time64("us")
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DAY = 86_400  # seconds
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # since 1970: the years 1 to 9999, which Python can name
UUID_PARTS = (8, 4, 4, 4, 12)  # hexadecimal digits

Letters = NDArray[np.uint8]
Conversion = Callable[[pa.ChunkedArray], pa.ChunkedArray | None]


def plain(table: pa.Table, *, name: str) -> pa.Table:
    """Return the table with columns of the types named above; those that have one already are not copied.

    Columns that cannot be brought to one are left out with a warning. `name` is for texts.

    Raises:
        MaskkitError: A column holds what its type does not allow, such as a text that is not UTF-8.
    """
    columns, lost = {}, []
    for field, column in zip(table.schema, table.columns, strict=True):
        _validate(column, field.name, name)
        found = _as_plain(column)
        if found is None:
            lost.append(f"{field.name} ({field.type})")
        else:
            columns[field.name] = found
    if lost:
        log.warning("left out columns of %s whose type no command can use: %s", name, examples(lost, most=10))
    return pa.table(columns)


def is_key(kind: pa.DataType) -> bool:
    """Whether rows can be grouped by such a column: by lists, structs, maps and bytes they cannot."""
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind))


def _validate(column: pa.ChunkedArray, title: str, name: str) -> None:
    if column.type in NUMBERS or pa.types.is_temporal(column.type):  # times out of range are left out
        return
    try:
        column.validate(full=True)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise MaskkitError(
            f"{name}: column {title!r} does not hold what its type, {column.type}, allows",
            why=reason(error),
            fix="write the table anew; texts are UTF-8",
        ) from error


def _as_plain(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return a column as one of a plain type, itself if it is one; None if that cannot be."""
    kind = column.type
    if kind in NUMBERS or pa.types.is_string(kind):
        return column
    convert = next((convert for is_one, convert in CONVERSIONS if is_one(kind)), None)
    try:
        return None if convert is None else convert(column)
    except pa.ArrowException:
        return None


def _from_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([part for chunk in column.chunks for part in _texts(chunk)], pa.string())


def _texts(chunk: pa.Array) -> list[pa.Array]:
    """Return a chunk as texts, in two or more pieces where they would be 2 GB or more."""
    try:
        return [chunk.cast(pa.string())]
    except pa.ArrowInvalid:
        if len(chunk) < 2:
            raise
        half = len(chunk) // 2
        return [*_texts(chunk.slice(0, half)), *_texts(chunk.slice(half))]


def _from_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return bytes as texts, which some programs write so, if all are UTF-8 without NUL; else as bytes."""
    column = column if pa.types.is_binary(column.type) else column.cast(pa.binary())
    if pc.any(pc.match_substring(column, b"\0"), min_count=0).as_py():
        return column
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        return column


def _from_fixed_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return bytes of one length as hexadecimal texts."""
    parts = [_joined_digits(_digits(chunk), chunk) for chunk in column.chunks]
    return pa.chunked_array(parts, pa.string())


def _from_uuid(chunks: list[pa.Array]) -> pa.ChunkedArray:
    """Return UUIDs as people write them."""
    parts = []
    for chunk in chunks:
        cuts = np.split(_digits(chunk), np.cumsum(UUID_PARTS[:-1]), axis=1)
        dash = np.full((len(chunk), 1), ord("-"), np.uint8)
        spelled = np.concatenate([piece for cut in cuts for piece in (dash, cut)][1:], axis=1)
        parts.append(_joined_digits(spelled, chunk))
    return pa.chunked_array(parts, pa.string())


def _digits(chunk: pa.Array) -> Letters:
    """Return the hexadecimal digits of bytes of one length, uint8 (rows, 2 * length); zeros where null."""
    width = chunk.type.byte_width
    if not len(chunk) or not width:
        return np.zeros((len(chunk), 2 * width), np.uint8)
    data = np.frombuffer(chunk.buffers()[1], np.uint8)
    values = data[chunk.offset * width : (chunk.offset + len(chunk)) * width]
    return np.frombuffer(values.tobytes().hex().encode(), np.uint8).reshape(len(chunk), 2 * width)


def _joined_digits(digits: Letters, like: pa.Array) -> pa.Array:
    """Return rows of characters, uint8 (rows, width), as texts; null where the other column is."""
    rows, width = digits.shape
    ends = np.arange(rows + 1, dtype=np.int32) * width
    texts = pa.StringArray.from_buffers(rows, pa.py_buffer(ends), pa.py_buffer(digits.tobytes()))
    return pc.if_else(like.is_valid(), texts, None)


def _from_extension(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return what an extension is made of; UUIDs and Booleans of a byte as what they mean."""
    kind = column.type
    chunks = [chunk.storage for chunk in column.chunks]
    if kind.extension_name == "arrow.uuid":
        return _from_uuid(chunks)
    storage = pa.chunked_array(chunks, kind.storage_type)
    return storage.cast(pa.bool_()) if kind.extension_name == "arrow.bool8" else _as_plain(storage)


def _from_dictionary(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return categories as a dictionary of texts, each once and not null, which all chunks share."""
    values = column.type.value_type
    if not _is_text(values):
        stored = pa.binary() if _is_bytes(values) else values  # Arrow takes no rows of views
        parts = [chunk.dictionary.cast(stored).take(chunk.indices) for chunk in column.chunks]
        return _as_plain(pa.chunked_array(parts, stored))
    index, most = column.type.index_type, sum(len(chunk.dictionary) for chunk in column.chunks)
    index = index if index in CODES and most < MOST_SHORT else pa.int32()
    parts = []
    for chunk in column.chunks:
        names = chunk.dictionary.cast(pa.string())
        if names.null_count or len(pc.unique(names)) < len(names):
            chunk = names.take(chunk.indices).dictionary_encode()  # noqa: PLW2901
            names = chunk.dictionary
        parts.append(pa.DictionaryArray.from_arrays(chunk.indices.cast(index), names))
    kind = pa.dictionary(index, pa.string())
    return pa.chunked_array(parts, kind).unify_dictionaries()


def _from_decimal(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return decimals as int64 if all are whole and fit, as text if they are larger, else as float64."""
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column.cast(pa.string() if column.type.scale <= 0 else pa.float64())


def _from_date(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    days = column.cast(pa.date32())
    return days if _is_between(days.cast(pa.int32()), FIRST_DAY, LAST_DAY) else None


def _from_moment(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return moments in microseconds, in UTC if they have a zone; finer ones are cut."""
    unit, numbers = column.type.unit, column.cast(pa.int64())
    second = PER_SECOND[unit]
    if not _is_between(numbers, FIRST_DAY * DAY * second, (LAST_DAY + 1) * DAY * second - 1):
        return None
    return column if column.type == MOMENT else numbers.cast(pa.timestamp(unit)).cast(MOMENT, safe=False)


def _from_clock(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    unit = column.type.unit
    numbers = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
    if not _is_between(numbers, 0, DAY * PER_SECOND[unit] - 1):
        return None
    return column.cast(CLOCK, safe=False)


def _from_duration(column: pa.ChunkedArray) -> pa.ChunkedArray:
    numbers = column.cast(pa.int64()).cast(pa.float64(), safe=False)
    return pc.divide(numbers, float(PER_SECOND[column.type.unit]))


def _is_between(numbers: pa.ChunkedArray, low: int, high: int) -> bool:
    ends = pc.min_max(numbers).as_py()
    return ends["min"] is None or low <= ends["min"] <= ends["max"] <= high


def _from_views(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return lists that may overlap one behind the other; Arrow 26 casts them to others than there are."""
    parts = []
    for chunk in column.chunks:
        lengths = pc.fill_null(pc.list_value_length(chunk), 0).to_numpy(zero_copy_only=False)
        ends = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        parts.append(pa.ListArray.from_arrays(ends, chunk.flatten(), mask=chunk.is_null()))
    return _from_nested(pa.chunked_array(parts, pa.list_(column.type.value_type)))


def _from_nested(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    wanted = _nested(column.type)
    if wanted is None:
        return None
    return column if column.type == wanted else column.cast(wanted)


def _nested(kind: pa.DataType) -> pa.DataType | None:
    """Return the type of which Arrow can take rows that holds the same as another; None if there is none."""
    types = pa.types
    if types.is_nested(kind):
        if types.is_union(kind) or _is_view(kind):
            return None
        inner = [_nested(kind.field(place).type) for place in range(kind.num_fields)]
        if None in inner or not inner:
            return None
        if types.is_struct(kind):
            names = [kind.field(place).name for place in range(kind.num_fields)]
            return pa.struct(list(zip(names, inner, strict=True))) if len({*names}) == len(names) else None
        if types.is_map(kind):
            return pa.map_(*(_nested(one) for one in (kind.key_type, kind.item_type)))
        return pa.list_(inner[0], kind.list_size) if types.is_fixed_size_list(kind) else pa.list_(inner[0])
    return _nested(kind.value_type) if types.is_dictionary(kind) else _inside(kind)


def _inside(kind: pa.DataType) -> pa.DataType | None:
    """Return the type for what nested types hold in the end."""
    types = pa.types
    if _is_text(kind) or types.is_null(kind):
        return pa.string()
    if _is_bytes(kind):
        return pa.binary()
    if types.is_float16(kind) or types.is_decimal(kind):
        return pa.float64()
    if types.is_temporal(kind):
        return _time(kind)
    return kind if kind in NUMBERS or types.is_fixed_size_binary(kind) else None


def _time(kind: pa.DataType) -> pa.DataType | None:
    """Return the type for times of a kind; whole seconds, which Parquet has not, are microseconds."""
    if pa.types.is_interval(kind) or getattr(kind, "unit", None) != "s":
        return None if pa.types.is_interval(kind) else kind
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return CLOCK if pa.types.is_time(kind) else pa.duration("us")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind))


CONVERSIONS: tuple[
    tuple[Callable[[pa.DataType], bool], Callable[[pa.ChunkedArray], pa.ChunkedArray | None]], ...
] = (
    (lambda kind: isinstance(kind, pa.BaseExtensionType), _from_extension),
    (_is_text, _from_text),
    (_is_bytes, _from_bytes),
    (pa.types.is_null, lambda column: column.cast(pa.string())),
    (pa.types.is_dictionary, _from_dictionary),
    (pa.types.is_run_end_encoded, lambda column: _as_plain(pc.run_end_decode(column))),
    (pa.types.is_fixed_size_binary, _from_fixed_bytes),
    (pa.types.is_decimal, _from_decimal),
    (pa.types.is_float16, lambda column: column.cast(pa.float32())),
    (pa.types.is_date, _from_date),
    (pa.types.is_timestamp, _from_moment),
    (pa.types.is_time, _from_clock),
    (pa.types.is_duration, _from_duration),
    (_is_view, _from_views),
    (pa.types.is_nested, _from_nested),
)
