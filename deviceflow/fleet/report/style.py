"""The style sheet of the pages: one for telephones and wide screens, light and dark, and print.

The colours of the series have a contrast of 3:1 or more with the ground (WCAG 2.2, 1.4.11).
"""

SHEET = """
:root { color-scheme: light dark; --ground: #f3f4f8; --surface: #fff; --line: #dcdfe8;
  --ink: #181b24; --quiet: #596072; --good: #13754a; --good-ground: #e5f5ec; --bad: #a8231b;
  --bad-ground: #fdecea; --warn: #6d4700; --warn-ground: #fdf3dc;
  --c0: #2f63d6; --c1: #a66300; --c2: #12805a; --c3: #7a4fc0; --c4: #727a8c; --c5: #c8501e;
  --c6: #b3123f;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif }
@media (prefers-color-scheme: dark) { :root { --ground: #0e1015; --surface: #181b22;
  --line: #2d323e; --ink: #eceef4; --quiet: #a6adbf; --good: #74d6a4; --good-ground: #12291f;
  --bad: #ffaba3; --bad-ground: #331614; --warn: #f2d08a; --warn-ground: #2a2110;
  --c0: #7ba4ff; --c1: #e5ab4e; --c2: #5fcf9c; --c3: #b99cf5; --c4: #98a0b4; --c5: #ff9364;
  --c6: #ff7096 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: anywhere }
main { max-width: 72rem; margin: 0 auto;
  padding: clamp(1rem, 4vw, 2.5rem) clamp(.75rem, 4vw, 2rem) }
h1 { font-size: clamp(1.3rem, 5vw, 1.9rem); line-height: 1.2; margin: 0; letter-spacing: -.01em;
  text-wrap: balance }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem } h3 { font-size: 1rem; margin: 0 }
p { margin: .35rem 0; max-width: 46rem; text-wrap: pretty } .quiet { color: var(--quiet) }
small, .small { font-size: .85rem }
.card { background: var(--surface); border: 1px solid var(--line); border-radius: .9rem;
  padding: clamp(.75rem, 3vw, 1.25rem) }
.verdict { display: flex; gap: .75rem; align-items: baseline; margin: 1.25rem 0 0;
  padding: .8rem 1rem; border-radius: .9rem; font-weight: 600; max-width: none }
.good { color: var(--good) } .bad { color: var(--bad) } .warn { color: var(--warn) }
.verdict.good { background: var(--good-ground) } .verdict.bad { background: var(--bad-ground) }
.verdict.warn { background: var(--warn-ground) }
.notes { margin: 1rem 0 0; padding: .8rem 1rem .8rem 2.2rem; border-radius: .9rem;
  background: var(--warn-ground); color: var(--warn) }
.facts { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fit, minmax(min(11rem, 45%), 1fr));
  margin: 1rem 0 0 }
.facts div { background: var(--surface); border: 1px solid var(--line); border-radius: .9rem;
  padding: .7rem .9rem }
dt { color: var(--quiet); font-size: .85rem } dd { margin: 0 }
.facts dd { font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums;
  line-height: 1.3 }
.about { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.25rem; margin: 0 }
@media (max-width: 34rem) { .about { grid-template-columns: 1fr; gap: 0 } .about dd { margin-bottom:
  .5rem } }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr));
  gap: 1rem }
figure { margin: 0; min-width: 0 } figcaption p { font-size: .85rem; color: var(--quiet) }
.plot { padding: 1.4rem .75rem 1.75rem 4.25rem }
.chart { display: block; overflow: visible }
.chart text { font-size: 12px; fill: var(--quiet); font-variant-numeric: tabular-nums }
.chart .up { text-anchor: end } .chart .across { text-anchor: middle }
.chart .left { text-anchor: end }
.chart text.mark { fill: var(--ink); stroke: var(--surface); stroke-width: 5px;
  stroke-linejoin: round; paint-order: stroke }
.grid { stroke: var(--line); stroke-width: 1 }
line.mark { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 3 }
path.line { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round;
  vector-effect: non-scaling-stroke }
path.line.c1 { stroke-dasharray: 7 4 } path.line.c4 { stroke-dasharray: 2 4 }
rect.mark { fill: var(--ink); fill-opacity: .08 }
path.area { fill-opacity: .8 }
.line.c0 { stroke: var(--c0) } .line.c1 { stroke: var(--c1) } .line.c2 { stroke: var(--c2) }
.line.c3 { stroke: var(--c3) } .line.c4 { stroke: var(--c4) } .line.c5 { stroke: var(--c5) }
.line.c6 { stroke: var(--c6) }
.area.c0 { fill: var(--c0) } .area.c1 { fill: var(--c1) } .area.c2 { fill: var(--c2) }
.area.c3 { fill: var(--c3) } .area.c4 { fill: var(--c4) } .area.c5 { fill: var(--c5) }
.area.c6 { fill: var(--c6) }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; list-style: none; margin: 0 0 .25rem;
  padding: 0; font-size: .85rem }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem;
  margin-inline-end: .4rem; vertical-align: -.1em }
i.c0 { background: var(--c0) } i.c1 { background: var(--c1) } i.c2 { background: var(--c2) }
i.c3 { background: var(--c3) } i.c4 { background: var(--c4) } i.c5 { background: var(--c5) }
i.c6 { background: var(--c6) }
.table { overflow-x: auto } .table:focus-visible, summary:focus-visible { outline: 2px solid
  var(--c0); outline-offset: 2px }
table { border-collapse: collapse; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums }
caption { text-align: start; color: var(--quiet); padding-bottom: .4rem }
th, td { border-top: 1px solid var(--line); padding: .4rem .6rem; text-align: start;
  vertical-align: top; overflow-wrap: break-word }
th p, td p { margin: .1rem 0 0; font-weight: 400; color: var(--quiet); font-size: .85rem }
thead th { border-top: 0; font-weight: 500; color: var(--quiet); font-size: .85rem }
tbody th { font-weight: 500 } td.n, th.n { text-align: end; white-space: nowrap }
tr:hover > * { background: color-mix(in srgb, var(--line) 25%, transparent) }
details { margin-top: .5rem; font-size: .85rem } summary { cursor: pointer; color: var(--quiet) }
details .table { max-height: 22rem; overflow: auto; margin-top: .5rem }
ul.plain { margin: 0; padding-inline-start: 1.2rem }
@media print { body { background: #fff } .card { break-inside: avoid } }
"""
