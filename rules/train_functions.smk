def train_records(wildcards):
    return shards(RUNS[wildcards.run].dataset, "train")


def held_out_records(wildcards):
    """The records that training evaluates on, if it does."""
    run = RUNS[wildcards.run]
    return shards(run.dataset, "val") if run.train.eval_epoch_freq else []


def not_in_use(train):
    """Settings that are at their defaults and are then left out, so that commands are those of versions without them."""
    defaults = {"init_ckpt": None, "init_d_ckpt": None, "precision": "float32"}
    return {key for key, value in defaults.items() if getattr(train, key) == value}


def initial_weights(wildcards):
    """The checkpoints that training starts from."""
    train = RUNS[wildcards.run].train
    return [path for path in (train.init_ckpt, train.init_d_ckpt) if path]


def train_flags(wildcards):
    train = RUNS[wildcards.run].train
    flags = as_flags(train.model_copy(update={"epoch_num": int(wildcards.epoch)}), left_out=not_in_use(train))
    return shlex.join([*flags, *["--held_out"] * (train.eval_epoch_freq > 0), *held_out_records(wildcards)])


def where_flags(wildcards):
    """Devices and execution; a resource, so that a change does not trigger a rerun."""
    flags = as_flags(RUNS[wildcards.run].where)
    # the rule passes the number of cores that Snakemake grants
    at = flags.index("--train_threads")
    return shlex.join(flags[:at] + flags[at + 2 :] + ["--drop_snapshots"] * (not CONFIG.keep.snapshots))


def workers_on_a_node(wildcards):
    where = RUNS[wildcards.run].where
    return where.device_num // where.nodes


def train_threads(wildcards):
    """Cores per node: train_threads, by default all; on a cluster two for a single worker, else one per worker."""
    where = RUNS[wildcards.run].where
    return where.train_threads or all_cores(wildcards, on_cluster=max(2, workers_on_a_node(wildcards)))


def train_memory(wildcards):
    return 6000 * workers_on_a_node(wildcards)


def train_gpu(wildcards):
    """Number of GPUs of a job on a single node."""
    where = RUNS[wildcards.run].where
    return where.device_num if where.device_target == "GPU" and where.nodes == 1 else 0


def train_device(wildcards):
    """Whether a training occupies the devices of a machine; the default profile allows one such job at a time."""
    return int(RUNS[wildcards.run].where.device_target != "CPU")


def train_gres(wildcards):
    """Generic resources per node for Slurm: NPUs, or GPUs on several nodes; None: nothing is requested."""
    where = RUNS[wildcards.run].where
    if where.device_target == "Ascend":
        return f"npu:{workers_on_a_node(wildcards)}"
    return f"gpu:{workers_on_a_node(wildcards)}" if where.device_target == "GPU" and where.nodes > 1 else None


def train_nodes(wildcards):
    """Number of nodes of a job, and of tasks: one per node, which starts the workers of that node."""
    return RUNS[wildcards.run].where.nodes


def train_mpi(wildcards):
    """With several tasks, the job itself starts them."""
    return "srun" if train_nodes(wildcards) > 1 else None
