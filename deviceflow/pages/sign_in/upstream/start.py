"""The way to a provider: the person presses its button."""

from dataclasses import dataclass

from aiohttp import web

from deviceflow.pages.codes import Codes
from deviceflow.pages.leave import leave
from deviceflow.pages.onward import Onward
from deviceflow.pages.sign_in.upstream.detours import Detours
from deviceflow.pages.sign_in.upstream.failures import provider_failed
from deviceflow.pages.sign_in.upstream.log import UpstreamLog
from deviceflow.pages.visitor import Visitors
from deviceflow.upstream.errors import UpstreamError
from deviceflow.upstream.provider import Provider
from deviceflow.upstream.providers import Providers


@dataclass(frozen=True, kw_only=True)
class UpstreamStart:
    """POST `/login/upstream/{provider}`."""

    visitors: Visitors
    codes: Codes
    providers: Providers
    detours: Detours
    log: UpstreamLog

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.post("/login/upstream/{provider}", self.start)]

    async def start(self, request: web.Request) -> web.Response:
        """Lead the person to the provider; a person who is signed in goes on.

        A person who has to sign in once more is asked there, even with a session there.
        """
        provider = provider_of(request, self.providers)
        visitor, fields = await self.visitors.read(request)
        onward = Onward.of(self.codes, fields)
        if visitor.person is not None and not onward.is_again:
            return onward.go_on(request)
        if not self.visitors.is_own(visitor, fields):
            again = onward.detour(request, "/login", notice="stale")
            if visitor.sent_cookie is None:
                self.visitors.cookie.write(again, visitor.cookie)
            return again
        cookie = self.visitors.cookie
        is_asked = onward.is_again or cookie.has_ended(request)
        prompt = provider.upstream.prompt_for_another if is_asked else ""
        detour = self.detours.begin(provider.upstream.id, visitor.cookie)
        try:
            address = await provider.start(detour, prompt)
        except UpstreamError as error:
            self.log.failed(provider, error)
            raise provider_failed(error, provider.upstream.title, onward.user_code) from error
        response = leave(request, address, provider.upstream.title)
        self.detours.keep(request, response, detour.state, onward)
        return response


def provider_of(request: web.Request, providers: Providers) -> Provider:
    """Return the provider that the address names. May raise HTTPNotFound."""
    provider = providers.find(request.match_info["provider"])
    if provider is None:
        raise web.HTTPNotFound
    return provider
