"""Vector registers for kernels: 16 float32 numbers as one value, and tuples of such values.

LLVM vectorizes a loop over arrays only if it can prove that they do not overlap, which it cannot for rows of one matrix. So the
kernels of word2vec use registers explicitly. If a processor's registers are shorter, LLVM uses several for one.

A matrix is a one-dimensional array, a row is the index of its first number, and several rows are a tuple of indices. The length
of a tuple is known at compile time, so loops over rows are unrolled.
"""

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any

from llvmlite import binding, ir
from numba import core
from numba.extending import intrinsic, models, register_model

from models.cpu.lanes import LANES

types: Any = core.types  # Numba has no annotations
cgutils: Any = core.cgutils
settings: Any = core.config

HALF = LANES // 2
FLOAT, INT32 = ir.FloatType(), ir.IntType(32)
NUMBERS, INTEGERS = ir.VectorType(FLOAT, LANES), ir.VectorType(INT32, LANES)
SHORTS = ir.VectorType(ir.IntType(16), LANES)  # bfloat16 numbers: the upper halves of float32 ones
# Whether a value fits one register of the processor. Otherwise a value takes two or more registers, and the processor has half as
# many, so fewer values stay in registers at once. NUMBA_CPU_FEATURES selects other features than this processor's.
WIDE = "+avx512f" in (settings.CPU_FEATURES or binding.get_host_cpu_features().flatten())
ALIGNMENT = 4  # bytes: a row may start at any number


class Register(core.types.Type):
    """Numba's type of 16 numbers."""

    def __init__(self) -> None:
        super().__init__(name="Register")


register_model(Register)(lambda manager, kind: models.PrimitiveModel(manager, kind, NUMBERS))  # type: ignore[no-untyped-call]
register = Register()


def each(rows: Any) -> Any:
    """The type of one register for each row."""
    return types.UniTuple(register, len(rows))


