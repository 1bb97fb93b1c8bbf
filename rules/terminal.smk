"""What Snakemake shows on the terminal: a line per job, and what to open or to do at the end.

Everything that is hidden here is in the log file in .snakemake/log/. --verbose shows all of it.
"""

import difflib
import logging
import time

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

STARTED = time.monotonic()
# messages of Snakemake, by their beginning, that repeat what other lines tell
NOISE = (
    "Building DAG",
    "Using shell",
    "Assuming unrestricted",
    "Config file",
    "Conda environments",
    "Select jobs",
    "Removing output files of failed",
    "Cannot restore",
    "Exiting because a job",
    "Complete log",
    "Elapsed time",
    "Shutting down",
    "At least one job did not",
)
QUIET_EVENTS = {LogEvent.WORKFLOW_STARTED, LogEvent.RESOURCES_INFO, LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED}
NAMES = {}  # of the jobs that started, by id
FAILED = {}  # the failed jobs: name and log
INTERRUPTED = []


def job_name(record):
    """For example "train facades 200": the rule and its wildcards."""
    wildcards = dict(getattr(record, "wildcards", None) or {})
    return " ".join([record.rule_name, *map(str, wildcards.values())])


def text_of(path):
    """The text of a log; empty if there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def last_error(path):
    """The last error that a job wrote to its log; empty if there is none."""
    errors = [line.removeprefix("error: ") for line in text_of(path).splitlines() if line.startswith("error: ")]
    return errors[-1] if errors else ""


def targets_of(run):
    """The files and folders of a run that can be requested."""
    made = ["predict", "metrics.json", "metrics.csv", "fidelity.json", "run.html", "gallery.html", "export", "try.html"]
    trained = [f"ckpt/Generator_{RUNS[run].train.epoch_num}.ckpt"] * (RUNS[run].ckpt is None)
    return [f"results/{run}/{name}" for name in made + trained]


def all_targets():
    """Everything that can be requested by name: rules, runs, and their files."""
    rules = [rule.name for rule in workflow.rules if not rule.has_wildcards()]
    summaries = [f"results/{name}.{ending}" for name in SUMMARIES for ending in ("html", "csv")]
    datasets = [f"data/{name}/pairs" for name in CONFIG.datasets] + [f"data/{archive}" for archive in ARCHIVES.values()]
    return [*rules, *summaries, *datasets, *(target for run in RUNS for target in targets_of(run))]


def unknown_target(message):
    """The line for a target that nothing makes, with the names that are most like it."""
    target = message.partition("No rule to produce ")[2].partition(" (if you use")[0].strip()
    near = difflib.get_close_matches(target, all_targets(), n=2, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"error: no target is named {target}{hint} (snakemake targets lists all of them)"


class Shown(logging.Filter):
    """Drops what repeats other lines, and remembers the jobs that failed."""

    def filter(self, record):
        event, text = getattr(record, "event", None), str(record.msg)
        if event == LogEvent.JOB_INFO:
            NAMES[record.jobid] = job_name(record)
        if event == LogEvent.JOB_ERROR:
            FAILED[NAMES.get(record.jobid, record.rule_name)] = record.log[0] if record.log else None
        if event == LogEvent.JOB_FINISHED:
            # one that failed before, and was retried
            FAILED.pop(NAMES.get(record.job_id), None)
        if text.startswith("Terminating processes"):
            INTERRUPTED.append(True)
        of_a_job = event == LogEvent.ERROR and ("CalledProcessError" in text or NOISE[-1] in text)
        return not (event in QUIET_EVENTS or event == LogEvent.JOB_ERROR or of_a_job or text.startswith(NOISE))


class Line(logging.Formatter):
    """One line for each job; everything else as `default` formats it."""

    def __init__(self, default, clear):
        super().__init__()
        self.default = default
        self.clear = clear  # the sequence that clears a progress bar from the line

    def format(self, record):
        return self.clear + self.text(record)

    def text(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO and hasattr(record, "stats"):
            jobs = dict(record.stats)
            total = jobs.pop("total", None)
            return f"{total} jobs: " + ", ".join(f"{number} {rule}" for rule, number in jobs.items())
        if event == LogEvent.JOB_INFO:
            reason = f": {record.reason}" if workflow.output_settings.dryrun else ""
            return f"{time.strftime('%H:%M:%S')} {job_name(record)}{reason}"
        if event == LogEvent.PROGRESS:
            return f"{time.strftime('%H:%M:%S')} {record.done} of {record.total} jobs done"
        if getattr(record, "exception", None) == "MissingRuleException":
            return unknown_target(str(record.msg))
        return self.default.format(record)


def say(*lines):
    print(*lines, sep="\n", file=sys.stderr)


def pages_made():
    """The pages among the requested results: the summary first."""
    files = [str(file) for job in workflow.dag.targetjobs for file in job.output or job.input]
    pages = [file for file in files if file.endswith(".html")]
    if not pages:
        pages = [f"{file}/index.html" for file in files if Path(file).name == "predict"]
    return sorted(dict.fromkeys(pages), key=lambda page: page.count("/"))


def say_success():
    if any(job.rule.name == "targets" for job in workflow.dag.targetjobs):
        print(*all_targets(), sep="\n")
    pages = pages_made()
    more = f" and {len(pages) - 3} more" if len(pages) > 3 else ""
    seconds = round(time.monotonic() - STARTED)
    say(f"done in {seconds // 60} min {seconds % 60} s" + (f"; open {', '.join(pages[:3])}{more}" if pages else ""))


def say_failure():
    """For each failed job: what failed, and where its log is; then what to do."""
    again = "give the same command again"
    saved = [name for name, log in FAILED.items() if log and "state saved" in text_of(log)]
    if INTERRUPTED or (FAILED and len(saved) == len(FAILED)):
        say(f"stopped{': the state of the training is saved' if saved else ''}; to go on, {again}")
        return
    for name, log in FAILED.items():
        say(f"error: {name}: failed: {last_error(log) if log else ''}".rstrip(": "))
        say(f"  its log: {log}" if log else "  it has no log")
    say(f"  when that is corrected, {again}: finished results are kept, and training resumes")


if workflow.is_main_process and not workflow.output_settings.verbose:
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            if not workflow.output_settings.dryrun:
                handler.addFilter(Shown())
            clear = "\x1b[K" if handler.stream.isatty() else ""
            handler.setFormatter(Line(handler.formatter, clear))
