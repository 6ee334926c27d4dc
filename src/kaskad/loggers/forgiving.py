"""A logger that can no longer write costs its figures, and not the run."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Logger = TypeVar("Logger")

log = logging.getLogger(__name__)


def forgiving(
    *methods: str, errors: type[Exception] | tuple[type[Exception], ...] = OSError
) -> Callable[[type[Logger]], type[Logger]]:
    """Have these ``methods`` of a logger warn of ``errors``, the first time, and go on: its disk
    may be full, or its folder gone, when a run has been training for days."""

    def decorate(logger: type[Logger]) -> type[Logger]:
        for name in methods:
            setattr(logger, name, _warning_of(errors, getattr(logger, name)))
        return logger

    return decorate


def _warning_of(
    errors: type[Exception] | tuple[type[Exception], ...], method: Callable[..., Any]
) -> Callable[..., Any]:
    @wraps(method)
    def try_to(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            # TensorBoard's raises another one because of it.
            if not isinstance(error, errors) and not isinstance(error.__cause__, errors):
                raise
            if not getattr(self, "has_failed", False):
                self.has_failed = True
                name = type(self).__name__
                fault = error if isinstance(error, errors) else error.__cause__
                log.warning("%s cannot write: %s; the run goes on without", name, fault)
            return None

    return try_to