def instruction(typed: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Turn a function that writes LLVM's instructions into one that kernels can call.

    Args:
        typed: from the types of the arguments to Numba's signature.

    Returns:
        A decorator. The decorated function gets the instruction builder and the arguments: a pointer for an array, a list for a
        tuple. It returns the result: a list for a tuple, None if there is none.
    """

    def decorate(write: Callable[..., Any]) -> Callable[..., Any]:
        def code(context: Any, builder: Any, kind: Any, arguments: Any) -> Any:
            pairs = zip(kind.args, arguments, strict=True)
            result = write(builder, *(_open(context, builder, argument_kind, value) for argument_kind, value in pairs))
            if isinstance(result, list):
                return cgutils.pack_array(builder, result)
            return context.get_dummy_value() if result is None else result

        def rule(_typing: Any, *kinds: Any) -> Any:
            return typed(*kinds), code

        first = Parameter("typing", Parameter.POSITIONAL_OR_KEYWORD)
        rule.__signature__ = Signature([first, *signature(typed).parameters.values()])  # type: ignore[attr-defined]
        rule.__name__, rule.__doc__ = write.__name__, write.__doc__
        function: Callable[..., Any] = intrinsic(rule)
        return function

    return decorate


def _open(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.Array):
        return context.make_array(kind)(context, builder, value).data
    return cgutils.unpack_tuple(builder, value) if isinstance(kind, types.BaseTuple) else value


def _pointer(builder: Any, array: Any, index: Any, target: Any) -> Any:
    return builder.bitcast(builder.gep(array, [index]), target.as_pointer())


def _read(builder: Any, array: Any, index: Any) -> Any:
    return builder.load(_pointer(builder, array, index, NUMBERS), align=ALIGNMENT)


def _write(builder: Any, array: Any, index: Any, numbers: Any) -> None:
    builder.store(numbers, _pointer(builder, array, index, NUMBERS), align=ALIGNMENT)


def _same(number: int) -> Any:
    return ir.Constant(INTEGERS, [number] * LANES)


def _following(builder: Any, index: Any, count: int) -> list[Any]:
    return [builder.add(index, ir.Constant(index.type, n)) for n in range(count)]


def spread(builder: Any, number: Any) -> Any:
    """A register with one number repeated 16 times, for functions that write instructions."""
    first = builder.insert_element(ir.Constant(NUMBERS, ir.Undefined), number, ir.Constant(INT32, 0))
    return builder.shuffle_vector(first, first, ir.Constant(INTEGERS, [0] * LANES))


@instruction(lambda array, _index: register(array, types.intp))
def load(builder: Any, array: Any, index: Any) -> Any:
    """The 16 numbers from `array[index]` on."""
    return _read(builder, array, index)


@instruction(lambda array, _index: register(array, types.intp))
def load_any(builder: Any, array: Any, index: Any) -> Any:
    """The 16 numbers from `array[index]` on: float32, or bfloat16 if the array's type is uint16."""
    if array.type.pointee == FLOAT:
        return _read(builder, array, index)
    shorts = builder.load(_pointer(builder, array, index, SHORTS), align=2)
    return builder.bitcast(builder.shl(builder.zext(shorts, INTEGERS), _same(16)), NUMBERS)


@instruction(lambda array, _index: register(array, types.intp))
def load_twice(builder: Any, array: Any, index: Any) -> Any:
    """The 8 numbers from `array[index]` on, in both halves."""
    half = builder.load(_pointer(builder, array, index, ir.VectorType(FLOAT, HALF)), align=ALIGNMENT)
    return builder.shuffle_vector(half, half, ir.Constant(INTEGERS, [*range(HALF), *range(HALF)]))


@instruction(lambda array, rows, _k: each(rows)(array, rows, types.intp))
def load_rows(builder: Any, array: Any, rows: Any, k: Any) -> Any:
    """The 16 numbers of each row from its column k on."""
    return [_read(builder, array, builder.add(row, k)) for row in rows]


@instruction(lambda array, _index, rows: each(rows)(array, types.intp, rows))
def spread_each(builder: Any, array: Any, index: Any, rows: Any) -> Any:
    """For each row n, a register with `array[index + n]` repeated 16 times."""
    pointers = [builder.gep(array, [place]) for place in _following(builder, index, len(rows))]
    return [spread(builder, builder.load(pointer)) for pointer in pointers]


@instruction(lambda array, _index, numbers: types.void(array, types.intp, numbers))
def store(builder: Any, array: Any, index: Any, numbers: Any) -> None:
    """Write 16 numbers from `array[index]` on."""
    _write(builder, array, index, numbers)


@instruction(lambda array, _index, numbers: types.void(array, types.intp, numbers))
def store_any(builder: Any, array: Any, index: Any, numbers: Any) -> None:
    """Write 16 numbers from `array[index]` on: float32, or bfloat16, rounded to nearest, if the array's type is uint16."""
    if array.type.pointee == FLOAT:
        _write(builder, array, index, numbers)
        return
    bits = builder.bitcast(numbers, INTEGERS)
    tie = builder.and_(builder.lshr(bits, _same(16)), _same(1))  # round half to even
    rounded = builder.lshr(builder.add(builder.add(bits, _same(0x7FFF)), tie), _same(16))
    builder.store(builder.trunc(rounded, SHORTS), _pointer(builder, array, index, SHORTS), align=2)


@instruction(lambda array, rows, _k, numbers: types.void(array, rows, types.intp, numbers))
def add_to_rows(builder: Any, array: Any, rows: Any, k: Any, numbers: Any) -> None:
    """Add to each row its register, from column k on; a row that is listed twice gets both."""
    for row, addend in zip(rows, numbers, strict=True):
        place = builder.add(row, k)
        _write(builder, array, place, builder.fadd(_read(builder, array, place), addend))


@instruction(lambda ids, _start, _width, block: block(ids, types.intp, types.intp, block))
def rows_of(builder: Any, ids: Any, start: Any, width: Any, block: Any) -> Any:
    """The offsets of the rows `ids[start]`, `ids[start + 1]`, ... of a matrix, as many as `block` has entries.

    Args:
        builder: LLVM's instruction builder.
        ids: int32.
        start: index of the first id.
        width: columns of the matrix.
        block: a tuple of integers; only its length is used.
    """
    loaded = [builder.load(builder.gep(ids, [place])) for place in _following(builder, start, len(block))]
    return [builder.mul(builder.sext(row, width.type), width) for row in loaded]


@instruction(lambda array, _index: types.void(array, types.intp))
def prefetch(builder: Any, array: Any, index: Any) -> None:
    """Prefetch the cache line of `array[index]` for writing."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, INT32, INT32, INT32])
    ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(ask, [builder.bitcast(builder.gep(array, [index]), byte), *(ir.Constant(INT32, n) for n in (1, 3, 1))])
