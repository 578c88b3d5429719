"""Arithmetic on registers for kernels: sums, products, and the errors of logistic regressions."""

from typing import Any

from llvmlite import ir

from models.cpu.lanes import LANES
from models.cpu.registers import HALF, INTEGERS, NUMBERS, cgutils, each, instruction, register, spread, types

EXP2 = (1.0, 0.69314718, 0.24022651, 0.055504109, 0.0096181291, 0.0013333558, 0.00015403530)  # ln(2)^n / n!
LOG2_E = 1.44269504
LARGEST_POWER = 126.0  # of 2 in a float32, about; beyond it, a sigmoid rounds to 0 or 1

# A tree of four steps sums 16 registers, 16 numbers each. Each step packs two registers into one, by adding two halves of both.
# The halves are lists of indices: 0 to 15 are numbers of the first register, 16 to 31 of the second. The first steps stay within
# quarters of a register, where processors shuffle fastest.
QUARTERS = range(0, LANES, 4)
TREE = (
    [[quarter + n for quarter in QUARTERS for n in (first, first + LANES, first + 1, first + LANES + 1)] for first in (0, 2)],
    [[quarter + n for quarter in QUARTERS for n in (first, first + 1, first + LANES, first + LANES + 1)] for first in (0, 2)],
    [[quarter + n for quarter in (first, first + 4, first + LANES, first + LANES + 4) for n in range(4)] for first in (0, 8)],
    [[quarter + n for quarter in (first, first + 8, first + LANES, first + LANES + 8) for n in range(4)] for first in (0, 4)],
)


def _constant(value: float) -> Any:
    return ir.Constant(NUMBERS, [value] * LANES)


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """A times b, plus c: one instruction where the processor has it."""
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


@instruction(lambda rows: each(rows)(rows))
def zeros(_builder: Any, rows: Any) -> Any:
    """A register of zeros for each row."""
    return [_constant(0.0)] * len(rows)


@instruction(lambda a, b: types.UniTuple(register, len(a) * len(b))(a, b))
def outer_zeros(_builder: Any, a: Any, b: Any) -> Any:
    """A register of zeros for each pair of rows."""
    return [_constant(0.0)] * (len(a) * len(b))


@instruction(lambda a, b: a(a, b))
def add(builder: Any, a: Any, b: Any) -> Any:
    """A + b."""
    return builder.fadd(a, b)


@instruction(lambda a, b: a(a, b))
def subtract(builder: Any, a: Any, b: Any) -> Any:
    """A - b."""
    return builder.fsub(a, b)


@instruction(lambda a, b: a(a, b))
def multiply(builder: Any, a: Any, b: Any) -> Any:
    """A times b."""
    return builder.fmul(a, b)


@instruction(lambda a, b, c: a(a, b, c))
def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """A times b, plus c."""
    return _multiply_add(builder, a, b, c)


@instruction(lambda a: a(a))
def sigmoid(builder: Any, a: Any) -> Any:
    """1 / (1 + e^(-a))."""
    return _sigmoid(builder, a)


@instruction(lambda a: a(a))
def tanh(builder: Any, a: Any) -> Any:
    """2 sigmoid(2 a) - 1."""
    twice = _constant(2.0)
    return builder.fsub(builder.fmul(twice, _sigmoid(builder, builder.fmul(twice, a))), _constant(1.0))


@instruction(lambda a, _number: a(a, types.float32))
def exp_above(builder: Any, a: Any, number: Any) -> Any:
    """e^(a - number)."""
    power = builder.fmul(builder.fsub(a, spread(builder, number)), _constant(LOG2_E))
    return builder.fmul(*_power_of_two(builder, power))


@instruction(lambda a, b: a(a, b))
def maximum(builder: Any, a: Any, b: Any) -> Any:
    """Elementwise maximum; NaN where `a` is NaN."""
    return builder.select(builder.fcmp_unordered(">", a, b), a, b)


@instruction(lambda a: a(a))
def complement(builder: Any, a: Any) -> Any:
    """1 - a."""
    return builder.fsub(_constant(1.0), a)


@instruction(lambda a, _number: a(a, types.float32))
def scale(builder: Any, a: Any, number: Any) -> Any:
    """A times one number."""
    return builder.fmul(a, spread(builder, number))


@instruction(lambda a, b, c: c(a, b, c))
def add_product(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a_n b + c_n for each row n."""
    return [_multiply_add(builder, x, b, y) for x, y in zip(a, c, strict=True)]


@instruction(lambda a, b, c: c(a, b, c))
def add_inner_product(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """The sum over rows n of a_n b_n, plus c."""
    for x, y in zip(a, b, strict=True):
        c = _multiply_add(builder, x, y, c)
    return c


@instruction(lambda a, b, c: c(a, b, c))
def add_outer_product(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a_m b_n + c_mn for each pair of rows."""
    pairs = [(x, y) for x in a for y in b]
    return [_multiply_add(builder, x, y, total) for (x, y), total in zip(pairs, c, strict=True)]


@instruction(lambda a, b, c: register(a, b, c))
def outer_sums(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """The sum of the 16 numbers of c_mn as number 8 m + n of one register, for one or two rows a and up to eight rows b."""
    registers = [_constant(0.0)] * LANES
    for m in range(len(a)):
        registers[HALF * m : HALF * m + len(b)] = c[m * len(b) : (m + 1) * len(b)]
    for low, high in TREE:
        halves = [
            [builder.shuffle_vector(x, y, ir.Constant(INTEGERS, half)) for half in (low, high)]
            for x, y in zip(registers[::2], registers[1::2], strict=True)
        ]
        registers = [builder.fadd(*pair) for pair in halves]
    return registers[0]


@instruction(lambda scores, labels, weights: register(scores, labels, weights))
def errors(builder: Any, scores: Any, labels: Any, weights: Any) -> Any:
    """Weights times (labels - sigmoid(scores)), elementwise."""
    return builder.fmul(weights, builder.fsub(labels, _sigmoid(builder, scores)))


def _sigmoid(builder: Any, x: Any) -> Any:
    """1 / (1 + 2^(-x log2 e))."""
    value, scale_factor = _power_of_two(builder, builder.fmul(x, _constant(-LOG2_E)))
    return builder.fdiv(_constant(1.0), _multiply_add(builder, value, scale_factor, _constant(1.0)))


def _power_of_two(builder: Any, power: Any) -> tuple[Any, Any]:
    """2^power as two factors: a polynomial in the fractional part, and 2 to the power of the integer part."""
    for comparison, limit in (("<", _constant(LARGEST_POWER)), (">", _constant(-LARGEST_POWER))):
        power = builder.select(builder.fcmp_unordered(comparison, power, limit), power, limit)  # unordered: NaN stays NaN
    rint = cgutils.get_or_insert_function(builder.module, ir.FunctionType(NUMBERS, [NUMBERS]), "llvm.rint.v16f32")
    whole = builder.call(rint, [power])
    rest, value = builder.fsub(power, whole), _constant(EXP2[-1])
    for coefficient in reversed(EXP2[:-1]):
        value = _multiply_add(builder, value, rest, _constant(coefficient))
    exponent = builder.add(builder.fptosi(whole, INTEGERS), ir.Constant(INTEGERS, [127] * LANES))  # with float32's bias
    return value, builder.bitcast(builder.shl(exponent, ir.Constant(INTEGERS, [23] * LANES)), NUMBERS)
