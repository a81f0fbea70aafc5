"""What docs/architecture.md and CONTRIBUTING.md promise of files: their tests, lengths, imports.

The tests of a module are in `tests/<same path>/test_<name>.py`, or where the list here says.
"""

import ast
import re
import tomllib
from pathlib import Path

import deviceflow

PACKAGE = Path(deviceflow.__file__).parent
TESTS = Path(__file__).parent

MOST_LINES = 320
TABLES = {
    "config/sections.py",  # one class for each section of the settings
    "ops/metrics/table.py",  # one declaration for each metric
}
"""Files that are longer because they have many rows, each of a few lines."""

STILL = {
    "admin/operators.py",  # a key
    "cli/options.py",  # the options that commands share: words and types
    "config/values.py",  # types of settings and their ranges
    "core/clock.py",  # a type
    "device/errors.py",  # exceptions
    "device/events.py",  # records
    "fleet/report/style.py",  # a style sheet
    "notices/notice.py",  # a record and an exception
    "signing/errors.py",  # an exception
    "store/errors.py",  # exceptions
    "supervisor/errors.py",  # an exception
    "upstream/errors.py",  # an exception and its causes
}
"""Modules without behaviour: what uses them is tested."""

BY_FEATURE = {
    "admin/api/grants.py": "admin/test_grants.py",  # through the API
    "admin/clients.py": "admin/console/test_clients.py",  # in the console, and admin/test_people.py
    "admin/api/messages.py": "admin/api/test_document.py",  # their types are the document's
    "admin/api/people.py": "admin/test_people.py",  # through the API
    "admin/console/people.py": "admin/test_people.py",  # and in the console
    "admin/console/templates.py": "admin/console/test_frame.py",  # by the pages
    "admin/api/problems.py": "admin/api/test_requests.py",  # by the answers
    "admin/routes.py": "admin/api/test_document.py",  # wires; each route is in the document
    "oauth/poll/later.py": "oauth/start/test_lane.py",  # what a connection does with it
    "oauth/poll/wire.py": "oauth/poll/test_differential.py",  # by the bytes of answers
    "oauth/start/grant_start.py": "oauth/test_device_authorization.py",  # by both ways in
    "oauth/start/written.py": "oauth/start/test_differential.py",  # by the bytes of answers
    "__main__.py": "process/test_start.py",  # the command itself, in a process
    "app.py": "oauth/test_path_issuer.py",  # wires; every test of an endpoint goes through it
    "capacity/fleet.py": "capacity/test_plan.py",  # by what it refuses, and cli/test_capacity.py
    "capacity/hosts.py": "capacity/test_plan.py",  # by the hosts of a plan
    "capacity/parts.py": "capacity/test_plan.py",  # by the totals of a plan
    "capacity/store.py": "capacity/test_plan.py",  # by the store of a plan
    "cli/control.py": "process/test_change.py",  # with a server to speak to
    "cli/reload.py": "process/test_change.py",  # with a server to speak to
    "cli/upgrade.py": "process/test_change.py",  # with a server to speak to
    "cli/logout.py": "cli/test_kept_login.py",  # ends what login has kept
    "cli/login_ends.py": "cli/test_login.py",  # by the exit status of the command
    "cli/client_fields.py": "cli/test_clients.py",  # what the commands show and take
    "cli/user_records.py": "cli/test_users.py",  # by what all the commands do
    "cli/user_access.py": "cli/test_user_devices.py",  # by what commands end
    "cli/top.py": "process/test_top.py",  # beside a server
    "cli/duration.py": "cli/test_fleet.py",  # by the options that are durations
    "cli/fleet_options.py": "cli/test_fleet.py",  # by what the command takes and refuses
    "cli/fleet_run.py": "cli/test_fleet.py",  # by how the command ends
    "cli/number.py": "cli/test_capacity.py",  # by the options that are numbers
    "cli/recipes.py": "cli/test_conform.py",  # by the recipes that come along
    "config/section_rules.py": "config/test_loading.py",  # by the documents that they refuse
    "config/sections.py": "config/test_settings.py",  # as parts of all settings
    "config/rules.py": "config/test_loading.py",  # by the documents that they refuse
    "conformance/checks/authorization.py": "conformance/test_checks.py",  # each by its defect
    "conformance/checks/binding.py": "conformance/test_checks.py",
    "conformance/checks/codes.py": "conformance/test_checks.py",
    "conformance/checks/decision.py": "conformance/test_checks.py",
    "conformance/checks/dpop.py": "conformance/test_checks.py",
    "conformance/checks/guesses.py": "conformance/test_checks.py",
    "conformance/proofs.py": "conformance/test_checks.py",  # by what servers say of them
    "conformance/checks/lookup.py": "conformance/test_checks.py",
    "conformance/checks/metadata.py": "conformance/test_checks.py",
    "conformance/checks/pace.py": "conformance/test_checks.py",
    "conformance/checks/polling.py": "conformance/test_checks.py",
    "conformance/checks/redemption.py": "conformance/test_checks.py",
    "conformance/checks/refresh.py": "conformance/test_checks.py",
    "conformance/checks/tokens.py": "conformance/test_checks.py",
    "conformance/browser.py": "browser/test_recipes.py",  # in Chromium
    "conformance/check.py": "conformance/test_checks.py",  # by all that are declared
    "conformance/discovery.py": "cli/test_conform.py",  # by the servers that it finds
    "conformance/profiles.py": "conformance/test_reports.py",  # by what fails them
    "conformance/report/__init__.py": "conformance/test_reports.py",
    "cli/conform_compare.py": "conformance/test_reports.py",
    "conformance/report/comparison.py": "conformance/test_reports.py",
    "conformance/report/machine.py": "conformance/test_reports.py",
    "conformance/report/page.py": "conformance/test_reports.py",
    "conformance/report/terminal.py": "process/test_conform.py",  # by what the command prints
    "conformance/site.py": "conformance/test_checks.py",  # by what it sends
    "conformance/answers.py": "conformance/test_checks.py",  # by what is read in them
    "conformance/endpoints.py": "conformance/test_checks.py",  # by where requests go
    "conformance/exchange.py": "conformance/test_checks.py",  # by the secrets that it leaves out
    "core/client_values.py": "core/test_client.py",  # by the clients that have them
    "core/messages.py": "oauth/openapi/test_document.py",  # their types are the document's
    "core/signing_key.py": "store/test_signing_keys.py",  # with the keys that are stored
    "device/client_auth.py": "device/test_client.py",  # by the requests that it makes
    "device/lettering.py": "device/test_screen.py",  # a part of the screen
    "device/qr.py": "device/test_screen.py",  # a part of the screen
    "device/summary.py": "device/test_screen.py",  # a part of the screen
    "cli/fleet_compare.py": "fleet/report/test_comparison.py",
    "fleet/report/explanations.py": "fleet/report/test_page.py",
    "fleet/report/html.py": "fleet/report/test_page.py",
    "fleet/report/panels.py": "fleet/report/test_page.py",
    "fleet/report/story.py": "fleet/report/test_page.py",
    "fleet/measures.py": "fleet/test_objectives.py",  # by what is wanted of them
    "fleet/loop.py": "fleet/test_run.py",  # by the runs on it
    "fleet/machine.py": "fleet/test_run.py",  # by the results that have it
    "fleet/plan.py": "fleet/test_run.py",
    "fleet/polling.py": "fleet/test_device.py",  # by what a device does
    "fleet/process.py": "fleet/test_run.py",  # by a run in several
    "fleet/record.py": "fleet/test_run.py",  # by the results of runs
    "fleet/refreshing.py": "fleet/test_device.py",  # by what a device does
    "fleet/requests.py": "fleet/test_device.py",  # by what a device sends
    "fleet/share.py": "fleet/test_run.py",
    "fleet/starting.py": "fleet/test_device.py",  # by what a device does
    "fleet/tally.py": "fleet/test_device.py",  # by what is counted
    "fleet/verdict.py": "fleet/test_device.py",  # by the answers that are wrong
    "fleet/ways.py": "cli/test_fleet.py",  # by the options that choose one
    "fleet/world.py": "fleet/test_device.py",  # by what devices do in it
    "middleware.py": "oauth/test_requests.py",  # by the answers, for people in pages/test_errors.py
    "oauth/protected_resource.py": "oauth/test_userinfo.py",  # and by the gateway's tests
    "oauth/routes.py": "oauth/openapi/test_document.py",  # wires; each route is in the document
    "oauth/token/request.py": "oauth/test_resources.py",  # what all grants are asked
    "oauth/token/counts.py": "process/test_metrics.py",  # by the numbers of a server
    "ops/metrics/metric.py": "ops/metrics/test_table.py",  # with all that are declared
    "ops/metrics/responses.py": "process/test_metrics.py",  # by the numbers of a server
    "ops/reloads.py": "test_reload.py",  # by the lines that a worker logs
    "orders.py": "process/test_change.py",  # between processes
    "pages/account/door.py": "pages/account/test_devices.py",  # who comes in, and what is said
    "pages/account/notice_sending.py": "oauth/test_notices.py",  # by what is sent
    "pages/account/facts.py": "pages/account/test_devices.py",  # by what a person reads
    "pages/account/additions.py": "pages/account/test_app.py",  # what it adds and removes
    "pages/ceremonies.py": "pages/sign_in/test_passkey.py",  # and in pages/account/test_passkeys.py
    "pages/account/owner.py": "pages/account/test_app.py",  # whom it lets change something
    "pages/account/security.py": "pages/account/test_app.py",  # leads there and back
    "pages/sign_in/arrival.py": "pages/sign_in/test_second.py",  # leads to that page
    "pages/sign_in/failures.py": "pages/test_audit_events.py",  # by what it records
    "pages/sign_in/half_way.py": "pages/sign_in/test_second.py",  # the state between the steps
    "pages/authorize.py": "oauth/test_authorize.py",  # for machines and for people
    "pages/device/claim.py": "pages/device/test_confirm.py",  # leads to that page
    "pages/device/code_form.py": "pages/device/test_enter.py",  # a part of that page
    "pages/device/submission.py": "pages/device/test_enter.py",  # what a person sends there
    "pages/password_check.py": "pages/sign_in/test_password.py",  # by how sign-ins end
    "pages/device/proofs.py": "pages/device/test_proof.py",  # by what a browser sends
    "pages/render.py": "pages/test_headers.py",  # by the headers and templates of all pages
    "pages/routes.py": "pages/test_headers.py",  # wires; every page is looked at
    "pages/shared.py": "pages/test_headers.py",  # as above
    "pages/account/routes.py": "pages/test_headers.py",
    "pages/device/routes.py": "pages/test_headers.py",
    "pages/sign_in/routes.py": "pages/test_headers.py",
    "parts.py": "test_reload.py",  # in a worker, as it reads what changes
    "sampling.py": "process/test_metrics.py",  # by the states of a server
    "start.py": "test_reload.py",  # in a worker
    "signing/dpop.py": "oauth/test_dpop_proofs.py",  # by the proofs that the server takes
    "signing/verification.py": "signing/test_provider_tokens.py",  # and in the others there
    "store/accounts.py": "store/test_users.py",  # by the users that have them
    "store/device_index.py": "store/test_devices.py",  # by what is listed of it
    "store/grant_records.py": "store/test_grants.py",  # by the grants that have them
    "store/decision_log.py": "store/test_grants.py",  # with the decisions, and test_feed.py
    "store/rights.py": "store/test_causes.py",  # by the rights that are missing
    "store/shapes/__init__.py": "store/test_shapes.py",  # and `make shapes`
    "store/shapes/server.py": "store/test_shapes.py",
    "store/shapes/shape.py": "store/test_shapes.py",
    "store/subscriber.py": "store/test_announcements.py",  # by what is heard, and test_feed.py
    "store/scripts/devices.py": "store/test_scripts.py",  # and where what they do is tested
    "store/scripts/fields.py": "store/test_scripts.py",  # and where what it does is tested
    "store/scripts/families.py": "store/test_scripts.py",  # and where what they do is tested
    "store/scripts/grants.py": "store/test_grants_machine.py",  # what is rendered is run
    "store/scripts/installation.py": "store/test_scripts.py",  # and where what they do is tested
    "store/scripts/limits.py": "store/test_scripts.py",  # and where what they do is tested
    "store/scripts/transfer.py": "store/test_scripts.py",  # and where what they do is tested
    "store/scripts/values.py": "store/test_scripts.py",  # and where what they do is tested
    "store/scripts/lua.py": "store/test_scripts.py",  # the scripts as they are run
    "supervisor/auditing.py": "process/test_audit.py",  # in the file
    "supervisor/changes.py": "process/test_change.py",  # in processes
    "supervisor/handover.py": "process/test_change.py",  # from one program to the next
    "supervisor/pace_process.py": "process/test_hosts.py",  # in processes
    "store/opening.py": "cli/test_store_access.py",  # by the stores that commands reach
    "supervisor/premises.py": "process/test_restart.py",  # in processes
    "supervisor/server.py": "process/test_restart.py",  # in processes
    "supervisor/shared_memory.py": "process/test_change.py",  # by the pace that is kept
    "supervisor/signals.py": "process/test_restart.py",  # in processes
    "supervisor/sockets.py": "process/test_start.py",  # by the ports that it refuses
    "supervisor/trial.py": "process/test_change.py",  # by the upgrades that it refuses
    "supervisor/watchdog.py": "process/test_change.py",  # by a worker that stands still
    "supervisor/workers.py": "process/test_restart.py",  # in processes
    "worker.py": "process/test_restart.py",  # in processes
}
"""Modules that are tested by what they do together, and the file that does it."""


