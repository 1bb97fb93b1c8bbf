import functools
import os
import re
import shlex
import sys
from pathlib import Path

from snakemake.settings.types import DeploymentMethod

from pix2pix.config.datasets import Tolerance, archive_ending
from pix2pix.config.flags import as_flags
from pix2pix.config.paths import check_paths, listing_of, listing_of_all
from pix2pix.config.runs import BENCHMARKS, fidelity_weights, read_config
from pix2pix.config.settings import GeneratorSettings, PredictSettings
from pix2pix.config.values import size_text
from pix2pix.devices.check import check_agreement, require
from pix2pix.pairing.lists import files_digest
from pix2pix.planning.sizes import PUBLISHED, largest_data, training_bytes
from pix2pix.system.checksum import sha256_of
from pix2pix.system.disk import check_folder, nearest_folder
from pix2pix.system.errors import InputError

# the name of a run is a target, like these
RULE_NAMES = {"all", "benchmarks", "draw_demo", "download", "download_weights", "extract", "mindrecord", "train"}
RULE_NAMES |= {"keep_best", "predict", "evaluate", "measure_fidelity", "describe", "summarize", "targets"}
RULE_NAMES |= {"translate", "export", "try_page", "pair"}
# a run has its weights in data/weights/{run}/, and data/weights/fidelity/ is for the Inception network
RESERVED = RULE_NAMES | {"fidelity"}

try:
    CONFIG, RUNS, NOTES = read_config(config, RESERVED)
    # a cluster node that runs a single job may not have access to all of them
    if workflow.is_main_process:
        check_paths(CONFIG)
        for name in RUNS:
            nearest_folder(Path("results", name, "ckpt"))
except InputError as error:
    print(*(f"error: {line}" for line in str(error).splitlines()), sep="\n", file=sys.stderr)
    sys.exit(1)
for note in NOTES:
    print(note, file=sys.stderr)
# Snakemake reruns a job whose command has changed, so the command is the same for every checkout and interpreter:
# their paths are passed as environment variables, which are also set here when a cluster node reads this file
IN_CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
os.environ.update(PIX2PIX_HOME=workflow.basedir, PIX2PIX_PYTHON="python" if IN_CONDA else sys.executable)
# networks of hundreds of megabytes are read faster in huge pages; the C library reads this when a program starts
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
HOME = '"$PIX2PIX_HOME"'
# 3 is the terminal, for a progress bar, and 4 is the log, since tee would copy the bar's every state to both
SCRIPTS = f'PIX2PIX_PROGRESS=3,4 PYTHONPATH={HOME}"${{{{PYTHONPATH:+:$PYTHONPATH}}}}" "$PIX2PIX_PYTHON" {HOME}/scripts'
# Snakemake formats the path of an environment, so braces are escaped
ENVS = f"{workflow.basedir}/workflow/envs".replace("{", "{{").replace("}", "}}")
# the output of a program goes to the terminal and to its log; tee ignores the signals that make training save and exit
LOGGED = """3>&2 4>>{log:q} 2>&1 | sh -c 'trap "" INT TERM; exec tee -a "$0"' {log:q}"""
# the shell also waits until training has saved its state
OUTLIVE_SIGNALS = "trap : TERM;"
# a param with the checksum of the content: an input's path would depend on the checkout
PUBLISHED_SHA256 = sha256_of(Path(workflow.basedir) / "workflow" / "published.yaml")
BROWSER_RUNTIME_SHA256 = sha256_of(Path(workflow.basedir) / "workflow" / "try" / "package-lock.json")
PAIRS_IN_A_SHARD = 20000
DRAWN = [name for name, dataset in CONFIG.datasets.items() if dataset.drawn]
PAIRED = [name for name, dataset in CONFIG.datasets.items() if dataset.separate]
# the archive of each dataset, named like its first address
ARCHIVES = {
    name: (
        f"{name}.tar.gz"
        if dataset.drawn or dataset.separate
        else f"{name}.{archive_ending(dataset.mirrors or CONFIG.mirrors)}"
    )
    for name, dataset in CONFIG.datasets.items()
    if not dataset.on_disk
}
DOWNLOADED = {archive: name for name, archive in ARCHIVES.items() if name not in [*DRAWN, *PAIRED]}
INCEPTION = fidelity_weights(CONFIG.fidelity)
DOWNLOADS = [each for run in RUNS.values() for each in (run.download, *run.init_downloads) if each] + [INCEPTION]
WEIGHTS = {download.path: download for download in DOWNLOADS}
SUMMARIES = {"summary": CONFIG.all, "benchmarks": BENCHMARKS}


def one_of(names):
    """A wildcard pattern that matches only these names."""
    return "|".join(map(re.escape, names)) or "(?!)"


def path_argument(path):
    """A path as an argument of a command; one that starts with a dash would be parsed as a flag."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


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


def at_home():
    """Whether this process runs its jobs on this machine, and is not itself the job of a cluster."""
    return workflow.local_exec and not workflow.remote_exec


def all_cores(wildcards, on_cluster=2):
    """All of --cores; on a cluster, where a job does not know the size of the nodes, a fixed number."""
    return workflow.cores if at_home() else on_cluster


def everything_of(groups):
    """An input function, so that the error about skipped runs appears only if these groups are requested."""

    def results(wildcards):
        runs = members(groups)
        made = ["predict", "metrics.csv", "run.html", "gallery.html"]
        return scores_of(runs) + expand("results/{run}/{result}", run=runs, result=made)

    return results


def check_folders():
    """Before the first job: exit if a job could not write its outputs."""
    try:
        for job in workflow.dag.needrun_jobs():
            files = [*job.output, *job.log, *([job.benchmark] if job.benchmark else [])]
            for folder in [Path(file).parent for file in files]:
                check_folder(folder)
            if job.rule.name == "train":
                check_folder(Path("results", job.wildcards.run))
                check_folder(Path("results", job.wildcards.run, "state"))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def check_devices():
    """Before the first job: exit if this machine lacks what a job that will run on it needs."""
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name in ("train", "predict", "translate")]
    trained = [RUNS[job.wildcards.run] for job in jobs if job.rule.name == "train"]
    needed = {(run.where.device_target, run.train.precision) for run in trained}
    needed |= {(predict_target(job.wildcards), "float32") for job in jobs if job.rule.name != "train"}
    needed = sorted(needed - {("CPU", "float32")})
    try:
        for target, precision in needed:
            check_agreement(target, precision)
        if needed and (IN_CONDA or not workflow.local_exec or any(run.where.nodes > 1 for run in trained)):
            named = ", ".join(f"precision: {how}" if how == "bf16" else f"device_target: {on}" for on, how in needed)
            print(f"{named}: checked where the jobs run, not on this machine", file=sys.stderr)
            return
        for target, precision in needed:
            require(target, precision)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
