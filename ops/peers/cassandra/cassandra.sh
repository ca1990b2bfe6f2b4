#!/usr/bin/env bash
# A real Apache Cassandra 5.0 cluster on loopback, out of Maven jars: no Docker, no tarball. It
# stands in for ScyllaDB in tests: the same CQL protocol, the same rules of write timestamps.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
PEERS_CACHE="${PEERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/plyr-peers}"
CQL_PORT="${CASSANDRA_PORT:-9042}"                       # the same on 127.0.0.1, .2 and .3
STORAGE_PORT="${CASSANDRA_STORAGE_PORT:-$((CQL_PORT + 8000))}"  # between nodes; and the next one
JMX_BASE="${CASSANDRA_JMX_PORT:-$((CQL_PORT + 16000))}"  # node i listens on base + i, 127.0.0.1
HEAP="${CASSANDRA_HEAP:-256m}"                           # 192m still works
RUN="${CASSANDRA_RUN:-$PEERS_CACHE/cassandra-run/$CQL_PORT}"  # data, logs and pid files
WAIT="${CASSANDRA_WAIT:-180}"                            # seconds that a start may take
JAVA="${JAVA_HOME:+$JAVA_HOME/bin/}java"

sum=sha256sum
command -v sha256sum >/dev/null || sum="shasum -a 256"
LIB="$PEERS_CACHE/cassandra-$($sum "$here/pom.xml" | cut -c1-12)"

say() { printf '%s\n' "cassandra: $*" >&2; }
die() { say "$*"; exit 1; }
usage() {
  sed -n '/^# usage:/,/^# end/p' "${BASH_SOURCE[0]}" | sed '1d;$d;s/^# \{0,1\}//' >&2
  exit 2
}

# usage:
#   cassandra.sh install           fetch the jars once (cached by the hash of pom.xml)
#   cassandra.sh run [N]           start N nodes with no data, print the contact points when they
#                                  answer, and end and wipe them when standard input closes
#   cassandra.sh up [N] [--fresh]  start N nodes (1 or 3, default 1); --fresh throws old data away
#   cassandra.sh down              stop every node of this cluster, keep its data
#   cassandra.sh wipe              down, then delete data and logs
#   cassandra.sh kill NODE         kill -9 one node (1, 2 or 3)
#   cassandra.sh stop NODE         stop one node in good order (drain, then SIGTERM)
#   cassandra.sh pause|resume NODE SIGSTOP / SIGCONT: a node that hangs without closing its sockets
#   cassandra.sh start NODE        start a node that is down, wait until it answers
#   cassandra.sh status            pid, RSS and CQL state of each node
#   cassandra.sh nodetool NODE ... nodetool against one node (flush, compact, repair, status ...)
#   cassandra.sh contact           contact points, comma separated, for a test's environment
# end

