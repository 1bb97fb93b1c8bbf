import os
import re
import shlex
import sys
from pathlib import Path

from snakemake.settings.types import DeploymentMethod

from pix2pix.config.flags import as_flags
from pix2pix.config.paths import check_paths, listing_of
from pix2pix.config.runs import BENCHMARKS, fidelity_weights, read_config
from pix2pix.system.checksum import sha256_of
from pix2pix.system.errors import InputError

# the name of a run is a target, like these
RULE_NAMES = {"all", "benchmarks", "draw_demo", "download", "download_weights", "extract", "mindrecord", "train"}
RULE_NAMES |= {"keep_best", "predict", "evaluate", "measure_fidelity", "describe", "summarize"}
# a run has its weights in data/weights/{run}/, and data/weights/fidelity/ is for the Inception network
RESERVED = RULE_NAMES | {"fidelity"}

try:
    CONFIG, RUNS, NOTES = read_config(config, RESERVED)
    # a cluster node that runs a single job may not have access to all of them
    if workflow.is_main_process:
        check_paths(CONFIG)
except InputError as error:
    print(*(f"error: {line}" for line in str(error).splitlines()), sep="\n", file=sys.stderr)
    sys.exit(1)
for note in NOTES:
    print(note, file=sys.stderr)
# Snakemake reruns a job whose command has changed, so the command is the same for every checkout and interpreter:
# their paths are passed as environment variables, which are also set here when a cluster node reads this file
IN_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
os.environ.update(PIX2PIX_HOME=workflow.basedir, PIX2PIX_PYTHON="python" if IN_CONDA else sys.executable)
HOME = '"$PIX2PIX_HOME"'
SCRIPTS = f'PYTHONPATH={HOME}"${{{{PYTHONPATH:+:$PYTHONPATH}}}}" "$PIX2PIX_PYTHON" {HOME}/scripts'
# Snakemake formats the path of an environment, so braces are escaped
ENVS = f"{workflow.basedir}/workflow/envs".replace("{", "{{").replace("}", "}}")
# the output of a program goes to the terminal and to its log; tee ignores the signals that make training save and exit
LOG_TO = """2>&1 | sh -c 'trap "" INT TERM; exec tee "$0"'"""
# the shell also waits until training has saved its state
OUTLIVE_SIGNALS = "trap : TERM;"
# a param with the checksum of the content: an input's path would depend on the checkout
PUBLISHED_SHA256 = sha256_of(Path(workflow.basedir) / "workflow" / "published.yaml")
PAIRS_IN_A_SHARD = 20000
DRAWN = [name for name, dataset in CONFIG.datasets.items() if dataset.drawn]
DOWNLOADED = [name for name, dataset in CONFIG.datasets.items() if not dataset.drawn and not dataset.folder]
INCEPTION = fidelity_weights(CONFIG.fidelity)
WEIGHTS = {run.download.path: run.download for run in RUNS.values() if run.download} | {INCEPTION.path: INCEPTION}
SUMMARIES = {"summary": CONFIG.all, "benchmarks": BENCHMARKS}


def one_of(names):
    """A wildcard pattern that matches only these names."""
    return "|".join(map(re.escape, names)) or "(?!)"


def members(groups):
    """The runs of each group: one, or one per seed; exits with an error if all of them were skipped."""
    runs = [run.name for group in groups for run in RUNS.values() if run.group == group]
    if not runs:
        named = ", ".join(f"runs.{group}" for group in groups)
        print(f"error: config: {named}: no run is left; correct the problems listed above", file=sys.stderr)
        sys.exit(1)
    return runs


def scores_of(runs):
    return expand("results/{run}/{scores}.json", run=runs, scores=["metrics"] + ["fidelity"] * CONFIG.fidelity.enabled)


def everything_of(groups):
    """An input function, so that the error about skipped runs appears only if these groups are requested."""

    def results(wildcards):
        runs = members(groups)
        made = ["predict", "metrics.csv", "run.html"]
        return scores_of(runs) + expand("results/{run}/{result}", run=runs, result=made)

    return results


