#!/usr/bin/env bash
# Controls a run on a slice of Cloud TPU VMs from a machine with a logged-in gcloud. See docs/running.md.
#
#   launch/tpu_vm.sh COMMAND --project=P --zone=Z --name=N [options] [-- arguments of launch/main.py]
#
#   create   requests a slice of --type=v5litepod-16 from the queue and waits for it; --spot is cheaper, but can be
#            preempted; --runtime=VERSION is needed for types whose version the script does not know
#   setup    copies this checkout's HEAD to all hosts, installs it, and mounts --mount=gs://BUCKET or HOST:/SHARE
#   run      starts launch/main.py on all hosts; each host restarts it when its exit code asks for it
#   logs     follows the output of the first host
#   status   shows the state of the slice, and of the run on each host
#   resume   deletes, creates, sets up and runs as needed until the run ends, however often the slice is preempted
#   stop     asks the run to save and exit; `run` resumes it
#   delete   deletes the slice; everything outside of the mount is lost
#
# --dry_run prints the commands without running them.
set -euo pipefail

SHARED=/mnt/shared                       # mount point on every host
POLL_SECONDS=${POLL_SECONDS:-60}         # between polls of the queue, and of the run
RESTART_SECONDS=${RESTART_SECONDS:-10}   # before a process is restarted
TRIES=3                                  # consecutive failures before a host gives up
LASTING_SECONDS=${LASTING_SECONDS:-1800} # a run this long resets the count; longer than --hang_seconds

fail() {
  echo "tpu_vm.sh: $*" >&2
  exit 2
}

main() {
  local command=${1:-}
  case $command in
    create | setup | run | logs | status | resume | stop | delete) shift && read_options "$@" && "$command" ;;
    host_setup | host_start | host_run | host_state) shift && "$command" "$@" ;; # run on the hosts by the commands above
    *) fail "unknown command '$command'; expected create, setup, run, logs, status, resume, stop or delete" ;;
  esac
}

read_options() {
  project='' zone='' name='' type='' runtime='' mount='' spot=() dry='' arguments=() given=("$@")
  while (($#)); do
    case $1 in
      --project=*) project=${1#*=} ;;
      --zone=*) zone=${1#*=} ;;
      --name=*) name=${1#*=} ;;
      --type=*) type=${1#*=} ;;
      --runtime=*) runtime=${1#*=} ;;
      --mount=*) mount=${1#*=} ;;
      --spot) spot=(--spot) ;;
      --dry_run) dry=yes ;;
      --) shift && arguments=("$@") && break ;;
      *) fail "unknown option '$1'; arguments of launch/main.py come after --" ;;
    esac
    shift
  done
  need project
  need zone
  need name
  [[ $name =~ ^[a-z]([-a-z0-9]*[a-z0-9])?$ ]] ||
    fail "--name=$name is not a valid name; expected lower-case letters, digits and hyphens, first a letter, last no hyphen"
}

need() {
  [[ -n ${!1} ]] || fail "--$1=... is missing"
}

# Runs a command; with --dry_run only prints it.
do_() {
  if [[ $dry ]]; then printf '%q ' "$@" && echo; else "$@"; fi
}

gcloud_() {
  do_ gcloud compute tpus "$@" "--project=$project" "--zone=$zone"
}

# Runs a command of this script on host 0 or on all hosts.
on() {
  local line
  line=$(printf '%q ' bash launch/tpu_vm.sh "${@:2}")
  gcloud_ tpu-vm ssh "$name" "--worker=$1" "--command=cd videobert_jax && $line"
}

create() {
  need type
  local version
  version=$(runtime_of_type)
  gcloud_ queued-resources create "$name" "--node-id=$name" "--accelerator-type=$type" \
    "--runtime-version=$version" "${spot[@]}"
  if [[ $dry ]]; then state && return; fi
  local now
  until now=$(state) && [[ $now == ACTIVE ]]; do
    [[ $now != NONE && $now != FAILED && $now != SUSPEND* ]] || fail "the slice is $now; see gcloud's describe for the reason"
    echo "waiting for the slice, which is $now"
    sleep "$POLL_SECONDS"
  done
}