install() {
  if [ -f "$LIB/.ok" ]; then return 0; fi
  command -v mvn >/dev/null || die "Maven (mvn) is needed to install"
  mkdir -p "$(dirname "$LIB")"
  exec 9>"$LIB.lock"
  if command -v flock >/dev/null; then flock 9; fi            # two test runs may install at once
  if [ -f "$LIB/.ok" ]; then exec 9>&-; return 0; fi
  local tmp="$LIB.part"
  rm -rf "$tmp"
  say "fetching jars"
  mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$tmp" >&2
  ls "$tmp"/cassandra-all-*.jar >/dev/null || die "cassandra-all was not resolved"
  # natives of other systems are dead weight
  rm -f "$tmp"/*-windows-*.jar
  touch "$tmp/.ok"
  rm -rf "$LIB"
  mv "$tmp" "$LIB"
  exec 9>&-
  say "installed $(basename "$LIB"/cassandra-all-*.jar .jar) in $LIB"
}

dir_of() { printf '%s/node%s' "$RUN" "$1"; }
ip_of() { printf '127.0.0.%s' "$1"; }
nodes() { cat "$RUN/nodes" 2>/dev/null || echo 0; }

need_node() {
  case "${1:-}" in 1|2|3) ;; *) die "which node? 1, 2 or 3" ;; esac
  [ "$1" -le "$(nodes)" ] || die "this cluster has $(nodes) node(s)"
}

# Prints the pid if it is alive and really is our node: a pid may have been reused since.
pid_of() {
  local d p; d="$(dir_of "$1")"
  p="$(cat "$d/pid" 2>/dev/null)" || return 1
  [ -n "$p" ] || return 1
  ps -ww -p "$p" -o args= 2>/dev/null | grep -qF -- "-Dplyr.node=$d " || return 1
  printf '%s' "$p"
}

# Asks a node for its CQL options (an OPTIONS frame) and wants a SUPPORTED frame back.
cql_answers() {
  local reply
  reply="$( { exec 3<>"/dev/tcp/$(ip_of "$1")/$CQL_PORT" || exit 1
      printf '\x04\x00\x00\x00\x05\x00\x00\x00\x00' >&3
      timeout 3 head -c 5 <&3 | od -An -tx1 | tr -d ' \n'; } 2>/dev/null )" || return 1
  [ "$reply" = 8400000006 ]
}

# How many peers this node holds for up: the last word of its log on each of them.
peers_up() {
  local said='/127\.0\.0\.[0-9]+:[0-9]+ is now (UP|DOWN)'
  { grep -oE "$said" "$(dir_of "$1")/system.log" 2>/dev/null || true; } |
    awk '{ last[$1] = $NF } END { n = 0; for (p in last) if (last[p] == "UP") n++; print n }'
}

configure() { # NODE N
  local i="$1" n="$2" d seeds="127.0.0.1" token; d="$(dir_of "$i")"
  mkdir -p "$d/data" "$d/tmp"
  if [ "$n" = 3 ]; then seeds="127.0.0.1,127.0.0.2,127.0.0.3"; fi
  # Fixed tokens: all may start at once with no bootstrap, and each owns a third of the ring.
  case "$i" in
    1) token=-9223372036854775808 ;;
    2) token=-3074457345618258603 ;;
    3) token=3074457345618258602 ;;
  esac
  cat >"$d/cassandra.yaml" <<YAML
cluster_name: plyr-peers-$CQL_PORT
num_tokens: 1
initial_token: "$token"
auto_bootstrap: false
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
dynamic_snitch: false
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "$seeds"
listen_address: $(ip_of "$i")
rpc_address: $(ip_of "$i")
storage_port: $STORAGE_PORT
ssl_storage_port: $((STORAGE_PORT + 1))
native_transport_port: $CQL_PORT
start_native_transport: true
native_transport_max_threads: 32
data_file_directories: ["$d/data/sstables"]
commitlog_directory: $d/data/commitlog
saved_caches_directory: $d/data/saved_caches
hints_directory: $d/data/hints
cdc_raw_directory: $d/data/cdc_raw
# periodic + mmap: an acknowledged write is in the page cache, so it outlives kill -9
commitlog_sync: periodic
commitlog_sync_period: 1000ms
commitlog_segment_size: 16MiB
commitlog_total_space: 256MiB
commitlog_disk_access_mode: mmap
disk_failure_policy: die
commit_failure_policy: die
memtable_allocation_type: heap_buffers
memtable_heap_space: $(( ${HEAP%m} / 4 ))MiB
memtable_offheap_space: 32MiB
memtable_flush_writers: 1
concurrent_reads: 16
concurrent_writes: 32
concurrent_counter_writes: 8
concurrent_compactors: 1
compaction_throughput: 0MiB/s
file_cache_size: 32MiB
networking_cache_size: 32MiB
key_cache_size: 8MiB
counter_cache_size: 2MiB
row_cache_size: 0MiB
column_index_size: 16KiB
hinted_handoff_enabled: true
hints_flush_period: 1000ms
max_hint_window: 1h
auto_snapshot: false
snapshot_before_compaction: false
read_request_timeout: 5000ms
range_request_timeout: 10000ms
write_request_timeout: 5000ms
counter_write_request_timeout: 5000ms
cas_contention_timeout: 2000ms
truncate_request_timeout: 30000ms
request_timeout: 10000ms
phi_convict_threshold: ${CASSANDRA_PHI:-8}
authenticator: AllowAllAuthenticator
authorizer: AllowAllAuthorizer
role_manager: CassandraRoleManager
internode_compression: none
materialized_views_enabled: false
user_defined_functions_enabled: false
cdc_enabled: false
YAML
  cat >"$d/logback.xml" <<'XML'
<configuration scan="false">
  <appender name="FILE" class="ch.qos.logback.core.FileAppender">
    <file>${plyr.node}/system.log</file>
    <append>false</append>
    <encoder><pattern>%-5level %d{HH:mm:ss.SSS} %logger{0} - %msg%n%ex{6}</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="FILE"/></root>
  <logger name="org.apache.cassandra.db.compaction" level="WARN"/>
</configuration>
XML
  echo '<configuration><root level="OFF"/></configuration>' >"$d/logback-tools.xml"
}

JVM_OPENS=(
  -Djdk.attach.allowAttachSelf=true
  --add-exports java.base/jdk.internal.misc=ALL-UNNAMED
  --add-exports java.management.rmi/com.sun.jmx.remote.internal.rmi=ALL-UNNAMED
  --add-exports java.rmi/sun.rmi.registry=ALL-UNNAMED
  --add-exports java.rmi/sun.rmi.server=ALL-UNNAMED
  --add-exports java.sql/java.sql=ALL-UNNAMED
  --add-exports java.base/java.lang.ref=ALL-UNNAMED
  --add-exports jdk.unsupported/sun.misc=ALL-UNNAMED
  --add-exports jdk.attach/sun.tools.attach=ALL-UNNAMED
  --add-opens java.base/java.lang.module=ALL-UNNAMED
  --add-opens java.base/jdk.internal.loader=ALL-UNNAMED
  --add-opens java.base/jdk.internal.ref=ALL-UNNAMED
  --add-opens java.base/jdk.internal.reflect=ALL-UNNAMED
  --add-opens java.base/jdk.internal.math=ALL-UNNAMED
  --add-opens java.base/jdk.internal.module=ALL-UNNAMED
  --add-opens java.base/jdk.internal.util.jar=ALL-UNNAMED
  --add-opens jdk.management/com.sun.management.internal=ALL-UNNAMED
  --add-opens java.base/sun.nio.ch=ALL-UNNAMED
  --add-opens java.base/java.io=ALL-UNNAMED
  --add-opens java.base/java.lang.reflect=ALL-UNNAMED
  --add-opens java.base/java.lang=ALL-UNNAMED
  --add-opens java.base/java.util=ALL-UNNAMED
  --add-opens java.base/java.nio=ALL-UNNAMED
)

launch() { # NODE
  local i="$1" d; d="$(dir_of "$i")"
  if pid_of "$i" >/dev/null; then say "node $i runs already"; return 0; fi
  : >"$d/system.log"
  # A process group of its own: a Ctrl-C or a timeout that ends the test must not reach the nodes.
  local detach=""; if command -v setsid >/dev/null; then detach=setsid; fi
  # shellcheck disable=SC2086  # CASSANDRA_JVM_EXTRA is a list of flags
  ( cd "$d" && exec $detach nohup "$JAVA" \
    -Dplyr.node="$d" \
    -Xms"$HEAP" -Xmx"$HEAP" -Xss256k -XX:MaxDirectMemorySize=128m -XX:MaxMetaspaceSize=160m \
    -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError \
    -XX:+PerfDisableSharedMem \
    -javaagent:"$(ls "$LIB"/jamm-*.jar)" \
    "${JVM_OPENS[@]}" \
    -Dio.netty.tryReflectionSetAccessible=true -Dio.netty.allocator.maxOrder=9 \
    -Dcassandra.config="file://$d/cassandra.yaml" -Dcassandra.storagedir="$d/data" \
    -Dlogback.configurationFile="$d/logback.xml" -Djava.io.tmpdir="$d/tmp" \
    -Dcassandra.jmx.local.port=$((JMX_BASE + i)) -Djava.rmi.server.hostname=127.0.0.1 \
    -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=500 \
    -Dcassandra.consistent.rangemovement=false -Dcassandra.available_processors=2 \
    -Dcassandra.schema_pull_interval_ms=5000 -Dcassandra.migration_delay_ms=5000 \
    -Dcassandra.triggers_dir="$d/tmp" -Dcassandra-foreground=yes \
    ${CASSANDRA_JVM_EXTRA:-} \
    -cp "$LIB/*" org.apache.cassandra.service.CassandraDaemon
  ) >"$d/stdout.log" 2>&1 </dev/null 9>&- &
  echo $! >"$d/pid"
  disown
}

await() { # NODE N DEADLINE : CQL answers and, with 3 nodes, the living peers are seen as up
  local i="$1" want="$2" deadline="$3"
  until cql_answers "$i" && [ "$(peers_up "$i")" -ge "$want" ]; do
    if ! pid_of "$i" >/dev/null; then
      say "node $i died while starting:"
      tail -n 15 "$(dir_of "$i")/system.log" "$(dir_of "$i")/stdout.log" >&2 || true
      return 1
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      say "node $i was not ready in $WAIT s"
      return 1
    fi
    sleep 0.2
  done
}

alive_others() {
  local j n=0
  for j in $(seq 1 "$(nodes)"); do
    if [ "$j" != "$1" ] && cql_answers "$j"; then n=$((n + 1)); fi
  done
  echo "$n"
}

up() {
  local n=1 fresh="" a
  for a in "$@"; do case "$a" in 1|3) n="$a" ;; --fresh) fresh=1 ;; *) usage ;; esac; done
  install
  if [ -n "$fresh" ] || { [ "$(nodes)" != 0 ] && [ "$(nodes)" != "$n" ]; }; then wipe; fi
  mkdir -p "$RUN"; echo "$n" >"$RUN/nodes"
  local i t0=$SECONDS
  for i in $(seq 1 "$n"); do configure "$i" "$n"; launch "$i"; done
  for i in $(seq 1 "$n"); do await "$i" $((n - 1)) $((t0 + WAIT)) || { down; exit 1; }; done
  say "$n node(s) up in $((SECONDS - t0)) s: $(contact)"
}

# For tests: everything ends with whoever holds our standard input, however that one ended.
run() {
  trap 'wipe; rm -rf "$RUN"; exit 0' EXIT
  trap : INT TERM HUP
  up "${1:-1}" --fresh
  contact
  while read -r _; do :; done
}

start() {
  need_node "$1"; install
  configure "$1" "$(nodes)"; launch "$1"
  await "$1" "$(alive_others "$1")" $((SECONDS + WAIT))
}

end_pid() { # PID SIGNAL
  local p="$1" k
  kill -"$2" "$p" 2>/dev/null || true
  for k in $(seq 1 150); do kill -0 "$p" 2>/dev/null || return 0; sleep 0.1; done
  kill -9 "$p" 2>/dev/null || true
}

halt() { # NODE SIGNAL
  local p
  if p="$(pid_of "$1")"; then end_pid "$p" "$2"; fi
  rm -f "$(dir_of "$1")/pid"
}

down() { local i; for i in $(seq 1 "$(nodes)"); do halt "$i" KILL; done; }
wipe() {
  down
  if [ -f "$RUN/nodes" ]; then rm -rf "$RUN"/node[1-3] "$RUN/nodes"; fi
}

nodetool() {
  need_node "$1"; local i="$1"; shift
  "$JAVA" -Xmx64m -Xshare:auto -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "${JVM_OPENS[@]}" \
    -Dcassandra.storagedir="$RUN" -Duser.home="$RUN" \
    -Dlogback.configurationFile="$(dir_of "$i")/logback-tools.xml" \
    -cp "$LIB/*" org.apache.cassandra.tools.NodeTool -h 127.0.0.1 -p $((JMX_BASE + i)) "$@"
}

status() {
  local i p rss cql bad=0
  for i in $(seq 1 "$(nodes)"); do
    if p="$(pid_of "$i")"; then
      rss="$(ps -o rss= -p "$p" | awk '{printf "%d", $1/1024}')"
      if cql_answers "$i"; then cql=answers; else cql=silent; bad=1; fi
      printf 'node %s %s:%s pid %s rss %s MB cql %s peers up %s\n' \
        "$i" "$(ip_of "$i")" "$CQL_PORT" "$p" "$rss" "$cql" "$(peers_up "$i")"
    else printf 'node %s %s:%s down\n' "$i" "$(ip_of "$i")" "$CQL_PORT"; bad=1; fi
  done
  if [ "$(nodes)" = 0 ]; then echo 'no cluster'; bad=1; fi
  return "$bad"
}

contact() {
  local i s=""
  for i in $(seq 1 "$(nodes)"); do s="$s${s:+,}$(ip_of "$i"):$CQL_PORT"; done
  echo "$s"
}

cmd="${1:-}"; shift || true
case "$cmd" in
  install|down|wipe|status|contact) "$cmd" ;;
  up|run) "$cmd" "$@" ;;
  kill) need_node "${1:-}"; halt "$1" KILL ;;
  stop) need_node "${1:-}"; nodetool "$1" drain >/dev/null 2>&1 || true; halt "$1" TERM ;;
  pause) need_node "${1:-}"; kill -STOP "$(pid_of "$1")" ;;
  resume) need_node "${1:-}"; kill -CONT "$(pid_of "$1")" ;;
  start) start "${1:-}" ;;
  nodetool) nodetool "$@" ;;
  *) usage ;;
esac
