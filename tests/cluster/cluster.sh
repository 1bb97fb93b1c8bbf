#!/usr/bin/env bash
# A Slurm cluster of two nodes on this machine, as ordinary processes: no systemd, cgroup or database.
#   cluster.sh install       install the Debian packages it needs and try it, or print why that is not possible
#   cluster.sh start FOLDER  start it with all its files in FOLDER; its commands are then in FOLDER/bin
#   cluster.sh stop FOLDER   cancel its jobs, stop its daemons, delete FOLDER
# Each node has 4 CPUs, 16 GB, one GPU and one NPU; the last two are placeholders that no program opens.
set -euo pipefail

PACKAGES="slurmctld slurmd slurm-client munge"
COMMANDS="srun sbatch scancel scontrol squeue sinfo sacct sacctmgr sshare"
NODES="n1 n2"

is_installed() {
    for program in slurmctld slurmd munged srun; do command -v "$program" >/dev/null || return; done
}

why_not() {
    [ "$(id -u)" = 0 ] || { echo "only root can start its daemons"; return; }
    is_installed && return
    command -v apt-get >/dev/null || { echo "$PACKAGES need apt-get, which is not available"; return; }
    apt-cache show $PACKAGES >/dev/null 2>&1 || apt-get update >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $PACKAGES >/dev/null 2>&1 &&
        is_installed || echo "apt-get install $PACKAGES fails"
}

# a container may forbid what the daemons need
starts() (
    folder=$(mktemp --directory --dry-run "${TMPDIR:-/tmp}/slurm-XXXXXX")
    export SLURM_CONF=$folder/etc/slurm.conf
    start && timeout 30 srun --nodes=2 true && stop
) >/dev/null 2>&1

install() {
    reason=$(why_not)
    [ -n "$reason" ] || starts || reason="its daemons are installed but do not work"
    [ -z "$reason" ] || { echo "Slurm is not available for tests: $reason" >&2; exit 1; }
}

write_configuration() {
    local host port
    host=$(hostname -s)
    port=$((20000 + RANDOM % 10000))
    mkdir -p "$folder"/{etc,run,log,spool,bin}
    (umask 077 && head --bytes 1024 /dev/urandom >"$folder/etc/munge.key")
    cat >"$folder/etc/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/run/munge.sock
StateSaveLocation=$folder/spool/controller
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
# more CPUs than the machine may have
SlurmdParameters=config_overrides
# how long finished jobs can be queried
MinJobAge=900
KillWait=5
# otherwise a job takes all the memory of its node
DefMemPerCPU=500
GresTypes=gpu,npu
END
    for node in $NODES; do
        mkdir "$folder/spool/$node"
        port=$((port + 1))
        echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$port CPUs=4 RealMemory=16000 Gres=gpu:1,npu:1"
    done >>"$folder/etc/slurm.conf"
    echo "PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE" >>"$folder/etc/slurm.conf"
    echo "PartitionName=accelerated Nodes=ALL MaxTime=INFINITE" >>"$folder/etc/slurm.conf"
    # each device must be a different character device
    printf 'Name=gpu File=/dev/zero\nName=npu File=/dev/full\n' >"$folder/etc/gres.conf"
    # the plugin's jobs start srun without SLURM_CONF in the environment
    for command in $COMMANDS; do
        printf '#!/bin/sh\nSLURM_CONF=%s exec /usr/bin/%s "$@"\n' "$folder/etc/slurm.conf" "$command"  >"$folder/bin/$command"
        chmod +x "$folder/bin/$command"
    done
}

start_daemons() {
    local run=$folder/run
    munged --key-file="$folder/etc/munge.key" --socket="$run/munge.sock" --pid-file="$run/munged.pid" \
        --log-file="$folder/log/munged.log" --seed-file="$run/munged.seed" --num-threads=2 || return
    slurmctld -c || return
    for node in $NODES; do slurmd -N "$node" || return; done
    for _ in $(seq 200); do
        [ "$(sinfo --noheader --Node --partition cpu --format %T 2>/dev/null | grep --count '^idle$')" = 2 ] && return
        sleep 0.1
    done
    return 1
}

start() {
    [ ! -e "$folder" ] || { echo "$folder exists: stop it first" >&2; exit 1; }
    write_configuration
    start_daemons && return
    tail "$folder"/log/*.log >&2
    stop
    exit 1
}

# process 1 of a container may not reap zombies, which kill -0 still finds
is_running() { [ -e "/proc/$1/stat" ] && ! grep --quiet ') [ZX] ' "/proc/$1/stat"; }

stop() {
    [ -d "$folder" ] || return 0
    timeout 10 scancel --me 2>/dev/null || true
    for _ in $(seq 150); do
        [ -n "$(timeout 5 squeue --noheader 2>/dev/null)" ] || break
        sleep 0.1
    done
    local pids
    pids=$(cat "$folder"/run/slurmd-*.pid "$folder/run/slurmctld.pid" "$folder/run/munged.pid" 2>/dev/null || true)
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    for pid in $pids; do
        for _ in $(seq 100); do is_running "$pid" || break; sleep 0.1; done
        ! is_running "$pid" || { echo "process $pid of $folder does not end" >&2; exit 1; }
    done
    rm -rf "$folder"
}

action=${1:?cluster.sh install, start FOLDER or stop FOLDER}
if [ "$action" != install ]; then
    folder=$(realpath --no-symlinks "${2:?a folder for the cluster}")
    export SLURM_CONF=$folder/etc/slurm.conf
fi
"$action"
