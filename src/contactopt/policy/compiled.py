"""One way to compile a kernel: on disk where a cache can be written, in memory elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["compiled"]


def compiled(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function with numba, without the interpreter lock, cached where possible.

    Parameters
    ----------
    function : callable, optional
        The kernel; without it a decorator is returned.
    **options
        Passed to ``numba.njit`` (``fastmath``, ``inline``).

    Returns
    -------
    callable
        The compiled kernel. In an installation where neither the package folder nor a user
        cache folder can be written it is compiled anew by each process.
    """
    import numba

    def compile_kernel(kernel: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, nogil=True, **options)(kernel)
        except RuntimeError:  # numba: "no locator available", nowhere to write the cache
            return numba.njit(nogil=True, **options)(kernel)

    return compile_kernel if function is None else compile_kernel(function)
