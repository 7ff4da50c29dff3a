"""What goes wrong with a request, as OpenAI's protocol tells it: a status, and one line in JSON."""

from trchat.errors import ContextError, CrashError, ModelError, TrchatError, UsageError

MOST_WAITING = 100
"""Requests in the queue. At ten seconds an answer the last of them waits a quarter of an hour, longer than
clients do (the ``openai`` package gives up after ten minutes)."""


class ApiError(Exception):
    """What to answer to a request instead. ``code`` is for programs, ``param`` the field that is meant."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param

    @property
    def body(self) -> dict[str, object]:
        """As it is sent."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        told = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": told}


def bad_request(message: str, param: str | None = None) -> ApiError:
    """Something in a request is wrong."""
    return ApiError(400, message, param=param, code="invalid_value" if param else None)


def unsupported(param: str, message: str) -> ApiError:
    """Something in a request is right, and not to be had here."""
    return ApiError(400, message, param=param, code="unsupported_parameter")


def unknown_model(name: str, why: str) -> ApiError:
    """There is no such model, or not here."""
    return ApiError(
        404, f"the model {name!r} cannot be had here: {why}", code="model_not_found", param="model"
    )


def too_large(limit: int) -> ApiError:
    """A body of more than ``limit`` bytes."""
    return ApiError(413, f"the request is larger than {limit:,} bytes", code="request_too_large")


def too_many() -> ApiError:
    """The queue is full."""
    return ApiError(503, f"{MOST_WAITING} requests are waiting already; try again later", code="overloaded")


def unfit(fault: str) -> ApiError:
    """A finished answer is not what ``response_format`` asks for: no program should take it for that."""
    return ApiError(
        500, f"the answer does not fit the schema: {fault}", code="answer_unfit", param="response_format"
    )


def shutting_down() -> ApiError:
    """The server was told to end."""
    return ApiError(503, "the server is shutting down", code="shutting_down")


def from_trouble(trouble: BaseException) -> ApiError:
    """The answer to a request over which this was raised."""
    match trouble:
        case ApiError():
            return trouble
        case ContextError():
            return ApiError(400, str(trouble), code="context_length_exceeded", param="messages")
        case UsageError():
            return ApiError(400, str(trouble))
        case ModelError():
            return ApiError(503, str(trouble), code="model_not_loaded", param="model")
        case CrashError():
            return ApiError(500, f"the engine crashed: {trouble}", code="engine_crashed")
        case TrchatError():
            return ApiError(500, str(trouble))
        case MemoryError():
            return ApiError(503, "not enough memory; a smaller --ctx or model takes less", code="no_memory")
        case _:
            return ApiError(500, f"internal error: {type(trouble).__name__}")