def shards(dataset, split):
    """The MindRecord files of a split: one, or several if it is large."""
    pairs = CONFIG.datasets[dataset].splits[split] or 0
    number = -(-pairs // PAIRS_IN_A_SHARD)
    if number <= 1:
        return [f"data/{dataset}/{split}.mindrecord"]
    return [f"data/{dataset}/{split}-{shard}-of-{number}.mindrecord" for shard in range(1, number + 1)]


def train_records(wildcards):
    return shards(RUNS[wildcards.run].dataset, "train")


def held_out_records(wildcards):
    """The records that training evaluates on, if it does."""
    run = RUNS[wildcards.run]
    return shards(run.dataset, "val") if run.train.eval_epoch_freq else []


def predict_records(wildcards):
    run = RUNS[wildcards.run]
    return shards(run.dataset, run.predict.predict_split)


def checkpoint_of(wildcards):
    """The generator that a run predicts with: trained here, published, or supplied by the user."""
    run = RUNS[wildcards.run]
    return run.ckpt or f"results/{run.name}/ckpt/Generator_{run.train.epoch_num}.ckpt"


def train_flags(wildcards):
    train = RUNS[wildcards.run].train
    flags = as_flags(train.model_copy(update={"epoch_num": int(wildcards.epoch)}))
    return shlex.join([*flags, *["--held_out"] * (train.eval_epoch_freq > 0), *held_out_records(wildcards)])


def predict_flags(wildcards):
    return shlex.join(as_flags(RUNS[wildcards.run].predict))


def evaluate_flags(wildcards):
    run = RUNS[wildcards.run]
    return shlex.join(["--run", run.name, "--group", run.group, "--dataset", run.dataset])


def describe_flags(wildcards):
    run = RUNS[wildcards.run]
    settings = run.predict if run.ckpt else {**dict(run.train), **dict(run.predict)}.items()
    flags = ["--trained"] * (run.ckpt is None) + ["--fidelity"] * CONFIG.fidelity.enabled
    return shlex.join([*flags, "--settings", *(f"{name}={value}" for name, value in settings)])


def summarize_flags(wildcards):
    groups = SUMMARIES[wildcards.summary]
    flags = [f"results/{run}" for run in members(groups)] + ["--fidelity"] * CONFIG.fidelity.enabled
    for title, names in CONFIG.comparisons.items():
        if set(names) <= set(groups):
            flags.append(f"--compare={title}={','.join(names)}")
    return shlex.join(flags)


def mirror_flags(wildcards):
    mirrors = CONFIG.datasets[wildcards.dataset].mirrors or CONFIG.mirrors
    return shlex.join(f"--mirror={mirror}" for mirror in mirrors)


def checksum_flag(wildcards):
    sha256 = CONFIG.datasets[wildcards.dataset].sha256
    return f"--sha256 {sha256}" if sha256 else ""


def weights_flags(wildcards):
    download = WEIGHTS[f"data/weights/{wildcards.file}"]
    flags = [f"--address={address}" for address in download.addresses]
    return shlex.join(flags + ([f"--sha256={download.sha256}"] if download.sha256 else []))


def drawn_flags(wildcards):
    splits = CONFIG.datasets[wildcards.dataset].splits
    return " ".join(f"--{split} {pairs}" for split, pairs in splits.items())


def split_flags(wildcards):
    splits = CONFIG.datasets[wildcards.dataset].splits
    return " ".join(split if pairs is None else f"{split}={pairs}" for split, pairs in splits.items())


def images_source(wildcards):
    """The archive; changes in a folder are detected by its listing, a param, since its time does not show them."""
    return [] if CONFIG.datasets[wildcards.dataset].folder else f"data/{wildcards.dataset}.tar.gz"


def images_listing(wildcards):
    dataset = CONFIG.datasets[wildcards.dataset]
    return listing_of(dataset.folder, tuple(dataset.splits)) if dataset.folder else None


def source_argument(wildcards):
    source = CONFIG.datasets[wildcards.dataset].folder or f"data/{wildcards.dataset}.tar.gz"
    # a path that starts with a dash would be parsed as a flag
    return shlex.quote(f"./{source}" if source.startswith("-") else source)


def shard_flags(wildcards):
    split, *shard = wildcards.part.replace("-of", "").split("-")
    return f"--split {split}" + (f" --shard {shard[0]} --shards {shard[1]}" if shard else "")


def where_flags(wildcards):
    """Devices and execution; a resource, so that a change does not trigger a rerun."""
    return shlex.join(as_flags(RUNS[wildcards.run].where))


def workers_on_a_node(wildcards):
    where = RUNS[wildcards.run].where
    return where.device_num // where.nodes


def train_threads(wildcards):
    """Threads per node: two for a single worker, otherwise one per worker."""
    return max(2, workers_on_a_node(wildcards))


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


def predict_target(wildcards):
    """The run's device; on a cluster the CPU, since devices are requested only for training."""
    at_home = workflow.local_exec and not workflow.remote_exec
    return RUNS[wildcards.run].where.device_target if at_home else "CPU"


def predict_device(wildcards):
    """Like train_device: prediction on a device waits for training on it."""
    return int(predict_target(wildcards) != "CPU")
