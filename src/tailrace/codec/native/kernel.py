"""The machine code that projects a batch of events: an interpreter of two small programs, compiled by numba.

    one event ── walk program ──> marks, slots ── outcome table ──> plans ── record programs ──> the records' bytes

The walk program (`walk_program`) is what one writer schema means, the record programs (`record_program`) are what the
rules plan. Both are tables of numbers, so this is compiled once for all schemas, and kept on disk by numba.

An event is refused by leaving its number of records at 0: for anything that is not canonical, not valid, not plain, or
simply not provided for here. Nothing is decided about such an event; the functions in Python are asked instead. So
what has to hold is only that an event which *is* taken gives the bytes that they give.

Events are read where Python has them, by address: nothing is copied before it is known to be part of a record, so an
event with a large conversation costs what it would without. Every read is below the event's end, which is checked
first, and at most a byte before its beginning, where CPython keeps the object's head. The caller keeps the events
alive. The interpreter lock is released meanwhile. Any thread.

Operations are constants of this file and no other, because numba keeps compiled code as long as this file is the same.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# The walk. Behind each name its operands.
END: Final = 0  # the event has to end here
MARK: Final = 1  # number: keep the position
TEXT: Final = 2
IDENTIFIER: Final = 3  # a text within the grammar
BYTES: Final = 4
REFERENCE: Final = 5  # table: a text in which table[the enum before] forbids classes of characters
FIXED: Final = 6  # bytes
INT: Final = 7
LONG: Final = 8
BOOLEAN: Final = 9
ENUM: Final = 10  # table, symbols: table[index] is what to keep of it, or below 0 to refuse
BRANCH: Final = 11  # branches, then where to go for each, below 0 to refuse
JUMP: Final = 12  # where to
ITEMS: Final = 13  # where to go when there are none: the count of a block
NEXT: Final = 14  # where an item begins
CLOSE: Final = 15  # there is no second block
KEEP_TEXT: Final = 16  # slot: where the text before begins behind its length
KEEP_ENUM: Final = 17  # slot: what the enum before gave

# A record. Behind each name its operands.
FINISH: Final = 0
CONSTANT: Final = 1  # first, last: of the pool
COPY: Final = 2  # mark, bytes behind it, mark
EVENT_ID: Final = 3
OFFSET: Final = 4
ID_SIZE: Final = 5  # bytes: the length of a text of so many bytes and the event id
SOURCE: Final = 6  # the partition as records name it
PLACE: Final = 7  # the place on Kafka as a text
TAIL: Final = 8  # what depends on the sink begins here

MARKS: Final = 512
"""The most fields of an event, and one."""

DEEPEST: Final = 16
"""The most loops within loops."""

ID_SLOT, RUN_SLOT, AGENT_SLOT, FAMILY_SLOT, COST_SLOT, SLOTS = 0, 1, 2, 3, 4, 5

# Behind those, where a walk is: what it came to ahead of its turn, where in the event and in the program, how many
# bytes it passed unseen, and the items left in each loop.
_CAME_TO, _AT, _PC, _PASSED, _LEFT = SLOTS, SLOTS + 1, SLOTS + 2, SLOTS + 3, SLOTS + 4

SLASH: Final = 2
FOREIGN: Final = 1
ANY: Final = 255
"""Classes of characters: outside the grammar, the slash, and every one of them."""

_SLOTS_AND_WALK: Final = _LEFT + DEEPEST

LONGEST_IDENTIFIER: Final = 200

REFUSED, WALKED, PAUSED = 0, 1, 2
"""What a walk comes to."""

FAR_BYTES: Final = 1024
"""Behind more than so many bytes that nobody looks at, the next one is not in the cache, and often on another page.

A walk pauses there, except within lists and maps, as how deep it is in those is not kept. Only an event that is
larger can have such a place: a smaller one is walked by itself, as the detour would make it 2 % dearer. With 2048 a
turn_started with a conversation of 3 KB cost 1.21 of one without, with this 1.10 [measured].
"""

TOGETHER: Final = 16
"""Large events are walked up to where they pause; all those places are asked for at once; they go on to the next.

