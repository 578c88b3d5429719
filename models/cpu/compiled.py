"""Compilation of kernels: on the first call, for the types of the arguments."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a kernel. It releases the interpreter lock while it runs.

    It is not cached on disk, because Numba only notices changes in the function's own file.
    """
    return cast(Function, njit(nogil=True, fastmath=True)(function))


def compiled_strictly(function: Function) -> Function:
    """Compile a kernel without fastmath, because its numbers outside of registers may be NaN or infinite and must stay so."""
    return cast(Function, njit(nogil=True)(function))


def inlined(function: Function) -> Function:
    """Inline a function into each kernel that calls it, so that its arguments and results stay in registers."""
    return cast(Function, njit(nogil=True, fastmath=True, forceinline=True)(function))
