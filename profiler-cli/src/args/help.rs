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
  profiler connections --port 8080       does memory stay while a socket is open, or after it closed
  profiler series --workload cart        one container's life over its restarts
  profiler nodes                         which nodes a collector hears of
  profiler verdict                       is it leaking, and when does it run out of memory
  profiler soak --target pid:4711 --duration 1h --max-growth 5MiB/h     gate for a load test
  profiler canary --baseline pod=shop/cart-1 --canary pod=shop/cart-2   is the new one worse
  profiler watch                         live

Which processes
  Selection flags narrow each other; values of one flag are alternatives. Names may be globs.
  profiler top --namespace shop --workload cart --image '*:2.*'
  profiler top --node 'eu-*' --by node
  profiler targets --label app=cart --label tier=front   both labels
  An agent knows its own node, and of pods and images what the container runtime tells it.

Another host
  profiler --endpoint https://collector.example:7751 --tls-ca ca.crt --token-file token top
  profiler --endpoint https://10.0.0.7:7741 --tls-ca ca.crt --tls-cert me.crt --tls-key me.key top
  A server shows its certificate, which --tls-ca or this host's own authorities must have signed.
  You show a certificate or a token, whichever it wants. Each flag has a PROFILER_* variable, such
  as PROFILER_ENDPOINT and PROFILER_TOKEN_FILE. A Unix socket needs none of this.

Exit codes
  0  fine
  1  a check failed
  2  a check could not decide
  3  an error: usage, endpoint, a refused request";

pub(super) const STATUS: &str = "\
Of an agent: how each capability is served on its kernel, what it costs, how far back its history
goes, and its accounting since it started. Of a collector: what its nodes observe together and what
its store holds; `profiler nodes` shows them one by one.

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
  profiler targets --process 'redis*' --exited
  profiler targets --namespace shop --at 14:05
  profiler targets --limit 100 --page TOKEN   the next page, as the page before names it";

pub(super) const NODES: &str = "\
A node is silent when its last batch is older than three of its intervals, and than a minute:
answers about now leave it out. MISSING counts batches that never came: they are still in the spool
of the agent, or were dropped there. LOST is what the agent itself lost since it started. An agent
answers for its own node.

Examples
  profiler nodes
  profiler nodes --label zone=eu-1
  profiler nodes --workload cart           nodes that run it
  profiler nodes --format json | jq '.nodes[] | select(.state == \"NODE_STATE_SILENT\").node'";

pub(super) const SERIES: &str = "\
A row is one life: a container that is restarted over and over has a row for each time it ran, and
the lines stand on one axis of time, so that they are seen one after the other. PER HOUR is the
slope of the straight line through all points of live bytes. LIVE and COMMITTED are of the last
point: now, or when it ended. Each line goes from nothing to the most that its life had.

Examples
  profiler series --from 6h
  profiler series --workload cart --from 24h    its restarts, and whether each life grew
  profiler series --by process --container 3f2a91
  profiler series --by node --from 7d --points 400 --format json
  profiler diff --from 14:00 --to 15:30 --workload cart   what grew in one life";

pub(super) const TOP: &str = "\
By stack each block is one call stack of one process, leaf first. `[inlined]` marks a function
that was inlined into the one below it; a frame without a name shows its module, offset and build
id; `[stack truncated]` marks where a stack could not be followed further. Age is that of the
oldest and the newest memory that is still live.
By function, LIVE counts every stack in which the function occurs, SELF those that it is the leaf
of.
By connection a row is a connection that a thread served when it demanded memory. Growth on behalf
of none has rows too: (no connection), (helper threads) of the runtime, (io_uring), (folded), (peer
…) for connections that are over and hold nothing, and (no event).

By node a row is a node. Where an answer is of several nodes its rows name theirs.

Examples
  profiler top
  profiler top --by process --limit 5
  profiler top --process node --order allocated --since 10m
  profiler top --pid 4711 --at 14:05 --frames 40
  profiler top --process node --by connection
  profiler top --connection 8193             the stacks of one connection
  profiler top --by node
  profiler top --namespace shop --image '*/cart:*' --by container
  profiler top --limit 100 --page TOKEN     the next page, as the page before names it
  profiler top --format folded > stacks.folded
  profiler top --format json | jq '.rows[0].frames[].function'";

pub(super) const DIFF: &str = "\
Both moments must lie within the history; the answer stands for the kept snapshots nearest to
them. GROWTH is what is live at the end less what was live at the start.

With --against two targets are compared: what the selection has at --to with what the other target
has at --from, or at the same moment. Rows are stacks or functions, matched by the functions of
their stacks, whatever process, build or node they are of. MORE is what the selection has more; the
other figures are the selection's. --against takes KEY=VALUE in the words of the selection flags
(pod, container, process, node, image, label …).

Two pods, and two versions
  profiler diff --pod shop/cart-1 --against pod=shop/cart-2
  profiler diff --image '*/cart:2.0' --against 'image=*/cart:1.9,namespace=shop' --by function

