//! Longer help: what figures mean, and examples.

pub(super) const MAIN: &str = "\
What the figures mean
  committed   private writable anonymous memory: what /proc/PID/smaps shows as rw-p without a
              file, [heap] and [stack] included. By process and container it is exact.
  allocated   committed bytes demanded since observation began (or --since).
  freed       of these, bytes given back: munmap, brk, madvise, exit.
  live        what is still there.
  A stack names who demanded memory when the allocator's free lists ran dry (tier C: demand, not
  retention). It is evidence of where growth comes from, not of who keeps the memory. By stack
  and function figures are estimates from sampled captures, weighted to be unbiased.
  Each answer ends with its accounting: what was seen, what was lost and why, and the share that
  no stack owns.

Examples
  profiler status                        is the agent well, what does it cost, what did it lose
  profiler targets --container 3f2a91    the processes of a container
  profiler top --process node            who demanded node's memory
  profiler diff --from 30m               what grew in the last half hour
  profiler flame --pid 4711 -o mem.svg   the same as a picture
  profiler watch                         live

Exit codes
  0  fine
  1  a check failed
  2  a check could not decide
  3  an error: usage, endpoint, a refused request";

pub(super) const STATUS: &str = "\
Shows how each capability is served on this kernel, what the agent costs, how far back its
history goes, and its accounting since it started.

Examples
  profiler status
  profiler --endpoint unix:/run/profiler/agent.sock status --format json";

pub(super) const TARGETS: &str = "\
COMMITTED is exact, by the ledger; RELEASED is the part given back with madvise. A state other
than `observed` says what is not known: `stale` (events were lost, the ledger is being rebuilt),
`counting` (it storms; only its operations are counted), `unsupported` (32-bit), `exited`.

Examples
  profiler targets
  profiler targets --container host --limit 0
  profiler targets --process 'redis*' --exited";

pub(super) const TOP: &str = "\
By stack each block is one call stack of one process, leaf first. `[inlined]` marks a function
that was inlined into the one below it; a frame without a name shows its module, offset and build
id; `[stack truncated]` marks where a stack could not be followed further. Age is that of the
oldest and the newest memory that is still live.
By function, LIVE counts every stack in which the function occurs, SELF those that it is the leaf
of.

Examples
  profiler top
  profiler top --by process --limit 5
  profiler top --process node --order allocated --since 10m
  profiler top --pid 4711 --at 14:05 --frames 40
  profiler top --format folded > stacks.folded
  profiler top --format json | jq '.rows[0].frames[].function'";

pub(super) const DIFF: &str = "\
Both moments must lie within the history; the answer stands for the kept snapshots nearest to
them. GROWTH is what is live at the end less what was live at the start.

Examples
  profiler diff --from 30m
  profiler diff --from 14:00 --to 14:30 --by container
  profiler diff --from 1h --process node --limit 5";

pub(super) const FLAME: &str = "\
Width is bytes by stack (estimates); the root is the process. With --from the graph is
differential: width is the second moment, red grew, blue shrank; what is gone by then has no
width. Folded stacks are one line each, root first, frames apart by `;` (a `;` in a name becomes
`:`).

Examples
  profiler flame -o mem.svg
  profiler flame --pid 4711 --value allocated --since 10m -o mem.svg
  profiler flame --from 1h --to 5m -o diff.svg
  profiler flame --folded | sort -k2";

pub(super) const WATCH: &str = "\
Keys: q quit, b group by, o order, up/down select, Enter stacks of the row, / filter by name,
? help. When the output is no terminal, one block of lines is printed each interval.

Examples
  profiler watch
  profiler watch --by container --interval 5s
  profiler watch --duration 30s | tee growth.log";

pub(super) const EXPORT: &str = "\
Sample types of a pprof profile are `committed_live/bytes`, `committed_allocated/bytes` and
`events/count`: page demand, not heap in use. Each sample carries its pid, process and container.

Examples
  profiler export -o mem.pb.gz && go tool pprof -http=: mem.pb.gz
  profiler export --process node --format folded -o node.folded
  profiler export --format json | jq .accounting";

pub(super) const RANGES: &str = "\
Compares with /proc/PID/smaps: the sum of committed ranges is the sum of private writable
anonymous mappings.

Examples
  profiler ranges --pid 4711
  profiler ranges --pid 4711 --with-frames --format json";

pub(super) const COMPLETIONS: &str = "\
Examples
  profiler completions bash > /etc/bash_completion.d/profiler
  source <(profiler completions zsh)";
