#!/bin/sh
# Runs a command in namespaces of its own, with a root directory of its own that shows nothing of this machine but
# its programs and what is named here (docs/images.md, "What a step can reach"). All of it ends when this process ends.
#
# sandbox.sh join    [--cgroup DIRECTORY]... NETWORK ROOT ARGUMENTS OF root...
# sandbox.sh network ROOT ARGUMENTS OF root...
# sandbox.sh root    ROOT [--read SOURCE TARGET | --write SOURCE TARGET]... COMMAND...
set -eu

self=$0
stage=$1
shift

# Not exec'd on its own: a signal at the parent's death must be asked for by the process that lives on.
enter_root() {
  exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --ipc --uts --cgroup \
    sh "$self" root "$@"
}

bind() {
  mode=$1 from=$2 to=$3
  # Each program that is started here delays every build.
  if [ -d "$from" ]; then
    [ -d "$to" ] || mkdir -p "$to"
  else
    [ -d "${to%/*}" ] || mkdir -p "${to%/*}"
    : >"$to"
  fi
  if [ "$mode" = --write ]; then mount --bind "$from" "$to"; else mount -o bind,ro,nosuid "$from" "$to"; fi
}

lay_out_devices() {
  mount -t tmpfs -o mode=755,size=1m,nosuid,noexec devices "$1"
  for device in null zero full random urandom tty; do
    : >"$1/$device"
    mount --bind "/dev/$device" "$1/$device"
  done
  mkdir "$1/pts" "$1/shm" "$1/mqueue"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,nosuid,noexec devpts "$1/pts"
  mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev,noexec shm "$1/shm"
  ln -s pts/ptmx "$1/ptmx"
  ln -s /proc/self/fd "$1/fd"
}

# What a write to would reach beyond the namespaces.
close_kernel_files() {
  for name in sys sysrq-trigger irq bus fs acpi scsi; do
    [ -e "$1/$name" ] || continue
    mount --bind "$1/$name" "$1/$name"
    mount -o remount,bind,ro "$1/$name"
  done
  for name in kcore keys timer_list; do
    [ -e "$1/$name" ] && mount --bind /dev/null "$1/$name"
  done
}

# The part of each hierarchy that the cgroup namespace shows: limits of this sandbox lie above it.
lay_out_control_groups() {
  directory=$1
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 "$directory"
    mkdir "$directory/main" "$directory/steps"
    echo 0 >"$directory/main/cgroup.procs"
    echo '+memory +pids' >"$directory/cgroup.subtree_control"
    return
  fi
  mount -t tmpfs -o mode=755,size=1m cgroups "$directory"
  for controller in memory pids devices freezer; do
    [ -d "/sys/fs/cgroup/$controller" ] || continue
    mkdir "$directory/$controller"
    mount -t cgroup -o "$controller" cgroup "$directory/$controller"
    mkdir "$directory/$controller/steps"
  done
}

limit_steps() {
  for file in memory/steps/memory.limit_in_bytes steps/memory.max; do
    [ -e "$1/$file" ] && echo "$STEP_MEMORY" >"$1/$file"
  done
  for file in pids/steps/pids.max steps/pids.max; do
    [ -e "$1/$file" ] && echo "$STEP_PROCESSES" >"$1/$file"
  done
  for file in memory/steps/memory.swappiness; do
    [ -e "$1/$file" ] && echo 0 >"$1/$file" || true
  done
}

case $stage in
  join)
    while [ "$1" = --cgroup ]; do
      echo 0 >"$2/cgroup.procs"
      shift 2
    done
    network=$1
    shift
    [ "$network" = shared ] && enter_root "$@" </dev/null
    exec setpriv --pdeathsig KILL unshare --net sh "$self" network "$@"
    ;;
  network)
    ip link set lo up
    # A line for each network that must not be reached, then an empty one: by then the way out is there.
    while read -r blocked && [ -n "$blocked" ]; do
      ip route add prohibit "$blocked"
    done
    enter_root "$@" </dev/null
    ;;
  root)
    root=$1
    shift
    mount -t tmpfs -o mode=755,size=64m,nosuid stowage "$root"
    for name in bin sbin lib lib32 lib64 libx32; do
      if [ -L "/$name" ]; then
        cp -P "/$name" "$root/$name"
      elif [ -d "/$name" ]; then
        bind --read "/$name" "$root/$name"
      fi
    done
    bind --read /usr "$root/usr"
    mkdir -p "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/run" "$root/etc" "$root/var/lib" "$root/var/tmp" "$root/root"
    chmod 1777 "$root/tmp"
    mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
    close_kernel_files "$root/proc"
    lay_out_devices "$root/dev"
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys" 2>/dev/null || mkdir -p "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=755,nosuid,nodev run "$root/run"
    if [ -n "${STEP_MEMORY-}" ]; then
      lay_out_control_groups "$root/sys/fs/cgroup"
      limit_steps "$root/sys/fs/cgroup"
    fi
    while [ "$1" = --read ] || [ "$1" = --write ]; do
      bind "$1" "$2" "$root$3"
      shift 3
    done
    cd "$root"
    mkdir .outside
    pivot_root . .outside
    umount -l /.outside
    rmdir /.outside
    exec "$@"
    ;;
esac
