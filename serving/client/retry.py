"""Retry policy: exponential backoff with full jitter, plus the server's Retry-After."""

from typing import Any, Final

from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from serving.client.exchange import ServingError

FIRST_S: Final = 0.1
LONGEST_S: Final = 5.0
_random = wait_random_exponential(multiplier=FIRST_S, max=LONGEST_S)  # full jitter spreads the retries


def _wait(state: RetryCallState) -> float:
    """A random time that grows with each attempt, plus the server's Retry-After."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ServingError) else None
    return _random(state) + (asked or 0)


def _passing(error: BaseException) -> bool:
    return isinstance(error, ServingError) and error.passing


def retrying(attempts: int) -> Retrying:
    """Retry transient failures, up to this many attempts in total; every request is idempotent."""
    return Retrying(**_policy(attempts))


def async_retrying(attempts: int) -> AsyncRetrying:
    """Asynchronous version of `retrying`."""
    return AsyncRetrying(**_policy(attempts))


def _policy(attempts: int) -> dict[str, Any]:
    return {"stop": stop_after_attempt(attempts), "wait": _wait, "retry": retry_if_exception(_passing), "reraise": True}