Asked for one at a time, a place that the processor has to look for takes 300 to 450 ns; together, 60 each. A prefetch
does not wait for the bytes, but it does for the page, so asking in the middle of each walk gains little [measured: 500
events of 100 KB, after 64 MB were copied; turn_started costs 1.16 of one without a conversation instead of 1.33].
"""

AHEAD_BYTES: Final = 32 * 1024
"""Once so much was looked at, no more is walked ahead of its turn: where a call has no room for records, it is in vain.

Events with a conversation have 1 KB to look at. Those of 600 KB of references cost 5.8 times as much without this
limit, as each call has room for the records of one and walked fifteen more [measured].
"""

_LONG_ENOUGH: Final = 1 << 30
"""For the length of an array where that is not known: numba checks no index unless it is told to."""

RESERVE_BYTES: Final = 64
"""More than a single number takes."""

_BYTE: Final = np.uint8(0x80)
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
_ZEROS: Final = np.uint64(0x3030303030303030)


@intrinsic
def _byte(_context: Any, address: Any) -> Any:  # noqa: ARG001 - its type is declared below
    def generate(_target: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.load(builder.inttoptr(args[0], cgutils.voidptr_t))

    return types.uint8(types.int64), generate


@intrinsic
def _word(_context: Any, address: Any) -> Any:  # noqa: ARG001 - its type is declared below
    def generate(_target: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.load(builder.inttoptr(args[0], ir.IntType(64).as_pointer()), align=1)

    return types.uint64(types.int64), generate


@intrinsic
def _pointer(_context: Any, address: Any) -> Any:  # noqa: ARG001 - its type is declared below
    def generate(_target: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


@intrinsic
def _copy(_context: Any, to: Any, source: Any, size: Any) -> Any:  # noqa: ARG001 - their types are declared below
    def generate(target: Any, builder: Any, _signature: Any, args: Any) -> Any:
        to, source = (builder.inttoptr(address, cgutils.voidptr_t) for address in args[:2])
        cgutils.raw_memcpy(builder, to, source, args[2], 1)
        return target.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@intrinsic
def _prefetch(_context: Any, address: Any) -> Any:  # noqa: ARG001 - its type is declared below
    """Have the processor fetch what is there, waiting for its page at most; an address of nothing does no harm."""

    def generate(target: Any, builder: Any, _signature: Any, args: Any) -> Any:
        number = ir.IntType(32)
        signature = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", (cgutils.voidptr_t,), signature)
        # To be read, to stay in every cache, as data.
        builder.call(prefetch, [builder.inttoptr(args[0], cgutils.voidptr_t), number(0), number(3), number(1)])
        return target.get_dummy_value()

    return types.void(types.int64), generate


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:
        # Neither beside this file nor under the user's directory can anything be kept: compiled anew each time.
        return njit(nogil=True)(function)


@njit(inline="always")
def _is_ascii(first: int, last: int) -> Any:
    high = np.uint64(0)
    at = first
    while at + 8 <= last:
        high |= _word(at)
        at += 8
    while at < last:
        high |= np.uint64(_byte(at))
        at += 1
    return high & _HIGH_BITS == 0


@njit(inline="always")
def _has(first: int, last: int, classes: Any, forbidden: int) -> bool:
    """Whether a character of a forbidden class stands there."""
    found = np.uint8(0)
    for at in range(first, last):
        found |= classes[_byte(at)]
    return found & forbidden != 0


@njit(inline="always")
def _foreign(word: Any) -> Any:
    """A bit for each of eight characters that is outside the grammar; all are below 0x80.

    Adding 0x80 - n to a byte sets its high bit if it is n or more. The grammar is `-` to `:`, which has dot, slash and
    digits in it, the letters, which are `a` to `z` once bit 0x20 is set, and the underscore.
    """
    letter = word | np.uint64(0x2020202020202020)
    is_sign = (word + np.uint64(0x5353535353535353)) & ~(word + np.uint64(0x4545454545454545))
    is_letter = (letter + np.uint64(0x1F1F1F1F1F1F1F1F)) & ~(letter + np.uint64(0x0505050505050505))
    other = (word ^ np.uint64(0x5F5F5F5F5F5F5F5F)) + np.uint64(0x7F7F7F7F7F7F7F7F)
    return other & ~(is_sign | is_letter) & _HIGH_BITS


@njit(inline="always")
def _is_identifier(first: int, last: int) -> bool:
    """Whether every character is within the grammar: eight at a time, the last eight once more where they overlap.

    Of a shorter text the bytes before it are read as well, which are there, and made zeros of the grammar.
    """
    size = last - first
    if size == 0:
        return True
    if size < 8:
        word = _word(last - 8) >> np.uint64(64 - 8 * size) | _ZEROS << np.uint64(8 * size)
        return word & _HIGH_BITS == 0 and _foreign(word) == 0
    high = found = np.uint64(0)
    at = first
    while at + 8 < last:
        word = _word(at)
        high |= word
        found |= _foreign(word & ~_HIGH_BITS)
        at += 8
    word = _word(last - 8)
    return ((high | word) & _HIGH_BITS) == 0 and (found | _foreign(word & ~_HIGH_BITS)) == 0


@njit(inline="always")
def _is_text(first: int, last: int) -> bool:
    """Whether the bytes are UTF-8: shortest forms, no surrogates, nothing above U+10FFFF."""
    at = first
    while at < last:
        lead = _byte(at)
        if lead < 0x80:
            at += 1
            continue
        if lead < 0xC2 or lead > 0xF4:
            return False
        size = 2 if lead < 0xE0 else (3 if lead < 0xF0 else 4)
        if at + size > last:
            return False
        for more in range(1, size):
            if _byte(at + more) & 0xC0 != 0x80:
                return False
        second = _byte(at + 1)
        if (lead == 0xE0 and second < 0xA0) or (lead == 0xED and second > 0x9F):
            return False
        if (lead == 0xF0 and second < 0x90) or (lead == 0xF4 and second > 0x8F):
            return False
        at += size
    return True


@njit(inline="always")
def _behind_varint(at: int, end: int) -> int:
    """Behind the varint: below 0 if it is cut, longer than it has to be, or beyond 64 bits."""
    size = 0
    while at < end and size < 10:
        one = _byte(at)
        at += 1
        size += 1
        if one < 0x80:
            if (size > 1 and one == 0) or (size == 10 and one > 1):
                return -1
            return at
    return -1


@njit(inline="always")
def _number(first: int, last: int) -> Any:
    bits = np.uint64(0)
    shift = np.uint64(0)
    for at in range(first, last):
        bits |= np.uint64(_byte(at) & 0x7F) << shift
        shift += np.uint64(7)
    return np.int64(bits >> np.uint64(1)) ^ -np.int64(bits & np.uint64(1))


@_compiled
def _walk(end: int, program_at: int, tables_at: int, classes_at: int, marks_at: int, slots_at: int) -> int:
    """As `_walk_on`, given addresses: each array would be seven arguments, and the call as dear as some fields."""
    program = carray(_pointer(program_at), _LONG_ENOUGH, np.int32)
    tables = carray(_pointer(tables_at), _LONG_ENOUGH, np.int32)
    classes = carray(_pointer(classes_at), 256, np.uint8)
    marks = carray(_pointer(marks_at), MARKS, np.int64)
    slots = carray(_pointer(slots_at), _SLOTS_AND_WALK, np.int64)
    at = slots[_AT]
    pc = slots[_PC]
    # Whatever takes these stands right behind what sets them, so no pause is between.
    kept = np.int64(0)
    text = np.int64(0)
    depth = 0
    while True:
        operation = program[pc]
        if operation == MARK:
            marks[program[pc + 1]] = at
            pc += 2
        elif TEXT <= operation <= REFERENCE:
            behind = _behind_varint(at, end)
            if behind < 0:
                return REFUSED
            length = _number(at, behind)
            if length < 0 or length > end - behind:
                return REFUSED
            text = behind
            at = behind + length
            pc += 1
            if operation == IDENTIFIER:
                if length > LONGEST_IDENTIFIER or not _is_identifier(text, at):
                    return REFUSED
            elif operation == TEXT:
                if not _is_ascii(text, at) and not _is_text(text, at):
                    return REFUSED
            elif operation == REFERENCE:
                forbidden = tables[program[pc] + kept]
                pc += 1
                # An empty one tells nothing, and stays whatever its kind.
                if length > 0 and (
                    forbidden == ANY or length > LONGEST_IDENTIFIER or _has(text, at, classes, forbidden)
                ):
                    return REFUSED
            elif length > FAR_BYTES:
                slots[_PASSED] += length
                if depth == 0 and at < end:
                    slots[_AT] = at
                    slots[_PC] = pc
                    return PAUSED
        elif operation == LONG:
            at = _behind_varint(at, end)
            if at < 0:
                return REFUSED
            pc += 1
        elif operation == BRANCH:
            if at >= end:
                return REFUSED
            index = np.int64(_byte(at))
            if index & 0x81 or index >> 1 >= program[pc + 1]:
                return REFUSED
            at += 1
            pc = np.int64(program[pc + 2 + (index >> 1)])
            if pc < 0:
                return REFUSED
        elif operation == JUMP:
            pc = np.int64(program[pc + 1])
        elif operation == ENUM:
            if at >= end:
                return REFUSED
            index = np.int64(_byte(at))
            if index & 0x81 or index >> 1 >= program[pc + 2]:
                return REFUSED
            at += 1
            kept = np.int64(tables[program[pc + 1] + (index >> 1)])
            if kept < 0:
                return REFUSED
            pc += 3
        elif operation == KEEP_TEXT:
            slots[program[pc + 1]] = text
            pc += 2
        elif operation == KEEP_ENUM:
            slots[program[pc + 1]] = kept
            pc += 2
        elif operation == BOOLEAN:
            if at >= end or _byte(at) > 1:
                return REFUSED
            at += 1
            pc += 1
        elif operation == INT:
            behind = _behind_varint(at, end)
            if behind < 0:
                return REFUSED
            number = _number(at, behind)
            if number < -(2**31) or number >= 2**31:
                return REFUSED
            at = behind
            pc += 1
        elif operation == FIXED:
            if program[pc + 1] > end - at:
                return REFUSED
            at += program[pc + 1]
            pc += 2
        elif operation == ITEMS:
            behind = _behind_varint(at, end)
            if behind < 0:
                return REFUSED
            count = _number(at, behind)
            at = behind
            if count == 0:
                pc = np.int64(program[pc + 1])
            elif count < 0 or count > end - at or depth == DEEPEST:
                # A block that names its size, or more items than bytes.
                return REFUSED
            else:
                slots[_LEFT + depth] = count
                depth += 1
                pc += 2
        elif operation == NEXT:
            slots[_LEFT + depth - 1] -= 1
            if slots[_LEFT + depth - 1] > 0:
                pc = np.int64(program[pc + 1])
            else:
                depth -= 1
                pc += 2
        elif operation == CLOSE:
            if at >= end or _byte(at) != 0:
                return REFUSED
            at += 1
            pc += 1
        else:
            return WALKED if at == end else REFUSED


@njit(inline="always")
def _walk_on(end: int, walking: Any, marks: Any, slots: Any, row: int) -> int:
    """Whether the event is what the program says, canonical and plain to its last byte; fills a row of marks and slots.

    Goes on from where slots say that the walk is, which is up to date only if the answer is `PAUSED`.
    """
    _, program, tables, classes = walking
    marks_at, slots_at = marks.ctypes.data + row * marks.strides[0], slots.ctypes.data + row * slots.strides[0]
    return _walk(end, program.ctypes.data, tables.ctypes.data, classes.ctypes.data, marks_at, slots_at)


@njit(inline="always")
def _put_number(out: Any, at: int, value: int) -> int:
    bits = np.uint64((value << 1) ^ (value >> 63))
    while bits >= np.uint64(0x80):
        out[at] = np.uint8(bits & np.uint64(0x7F)) | _BYTE
        bits >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(bits)
    return at + 1


@njit(inline="always")
def _put_digits(out: Any, at: int, digits: int, value: int) -> int:
    for place in range(digits):
        out[at + digits - 1 - place] = np.uint8(48 + value % 10)
        value //= 10
    return at + digits


@_compiled
def put_record(
    pc: int, pieces: Any, pool: Any, marks: Any, row: int, event_id: Any, place: Any, offset: int, out: Any, at: int
) -> Any:
    """One record written to `out` from `at` on: where it ends, and where its tail begins; below 0 for want of room."""
    source, archive = place
    id_first, id_size = event_id
    to: Any = np.int64(out.ctypes.data)
    room: Any = len(out) - RESERVE_BYTES
    tail = at
    while True:
        operation = pieces[pc]
        if operation == COPY:
            first = marks[row, pieces[pc + 1]] + pieces[pc + 2]
            size = marks[row, pieces[pc + 3]] - first
            if at + size > room:
                return -1, 0
            _copy(to + at, first, size)
            at += size
            pc += 4
        elif operation == CONSTANT:
            size = int(pieces[pc + 2]) - int(pieces[pc + 1])
            if at + size > room:
                return -1, 0
            _copy(to + at, np.int64(pool.ctypes.data) + pieces[pc + 1], size)
            at += size
            pc += 3
        elif operation == EVENT_ID:
            if at + id_size > room:
                return -1, 0
            _copy(to + at, id_first, id_size)
            at += id_size
            pc += 1
        elif operation == ID_SIZE:
            if at > room:
                return -1, 0
            at = _put_number(out, at, pieces[pc + 1] + id_size)
            pc += 2
        elif operation == SOURCE:
            if at + len(source) > room:
                return -1, 0
            _copy(to + at, np.int64(source.ctypes.data), len(source))
            at += len(source)
            pc += 1
        elif operation == OFFSET:
            if at > room:
                return -1, 0
            at = _put_number(out, at, offset)
            pc += 1
        elif operation == PLACE:
            if at + len(archive) > room:
                return -1, 0
            digits = 1
            rest = offset
            while rest >= 10:
                rest //= 10
                digits += 1
            at = _put_number(out, at, len(archive) + digits)
            _copy(to + at, np.int64(archive.ctypes.data), len(archive))
            at = _put_digits(out, at + len(archive), digits, offset)
            pc += 1
        elif operation == TAIL:
            tail = at
            pc += 1
        else:
            return at, tail


@njit(inline="always")
def _ending(first: int, last: int, terminal: int, endings: Any, ending_places: Any) -> int:
    """The number of the kind that ends a run; of any other kind the terminal flag."""
    for kind in range(len(ending_places) - 1):
        begin = ending_places[kind]
        if last - first == ending_places[kind + 1] - begin:
            same = True
            for at in range(last - first):
                if _byte(first + at) != endings[begin + at]:
                    same = False
                    break
            if same:
                return kind + 2
    return terminal


@njit(inline="always")
def _begin(event: int, size: int, max_size: int, frame: Any, slots: Any, row: int) -> int:
    """PAUSED behind the frame, where a walk may begin, or else REFUSED."""
    framed = len(frame) <= size <= max_size
    for at in range(len(frame)):
        framed = framed and _byte(event + at) == frame[at]
    slots[row, COST_SLOT] = -1
    slots[row, _AT] = event + len(frame)
    slots[row, _PC] = 0
    return PAUSED if framed else REFUSED


@_compiled
def _walk_ahead(batch: Any, first: int, behind: int, max_size: int, walking: Any, marks: Any, slots: Any) -> None:
    """Walk the large ones of these events, each with a row of marks and slots, from pause to pause side by side.

    Once `AHEAD_BYTES` were looked at, the others stay where they are. A refused one counts with all that is behind.
    """
    addresses, sizes, _ = batch
    for number in range(first, behind):
        row = number - first
        slots[row, _CAME_TO] = REFUSED
        if sizes[number] > FAR_BYTES:
            slots[row, _CAME_TO] = _begin(addresses[number], sizes[number], max_size, walking[0], slots, row)
    looked = 0
    paused = True
    while paused and looked < AHEAD_BYTES:
        paused = False
        for number in range(first, behind):
            row = number - first
            if slots[row, _CAME_TO] == PAUSED and looked < AHEAD_BYTES:
                begin, end = slots[row, _AT], addresses[number] + sizes[number]
                slots[row, _PASSED] = 0
                slots[row, _CAME_TO] = _walk_on(end, walking, marks, slots, row)
                if slots[row, _CAME_TO] == PAUSED:
                    paused = True
                    end = slots[row, _AT]
                looked += end - begin - slots[row, _PASSED]
        for row in range(behind - first):
            if slots[row, _CAME_TO] == PAUSED:
                _prefetch(slots[row, _AT])


@_compiled
def project(
    batch: Any, begin: int, max_size: int, walking: Any, planning: Any, place: Any, out: Any, events: Any, records: Any
) -> Any:
    """Project the events from `begin` on, as far as `out` has room: behind the last, records written, and bytes.

    `batch` holds addresses, sizes and offsets. Per event: records (0: refused), and where in it run id and agent id
    begin and end, and its family. Per record: first and last byte in `out`, plan, and bytes before the tail.
    """
    addresses, sizes, offsets = batch
    frame = walking[0]
    facts, outcomes, endings, ending_places, plans, pieces, pool = planning
    kind_mark, terminal_mark, journal_mark, usage_mark, id_mark, run_mark, agent_mark = facts
    # A row for each walk, the last one for those that are walked alone. Left as they come: a walk that comes to its end
    # has written all that is read. To make 80 KB zero would cost a call with one small event a third more. Rows of a
    # power of two would share few sets of the cache. One array, not one for each walk: numba would count a reference
    # whenever one is taken.
    marks, slots = np.empty((TOGETHER + 1, MARKS + 56), np.int64), np.empty((TOGETHER + 1, _SLOTS_AND_WALK), np.int64)
    first = behind = begin
    filled = made = 0
    for number in range(begin, len(addresses)):
        event, size = addresses[number], sizes[number]
        events[number, 0] = 0
        if size <= FAR_BYTES:
            row = TOGETHER
            result = _begin(event, size, max_size, frame, slots, row)
        else:
            if number >= behind:
                first, behind = number, min(number + TOGETHER, len(addresses))
                _walk_ahead(batch, first, behind, max_size, walking, marks, slots)
            row = number - first
            result = slots[row, _CAME_TO]
        while result == PAUSED:
            result = _walk_on(event + size, walking, marks, slots, row)
        if result != WALKED or offsets[number] < 0:
            continue
        terminal = np.int64(_byte(marks[row, terminal_mark]))
        ending = _ending(marks[row, kind_mark], marks[row, kind_mark + 1], terminal, endings, ending_places)
        usage = 1 if _byte(marks[row, usage_mark]) != 0 else 0
        outcome = outcomes[slots[row, FAMILY_SLOT], ending, usage, slots[row, COST_SLOT] + 1]
        has_journal = _byte(marks[row, journal_mark]) != 0
        event_id = (slots[row, ID_SLOT], marks[row, id_mark + 1] - slots[row, ID_SLOT])
        at, written = filled, 0
        for _ in range(outcome[0]):
            plan = outcome[1 + written]
            # By the journal, and without one usage by its own event and all else by its place on Kafka.
            form = 0 if has_journal else (1 if plans[plan, 3] else 2)
            last, tail = put_record(
                plans[plan, form], pieces, pool, marks, row, event_id, place, offsets[number], out, at
            )
            if last < 0:
                break
            records[made + written, 0] = at
            records[made + written, 1] = last
            records[made + written, 2] = plan
            records[made + written, 3] = tail - at
            at = last
            written += 1
        if written < outcome[0]:
            if number > begin:
                return number, made, filled
            continue  # one event alone is too much
        filled = at
        made += written
        events[number, 0] = written
        events[number, 1] = slots[row, RUN_SLOT] - event
        events[number, 2] = marks[row, run_mark + 1] - event
        events[number, 3] = slots[row, AGENT_SLOT] - event
        events[number, 4] = marks[row, agent_mark + 1] - event
        events[number, 5] = slots[row, FAMILY_SLOT]
    return len(addresses), made, filled
