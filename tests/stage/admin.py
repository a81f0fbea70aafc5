"""Operators: their tokens, and what they send to the API of the admin port."""

import re
from typing import Any, NamedTuple

from aiohttp import ClientResponse

from deviceflow.admin.api.document import admin_document
from deviceflow.admin.routes import API
from deviceflow.admin.tokens import AdminTokens
from tests.stage.oauth import Worker

TOKEN = "0123456789abcdef" * 4
NEXT_TOKEN = "f" * 64
TOKENS = AdminTokens.of(f"# two of them\n{TOKEN}\n\n{NEXT_TOKEN}\n".encode())
ADA = {"sub": "sub-ada", "username": "ada"}
BOB = {"sub": "sub-bob", "username": "bob"}


class ApiAnswer(NamedTuple):
    """An answer of the API; `body` is the JSON."""

    status: int
    body: dict[str, Any]
    response: ClientResponse

    @property
    def outcome(self) -> tuple[int, str]:
        """The status, and the `error` or else the `state`."""
        return self.status, str(self.body.get("error") or self.body.get("state", ""))


class Operator:
    """An operator at one worker. Every answer has to be described, and kept by no cache."""

    def __init__(self, worker: Worker, token: str | None = TOKEN) -> None:
        self.worker = worker
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._document = admin_document(API)

    async def send(self, method: str, path: str, **options: Any) -> ApiAnswer:  # noqa: ANN401, aiohttp's
        options["headers"] = self.headers | options.get("headers", {})
        async with self.worker.admin.request(method, f"{API}{path}", **options) as response:
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            body = await response.json(content_type=None)
            answer = ApiAnswer(response.status, body, response)
        self._check(method, path, answer)
        return answer

    async def get(self, path: str, **options: Any) -> ApiAnswer:  # noqa: ANN401, aiohttp's
        return await self.send("GET", path, **options)

    async def post(self, path: str, body: object = None, **options: Any) -> ApiAnswer:  # noqa: ANN401, aiohttp's
        if body is not None:
            options["json"] = body
        return await self.send("POST", path, **options)

    async def find(self, user_code: str) -> ApiAnswer:
        return await self.post("/grants/find", {"user_code": user_code})

    async def id_of(self, user_code: str) -> str:
        found = await self.find(user_code)
        assert found.status == 200, found.body
        return str(found.body["id"])

    def _check(self, method: str, path: str, answer: ApiAnswer) -> None:
        is_problem = answer.status >= 400
        kind = "application/problem+json" if is_problem else "application/json"
        assert answer.response.content_type == kind, answer.body
        if is_problem:
            assert answer.body["status"] == answer.status
            assert answer.body["title"]
            assert answer.body["detail"]
        operation = self._operation(method, path.partition("?")[0])
        if operation is None:
            assert answer.status in {401, 404, 405} or path == "/openapi.json"
            return
        assert str(answer.status) in operation["responses"], f"{answer.status} is not described"
        if is_problem:
            assert answer.body["error"] in self._errors(operation["responses"][str(answer.status)])

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for template, item in self._document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                operation: dict[str, Any] | None = item.get(method.lower())
                return operation
        return None

    def _errors(self, response: dict[str, Any]) -> list[str]:
        name = response["$ref"].rpartition("/")[2]
        described = self._document["components"]["responses"][name]
        _, more = described["content"]["application/problem+json"]["schema"]["allOf"]
        errors: list[str] = more["properties"]["error"]["enum"]
        return errors
