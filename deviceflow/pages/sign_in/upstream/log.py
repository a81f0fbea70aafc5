"""What the operator reads of sign-ins at providers: causes, and no secrets."""

from dataclasses import dataclass

import structlog

from deviceflow.ops.thinned_log import ThinnedLog
from deviceflow.upstream.errors import UpstreamError
from deviceflow.upstream.provider import Provider

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class UpstreamLog:
    """Writes these lines, thinned: a provider that is down, or a stranger, makes no flood.

    `times`: how often the same has happened in this minute.
    """

    lines: ThinnedLog

    def failed(self, provider: Provider, error: UpstreamError) -> None:
        """Say why nobody could sign in, or what was wrong with a logout token."""
        upstream_id = provider.upstream.id
        line = self.lines.note(("failed", upstream_id, error.cause.value, error.code))
        if line is not None:
            log.warning(
                "upstream.failed",
                upstream=upstream_id,
                cause=error.cause.value,
                detail=error.detail,
                code=error.code or None,
                times=line[1],
            )

    def answer_ignored(self, provider: Provider, reason: str) -> None:
        """Say that an answer belonged to no sign-in of its browser."""
        upstream_id = provider.upstream.id
        line = self.lines.note(("ignored", upstream_id, reason))
        if line is not None:
            log.info("upstream.answer_ignored", upstream=upstream_id, reason=reason, times=line[1])
