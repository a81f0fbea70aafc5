"""One HTML page, complete in itself, to publish: no script, nothing from elsewhere."""

from html import escape

from deviceflow.conformance.check import Judgement, Result
from deviceflow.conformance.exchange import Exchange
from deviceflow.conformance.report import Run
from deviceflow.conformance.run import counts

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #187a3d; --bad: #b3261e; --warn: #8a5a00;
  --quiet: #666; font: 16px/1.5 system-ui, sans-serif }
@media (prefers-color-scheme: dark) { :root { --good: #6fd08c; --bad: #ff8a80; --warn: #f0b95a;
  --quiet: #aaa } }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border-top: 1px solid var(--line); padding: .4rem .6rem; text-align: start;
  vertical-align: top }
.pass { color: var(--good) } .fail { color: var(--bad); font-weight: 600 }
.warning { color: var(--warn); font-weight: 600 } .quiet { color: var(--quiet) }
pre { overflow-x: auto; font-size: .8rem; margin: .3rem 0 }
summary { cursor: pointer; color: var(--quiet) }
.table { overflow-x: auto }
"""
_CLASSES = {Judgement.PASS: "pass", Judgement.FAIL: "fail", Judgement.WARNING: "warning"}


def as_page(run: Run) -> str:
    """Return the page."""
    name = escape(run.server or run.issuer)
    found = ", ".join(
        f"{number} {judgement.value}" for judgement, number in counts(run.results).items() if number
    )
    verdict, kind = ("passed", "pass") if run.is_passed else ("not passed", "fail")
    groups = dict.fromkeys(result.check.group for result in run.results)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: RFC 8628 conformance</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{name}</h1>
<p>Profile {escape(run.profile)}: <strong class="{kind}">{verdict}</strong> ({found})</p>
<p class="quiet">{escape(run.issuer)}, {run.began:%Y-%m-%d %H:%M} UTC, {run.seconds:.0f} s,
deviceflow {escape(run.version)}</p>
{"".join(_group(group, run.results) for group in groups)}
</body>
</html>
"""


def _group(group: str, results: list[Result]) -> str:
    rows = "".join(_row(result) for result in results if result.check.group == group)
    return f"""<h2>{escape(group.capitalize())}</h2>
<div class="table"><table>
<thead>
<tr><th scope="col">Result</th><th scope="col">Clause</th><th scope="col">Check</th></tr>
</thead>
<tbody>{rows}</tbody>
</table></div>
"""


def _row(result: Result) -> str:
    check = result.check
    kind = _CLASSES.get(result.judgement, "quiet")
    exchanges = "".join(_exchange(each) for each in result.exchanges)
    details = f"<details><summary>Exchanges</summary>{exchanges}</details>" if exchanges else ""
    return f"""<tr id="{escape(check.id)}"><td class="{kind}">{result.judgement.value}</td>
<td>{escape(check.clause)}<br><span class="quiet">{check.level.value}</span></td>
<td>{escape(check.title)}<br><span class="quiet">{escape(result.reason)}</span>{details}</td></tr>
"""


def _exchange(exchange: Exchange) -> str:
    sent = "\n".join(f"  {name} = {value}" for name, value in exchange.sent)
    request = f"{exchange.method} {exchange.url}\n{sent}".rstrip()
    return f"<pre>{escape(request)}\n{exchange.status} {escape(exchange.body)}</pre>"