Examples
  profiler diff --from 30m
  profiler diff --from 14:00 --to 14:30 --by container
  profiler diff --from 1h --process node --limit 5
  profiler diff --from 10m --by connection";

pub(super) const FLAME: &str = "\
Width is bytes by stack (estimates); the root is the process. With --from the graph is
differential: width is the second moment, red grew, blue shrank; what is gone by then has no
width. Folded stacks are one line each, root first, frames apart by `;` (a `;` in a name becomes
`:`).
With --against it is differential too: width is the selection, red is what it has more than the
other target, blue what it has less; the root stands for the processes of both.
By connection the root is the connection, over the process. Each of the 64 largest (now) costs a
request; everything else stands under one root.

Examples
  profiler flame -o mem.svg
  profiler flame --pid 4711 --value allocated --since 10m -o mem.svg
  profiler flame --from 1h --to 5m -o diff.svg
  profiler flame --pod shop/cart-1 --against pod=shop/cart-2 -o two-pods.svg
  profiler flame --image '*:2.0' --against 'image=*:1.9' -o two-versions.svg
  profiler flame --connection 8193 -o one.svg
  profiler flame --process node --by connection -o by-connection.svg
  profiler flame --folded | sort -k2";

pub(super) const CONNECTIONS: &str = "\
A thread serves the socket that it received from last, until it waits for events again. Memory that
it demands meanwhile is demanded for that connection. Bytes are exact.

The answer has three parts.
  Classes      Connections of one process that are alike, and what becomes of their memory:
                 retained while the socket is open   rises with calls, is released at close
                 bounded per connection              rises to a high-water mark, is released
                 retained after close                rises to a high-water mark, stays
                 per request                         rises with calls, whatever the connection
                 no growth, undetermined             the reason says what is missing
               Release is judged 30 s after close, by committed bytes that were given back or,
               where the allocator keeps them, by whether connections that came later had to grow
               the process again (refill).
  Connections  PER CALL is the slope of live bytes over receiving calls, CALLS those calls, AGE how
               long it was open (`>`: it was there before the agent). A row with a number of
               connections stands for those to one peer that are over and hold nothing. Columns
               give way where the terminal is narrow; --no-truncate shows all.
  Join         How much of each container's growth could be joined to a connection at all.

Filters narrow the connections, not the classes and the join. No payload is kept: the protocol is
what the first bytes told.

Examples
  profiler connections --process node
  profiler connections --port 8080 --state open --sort slope
  profiler connections --peer 10.0.0.0/8 --role server --growing
  profiler connections --fold role,port,protocol
  profiler connections --cookie 8193 --points
  profiler top --connection 8193             which code demanded it
  profiler connections --format json | jq '.classes[] | {endpoint, pattern, reason}'";

pub(super) const VERDICT: &str = "\
Each container and unit is judged by its own counters: anonymous memory with what of it is swapped
out. Processes that are in neither are judged one by one (--all). States, the worst first:
  restart-masked-leak  each of its lives grows until it is ended
  sawtooth-leak        it falls again and again, but less far each time
  leaking              it grows without an end in sight, and its load does not explain it
  growing              it grows; whether that ends is not known yet, or it follows its load
  undetermined         neither growth nor its absence was shown
  warming-up           too young to be judged
  steady               shown not to grow by more than a small share of its limit a day
PER HOUR is the slope of the line through the floors (smallest readings of windows), what follows
load included, with its band of 99%; ∞ is an end that too few floors bound. TO LIMIT is the time until
the limit is reached if it goes on like this, with a band of 90%: calibrated on simulated series, of
which it holds nine of ten; real programs may differ.
One alone, or --full, is shown with each gate (figure, threshold, outcome), the evidence with its
tier, what is not excluded, how the kernel's figure adds up, and its lives.

Exit codes: 0. With --check: 0 all that were chosen are steady, 1 one of them leaks, 2 none does but
that is not known of all (growing, undetermined, warming-up, nothing was chosen, nodes are silent or
unreadable, more than 1,000 were chosen), 3 an error. --limit is of what is shown: all are checked.
A reader that goes, as `head` does, changes none of these codes.

Examples
  profiler verdict
  profiler verdict --container 3f2a91        in full
  profiler verdict --all --state leaking,growing
  profiler verdict --workload cart --check
  profiler verdict --watch --format json     a line a change
  profiler verdict --oom --from 1d           who was killed, and what grew before
  profiler verdict --format json | jq '.verdicts[] | {state, slopeBytesPerHour}'";

pub(super) const SOAK: &str = "\
Reads anonymous memory with swap of each target at every interval and judges it as `profiler verdict`
does, but with windows of a 240th of the duration (1s to 60s; longer where readings come more
rarely), so that a test of an hour is judged as strictly as a day. Start it with the load.

What decides
  fail       it leaks (leaking, sawtooth-leak) or, with --max-growth, the lower end of the band of
             its slope is above that; the kernel killed it for want of memory; it was restarted, in
             place too, or one like it (workload, unit or name) came after it had ended
  pass       it was shown to be steady or, with --max-growth, the upper end is below that
  undecided  neither was shown; with --max-growth, there are too few floors for a band; readings are
             missing over more than a quarter of the judged time, or at the end; the target went
             away; it was interrupted (Ctrl-C, SIGTERM, SIGHUP: the report is of what there is)
