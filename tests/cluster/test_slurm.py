"""The workflow on a Slurm cluster of two nodes, which tests/cluster/cluster.sh starts on this machine."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psutil
import pytest
import yaml
from conftest import ROOT, TINY_RUN, script, snakemake

from pix2pix.config.flags import as_flags
from pix2pix.config.settings import TrainSettings

pytestmark = pytest.mark.skipif(
    "TEST_SLURM" not in os.environ, reason="`make test-slurm` starts a Slurm cluster for it"
)

CLUSTER = ROOT / "tests" / "cluster" / "cluster.sh"
STARTED: list[subprocess.Popen] = []
CPU = "'--device_target CPU --device_num 1'"


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    # munged does not accept pytest's folders, because other users cannot read them
    folder = Path(tempfile.gettempdir()) / f"slurm-{os.getpid()}"
    before = daemons()
    subprocess.run([CLUSTER, "start", folder], check=True)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}/bin:{path}"
    try:
        yield
    finally:
        for process in STARTED:
            process.kill()
            process.wait()
        os.environ["PATH"] = path
        subprocess.run([CLUSTER, "stop", folder], check=True)
    assert daemons() <= before


def daemons() -> set[int]:
    """The processes of all Slurm clusters on this machine, except zombies."""
    return {
        process.pid
        for process in psutil.process_iter(["name", "status"])
        if process.info["name"].startswith(("slurm", "munged")) and process.info["status"] != psutil.STATUS_ZOMBIE
    }


def profile(folder: Path, train: dict[str, object], **changes: object) -> Path:
    """The shipped profile, adapted to this cluster and with the given settings of `train`."""
    shipped = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
    shipped["set-resources"]["train"] |= train
    # no accounting database; jobs are shorter than on a real cluster
    shipped |= {"slurm-status-command": "squeue", "slurm-init-seconds-before-status-checks": 12}
    (folder / "profile").mkdir()
    (folder / "profile" / "config.yaml").write_text(yaml.safe_dump(shipped | changes))
    return folder / "profile"


def submit(work: Path, settings: Path, config: dict[str, object], *targets: str) -> subprocess.Popen:
    """Start `snakemake` with a profile; its output goes to snakemake.log."""
    (work / "mine.yaml").write_text(yaml.safe_dump({"datasets": DATASETS} | config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", work]
    command += ["--workflow-profile", settings, *targets, "--configfile", work / "mine.yaml"]

    def heed_ctrl_c() -> None:
        # background processes of a shell ignore SIGINT, and so would all processes started by the tests
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with open(work / "snakemake.log", "w") as log:
        options = {"stdout": log, "stderr": log, "cwd": work}
        STARTED.append(subprocess.Popen(command, **options, start_new_session=True, preexec_fn=heed_ctrl_c))
    return STARTED[-1]


def finish(process: subprocess.Popen, work: Path) -> None:
    assert process.wait(400) == 0, (work / "snakemake.log").read_text()


def jobs(rule: str = "", run: str = "") -> list[dict[str, str]]:
    """The jobs of a rule according to Slurm's controller, in the order of their submission."""
    show = ["scontrol", "--oneliner", "show", "jobs"]
    until = time.monotonic() + 60
    # a job whose processes have just ended gets its last state a moment later
    while "COMPLETING" in (lines := subprocess.run(show, check=True, capture_output=True, text=True).stdout):
        assert time.monotonic() < until, lines
        time.sleep(0.5)
    found = [dict(re.findall(r"(\S+?)=(.*?)(?=\s+\S+?=|\s*$)", line)) for line in lines.splitlines() if "JobId" in line]
    return [job for job in found if f"rule_{rule}" in job["Comment"] and f"_{run}" in job["Comment"]]


