import sys
from pathlib import Path

from snakemake.utils import min_version

from pix2pix.config.yaml_file import check_yaml
from pix2pix.system.errors import InputError

min_version("9.0")

try:
    check_yaml(Path(workflow.basedir) / "config.yaml")
    # Snakemake reads these as JSON first, which may contain tabs
    for path in workflow.overwrite_configfiles if workflow.is_main_process else ():
        if path.suffix != ".json":
            check_yaml(path)
except InputError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(1)


configfile: f"{workflow.basedir}/config.yaml"


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/data_functions.smk"
include: "rules/train_functions.smk"
include: "rules/evaluate_functions.smk"
include: "rules/translate_functions.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/terminal.smk"
include: "rules/translate.smk"
include: "rules/export.smk"


# the limit in the default profile applies to one machine, not to a cluster
resource_scopes:
    device="local",


# on a cluster, these run on the submitting machine, since they are fast
localrules:
    all,
    benchmarks,
    keep_best,
    describe,
    summarize,


onstart:
    # not in the jobs that it starts; a dry run starts none
    if workflow.is_main_process and not workflow.touch:
        check_folders()
        check_devices()


onsuccess:
    say_success()


onerror:
    say_failure()


rule all:
    default_target: True
    input:
        everything_of(CONFIG.all),
        "results/summary.csv",
        "results/summary.html",


rule benchmarks:
    input:
        everything_of(BENCHMARKS),
        "results/benchmarks.csv",
        "results/benchmarks.html",


# the names are printed when it is done
rule targets:
    localrule: True


for group in sorted(CONFIG.runs):

    rule:
        name:
            group
        input:
            everything_of([group]),
        localrule: True


for inputs in sorted(CONFIG.inputs):

    rule:
        name:
            inputs
        input:
            translations_of(inputs),
        localrule: True
