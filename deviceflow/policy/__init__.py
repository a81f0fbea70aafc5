"""How often something may be tried: the rules as data (`rules`), and how a try is counted.

`admission` is about starts of grants, which are no tries and have limits of their own.

Contract: a try is counted before it is judged, so that a thousand tries at once are no way
around a rule, and taken back if it was no guess. Rules are asked from the most general to the
most special. The first refusal ends it: a refused try counts nowhere. The rooms decide what a
try is and in which words it is refused. All counts are in the store, for all servers together.
"""
