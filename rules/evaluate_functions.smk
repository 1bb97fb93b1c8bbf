def predict_records(wildcards):
    run = RUNS[wildcards.run]
    return shards(run.dataset, run.predict.predict_split)


def checkpoint_of(wildcards):
    """The generator that a run predicts with: trained here, published, or supplied by the user."""
    run = RUNS[wildcards.run]
    return run.ckpt or f"results/{run.name}/ckpt/Generator_{run.train.epoch_num}.ckpt"


def predict_flags(wildcards):
    run = RUNS[wildcards.run]
    return shlex.join(as_flags(run.predict, left_out=run.from_ckpt))


def evaluate_flags(wildcards):
    run = RUNS[wildcards.run]
    return shlex.join(["--run", run.name, "--group", run.group, "--dataset", run.dataset])


def describe_flags(wildcards):
    run = RUNS[wildcards.run]
    left_out = run.from_ckpt | not_in_use(run.train)
    settings = [(k, v) for k, v in (*(() if run.ckpt else run.train), *run.predict) if k not in left_out]
    flags = ["--trained"] * (run.ckpt is None) + ["--fidelity"] * CONFIG.fidelity.enabled
    return shlex.join([*flags, "--settings", *(f"{name}={size_text(value)}" for name, value in dict(settings).items())])


def summarize_flags(wildcards):
    groups = SUMMARIES[wildcards.summary]
    flags = [f"results/{run}" for run in members(groups)] + ["--fidelity"] * CONFIG.fidelity.enabled
    # without those whose runs were all skipped
    there = {run.group for run in RUNS.values()}
    for title, names in CONFIG.comparisons.items():
        if set(names) <= set(groups) and (left := [name for name in names if name in there]):
            flags.append(f"--compare={title}={','.join(left)}")
    return shlex.join(flags)


def predict_target(wildcards):
    """The run's device; on a cluster the CPU, since devices are requested only for training."""
    return RUNS[wildcards.run].where.device_target if at_home() else "CPU"


def predict_device(wildcards):
    """Like train_device: prediction on a device waits for training on it."""
    return int(predict_target(wildcards) != "CPU")