def during(job: dict[str, str]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(job["StartTime"]), datetime.fromisoformat(job["EndTime"])


def overlap(one: dict[str, str], other: dict[str, str]) -> bool:
    return during(one)[0] < during(other)[1] and during(other)[0] < during(one)[1]


def processes_in(work: Path) -> list[str]:
    """The commands of all processes whose working directory is in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(work)):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def wait_until(condition, seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"{what}: not within {seconds} s"
        time.sleep(0.2)


def epochs(work: Path, run: str) -> int:
    history = work / "results" / run / "history.csv"
    return len(history.read_text().splitlines()) - 1 if history.exists() else 0


DATASETS = {"houses": {"drawn": True, "splits": {"train": 6, "val": 2}, "direction": "BtoA"}}
RUN = TINY_RUN | {"dataset": "houses"}
EVERYTHING = {
    "gpu1": RUN | {"device_target": "GPU"},
    "gpu2": RUN | {"device_target": "GPU", "dataset": "fetched"},
    "npu": RUN | {"device_target": "Ascend"},
    "spread": RUN | {"device_target": "GPU", "device_num": 2, "nodes": 2},
}
# runs with all targets; the other run only has a checkpoint
WHOLE = ["gpu1", "gpu2", "npu"]


@pytest.fixture(scope="module")
def everything(tmp_path_factory) -> Path:
    """Four runs on two datasets, from scratch to a summary of three of them, all with the profile."""
    work = tmp_path_factory.mktemp("everything")
    script("draw_demo", work / "mirror" / "fetched.tar.gz", "--train", 6, "--val", 2)
    datasets = DATASETS | {"fetched": DATASETS["houses"] | {"drawn": False, "mirrors": [f"file://{work}/mirror"]}}
    # the devices are placeholders: they are requested, but a CPU does the work
    where = f"{CPU} if wildcards.run != 'spread' else '--device_target CPU --device_num 2 --nodes 2'"
    settings = profile(work, {"where": where, "slurm_partition": "accelerated"})
    config = {"datasets": datasets, "runs": EVERYTHING, "all": WHOLE}
    finish(submit(work, settings, config, "all", "results/spread/ckpt/Generator_2.ckpt"), work)
    return work


def test_all_targets_are_built_with_several_jobs_at_once(everything):
    for run in WHOLE:
        assert (everything / "results" / run / "predict" / "index.html").exists()
        assert (everything / "results" / run / "metrics.json").exists()
    assert len(list(csv.DictReader((everything / "results" / "summary.csv").open()))) == len(WHOLE)
    done = jobs()
    assert {job["JobState"] for job in done} == {"COMPLETED"}
    assert max(sum(overlap(job, other) for other in done) for job in done) >= 3


def test_downloads_run_on_the_submitting_machine(everything):
    assert (everything / "data" / "fetched.tar.gz").exists()
    assert len(jobs("extract")) == 2
    assert jobs("download") == jobs("summarize") == []


@pytest.mark.parametrize(
    ("rule", "run", "cpus", "memory", "limit", "devices"),
    [
        ("draw_demo", "houses", 1, "500M", "00:05:00", None),
        ("extract", "fetched", 2, "1000M", "04:00:00", None),
        ("mindrecord", "houses_train", 1, "2000M", "02:00:00", None),
        ("train", "gpu1", 2, "6000M", "1-00:00:00", ("TresPerJob", "gres:gpu:1")),
        ("train", "npu", 2, "6000M", "1-00:00:00", ("TresPerNode", "gres:npu:1")),
        ("train", "spread", 4, "12000M", "1-00:00:00", ("TresPerNode", "gres:gpu:1")),
        ("predict", "gpu1", 2, "4000M", "01:00:00", None),
        ("predict", "npu", 2, "4000M", "01:00:00", None),
        ("evaluate", "gpu1", 1, "2000M", "00:30:00", None),
        ("evaluate", "npu", 1, "2000M", "00:30:00", None),
    ],
)
def test_a_job_requests_the_resources_of_its_stage(everything, rule, run, cpus, memory, limit, devices):
    [job] = jobs(rule, run)
    assert (int(job["NumCPUs"]), job["TimeLimit"]) == (cpus, limit)
    assert f"mem={memory}" in job["TRES"]
    assert {key: value for key, value in job.items() if key.startswith("TresPer")} == dict([devices] if devices else [])
    assert job["Partition"] == ("accelerated" if rule == "train" else "cpu")
    assert job["Requeue"] == "0"


def test_two_trainings_never_share_the_one_gpu_of_a_node(everything):
    one, other, both = [job for run in ("gpu1", "gpu2", "spread") for job in jobs("train", run)]
    assert {one["NodeList"], other["NodeList"]} <= {"n1", "n2"}
    assert not overlap(one, both)
    assert not overlap(other, both)
    assert one["NodeList"] != other["NodeList"] or not overlap(one, other)


def test_a_training_spread_over_two_nodes(everything):
    [job] = jobs("train", "spread")
    assert job["NodeList"] == "n[1-2]"
    assert "2 workers on 2 machine(s)" in (everything / "logs" / "train" / "spread_2.log").read_text()
    rows = list(csv.DictReader((everything / "results" / "spread" / "history.csv").open()))
    assert [row["workers"] for row in rows] == ["2", "2"]


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    """The folder data/ of the drawn dataset, created without Slurm."""
    work = tmp_path_factory.mktemp("records")
    (work / "mine.yaml").write_text(yaml.safe_dump({"datasets": DATASETS}))
    wanted = [f"data/houses/{split}.mindrecord" for split in ("train", "val")]
    snakemake(work, *wanted, "--configfile", str(work / "mine.yaml"))
    return work / "data"


def epochs_in(seconds: float, data: Path, work: Path) -> int:
    """How many epochs of the small run this machine trains in `seconds` with one thread."""
    settings = TrainSettings(**{k: v for k, v in RUN.items() if k in TrainSettings.model_fields}).model_copy(
        update={"epoch_num": 12, "n_epochs": 12}
    )
    folders = {"ckpt_dir": "ckpt", "train_fakeimg_dir": "fake", "loss_show_dir": "loss", "state_dir": "state"}
    places = [part for flag, folder in folders.items() for part in (f"--{flag}", work / folder)]
    done = script("train", data / "houses" / "train.mindrecord", *places, *as_flags(settings), "--train_threads", 1)
    assert done.returncode == 0, done.stdout
    first, last = ((work / "fake" / f"epoch_{epoch:04d}.png").stat().st_mtime for epoch in (2, 12))
    return round(seconds * 10 / (last - first))


def test_a_training_stopped_by_its_time_limit_resumes_with_identical_results(tmp_path, records):
    shutil.copytree(records, tmp_path / "data")
    # Slurm checks time limits every half minute: the first attempt trains for 10 to 40 seconds
    epochs = epochs_in(50, tmp_path / "data", tmp_path / "trial")
    long = RUN | {"epoch_num": epochs, "n_epochs": epochs // 2, "n_epochs_decay": epochs}
    # one minute at first, and longer when resubmitted
    limits = {"runtime": "attempt if wildcards.run == 'cut' else 60", "slurm_extra": "'--signal=TERM@10'"}
    settings = profile(tmp_path, limits, **{"set-threads": {"train": 1}})
    runs = {"cut": long, "whole": long}
    results = [f"results/{run}/ckpt/Generator_{epochs}.ckpt" for run in runs]
    finish(submit(tmp_path, settings, {"runs": runs}, *results), tmp_path)
    attempts = jobs("train", "cut")
    assert len(attempts) > 1
    assert attempts[0]["TimeLimit"] == "00:01:00"
    assert attempts[-1]["JobState"] == "COMPLETED"
    logs = tmp_path / "logs" / "slurm" / "rule_train" / f"cut_{epochs}"
    assert "stopped by signal 15: state saved" in (logs / f"{attempts[0]['JobId']}.log").read_text()
    assert "resumed at epoch" in (logs / f"{attempts[1]['JobId']}.log").read_text()
    for network in ("Generator", "Discriminator"):
        cut, whole = (tmp_path / "results" / run / "ckpt" / f"{network}_{epochs}.ckpt" for run in runs)
        assert cut.read_bytes() == whole.read_bytes()


def test_scancel_and_ctrl_c_leave_nothing_running(tmp_path, records):
    shutil.copytree(records, tmp_path / "data")
    long = RUN | {"epoch_num": 2000, "n_epochs": 2000}
    runs = {"cancelled": long | {"device_num": 2}, "interrupted": long}
    process = submit(tmp_path, profile(tmp_path, {}, retries=0), {"runs": runs, "all": list(runs)})
    for run in runs:
        wait_until(lambda run=run: epochs(tmp_path, run) > 0, 180, f"the first epoch of {run}")
    [job] = jobs("train", "cancelled")
    subprocess.run(["scancel", job["JobId"]], check=True)
    wait_until(
        lambda: not any("results/cancelled" in line for line in processes_in(tmp_path)), 60, "end of the cancelled"
    )
    assert any("results/interrupted" in line for line in processes_in(tmp_path))
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) != 0
    wait_until(lambda: processes_in(tmp_path) == [], 60, "end of the interrupted")
    assert {job["JobState"] for job in jobs("train")[-2:]} == {"CANCELLED"}


def test_the_profile_for_other_schedulers(tmp_path, records):
    shutil.copytree(records, tmp_path / "data")
    runs = {"other": RUN | {"epoch_num": 15, "n_epochs": 15}}
    process = submit(
        tmp_path, ROOT / "profiles" / "cluster-generic", {"runs": runs}, "results/other/ckpt/Generator_15.ckpt"
    )
    wait_until(lambda: epochs(tmp_path, "other") > 0, 90, "the first epoch")
    logs = tmp_path / "logs" / "cluster"
    [first] = logs.iterdir()
    # the signal that Slurm sends before a time limit, to all processes except the batch script
    subprocess.run(["scancel", "--signal=TERM", first.name.split("-")[0]], check=True)
    finish(process, tmp_path)
    assert "stopped by signal 15: state saved" in first.read_text()
    [second] = set(logs.iterdir()) - {first}
    assert "resumed at epoch" in second.read_text()
