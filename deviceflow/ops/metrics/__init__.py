"""The numbers of a host, for Prometheus and for `deviceflow top`.

Contract: `table` declares every metric once. `memory` is what the workers of a host share: one
row of counts for each worker, which its next worker goes on with. `recorder` counts, in one
worker. `sampler` measures what is a state and no event. `page` reads all rows and answers
GET /metrics. `snapshots` reads such pages back, for `deviceflow top`. Nothing here imports another
room.
"""
