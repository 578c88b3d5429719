"""How kernels are compiled: when first called, for the types of their arguments."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """A kernel; while it runs, the interpreter lock is released.

    It is not kept on disk: Numba would not notice when another file than the function's own changes.
    """
    return cast(Function, njit(nogil=True, fastmath=True)(function))


def compiled_strictly(function: Function) -> Function:
    """The same for a kernel whose numbers outside of registers may be NaN or infinite, and have to stay so."""
    return cast(Function, njit(nogil=True)(function))


def inlined(function: Function) -> Function:
    """A part of kernels, compiled into each of them, so that what it takes and returns stays in registers."""
    return cast(Function, njit(nogil=True, fastmath=True, forceinline=True)(function))
