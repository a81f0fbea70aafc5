"""The table: every metric of the server, once.

docs/operations/metrics.md says what each answers. A test holds the table, that page, the dashboard
and the alerts together. The file is long because the metrics are many: one declaration for each.
"""

from deviceflow.core.grant import Outcome, PollAnswer
from deviceflow.core.holding import HoldEnd
from deviceflow.ops.metrics.metric import (
    MICRO,
    OTHER,
    Metric,
    client_counter,
    counter,
    gauge,
    histogram,
    worker_counter,
)

TOKENS = "tokens"
"""The outcome of a token request that got tokens. Other outcomes are error codes."""

_ERRORS = (
    "access_denied",
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "use_dpop_nonce",
    OTHER,
)
_OUTCOMES = tuple(dict.fromkeys((TOKENS, *PollAnswer, *_ERRORS)))

# Grants

GRANTS_ISSUED = counter(
    "deviceflow_grants_issued_total",
    "Device authorization requests that were answered with codes (RFC 8628 3.2).",
)
GRANTS_LIVE = gauge(
    "deviceflow_grants_live",
    "Unexpired grants in the store, decided or not, over all hosts. Read every 15 s.",
    "max",
)
GRANTS_DECIDED = gauge(
    "deviceflow_grants_decided",
    "Unexpired grants that this host knows a decision of, over all hosts.",
    "max",
)
GRANTS_PENDING = gauge(
    "deviceflow_grants_pending",
    "Unexpired grants without a decision, over all hosts: live minus decided.",
    "host",
)
DECIDED = counter(
    "deviceflow_decisions_total",
    "Decisions that people or operators sent, and what became of them.",
    event=("approve", "deny", "cancel"),
    outcome=tuple(Outcome),
)
APPROVALS_REFUSED = counter(
    "deviceflow_approvals_refused_total",
    "Approvals that a rule against phishing refused, by rule (docs/security.md).",
    rule=("network", "far", "retype", "sign_in", "too_many"),
)
APPROVAL_TO_TOKEN = histogram(
    "deviceflow_approval_to_token_seconds",
    "Time from the approval of a grant to the answer with its tokens.",
    (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)

# Token requests

POLLS = counter(
    "deviceflow_polls_total",
    "Polls by outcome, and by the path that answered them.",
    outcome=_OUTCOMES,
    path=("lane", "ordinary"),
)
HELD_POLLS = gauge(
    "deviceflow_held_polls", "Polls that are held until the decision (Prefer: wait, device.hold_s)."
)
HOLD_ENDS = counter(
    "deviceflow_holds_total",
    "Holds of polls that have ended, by who wanted them and by what ended them. gone: the device"
    " hung up; newer_poll: it polled anew, without waiting for the answer.",
    wanted_by=("device", "server"),
    end=tuple(HoldEnd),
)
HELD_POLLS_LIMIT = gauge(
    "deviceflow_held_polls_limit",
    "The most polls that the workers hold (device.max_held for each worker).",
)
LOAD_INTERVAL = gauge(
    "deviceflow_load_interval_seconds",
    "The interval that the worker asks devices for on average: device.interval_s without load.",
    "worker",
    scale=MICRO,
)
USUAL_INTERVAL = gauge(
    "deviceflow_usual_interval_seconds",
    "The interval that devices are asked for without load: device.interval_s.",
    "worker",
    scale=MICRO,
)
LOAD_SLOW_DOWNS = counter(
    "deviceflow_load_slow_downs_total",
    "Polls in time that got slow_down because the worker is busy.",
)
REDEMPTIONS = counter(
    "deviceflow_redemptions_total",
    "Device codes that were exchanged for tokens; repeated: the same tokens were given again.",
    kind=("first", "repeated"),
)
REFRESHES = counter(
    "deviceflow_refreshes_total",
    "Uses of refresh tokens, by outcome.",
    outcome=(TOKENS, *_ERRORS),
)

# Clients

CLIENT_GRANTS = client_counter("deviceflow_client_grants_total", "Grants issued, by client.")
CLIENT_TOKENS = client_counter(
    "deviceflow_client_tokens_total", "Answers with tokens, refreshes included, by client."
)
CLIENT_SLOW_DOWNS = client_counter(
    "deviceflow_client_slow_downs_total", "Polls that got slow_down, by client."
)
CLIENT_INVALID_GRANTS = client_counter(
    "deviceflow_client_invalid_grants_total",
    "Polls and refreshes with a code or token that is unknown, forged or used, by client.",
)
CLIENT_REFUSALS = client_counter(
    "deviceflow_client_refusals_total",
    "Requests in which a client did not prove itself, or may not do what it asked, by client.",
)
CLIENT_REPORTS = client_counter(
    "deviceflow_client_reports_total",
    "Grants of which a person said that somebody had sent the code, by client.",
)

# People

SIGN_INS = counter(
    "deviceflow_sign_ins_total",
    "Attempts to sign in. limited: refused without a look at the password; busy: too many waited"
    " for one; abandoned: the person did not wait.",
    outcome=("succeeded", "failed", "limited", "busy", "abandoned"),
)
SIGN_INS_WAITING = gauge(
    "deviceflow_sign_ins_waiting", "Passwords that wait to be checked, or to be hashed."
)
SIGN_IN_QUEUE = "sign-in.queue"
"""The limit on these."""
REFUSALS = counter(
    "deviceflow_limit_refusals_total",
    "Tries that a limit refused, by limit (policy/rules.py, policy/admission.py).",
    limit=(
        "sign-in.address",
        "sign-in.network",
        "sign-in.account",
        "sign-in.account-address",
        "sign-in.known",
        "sign-in.browser",
        "second-factor.account",
        "second-factor.known",
        "second-factor.browser",
        "code.address",
        "code.network",
        "code.account",
        "approval.account",
        "approval.client",
        "code.wave",
        "client.failure",
        "client.failure-address",
        "start.store",
        "start.client",
        "start.network",
        "start.address",
        "start.live",
        "held.all",
        "held.address",
        SIGN_IN_QUEUE,
        OTHER,
    ),
)
GUESS_WAVE = gauge(
    "deviceflow_guess_wave",
    "1 while so many wrong user codes are tried that each account may try fewer.",
    "max",
)
PROOFS = counter(
    "deviceflow_proofs_of_work_total",
    "Proofs of work that browsers sent with a code. refused: wrong, too old or used.",
    outcome=("accepted", "refused"),
)
NOTICES = counter(
    "deviceflow_notices_total",
    "Notices of new devices to people. dropped: too many waited, or the worker ended.",
    channel=("webhook", "mail"),
    outcome=("sent", "failed", "dropped"),
)
AUDIT_EVENTS = counter(
    "deviceflow_audit_events_total",
    "Security events. left_out: many of a kind at once, so that this one had no line of its own.",
    outcome=("recorded", "left_out"),
)
AUDIT_LINES = counter(
    "deviceflow_audit_lines_total",
    "Lines of the audit by sink. lost: the sink did not take them, and too many waited.",
    sink=("file", "stdout", "webhook", "security_events"),
    outcome=("written", "lost"),
)
RESPONSES = counter(
    "deviceflow_http_responses_total",
    "Answers, without the lane's polls, which are in deviceflow_polls_total.",
    audience=("machine", "person"),
    status=("2xx", "3xx", "4xx", "5xx"),
)

# The store

STORE_COMMANDS = histogram(
    "deviceflow_store_command_seconds",
    "Time of a command to the store, with all its repetitions, failed ones included.",
    (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
STORE_ERRORS = counter(
    "deviceflow_store_errors_total",
    "Commands that the store did not carry out, by reason.",
    reason=(
        "BUSY",
        "MISCONF",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "timeout",
        "too few replicas",
        "unreachable",
        OTHER,
    ),
)
STORE_IN_USE = gauge(
    "deviceflow_store_commands_in_flight",
    "Commands that wait for the store, or for a connection to it.",
)
STORE_POOL = gauge(
    "deviceflow_store_connections_limit",
    "redis.max_connections. To a Cluster, and where replicas confirm, further calls wait.",
)
STORE_REACHABLE = gauge(
    "deviceflow_store_reachable",
    "1 if the worker's last look at the store succeeded, else 0.",
    "worker",
)
STORE_WRITABLE = gauge(
    "deviceflow_store_writable",
    "1 if the store takes writes, 0 if it refuses them or cannot be reached.",
    "worker",
)
STORE_MEMORY = gauge(
    "deviceflow_store_memory_bytes",
    "Memory that the store uses: of a Cluster, its fullest primary. Read every 2 s.",
    "max",
)
STORE_MEMORY_LIMIT = gauge(
    "deviceflow_store_memory_limit_bytes", "The maxmemory of that server, 0 without a limit.", "max"
)
STARTS_PAUSED = gauge(
    "deviceflow_starts_paused",
    "1 while the worker starts no grants, because the store is nearly full or slow.",
    "worker",
)

# The mirror

CATCH_UPS = counter(
    "deviceflow_catch_ups_total",
    "Looks at the decision log, one a second and worker.",
    outcome=("succeeded", "failed"),
)
MIRROR_AGE = gauge(
    "deviceflow_mirror_age_seconds",
    "Time since the worker's last look at the decision log that succeeded.",
    "worker",
    scale=MICRO,
)
MIRROR_DECISIONS = gauge(
    "deviceflow_mirror_decisions", "Decisions that the worker has in memory.", "worker"
)
PUSH_SUBSCRIBED = gauge(
    "deviceflow_push_subscribed", "1 while the worker is subscribed to push messages.", "worker"
)
PUSHES_SENT = counter("deviceflow_pushes_sent_total", "Decisions that this host's workers pushed.")
PUSHES_HEARD = worker_counter(
    "deviceflow_pushes_heard_total",
    "Push messages of decisions that the worker heard. Every worker hears those of all hosts.",
)
PUSHES_LOST = counter(
    "deviceflow_pushes_lost_total",
    "Decisions that a worker pushed and did not hear itself within 5 s.",
)
PUSH_DELAY = histogram(
    "deviceflow_push_delay_seconds",
    "Time until a worker hears its own push message of a decision.",
    (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)

# The process

BUILD_INFO = gauge("deviceflow_build_info", "1, with the version that runs.", "host")
WORKERS = gauge("deviceflow_workers", "Workers that run.", "host")
WORKER_STARTS = worker_counter(
    "deviceflow_worker_starts_total", "Starts of the worker. After the first, it was replaced."
)
HEARTBEAT_AGE = gauge(
    "deviceflow_worker_heartbeat_age_seconds",
    "Time since the worker's event loop last came round. A worker that hangs grows old.",
    "worker",
    scale=MICRO,
)
WORKER_CPU = worker_counter(
    "deviceflow_worker_cpu_seconds_total", "CPU time of the worker.", scale=MICRO
)
WORKER_BUSY = worker_counter(
    "deviceflow_worker_busy_seconds_total",
    "Time in which the worker's event loop ran or waited for a core.",
    scale=MICRO,
)
LOOP_LAG = histogram(
    "deviceflow_event_loop_lag_seconds",
    "How much later than planned the worker's event loop ran a timer, four times a second.",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
CONNECTIONS = gauge("deviceflow_connections", "Open connections of devices and people.")
CONNECTIONS_LIMIT = gauge(
    "deviceflow_connections_limit",
    "The most connections that the workers take. They leave 256 file descriptors for all else.",
)
CONNECTIONS_CLOSED = counter(
    "deviceflow_connections_closed_total",
    "Connections that the server has given up. made_room: for a new one, at a limit. no_room and"
    " address: new ones, where none could go.",
    cause=("silent", "idle", "unfinished", "made_room", "no_room", "address"),
)
OPEN_FDS = gauge(
    "deviceflow_open_fds", "Open file descriptors of the worker. Read every 15 s.", "worker"
)
MAX_FDS = gauge(
    "deviceflow_max_fds", "The most file descriptors that the worker may open.", "worker"
)

TABLE: tuple[Metric, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Metric)
)
"""All of the above, in their order."""
