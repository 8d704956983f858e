#!/usr/bin/env bash
# A run on a slice of Cloud TPU VMs, from the machine you sit at, which has gcloud and is logged in. See docs/running.md.
#
#   launch/tpu_vm.sh COMMAND --project=P --zone=Z --name=N [options] [-- arguments of launch/main.py]
#
#   create   asks for the slice in the queue, --type=v5litepod-16, and waits until it is there; --spot is cheaper, and
#            can be taken away; --runtime=VERSION where the type does not tell which
#   setup    copies this checkout's HEAD to all hosts, installs it, and mounts --mount=gs://BUCKET or HOST:/SHARE
#   run      starts launch/main.py on all hosts; each starts it again when it ends with a code that asks for it
#   logs     follows what the first host prints
#   status   of the slice, and of the run on each host
#   resume   delete, create, setup and run whatever of these is needed, until the run has ended, however often the
#            slice is taken away
#   stop     asks the run to save and to end; run goes on from there
#   delete   gives the slice back: what is not under the mount is lost
#
# --dry_run prints the commands and runs none.
set -euo pipefail

SHARED=/mnt/shared                       # where --mount appears on every host
POLL_SECONDS=${POLL_SECONDS:-60}         # between looks at the queue, and at the run
RESTART_SECONDS=${RESTART_SECONDS:-10}   # before a process is started again
TRIES=3                                  # of a process that ends with an error each time
LASTING_SECONDS=${LASTING_SECONDS:-1800} # what has run so long is tried anew; longer than --hang_seconds

fail() {
  echo "tpu_vm.sh: $*" >&2
  exit 2
}

main() {
  local command=${1:-}
  case $command in
    create | setup | run | logs | status | resume | stop | delete) shift && read_options "$@" && "$command" ;;
    host_setup | host_start | host_run | host_state) shift && "$command" "$@" ;; # what the others run on the hosts
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
    fail "--name=$name is not a name: small letters, digits and hyphens, a letter first, no hyphen last"
}

need() {
  [[ -n ${!1} ]] || fail "--$1=... is missing"
}

# Runs a command, or only shows it.
do_() {
  if [[ $dry ]]; then printf '%q ' "$@" && echo; else "$@"; fi
}

gcloud_() {
  do_ gcloud compute tpus "$@" "--project=$project" "--zone=$zone"
}

# Runs a command of this file on the hosts: 0, or all.
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
    [[ $now != NONE && $now != FAILED && $now != SUSPEND* ]] || fail "the slice is $now; gcloud's describe tells why"
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

# What the queue says of the slice: ACTIVE, SUSPENDED, ...; NONE if it cannot be asked, as before it is created.
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
  # shellcheck disable=SC2016  # the host's shell reads the file
  gcloud_ tpu-vm ssh "$name" --worker=all '--command=kill -TERM -- "-$(cat videobert_jax/run.pid)"'
}

delete() {
  gcloud_ queued-resources delete "$name" --force --quiet
}

resume() {
  need type # what is missing would fail for ever, on a slice that is paid for
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
        of_run=$(on 0 host_state) || of_run=silent # taken away just now, or not set up
        case $of_run in
          ended*) echo "the run has $of_run; delete gives the slice back" && return "${of_run##* }" ;;
          running*) ;;
          *) each setup run || true ;;
        esac
        ;;
    esac
    sleep "$POLL_SECONDS"
  done
}

# Some commands one after the other, up to the first that fails.
each() {
  local command
  for command in "$@"; do
    "$BASH" "$0" "$command" "${given[@]}" || { echo "tpu_vm.sh: $command failed" >&2 && return 1; }
  done
}

# Installs the package, with a Python by uv, for the system's is older than 3.11; and mounts what all hosts share.
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
  if kill -0 "$(cat run.pid 2>/dev/null)" 2>/dev/null; then fail "$HOSTNAME is at work on a run already; stop it first"; fi
  rm -f run.code
  setsid nohup bash launch/tpu_vm.sh host_run "$@" >>run.log 2>&1 </dev/null &
  echo $! >run.pid
}

# The run, started again whenever it ends with a code that asks for it; the last code goes to run.code.
host_run() {
  local code=143 start tries=0 stopping=''
  trap 'stopping=yes' TERM # its process gets the signal too, saves and ends; so does the pause
  until [[ $stopping ]]; do
    code=0 start=$SECONDS
    "${PYTHON:-.venv/bin/python}" launch/main.py --distributed "$@" || code=$?
    case $code in
      0 | 2 | 126 | 127) break ;; # complete; a wrong command line; no program
      75 | 143) tries=0 ;;        # asked to stop
      *)                          # what the user can mend, or another host was lost
        if ((SECONDS - start >= LASTING_SECONDS)); then tries=0; fi
        if ((++tries == TRIES)); then break; fi
        ;;
    esac
    if [[ $stopping ]]; then break; fi
    echo "tpu_vm.sh: it ended with $code, and is started again"
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
