"""Profiles: which checks a run has, and what makes it fail."""

from collections.abc import Iterable

import msgspec

from deviceflow.conformance.check import Check, Judgement, Level, Result

_FLOW = ("RFC 8628", "RFC 6749", "RFC 8414", "RFC 7231")
_NEIGHBOURS = ("RFC 6750", "RFC 7009", "RFC 7662", "RFC 9068", "RFC 9449", "RFC 9700", "OIDC")


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """`documents`: whose checks run; none means all. `fails_at`: the judgements that fail it."""

    name: str
    help: str
    documents: tuple[str, ...]
    levels: tuple[Level, ...]
    fails_at: frozenset[Judgement]

    def has(self, check: Check) -> bool:
        """Say whether the check belongs to it."""
        is_of_document = not self.documents or check.clause.startswith(self.documents)
        return is_of_document and check.level in self.levels

    def is_passed(self, results: Iterable[Result]) -> bool:
        """Say whether none of the results fails it."""
        return all(result.judgement not in self.fails_at for result in results)


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="rfc8628",
            help="the flow itself: RFC 8628 and what it takes from RFC 6749 and 8414",
            documents=_FLOW,
            levels=(Level.MUST, Level.SHOULD),
            fails_at=frozenset({Judgement.FAIL}),
        ),
        Profile(
            name="oauth-bcp",
            help="and what surrounds it: tokens, revocation, introspection, RFC 9700",
            documents=_FLOW + _NEIGHBOURS,
            levels=(Level.MUST, Level.SHOULD),
            fails_at=frozenset({Judgement.FAIL}),
        ),
        Profile(
            name="strict",
            help="everything, also what no clause asks for; a warning fails it",
            documents=(),
            levels=tuple(Level),
            fails_at=frozenset({Judgement.FAIL, Judgement.WARNING}),
        ),
    )
}