runtime_of_type() {
  case $runtime/$type in
    ?*/*) echo "$runtime" ;;
    /v6e-*) echo v2-alpha-tpuv6e ;;
    /v5p-*) echo v2-alpha-tpuv5 ;;
    /v5litepod-*) echo v2-alpha-tpuv5-lite ;;
    /v4-*) echo tpu-ubuntu2204-base ;;
    *) fail "no runtime version is known for --type=$type; give --runtime=VERSION" ;;
  esac
}

# The state of the slice in the queue: ACTIVE, SUSPENDED, ...; NONE if the query fails, as before it is created.
state() {
  gcloud_ queued-resources describe "$name" '--format=value(state.state)' || echo NONE
}

need_mount() {
  [[ $mount == gs://[!/]* || ($mount != gs://* && $mount == ?*:/?*) ]] ||
    fail "--mount=$mount is neither gs://BUCKET nor HOST:/SHARE"
}

setup() {
  need_mount
  local source=${TMPDIR:-/tmp}/videobert_jax_$name.tar.gz
  do_ git -C "$(dirname "$0")/.." archive --format=tar.gz "--output=$source" HEAD
  gcloud_ tpu-vm scp "$source" "$name:source.tar.gz" --worker=all
  gcloud_ tpu-vm ssh "$name" --worker=all \
    '--command=mkdir -p videobert_jax && tar -xzf source.tar.gz -C videobert_jax'
  on all host_setup "$mount"
}

need_arguments() {
  ((${#arguments[@]})) || fail "nothing to run; give -- --config=... --workdir=$SHARED/..."
}

run() {
  need_arguments
  on all host_start "${arguments[@]}"
}

logs() {
  gcloud_ tpu-vm ssh "$name" --worker=0 '--command=tail -n 100 -F videobert_jax/run.log'
}

status() {
  state
  on all host_state
}

stop() {
  # shellcheck disable=SC2016  # expanded by the host's shell
  gcloud_ tpu-vm ssh "$name" --worker=all '--command=kill -TERM -- "-$(cat videobert_jax/run.pid)"'
}

delete() {
  gcloud_ queued-resources delete "$name" --force --quiet
}

resume() {
  need type # checks options first: a missing one would fail in every attempt, on a paid slice
  runtime_of_type >/dev/null
  need_mount
  need_arguments
  local of_run
  if [[ $dry ]]; then
    each delete create setup run && on 0 host_state
    return
  fi
  while true; do
    case $(state) in
      NONE) each create setup run || true ;;
      FAILED | SUSPENDED) each delete create setup run || true ;;
      ACTIVE)
        of_run=$(on 0 host_state) || of_run=silent # just preempted, or not set up
        case $of_run in
          ended*) echo "the run has $of_run; remember to delete the slice" && return "${of_run##* }" ;;
          running*) ;;
          *) each setup run || true ;;
        esac
        ;;
    esac
    sleep "$POLL_SECONDS"
  done
}

# Runs commands in sequence until one fails.
each() {
  local command
  for command in "$@"; do
    "$BASH" "$0" "$command" "${given[@]}" || { echo "tpu_vm.sh: $command failed" >&2 && return 1; }
  done
}

# Installs the package, with Python from uv since the system's is older than 3.11, and mounts the shared storage.
host_setup() {
  python3 -m pip install --quiet --user uv
  local uv=$HOME/.local/bin/uv
  "$uv" venv --quiet --clear --python 3.11 .venv
  "$uv" pip install --quiet -r requirements.txt
  "$uv" pip install --quiet -e '.[tpu]'
  if mountpoint -q "$SHARED"; then return; fi
  sudo mkdir -p "$SHARED"
  sudo chown "$(id -u)" "$SHARED"
  if [[ $1 == gs://* ]]; then
    command -v gcsfuse >/dev/null || install_gcsfuse
    gcsfuse --implicit-dirs "${1#gs://}" "$SHARED"
  else
    command -v mount.nfs >/dev/null || sudo apt-get install -yq nfs-common
    sudo mount -t nfs "$1" "$SHARED"
  fi
}

install_gcsfuse() {
  local site=https://packages.cloud.google.com/apt key=/usr/share/keyrings/cloud.google.asc
  curl -fsS "$site/doc/apt-key.gpg" | sudo tee "$key" >/dev/null
  echo "deb [signed-by=$key] $site gcsfuse-$(lsb_release -cs) main" | sudo tee /etc/apt/sources.list.d/gcsfuse.list
  sudo apt-get update -q
  sudo apt-get install -yq gcsfuse
}

host_start() {
  if kill -0 "$(cat run.pid 2>/dev/null)" 2>/dev/null; then fail "$HOSTNAME is already running; stop it first"; fi
  rm -f run.code
  setsid nohup bash launch/tpu_vm.sh host_run "$@" >>run.log 2>&1 </dev/null &
  echo $! >run.pid
}

# Runs the program, and restarts it if its exit code asks for it; writes the last code to run.code.
host_run() {
  local code=143 start tries=0 stopping=''
  trap 'stopping=yes' TERM # the signal also reaches the process, which saves and exits, and the sleep
  until [[ $stopping ]]; do
    code=0 start=$SECONDS
    "${PYTHON:-.venv/bin/python}" launch/main.py --distributed "$@" || code=$?
    case $code in
      0 | 2 | 126 | 127) break ;; # complete; invalid command line; no program
      75 | 143) tries=0 ;;        # asked to stop
      *)                          # an error, or a lost host
        if ((SECONDS - start >= LASTING_SECONDS)); then tries=0; fi
        if ((++tries == TRIES)); then break; fi
        ;;
    esac
    if [[ $stopping ]]; then break; fi
    echo "tpu_vm.sh: it exited with code $code; restarting"
    sleep "$RESTART_SECONDS" || true
  done
  echo "$code" >run.code
  return "$code"
}

host_state() {
  if [[ -e run.code ]]; then
    echo "ended with $(cat run.code)"
  elif kill -0 "$(cat run.pid 2>/dev/null)" 2>/dev/null; then
    echo "running on $HOSTNAME: $(tail -n 1 run.log)"
  else
    echo "nothing runs on $HOSTNAME"
  fi
}

main "$@"