It ends early only when more time would not change the answer: a failure that two passes in a row
agree on, after a quarter of the duration; a kill or restart; nothing left to be watched. A pass is
said at the end alone. A target is gone when it was away for a minute (longer where readings come
more rarely than every 20s). With several targets the worst decides. An endpoint that goes away is tried
again at each interval; the gap is told.
A report that is there from a run before is taken away at the start, and this run's is put there whole
at the end: after an error there is none. `-` is the standard output.

Keys of the JSON report: outcome (pass, fail, undecided), passed (true, false, null), exit_code, state,
reason, target, target_outcome, readings, slope_bytes_per_hour, slope_lower_bytes_per_hour,
slope_upper_bytes_per_hour, floor_bytes, last_bytes, limit_bytes, max_growth_bytes_per_hour,
bytes_per_request, gap_seconds, gates[] (name, outcome, figure, threshold, unit, meaning),
not_excluded[], points[] (seconds, min_bytes, max_bytes, limit_bytes): those of the target that
decided; targets[] has the same for each; started, duration_seconds, asked_seconds, warmup_seconds,
interval_seconds, ended_by (duration, certain, interrupt), notes[] (seconds, text).

Exit codes: 0 pass, 1 fail, 2 undecided, 3 an error.

Examples
  profiler soak --target container:3f2a91 --duration 24h --report soak.html
  profiler soak --target pid:4711 --duration 30m --max-growth 5MiB/h
  profiler soak --target process:node --duration 2h --max-growth 2%/h --report-json soak.json
  profiler soak --workload cart --namespace test --duration 8h --format json | jq .reason";

pub(super) const CANARY: &str = "\
Holds the slopes of the floors of two versions against each other at equal age of their processes, so
that warming up makes no difference, and once more as if both were called equally often. Each side may
have several lives; their mean counts. Bands of 95% come from a block bootstrap. They stand for the
variation within these lives, not for that between lives.

What decides
  pass          the canary was shown not to grow faster by more than --margin
  fail          it was shown to grow faster by more than that
  inconclusive  neither was shown, or only one of the two comparisons shows it, or one side was
                called and the other was not: give both the same load, or more time
A target that is chosen for both sides is an error.
Ages that only one of them has are left out: start both at the same time, or ask a collector, which
keeps readings longer. A pid in a container stands for its container.

Keys of the JSON: outcome (pass, fail, inconclusive), reason, figures: ages (from, to), bins,
bin_seconds, baseline and canary (lives, floor_bytes, slope_bytes_per_hour, calls_per_second,
bytes_per_request), slope_difference, slope_difference_at_equal_load, bytes_per_request_ratio,
margin_bytes_per_hour. A band is value, lower, upper; what could not be judged is null.

Exit codes: 0 pass, 1 fail, 2 inconclusive, 3 an error.

Examples
  profiler canary --baseline pod=shop/cart-1 --canary pod=shop/cart-2
  profiler canary --baseline 'image=*/cart:1.9' --canary 'image=*/cart:2.0' --min-age 30m
  profiler canary --baseline container=3f2a91 --canary container=77b012 --margin 1MiB/h
  profiler canary --baseline node=n1,workload=cart --canary node=n2,workload=cart --format json";

pub(super) const WATCH: &str = "\
Keys: q quit, b group by, o order, up/down select, Enter stacks of the row, / filter by name,
? help. When the output is no terminal, one block of lines is printed each interval.

Examples
  profiler watch
  profiler watch --by container --interval 5s
  profiler watch --by connection --process node
  profiler watch --by node
  profiler watch --duration 30s | tee growth.log";

pub(super) const EXPORT: &str = "\
Sample types of a pprof profile are `committed_live/bytes`, `committed_allocated/bytes` and
`events/count`: page demand, not heap in use. Each sample carries its pid, process and container.
With --connection-labels samples carry `connection` (the cookie), `peer` and `role` too. That
raises cardinality: a sample for each stack and connection. Each of the 64 largest connections
(by live bytes, now) costs a request; what none of them demanded stays without these labels.

Examples
  profiler export -o mem.pb.gz && go tool pprof -http=: mem.pb.gz
  profiler export --process node --format folded -o node.folded
  profiler export --connection 8193 -o one.pb.gz
  profiler export --connection-labels -o mem.pb.gz && go tool pprof -tagroot peer mem.pb.gz
  profiler export --format json | jq .accounting";

pub(super) const RANGES: &str = "\
Compares with /proc/PID/smaps: the sum of committed ranges is the sum of private writable
anonymous mappings. Ranges say for which connection they were demanded, or that it was for none.

Examples
  profiler ranges --pid 4711
  profiler ranges --pid 4711 --with-frames --format json";

pub(super) const COMPLETIONS: &str = "\
Examples
  profiler completions bash > /etc/bash_completion.d/profiler
  source <(profiler completions zsh)";
