"""Bodies straight from bytes into their models, in one step.

    app.router.route_class = BodyRoute
    app.post("/recommend")(recommend)       # async def recommend(request: Request, asked: RecommendRequest)

FastAPI parses JSON into Python values, gathers a route's parameters from request, dependencies and body, and
then validates them. A route that takes the request and one body needs none of that, and all of it is paid by
each request of a batch. Clients see no difference: the documentation is still made of the signature.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect


class BodyRoute(APIRoute):
    """A route of FastAPI; one with a body is called with the request and the body's model alone."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        if self.body_field is None:
            return super().get_route_handler()
        endpoint: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint
        model = cast("type[BaseModel]", self.body_field.field_info.annotation)

        async def handler(request: Request) -> Response:
            return await endpoint(request, await _read(request, model))

        return handler


async def _read(request: Request, model: type[BaseModel]) -> BaseModel:
    """The body of a request.

    Raises:
        RequestValidationError: it is none of the model's.
        HTTPException: the client went away, or was cut off.
    """
    if not _says_json(request.headers.get("content-type", "")):
        message = "the body has to be JSON, and the header `Content-Type` to say so"
        raise RequestValidationError([{"loc": ("body",), "msg": message, "type": "json_type"}])
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from None
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early") from None


def _says_json(content_type: str) -> bool:
    """Whether a header `Content-Type` names JSON.

    >>> _says_json("application/json; charset=utf-8"), _says_json("text/plain")
    (True, False)
    """
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