def modules() -> set[str]:
    """Every module with something in it, as a path below the package."""
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py" or defines(path)
    }


def defines(path: Path) -> bool:
    """Whether a module has a function or a class of its own."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in body)


def own_test(module: str) -> Path:
    path = TESTS / module
    return path.with_name(f"test_{path.name}")


def test_every_module_has_tests() -> None:
    unlisted = modules() - STILL - BY_FEATURE.keys()
    assert {module for module in unlisted if not own_test(module).is_file()} == set()


def test_the_list_is_true() -> None:
    """The lists have no module that is gone, and none that has its own test file by now."""
    listed = STILL | BY_FEATURE.keys()
    assert listed - modules() == set(), "gone"
    assert {module for module in listed if own_test(module).is_file()} == set(), "own test file"
    assert {file for file in BY_FEATURE.values() if not (TESTS / file).is_file()} == set()
    assert STILL & BY_FEATURE.keys() == set()


def test_a_file_is_short_enough_to_read() -> None:
    """A file that grows longer holds two things: give the second a file of its own."""
    lengths = {
        module: len((PACKAGE / module).read_text(encoding="utf-8").splitlines())
        for module in modules()
    }
    long = {module for module, lines in lengths.items() if lines > MOST_LINES}
    assert long - TABLES == set()
    assert TABLES - long == set(), "it needs no exception any more"


def test_the_files_that_the_code_names_exist() -> None:
    """A path in a comment or a docstring begins at the repository, or at a folder of its file."""
    path = re.compile(r"(?<![\w/.])(?:[a-z_]+/)+[a-z_]+\.(?:py|lua|md)\b")
    gone = {
        (module, named)
        for module in modules()
        for named in path.findall((PACKAGE / module).read_text(encoding="utf-8"))
        if not any((folder / named).is_file() for folder in (PACKAGE / module).parents)
    }
    assert gone == set()


def test_the_architecture_names_the_layers_in_their_order() -> None:
    settings = tomllib.loads((TESTS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each["name"] == "Imports point inwards"]
    page = (TESTS.parent / "docs/architecture.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| Imports point inwards:")]
    names = [name for layer in layers for name in re.findall(r"\w+", layer)]
    assert ["__main__", *re.findall(r"`(\w+)`", row)] == names


def members() -> set[str]:
    """The methods of the package and what they set on `self`, as `Class.name`."""
    found = set()
    for module in modules():
        for each in ast.parse((PACKAGE / module).read_text(encoding="utf-8")).body:
            if isinstance(each, ast.ClassDef):
                found |= {f"{each.name}.{member}" for member in map(member_of, ast.walk(each))}
    return found


def member_of(node: ast.AST) -> str | None:
    """The name that a function or an assignment gives to a class."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
            return name
    return None


def test_the_members_that_the_architecture_names_exist() -> None:
    page = (TESTS.parent / "docs/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z]\w+\.[a-z_]+)`", page))
    assert named
    assert named - members() == set()


def imports(module: Path) -> set[str]:
    """The modules of the package that a module names in its imports."""
    nodes = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    return {node.module for node in froms if node.module and node.module.startswith("deviceflow.")}


def test_a_pending_poll_stands_on_the_core_the_mirror_and_the_answers() -> None:
    imported = set().union(*map(imports, (PACKAGE / "oauth/poll").glob("*.py")))
    outside = {
        name
        for name in imported
        if not name.startswith(("deviceflow.core.", "deviceflow.oauth.poll."))
    }
    assert outside == {"deviceflow.oauth.answers", "deviceflow.store.mirror"}
